"""Cases: which there are for a provider, and how one is run."""

from __future__ import annotations

import asyncio
import importlib
import logging
import re
import signal
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Self

from anysky.run import run
from anysky.transport.base import Body, Request

from .setup import Setup
from .trial import API, Trial, check, equal, forms_of

__all__ = ["Case", "case", "cases", "failure_cases", "scripts_of"]

Script = Callable[[Trial], Coroutine[Any, Any, None]]

_MODULES = {
    "compute": ("compute", "general"),
    "storage": (
        "storage",
        "storage_lists",
        "storage_changes",
        "storage_conditions",
        "storage_versions",
        "storage_parts",
        "storage_links",
        "storage_moves",
        "general",
    ),
    "dns": ("dns", "general"),
    "loadbalancer": ("loadbalancer", "general"),
}
_CHANGING = re.compile(r"[A-Za-z0-9_.~-]*\d[A-Za-z0-9_.~-]*")
_SHORTEST = 6


def case(*needs: str) -> Callable[[Script], Script]:
    """Make a coroutine function a case, for providers that have all of these operations."""

    def mark(script: Script) -> Script:
        script.__dict__["needs"] = needs
        return script

    return mark


@dataclass(frozen=True, slots=True)
class Case:
    """One thing that a provider must do.

    Attributes:
        kind: The service.
        provider: The provider.
        name: What it is about.
        script: Does and checks it, in either API.
    """

    kind: str
    provider: str
    name: str
    script: Script

    def __str__(self) -> str:
        return self.name

    def run(self, setup: Setup) -> None:
        """Run the case in the blocking API, then in the asyncio API, and compare what was sent.

        Raises:
            AssertionError: The provider does not do what it must; a note names the API.
        """
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # in the background of a shell
            signal.signal(signal.SIGINT, signal.default_int_handler)
        blocking = self._run("blocking", setup)
        concurrent = self._run("asyncio", setup)
        equal(concurrent, blocking, "what the asyncio API sent, compared with the blocking API")

    def _run(self, api: API, setup: Setup) -> list[str]:
        if setup.reset is not None:
            setup.reset()
        try:
            with _Log() as log:
                trial = Trial(api, self.kind, self.provider, setup)
                execute: Callable[[Any], None] = asyncio.run if api == "asyncio" else run
                execute(self._play(trial))
            _check_secrets(trial, log.lines)
        except Exception as error:
            error.add_note(f"in the {api} API of {self.provider}")
            raise
        return _comparable(trial.requests)

    async def _play(self, trial: Trial) -> None:
        try:
            await self.script(trial)
        except BaseException:
            await trial.close(failed=True)
            raise
        await trial.close(failed=False)


def cases(
    kind: str,
    provider: str,
    *,
    pages: Mapping[str, int] | None = None,
    links: Iterable[str] = (),
    without: Iterable[str] = (),
    failures: bool = True,
) -> list[Case]:
    """Return the cases that a provider must pass: those whose operations it all supports.

    Args:
        kind: ``"compute"``, ``"storage"``, ``"dns"`` or ``"loadbalancer"``.
        provider: Name of the provider.
        pages: Lists to try at the borders of their pages, with how many items a page holds; see
            `Setup.fill`.
        links: Lists to try with a page that links to another host; see `Setup.link`.
        without: Operations that the server does not have, as an imitation may not.
        failures: Whether `failure_cases` are among them.
    """
    has_all = _supporting(kind, provider, without)
    found = [
        Case(kind, provider, name, script)
        for name, script in scripts_of(kind)
        if has_all(script.__dict__["needs"])
    ]
    lists = _list_cases(kind, provider, pages or {}, links)
    return [*found, *lists, *(failure_cases(kind, provider, without) if failures else ())]


def failure_cases(kind: str, provider: str, without: Iterable[str] = ()) -> list[Case]:
    """Return the cases in which requests fail, are interrupted, and what was made is taken back.

    They need no `Setup.reset`, each leaves the server as it was.

    Args:
        kind: As for `cases`.
        provider: Name of the provider.
        without: Operations that the server does not have.
    """
    from .failures import failures_of
    from .making import makings_of

    has_all = _supporting(kind, provider, without)
    return [
        Case(kind, provider, name, script)
        for making in makings_of(kind)
        if has_all(making.needs)
        for name, script in failures_of(making)
    ]


def scripts_of(kind: str) -> Iterator[tuple[str, Script]]:
    """Yield name and script of every case of a service."""
    for module in _MODULES[kind]:
        for name, value in vars(importlib.import_module(f"anysky.testing.{module}")).items():
            if hasattr(value, "needs"):
                yield name, value


def _list_cases(
    kind: str, provider: str, pages: Mapping[str, int], links: Iterable[str]
) -> Iterator[Case]:
    from . import lists

    for operation, size in pages.items():
        script = partial(lists.complete_at_page_borders, operation, size)
        yield Case(kind, provider, f"pages_of_{operation}", script)
    for operation in links:
        script = partial(lists.refuses_foreign_links, operation)
        yield Case(kind, provider, f"foreign_link_in_{operation}", script)


def _supporting(
    kind: str, provider: str, without: Iterable[str]
) -> Callable[[Iterable[str]], bool]:
    """Return a function that says whether there are all of some operations."""
    supports, lacking = _driver_class(kind, provider).supports, frozenset(without)
    return lambda needs: all(supports(one) and one not in lacking for one in needs)


def _driver_class(kind: str, provider: str) -> Any:
    return importlib.import_module(f"anysky.{kind}").get_driver(provider)


class _Log(logging.Handler):
    """Collects what anysky logs, at every level, while a case runs."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self._logger = logging.getLogger("anysky")

    def emit(self, record: logging.LogRecord) -> None:
        self.lines.append(self.format(record))

    def __enter__(self) -> Self:
        self._before = self._logger.level
        self._logger.setLevel(logging.DEBUG)
        self._logger.addHandler(self)
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._logger.removeHandler(self)
        self._logger.setLevel(self._before)


def _check_secrets(trial: Trial, log: list[str]) -> None:
    if trial.requests:
        check(log, "each request should be logged to anysky.http at the level DEBUG")
    for secret in filter(None, trial.driver.account.secrets()):
        for form in forms_of(secret):
            for text in (*trial.shown, *log):
                check(form not in text, f"a secret shows in: {text.replace(form, '***')}")


def _comparable(requests: list[Request]) -> list[str]:
    """Write requests so that those of two runs are equal but for ids, names, tokens and dates.

    Each such word becomes the number of its first occurrence. A request repeated at once is
    written once, since waiting may take another number of looks.
    """
    numbers: dict[str, int] = {}

    def replace(match: re.Match[str]) -> str:
        word = match.group()
        if len(word) < _SHORTEST:
            return word
        return f"<{numbers.setdefault(word, len(numbers))}>"

    lines: list[str] = []
    for request in requests:
        line = _CHANGING.sub(replace, _text_of(request))
        if not lines or lines[-1] != line:
            lines.append(line)
    return lines


def _text_of(request: Request) -> str:
    body = request.body
    content = f"{body.length} bytes" if isinstance(body, Body) else body.decode("utf-8", "replace")
    return f"{request.method} {request.endpoint} {request.target} {content}".rstrip()
