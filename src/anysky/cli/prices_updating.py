"""The commands of ``anysky prices`` that change which catalogue is installed."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable

import click

from anysky.cli.prices_reading import output_option, print_json
from anysky.pricing.places import choose
from anysky.pricing.updates import pin as pin_version
from anysky.pricing.updates import rollback as roll_back
from anysky.pricing.updates import update as update_catalogue
from anysky.pricing.updates import verify as verify_installed
from anysky.pricing.updating import DEFAULT_URL, URL_VARIABLE, UpdateResult

__all__ = ["path", "pin", "rollback", "update", "verify"]

_SAID = {
    "installed": "installed version {version} in place of {previous}",
    "current": "version {version} is up to date",
    "available": "version {version} is available, {previous} is used",
    "pinned": "version {version} is available, but {previous} is pinned: `anysky prices pin --off`",
}


@click.command("update")
@click.option("--url", help=f"Address of a manifest [env: {URL_VARIABLE}; default: {DEFAULT_URL}].")
@click.option("--key", help="Public key of the publisher, as minisign prints it.")
@click.option("--check", is_flag=True, help="Only say whether there is a newer one.")
@click.option("--force", is_flag=True, help="Install what is installed already, too.")
@click.option("--allow-unsigned", is_flag=True, help="Ask for no signature.")
@click.option("--allow-older", is_flag=True, help="Take an older version, and pin it.")
@click.option("--insecure-http", is_flag=True, help="Allow plain HTTP.")
@click.option(
    "--format", type=click.Choice(["anysky", "libcloud"]), default="anysky", show_default=True,
    help="What is at the address.",
)  # fmt: skip
@output_option
def update(
    url: str | None,
    key: str | None,
    check: bool,
    force: bool,
    allow_unsigned: bool,
    allow_older: bool,
    insecure_http: bool,
    format: str,
    output: str,
) -> None:
    """Install a newer catalogue, if there is one; look-ups use it from then on."""
    if allow_unsigned:
        click.echo("no signature is asked for: whoever controls the address is trusted", err=True)
    with contextlib.closing(_Bar()) as bar:
        result = update_catalogue(
            url, key=key, check=check, force=force, allow_unsigned=allow_unsigned,
            allow_older=allow_older, insecure_http=insecure_http, format=format, progress=bar.show,
        )  # fmt: skip
    _say(result, output)


class _Bar:
    """A bar on standard error, shown once something comes."""

    def __init__(self) -> None:
        self._stack = contextlib.ExitStack()
        self._advance: Callable[[int], None] | None = None
        self._last = 0

    def show(self, received: int, total: int) -> None:
        """Move on to the bytes that came."""
        if self._advance is None:
            hidden = not sys.stderr.isatty()
            bar = click.progressbar(length=total, label="prices", file=sys.stderr, hidden=hidden)
            self._advance = self._stack.enter_context(bar).update
        self._advance(received - self._last)
        self._last = received

    def close(self) -> None:
        """End the line."""
        self._stack.close()


def _say(result: UpdateResult, output: str) -> None:
    if output == "json":
        print_json(result)
        return
    click.echo(_SAID[result.outcome].format(**result.to_dict()))
    if result.signed_by is not None:
        click.echo(f"signed: {result.signed_by}", err=True)


@click.command("rollback")
@output_option
def rollback(output: str) -> None:
    """Go back to the catalogue before the last update, and pin it."""
    version = roll_back()
    if output == "json":
        print_json({"version": version, "pinned": True})
        return
    click.echo(
        f"version {version} is used and pinned; `anysky prices pin --off` lets updates go on"
    )


@click.command("pin")
@click.argument("version", required=False)
@click.option("--off", is_flag=True, help="Let updates go on.")
@output_option
def pin(version: str | None, off: bool, output: str) -> None:
    """Keep to an installed VERSION, or to the one called bundled."""
    if (version is None) != off:
        raise click.UsageError("give a version, or --off")
    pin_version(version)
    if output == "json":
        print_json({"pinned": version})
        return
    click.echo("no version is pinned" if off else f"version {version} is pinned")


@click.command("verify")
@output_option
def verify(output: str) -> None:
    """Look the installed catalogue through: its hash and every price."""
    version = verify_installed()
    if output == "json":
        print_json({"version": version, "sound": True})
        return
    click.echo(f"version {version} is sound")


@click.command("path")
@output_option
def path(output: str) -> None:
    """Print the file of the catalogue that look-ups use."""
    place, reason = choose()
    if output == "json":
        print_json({"path": place, "reason": reason})
        return
    click.echo(place)
