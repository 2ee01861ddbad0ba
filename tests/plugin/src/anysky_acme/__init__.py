"""Acme's cloud, as a plug-in for anysky."""

from anysky.account import Account, account, setting
from anysky.registry import Provider, Service
from anysky.secret import Secret


@account
class Acme(Account):
    positional = ("token",)
    token: Secret = setting("API token", env=("ACME_TOKEN",), secret=True)
    endpoint: str = setting("URL of the API", default="https://api.acme.example")


services = {"compute": Service("acme", "anysky_acme.compute:AcmeCompute")}
provider = Provider("acme", "Acme", "https://acme.example", Acme, services)
