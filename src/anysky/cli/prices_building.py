"""The commands of ``anysky prices`` for those who publish catalogues."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import click

from anysky.cli.output import table
from anysky.cli.prices_reading import catalogue_option, output_option, print_json
from anysky.pricing.builds import build as build_catalogue
from anysky.pricing.builds import import_prices
from anysky.pricing.defaults import open_catalogue
from anysky.pricing.errors import BuildFailedError
from anysky.pricing.exporting import write_csv, write_json
from anysky.pricing.histories import PastChange
from anysky.pricing.histories import history as past_changes
from anysky.pricing.publishing import DAYS, BuildReport, ProviderReport
from anysky.pricing.secret_keys import SecretKey, make_key, read_key

__all__ = ["PASSWORD_VARIABLE", "build", "export", "history", "import_", "keygen"]

F = TypeVar("F", bound=Callable[..., Any])

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


def publishing_options(command: F) -> F:
    """Add the options of commands that write a catalogue and its manifest."""
    options = (
        click.option("--out", required=True, metavar="DIR", help="Where they are written."),
        click.option("--base", metavar="FILE", help="Catalogue to start from, or bundled."),
        click.option("--key", metavar="FILE", help="Secret key to sign with; see keygen."),
        click.option(
            "--accept", multiple=True, metavar="PROVIDER",
            help="Take its prices although a gate would hold them; may be repeated.",
        ),
        click.option("--strict", is_flag=True, help="Write nothing if a provider fails."),
        click.option("--version", help="Version of the catalogue; by default the day."),
        click.option("--days", default=DAYS, show_default=True, help="After how many it expires."),
        output_option,
    )  # fmt: skip
    for option in reversed(options):
        command = option(command)
    return command


@click.command("build")
@click.option(
    "--from", "sources", multiple=True, callback=_sources, metavar="PROVIDER=FILE|DIR|URL",
    help="Where a provider's prices are, in place of the vendor's address; may be repeated.",
)  # fmt: skip
@click.option("--only", multiple=True, metavar="PROVIDER", help="Build this; may be repeated.")
@click.option("--insecure-http", is_flag=True, help="Allow plain HTTP.")
@publishing_options
def build(out: str, key: str | None, output: str, **options: Any) -> None:
    """Build a catalogue and its manifest from what vendors publish.

    A provider whose prices cannot be had, or cannot be right, keeps those of the base.
    """
    _publish(partial(build_catalogue, out, **options), key, output)


@click.command("import")
@click.argument("table")
@publishing_options
def import_(table: str, out: str, key: str | None, output: str, **options: Any) -> None:
    """Build a catalogue from TABLE, a CSV file with the columns of `anysky prices export`.

    Each provider in it is replaced; the others are those of the base.
    """
    _publish(partial(import_prices, table, out, **options), key, output)


def _publish(make: Callable[..., BuildReport], key: str | None, output: str) -> None:
    secret = _secret_key(key)
    if secret is None:
        click.echo("no key is given: the manifest is not signed", err=True)
    try:
        report = make(key=secret)
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


@click.command("export")
@click.option(
    "--format",
    "--output",
    "-o",
    "format",
    type=click.Choice(["csv", "json"]),
    default="csv",
    show_default=True,
)
@click.option("--provider", "providers", multiple=True, help="Only this one; may be repeated.")
@catalogue_option
def export(format: str, providers: tuple[str, ...], path: str | None) -> None:
    """Write all prices to standard output, with the column names of FOCUS."""
    write = write_csv if format == "csv" else write_json
    with open_catalogue(path) as catalogue:
        write(catalogue, sys.stdout, providers)


@click.command("history")
@click.argument("provider")
@click.argument("size")
@click.argument("region", default="")
@click.option(
    "--log", required=True, metavar="FILE|DIR", help="Folder of a manifest, or its history.csv."
)
@output_option
def history(provider: str, size: str, region: str, log: str, output: str) -> None:
    """List what a size cost before, in one region or all, as a publisher's history tells it."""
    changes = past_changes(log, provider, size, region)
    if output == "json":
        print_json(changes)
        return
    header = ("since version", "region", "os", "term", "old", "new")
    click.echo(table(header, [_past(one) for one in changes]))


def _past(one: PastChange) -> list[str]:
    amounts = [
        _NONE if amount is None else f"{amount:f} {one.currency}" for amount in (one.old, one.new)
    ]
    return [one.version, one.region, one.os, one.term, *amounts]
