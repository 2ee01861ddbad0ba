# Made from aio/driver.py by tools/make_blocking.py; change that, run `make generate`.
"""What the drivers of all services have in common."""

from __future__ import annotations

import builtins
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from os import PathLike
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Concatenate, Generic, ParamSpec, Self, TypeVar

from anysky.account import Account
from anysky.backend.base import Backend, Option
from anysky.bulk import each, returning
from anysky.calling import (
    RunningCall,
    check_options,
    connect_backend,
    endpoint_of,
    own_operation,
    typed_operation,
    within,
)
from anysky.errors import InvalidAccountError
from anysky.journaling import find_journal, origin_of
from anysky.ledger import Ledger
from anysky.matching import EVERYTHING, is_empty, matches
from anysky.model.compute import Filter
from anysky.outcomes import Outcomes
from anysky.paging import Page, PageGuard
from anysky.registry import Provider
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret, hide
from anysky.steps import OnPartialFailure, Terms, check_choice
from anysky.transport.base import Limits
from anysky.transport.blocking import BlockingTransport
from anysky.transport.retry import RetryPolicy
from anysky.transport.settings import HTTPSettings, Verify
from anysky.transport.tracing import Hooks

if TYPE_CHECKING:
    from anysky.journal import JournalFile

__all__ = ["Driver"]

B = TypeVar("B", bound=Backend)
C = TypeVar("C", bound=Backend)
_Item = TypeVar("_Item")
T = TypeVar("T")
M = TypeVar("M")
P = ParamSpec("P")


