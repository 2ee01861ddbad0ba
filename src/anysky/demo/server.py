"""Start moto, an imitation of AWS, on loopback, and a relay that makes it seem far away."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator

__all__ = ["moto_server", "slow_relay"]

_START_TIMEOUT = 60.0
_SETTINGS = {"MOTO_EC2_LOAD_DEFAULT_AMIS": "false"}  # loading them takes seconds


@contextlib.contextmanager
def moto_server() -> Generator[str]:
    """Run moto on a free port; yields its URL.

    Raises:
        ModuleNotFoundError: moto is not installed; ``pip install 'anysky[demo]'`` has it.
        TimeoutError: It did not start.
    """
    importlib.import_module("moto.server")
    port = _free_port()
    process = subprocess.Popen(  # noqa: S603 - our own interpreter
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        env={**os.environ, **_SETTINGS},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _wait_for(port, process)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@contextlib.contextmanager
def slow_relay(url: str, latency: float) -> Generator[str]:
    """Pass connections on to a server, each piece of a request `latency` seconds late."""
    port = int(url.rpartition(":")[2])
    loop = asyncio.new_event_loop()
    server = loop.run_until_complete(
        asyncio.start_server(lambda r, w: _relay(r, w, port, latency), "127.0.0.1", 0)
    )
    thread = threading.Thread(target=loop.run_forever, name="anysky-demo-relay")
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        asyncio.run_coroutine_threadsafe(_stop(server), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _stop(server: asyncio.Server) -> None:
    server.close()
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


async def _relay(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, port: int, latency: float
) -> None:
    upstream_reader, upstream_writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        await asyncio.gather(
            _pump(reader, upstream_writer, latency), _pump(upstream_reader, writer, 0)
        )
    except (ConnectionError, asyncio.CancelledError):
        pass  # one side has gone: so has the connection
    finally:
        writer.close()
        upstream_writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, latency: float) -> None:
    while data := await reader.read(64 * 1024):
        await asyncio.sleep(latency)
        writer.write(data)
        await writer.drain()
    writer.close()


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + _START_TIMEOUT
    while time.monotonic() < end and process.poll() is None:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        time.sleep(0.1)
    raise TimeoutError("moto did not start")
