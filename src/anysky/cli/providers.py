"""``anysky providers``: what each provider can do."""

from __future__ import annotations

import json

import click

from anysky.capabilities import capabilities, contract_operations
from anysky.cli.output import table
from anysky.names import DriverType

__all__ = ["command"]

_KINDS = [str(kind) for kind in DriverType]


@click.command("providers")
@click.option("--service", type=click.Choice(_KINDS), help="Only this service.")
@click.option(
    "-o", "--output", type=click.Choice(["table", "json"]), default="table", show_default=True
)
def command(service: str | None, output: str) -> None:
    """Show which operations of the standard API each provider has."""
    kinds = [DriverType(service)] if service else list(DriverType)
    found = {str(kind): capabilities(kind) for kind in kinds}
    if output == "json":
        click.echo(json.dumps(found, indent=2))
        return
    click.echo("\n\n".join(_section(kind, providers) for kind, providers in found.items()))


def _section(kind: str, providers: dict[str, dict[str, bool]]) -> str:
    names = list(providers)
    operations = contract_operations(DriverType(kind))
    rows = [
        [operation, *("yes" if providers[name][operation] else "-" for name in names)]
        for operation in operations
    ]
    return table([kind, *names], rows)
