"""The command ``anysky``; each subcommand is imported only when it is used."""

from __future__ import annotations

import importlib
import sys

import click

from anysky import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from anysky.errors import CloudError

__all__ = ["main"]

_COMMANDS = {
    "demo": "run one program against a local cloud, blocking and asyncio",
    "journal": "show and finish what was interrupted",
    "prices": "list prices of cloud servers, and where they come from",
    "storage": "list, copy and remove objects at any provider",
    "providers": "show what each provider can do",
}

_NOT_FOUND_EXIT, _PARTLY_EXIT, _UNKNOWN_EXIT = 3, 7, 8


class _LazyGroup(click.Group):
    """A group whose commands are modules of this package, imported when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        if cmd_name not in _COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"anysky.cli.{cmd_name}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - click's signature
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> object:
        from anysky.errors import CloudError

        try:
            return super().invoke(ctx)
        except CloudError as error:
            click.echo(f"anysky: {error}", err=True)
            sys.exit(_exit_code(error))


def _exit_code(error: CloudError) -> int:
    """Return the exit status for an error, after saying where what was made is written down."""
    from anysky.errors import NotFoundError, OutcomeUnknownError, PartialFailureError

    if isinstance(error, PartialFailureError):
        if error.journal_id:
            click.echo(f"anysky: see `anysky journal show {error.journal_id}`", err=True)
        return _PARTLY_EXIT
    if isinstance(error, OutcomeUnknownError):
        return _UNKNOWN_EXIT
    return _NOT_FOUND_EXIT if isinstance(error, NotFoundError) else 1


@click.group(cls=_LazyGroup)
@click.version_option(__version__, message="anysky %(version)s")
def main() -> None:
    """One Python API to many clouds."""
