"""``anysky demo``: one program against a local imitation of AWS."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import click

from anysky.cli.output import table
from anysky.demo import asyncio_program, blocking_program
from anysky.demo.server import moto_server, slow_relay
from anysky.demo.timing import time_asyncio, time_blocking

__all__ = ["command"]

_LISTS = 50


@click.command("demo")
@click.option(
    "--latency", default=50, show_default=True, help="Milliseconds that the lists' cloud is away."
)
def command(latency: int) -> None:
    """Run one program against a local imitation of AWS, blocking and asyncio."""
    try:
        _demonstrate(latency / 1000)
    except ModuleNotFoundError as error:
        raise click.ClickException(
            f"the demonstration needs moto ({error}): pip install 'anysky[demo]'"
        ) from error


def _demonstrate(latency: float) -> None:
    click.echo("starting moto, an imitation of AWS, on this machine …")
    with moto_server() as url:
        blocking = _timed(lambda report: blocking_program.run_program(url, report))
        asynchronous = _timed(lambda report: asyncio.run(asyncio_program.run_program(url, report)))
        click.echo(_steps("blocking: from anysky.compute import get_driver", blocking))
        click.echo(_steps("asyncio: from anysky.aio.compute import get_driver", asynchronous))
        with slow_relay(url, latency) as far_url:
            rows = [
                ["blocking, one after the other", f"{time_blocking(far_url, _LISTS):.2f}"],
                ["asyncio, at the same time", f"{time_asyncio(far_url, _LISTS):.2f}"],
            ]
        title = f"{_LISTS} lists, {latency * 1000:.0f} ms away"
        click.echo("\n" + table([title, "seconds"], rows))


def _timed(program: Callable[[Callable[[str, str], None]], None]) -> list[list[str]]:
    """Run a program and return its steps, each with the milliseconds it took."""
    rows: list[list[str]] = []
    last = time.perf_counter()

    def report(step: str, outcome: str) -> None:
        nonlocal last
        now = time.perf_counter()
        rows.append([step, outcome, f"{(now - last) * 1000:.0f}"])
        last = now

    program(report)
    return rows


def _steps(title: str, rows: list[list[str]]) -> str:
    return "\n" + table([title, "outcome", "ms"], rows)