class Driver(Generic[B]):
    """A provider's service, ready to be called; made by the class that `get_driver` returns.

    Making one sends nothing. It may be shared; see "Concepts" for threads, tasks and forks. Use it
    with ``with``, or call `close`, to give its connections back; for a driver of the asyncio
    API that is never closed, aiohttp prints "Unclosed client session" at its end.

    Args:
        key: The account's first setting: an access key, a token, a user name.
        secret: The account's second setting, where it has one.
        secure: False for plain HTTP, together with `host`.
        host: Host of the API, for another than the provider's own; see `endpoint`.
        port: Port of the API, together with `host`.
        api_version: Taken for the sake of programs written for Libcloud; the current version is
            used.
        region: Region, for an account that has the setting.
        endpoint: URL of the API, in place of `host`, `port` and `secure`.
        timeout: Seconds to wait for the next bytes of an answer.
        connect_timeout: Seconds to make a connection.
        pool_timeout: Seconds to wait for a free connection.
        pool_size: Connections to one host at the most.
        deadline: Seconds that one call may take in all, retries and pages included; None for
            no limit. Uploads and downloads have only the limit of ``anysky.deadline``.
        proxy_url: URL of a proxy, ``""`` for none; None takes it from the environment.
        verify: True for the system's certificate authorities, a file or folder of others, an
            `ssl.SSLContext`, or False to accept any certificate.
        retry: When and how often requests are sent again; ``RetryPolicy(attempts=1)`` for never.
        limits: Caps on answers and lists.
        hooks: Functions to call for every request and answer.
        rate: Requests a second at the most; None for the provider's own figure, 0 for no limit.
        on_partial_failure: What becomes of what a call has made that then fails: ``"keep"`` it,
            which its `PartialFailureError` tells, or ``"rollback"``: remove it at once.
        journal: Where what calls make is written down, so that it is known after a crash: an
            ``anysky.Journal``, the path of one, or True for the user's own; see "Journal".
        settings: The account's other settings by name.

    Raises:
        InvalidAccountError: A setting is missing, unknown or wrong.
    """

    _provider: ClassVar[Provider]
    _backend_class: ClassVar[builtins.type[Backend]]
    _preset: ClassVar[Mapping[str, str]] = {}

    name: ClassVar[str] = ""
    api_name: ClassVar[str] = ""
    website: ClassVar[str] = ""
    type: ClassVar[str] = ""

    def __init__(
        self,
        key: str | Secret | None = None,
        secret: str | Secret | None = None,
        secure: bool = True,
        host: str | None = None,
        port: int | None = None,
        api_version: str | None = None,  # noqa: ARG002 - kept for programs written for Libcloud
        region: str | None = None,
        *,
        endpoint: str | None = None,
        timeout: float | None = None,
        connect_timeout: float = 10.0,
        pool_timeout: float = 60.0,
        pool_size: int = 256,
        deadline: float | None = 600.0,
        proxy_url: str | Secret | None = None,
        verify: Verify = True,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        hooks: Hooks | None = None,
        rate: float | None = None,
        on_partial_failure: OnPartialFailure = "keep",
        journal: JournalFile | str | PathLike[str] | bool | None = None,
        **settings: Any,
    ) -> None:
        if not hasattr(self, "_backend_class"):
            raise InvalidAccountError(f"{type(self).__name__} is made by get_driver(provider)")
        # No traceback that shows variables shows what was given.
        key, secret, proxy_url = hide(key), hide(secret), hide(proxy_url)
        settings = {name: hide(value) for name, value in settings.items()}
        given = {
            **self._preset,
            **self._positional(key, secret),
            **({} if region is None else {"region": region}),
            **settings,
            "endpoint": endpoint_of(endpoint, host, port, secure),
        }
        self.account: Account = self._provider.account.load(given)
        self._deadline = deadline
        self._limits = limits or Limits()
        http = HTTPSettings(
            connect_timeout=connect_timeout,
            read_timeout=60.0 if timeout is None else timeout,
            pool_timeout=pool_timeout,
            pool_size=pool_size,
            proxy=proxy_url,
            verify=verify,
        )
        self._transports: list[BlockingTransport] = []
        self._runtime = BlockingRuntime()
        self._backend: B = connect_backend(  # type: ignore[assignment]
            self._backend_class,
            self._provider,
            self.account,
            self._runtime,
            self._make_transport,
            http=http,
            limits=self._limits,
            retry=retry or RetryPolicy(),
            hooks=hooks or Hooks(),
            rate=rate,
        )
        self._terms = Terms(
            self._bound,
            self._guard,
            check_choice(on_partial_failure),
            find_journal(journal),
            partial(origin_of, self._backend, self.type),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: builtins.type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        backend: Backend | None = vars(self).get("_backend")  # an error may have stopped __init__
        place = backend.connection.endpoint if backend is not None else ""
        return f"<{type(self).__name__} {place or self.name}>"

    if not TYPE_CHECKING:  # checkers find mistyped methods; what `ex_` reaches, `call` does typed

        def __getattr__(self, name: str) -> Any:
            if not name.startswith("ex_"):
                raise AttributeError(f"{type(self).__name__} has no attribute {name!r}")
            standard = name.removeprefix("ex_")
            if self.supports(standard) and hasattr(type(self), standard):
                return getattr(self, standard)  # what was a provider's own once is standard now
            operation = own_operation(self._backend, name)

            def call(*args: Any, **kwargs: Any) -> Any:
                return self._bound(self._make(operation(*args, **kwargs), name))

            call.__name__ = name
            call.__doc__ = operation.__doc__
            return call

    def close(self) -> None:
        """Close all connections; the driver cannot be used afterwards."""
        for transport in self._transports:
            run(transport.close())

    def call(
        self,
        operation: Callable[Concatenate[C, P], Coroutine[Any, Any, T]],
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Call an operation of the provider's backend, exactly typed.

        For example ``driver.call(EC2.get_console_output, node)``. What it returns is bound to
        this driver, as from the standard operations.

        Args:
            operation: A coroutine function of the backend's class.
            args: Its arguments.
            kwargs: Its arguments by name.

        Raises:
            UnsupportedOperationError: It is no operation of this driver's backend.
        """
        method = typed_operation(self._backend, operation)
        result: T = self._bound(self._make(method(*args, **kwargs), method.__name__))
        return result

    @classmethod
    def supports(cls, operation: str) -> bool:
        """Whether the provider has an operation, by its name in the standard API or its own."""
        return cls._backend_class.supports(cls._operation_name(operation))

    @classmethod
    def options(cls, operation: str) -> tuple[Option, ...]:
        """Return the options beginning with ``ex_`` that an operation takes at this provider."""
        return cls._backend_class.options.get(operation, ())

    @classmethod
    def _operation_name(cls, operation: str) -> str:
        """Return the backend's name of a method; drivers have a few that share one."""
        return operation.removeprefix("ex_")

    def _positional(self, key: str | Secret | None, secret: str | Secret | None) -> dict[str, Any]:
        names = self._provider.account.positional
        values = {0: key, 1: secret}
        for place, value in values.items():
            if value is not None and place >= len(names):
                raise InvalidAccountError(
                    f"{self._provider.account.__name__} takes {len(names)} positional settings"
                    f" ({', '.join(names) or 'none'})"
                )
        return {name: values[place] for place, name in enumerate(names[:2])}

    def _make_transport(self, endpoint: str, http: HTTPSettings) -> BlockingTransport:
        transport = BlockingTransport(endpoint, http, self._limits)
        self._transports.append(transport)
        return transport

    def _call(self, operation: Coroutine[Any, Any, T]) -> T:
        """Run one operation of the backend within the driver's deadline."""
        with RunningCall(self, self._backend, _name(operation), self._deadline):
            return run(operation)

    def _make(
        self,
        operation: Coroutine[Any, Any, T],
        what: str,
        *named: Any,
        undo_args: tuple[Any, ...] | None = None,
        choice: OnPartialFailure | None = None,
        timed: bool = True,
    ) -> T:
        """Run an operation that makes something, and note what it makes.

        Args:
            operation: The operation of the backend.
            what: What it makes, for people.
            named: What the thing is known by besides its mark.
            undo_args: Arguments of what undoes it; None for what was made.
            choice: What becomes of what was made if it fails; None as the driver was told.
            timed: Whether the driver's deadline counts; not so for content that is moved.
        """
        terms = self._terms if choice is None else replace(self._terms, choice=check_choice(choice))
        return run(self._making(operation, terms, what, named, undo_args, timed))

    def _making(
        self,
        operation: Coroutine[Any, Any, T],
        terms: Terms,
        what: str,
        named: tuple[Any, ...] = (),
        undo_args: tuple[Any, ...] | None = None,
        timed: bool = True,
    ) -> Coroutine[Any, Any, T]:
        name = _name(operation)
        ledger = Ledger(
            self._backend, name, terms, own=True, what=what, undo_args=undo_args, named=named
        )
        call = RunningCall(self, self._backend, name, self._deadline if timed else None)
        return within(call, ledger.run(operation))

    def _doing(self, operation: Coroutine[Any, Any, Any], item: T) -> Coroutine[Any, Any, T]:
        """Run an operation on an item, and return the item."""
        call = RunningCall(self, self._backend, _name(operation), self._deadline)
        return within(call, returning(operation, item))

    def _each(
        self,
        operation: str,
        items: Sequence[_Item],
        attempt: Callable[[_Item], Coroutine[Any, Any, T]],
        limit: int,
        choice: OnPartialFailure | None = None,
    ) -> Outcomes[T]:
        """Run an operation for each of many items; see `anysky.bulk.each`."""
        chosen = self._terms.choice if choice is None else check_choice(choice)
        job = each(operation, self._runtime, items, attempt, limit=limit, choice=chosen)
        with RunningCall(self, self._backend, operation, None):
            return run(job)

    def _guard(self, operation: str) -> RunningCall:
        return RunningCall(self, self._backend, operation, None)

    def _transfer(self, operation: Coroutine[Any, Any, T]) -> T:
        """Run an operation that moves content: as long as it takes, or as `deadline` says."""
        with RunningCall(self, self._backend, _name(operation), None):
            return run(operation)

    def _walk(self, fetch: Callable[[str | None], Coroutine[Any, Any, Page[M]]]) -> Iterator[M]:
        """Fetch pages as they are needed, each within a deadline of its own."""
        guard = PageGuard(self._limits)
        cursor: str | None = None
        while True:
            job = fetch(cursor)
            with RunningCall(self, self._backend, _name(job), self._deadline):
                page = run(job)
                guard.check(page)
            yield from page.items
            cursor = page.cursor
            if cursor is None:
                return

    def _collect(
        self,
        fetch: Callable[[str | None], Coroutine[Any, Any, Page[M]]],
        convert: Callable[[M], T],
        filter: Filter = EVERYTHING,
    ) -> list[T]:
        """Fetch all pages within one deadline; keep what the filter asks for, converted."""
        guard = PageGuard(self._limits)
        keeps_all = is_empty(filter)
        items: list[T] = []
        job = fetch(None)
        with RunningCall(self, self._backend, _name(job), self._deadline):
            while True:
                page = run(job)
                guard.check(page)
                items += [convert(one) for one in page.items if keeps_all or matches(one, filter)]
                if page.cursor is None:
                    return items
                job = fetch(page.cursor)

    def _bound(self, result: Any) -> Any:
        """Bind what an operation of the backend returned, if it is one of the models."""
        if type(result) in (list, tuple):
            items: list[Any] = [self._bound(item) for item in result]
            return items if type(result) is list else tuple(items)
        binder = self._portable().get(type(result))
        return result if binder is None else binder(result)

    def _portable(self) -> Mapping[Any, Callable[[Any], Any]]:
        """Return what binds each model of the service to this driver."""
        return {}

    def _options(self, operation: str, options: Mapping[str, Any]) -> dict[str, Any]:
        return check_options(self._backend_class, operation, options)


def _name(operation: Coroutine[Any, Any, Any]) -> str:
    return getattr(operation, "__name__", "")
