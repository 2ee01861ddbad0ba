"""Write a test once for both APIs: what a driver returns is passed to `do`."""

import asyncio
import importlib
import inspect

import anysky
import anysky.aio
from anysky.run import run


class Both:
    """One of the two APIs.

    A test is a coroutine function. In the blocking API it is run without an event loop: what it
    calls never suspends.
    """

    def __init__(self, name):
        self.name = name
        self.is_blocking = name == "blocking"
        self._drivers = []

    def driver(self, kind, **settings):
        package = "anysky" if self.is_blocking else "anysky.aio"
        made = importlib.import_module(f"{package}.{kind}").get_driver("memory")(**settings)
        self._drivers.append(made)
        return made

    async def do(self, result):
        return await result if inspect.isawaitable(result) else result

    def transaction(self, **options):
        if self.is_blocking:
            return _Asyncio(anysky.transaction(**options))
        return anysky.aio.transaction(**options)

    def run(self, test):
        (run if self.is_blocking else asyncio.run)(test)


class _Asyncio:
    """A blocking context manager for ``async with``."""

    def __init__(self, manager):
        self._manager = manager

    async def __aenter__(self):
        return self._manager.__enter__()

    async def __aexit__(self, *exc_info):
        return self._manager.__exit__(*exc_info)


def both(test):
    """Run a coroutine function ``test(api, …)`` as a test in both APIs."""
    import functools

    import pytest

    @pytest.mark.parametrize("api", ["blocking", "asyncio"])
    @functools.wraps(test)
    def runs(api, **fixtures):
        one = Both(api)
        one.run(test(one, **fixtures))

    return runs
