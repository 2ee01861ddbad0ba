"""Serve a new memory cloud until the process is stopped: ``python -m anysky.providers.memory``."""

from __future__ import annotations

import argparse
import signal
import sys

from .cloud import Cloud
from .serving import serve

__all__ = ["main"]


def main(arguments: list[str] | None = None) -> int:
    """Print the URL of a new cloud and serve it until SIGINT or SIGTERM; return the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m anysky.providers.memory",
        description="Serve a new memory cloud on loopback, at the URL that is printed.",
    )
    parser.add_argument("--port", type=int, default=0, help="port; any that is free if 0")
    port: int = parser.parse_args(arguments).port
    signals = {signal.SIGINT, signal.SIGTERM}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)  # before there are threads to take them
    with serve(Cloud(), port=port) as served:
        sys.stdout.write(f"{served.url}\n")
        sys.stdout.flush()
        signal.sigwait(signals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
