"""The commands of ``anysky prices`` for those who publish catalogues."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from anysky.cli.output import table
from anysky.cli.prices_reading import output_option, print_json
from anysky.pricing.builds import build as build_catalogue
from anysky.pricing.errors import BuildFailedError
from anysky.pricing.publishing import DAYS, BuildReport, ProviderReport
from anysky.pricing.secret_keys import SecretKey, make_key, read_key

__all__ = ["PASSWORD_VARIABLE", "build", "keygen"]

PASSWORD_VARIABLE = "ANYSKY_PRICES_KEY_PASSWORD"  # noqa: S105 - the name of a variable
"""Environment variable with the password of a secret key."""

_NONE = "-"


def _sources(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, str]:
    sources: dict[str, str] = {}
    for value in values:
        provider, equals, source = value.partition("=")
        if not (provider and equals and source):
            raise click.BadParameter(f"{value!r} is not like aws=FILE, aws=FOLDER or aws=URL")
        sources[provider] = source
    return sources


@click.command("build")
@click.option("--out", required=True, metavar="DIR", help="Folder for the catalogue and manifest.")
@click.option(
    "--from", "sources", multiple=True, callback=_sources, metavar="PROVIDER=FILE|DIR|URL",
    help="Where a provider's prices are, in place of the vendor's address; may be repeated.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="PROVIDER", help="Build this; may be repeated.")
@click.option("--base", metavar="FILE", help="Catalogue to start from, or bundled.")
@click.option("--key", metavar="FILE", help="Secret key to sign with; see `anysky prices keygen`.")
@click.option(
    "--accept", multiple=True, metavar="PROVIDER",
    help="Take its prices although a gate would hold them; may be repeated.",
)  # fmt: skip
@click.option("--strict", is_flag=True, help="Build nothing unless every provider can be built.")
@click.option("--version", help="Version of the catalogue; by default the day.")
@click.option("--days", default=DAYS, show_default=True, help="After how many it expires.")
@click.option("--insecure-http", is_flag=True, help="Allow plain HTTP.")
@output_option
def build(
    out: str,
    sources: dict[str, str],
    only: tuple[str, ...],
    base: str | None,
    key: str | None,
    accept: tuple[str, ...],
    strict: bool,
    version: str | None,
    days: int,
    insecure_http: bool,
    output: str,
) -> None:
    """Build a catalogue and its manifest from what vendors publish.

    A provider whose prices cannot be had, or cannot be right, keeps those of the base.
    """
    secret = _secret_key(key)
    if secret is None:
        click.echo("no key is given: the manifest is not signed", err=True)
    try:
        report = build_catalogue(
            out, sources=sources, only=only, base=base, key=secret, accept=accept, strict=strict,
            version=version, days=days, insecure_http=insecure_http,
        )  # fmt: skip
    except BuildFailedError as error:
        if isinstance(error.report, BuildReport):
            _say(error.report, output)
        raise
    _say(report, output)


def _secret_key(path: str | None) -> SecretKey | None:
    if path is None:
        return None
    key = Path(path).expanduser()
    return read_key(key, lambda: os.environ.get(PASSWORD_VARIABLE) or _ask(path))


def _ask(path: str) -> str:
    password: str = click.prompt(f"password of {path}", hide_input=True, err=True)
    return password


def _say(report: BuildReport, output: str) -> None:
    if output == "json":
        print_json(report)
        return
    header = ("provider", "", "prices", "from", "to", "changed", "new", "gone", "left out")
    click.echo(table(header, [_row(one) for one in report.providers]))
    for one in report.providers:
        for kind, lines in (
            ("problem", one.problems),
            ("disputed", one.disputed),
            ("odd", one.odd),
        ):
            for line in lines:
                click.echo(f"{one.provider}: {kind}: {line}", err=True)
    if report.manifest:
        click.echo(f"version {report.version}: {report.manifest}")
    if report.key:
        click.echo(f"public key: {report.key}")


def _row(one: ProviderReport) -> list[str]:
    return [
        one.provider, one.outcome, str(one.prices), one.oldest or _NONE, one.newest or _NONE,
        str(one.changed), str(one.new), str(one.gone), str(sum(one.left_out.values())),
    ]  # fmt: skip


@click.command("keygen")
@click.argument("path")
@output_option
def keygen(path: str, output: str) -> None:
    """Make a key pair to sign catalogues with: the files PATH and PATH.pub.

    Keep the first one secret: whoever has it can publish prices that your users believe.
    """
    key = make_key(Path(path).expanduser())
    if output == "json":
        print_json({"path": path, "id": key.shown_id, "public_key": key.public})
        return
    click.echo(key.public)
