"""``anysky prices``: list prices, offline, and the catalogue they come from."""

from __future__ import annotations

import importlib
from typing import Any

import click

from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    OutcomeUnknownError,
    ProviderUnavailableError,
    UnsafeResponseError,
)

__all__ = ["command"]

_BUILDING = "prices_building"
_READING = "prices_reading"
_UPDATING = "prices_updating"
_COMMANDS = {
    "build": (_BUILDING, "build a catalogue from what vendors publish"),
    "compare": (_READING, "put sizes beside each other"),
    "diff": (_READING, "list what differs between two catalogues"),
    "estimate": (_READING, "add up what nodes cost"),
    "export": (_BUILDING, "write all prices for other programs"),
    "history": (_BUILDING, "list what a size cost before"),
    "import": (_BUILDING, "build a catalogue from a table of prices"),
    "info": (_READING, "say which catalogue is used, and why"),
    "keygen": (_BUILDING, "make a key pair to sign catalogues with"),
    "path": (_UPDATING, "print the file of the catalogue that is used"),
    "pin": (_UPDATING, "keep to one version"),
    "rollback": (_UPDATING, "go back to the catalogue before the last update"),
    "search": (_READING, "find the cheapest sizes across clouds"),
    "show": (_READING, "show the price of a size"),
    "update": (_UPDATING, "install a newer catalogue"),
    "verify": (_UPDATING, "look the installed catalogue through"),
}
_NAMES = {"import": "import_"}  # of functions that cannot have the command's name
_NETWORK = (
    ConnectionFailedError, DeadlineExceededError, OutcomeUnknownError, ProviderUnavailableError,
)  # fmt: skip
_NETWORK_EXIT = 2
_VERIFICATION_EXIT = 3


class _Prices(click.Group):
    """A group whose commands are imported when they are needed, with exit codes of their own."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"anysky.cli.{_COMMANDS[cmd_name][0]}")
        found: click.Command = getattr(module, _NAMES.get(cmd_name, cmd_name))
        return found

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in sorted(_COMMANDS.items())])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except CloudError as error:
            click.echo(f"anysky: {error}", err=True)
            return ctx.exit(_exit_code(error))


def _exit_code(error: CloudError) -> int:
    if isinstance(error, _NETWORK):
        return _NETWORK_EXIT
    if isinstance(error, UnsafeResponseError):
        return _VERIFICATION_EXIT
    code: int = getattr(error, "exit_code", 1)
    return code


@click.group("prices", cls=_Prices)
def command() -> None:
    """List prices of cloud servers, and the catalogue they come from.

    Exit codes: 0 done or nothing to do, 1 unknown price or local problem, 2 network or wrong
    usage, 3 verification failed, 4 unknown schema, 5 locked by another update.
    """
