"""What surrounds each call of an operation: its deadline, its span, and whose error it is."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from contextvars import Token
from dataclasses import replace
from types import TracebackType
from typing import Any, TypeVar

from .backend.base import Backend, Connection
from .deadlines import _expires_at  # pyright: ignore[reportPrivateUsage]
from .errors import (
    CloudError,
    InvalidAccountError,
    MalformedResponseError,
    UnsupportedOperationError,
)
from .ledger import LedgerLayer
from .model.base import field_slots
from .registry import Provider
from .runtime.base import Runtime
from .steps import MARK_TAG
from .transport.base import Layer, Limits, Transport
from .transport.pacing import PacingLayer
from .transport.retry import RetryLayer, RetryPolicy
from .transport.safety import SafetyLayer
from .transport.settings import HTTPSettings
from .transport.signing import SigningLayer
from .transport.tracing import Hooks, TracingLayer, span

__all__ = [
    "RunningCall",
    "bind",
    "check_options",
    "connect_backend",
    "endpoint_of",
    "own_operation",
    "typed_operation",
    "within",
]

T = TypeVar("T")

_MALFORMED = (LookupError, ValueError, RecursionError, ArithmeticError)
_PORTS = {"http": 80, "https": 443}
_LOCAL: dict[str, Any] = {"proxy": "", "connect_timeout": 1.0, "read_timeout": 5.0}


class RunningCall:
    """Context of one call of an operation.

    It sets the deadline, opens a span, and sees to it that what comes out is a `CloudError` that
    names provider and operation and holds no secret.
    """

    __slots__ = ("_backend", "_driver", "_operation", "_seconds", "_span", "_token")

    def __init__(
        self, driver: Any, backend: Backend, operation: str, seconds: float | None
    ) -> None:
        self._driver = driver
        self._backend = backend
        self._operation = operation
        self._seconds = seconds
        self._token: Token[float | None] | None = None
        self._span: AbstractContextManager[Any] | None = None

    def __enter__(self) -> None:
        if self._seconds is not None:
            end, current = time.monotonic() + self._seconds, _expires_at.get()
            if current is None or end < current:
                self._token = _expires_at.set(end)
        if "opentelemetry.trace" in sys.modules:
            attributes = {"anysky.provider": self._driver.api_name}
            self._span = span(f"anysky {self._operation}", attributes)
            self._span.__enter__()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._token is not None:
            _expires_at.reset(self._token)
        ours = error
        if isinstance(error, _MALFORMED) and not isinstance(error, CloudError):
            text = str(error)[:200] or type(error).__name__
            ours = MalformedResponseError(f"the answer is not as the provider promises: {text}")
        for told in (ours, None if ours is None else ours.__cause__):
            if isinstance(told, CloudError):
                self._name(told)
        if self._span is not None:
            self._span.__exit__(None if ours is None else type(ours), ours, trace)
        if ours is not None and ours is not error:
            raise ours from error

    def _name(self, error: CloudError) -> None:
        error.provider = error.provider or self._driver.api_name
        error.operation = error.operation or self._operation
        error.driver = error.driver or self._driver
        error.redact(self._backend.secrets())


async def within(call: AbstractContextManager[Any], job: Coroutine[Any, Any, T]) -> T:
    """Run a job in the context of a call."""
    with call:
        return await job


def connect_backend(
    backend_class: type[Backend],
    provider: Provider,
    account: Any,
    runtime: Runtime,
    make_transport: Callable[[str, HTTPSettings], Transport],
    *,
    http: HTTPSettings,
    limits: Limits,
    retry: RetryPolicy,
    hooks: Hooks,
    rate: float | None,
) -> Backend:
    """Wrap the layers round a transport and make a backend that uses them; nothing is sent."""
    endpoint = backend_class.endpoint(account, runtime.environ).rstrip("/")
    safe: Transport = SafetyLayer(make_transport(endpoint, http), limits)
    throttled = backend_class.throttled
    plain = RetryLayer(safe, runtime, retry, throttled)
    local = SafetyLayer(make_transport("", replace(http, **_LOCAL)), limits)
    direct = RetryLayer(local, runtime, replace(retry, attempts=min(retry.attempts, 2)))
    connection = Connection(plain, plain, direct, runtime, limits, endpoint)
    signer = backend_class.signer(account, connection)
    noted = LedgerLayer(safe, runtime)
    signed = SigningLayer(noted, signer, endpoint, backend_class.hosts) if signer else noted
    name = provider.name_of(backend_class.kind, backend_class)
    traced: Layer = TracingLayer(signed, runtime, hooks, endpoint, name)
    pace = backend_class.rate if rate is None else rate
    paced = PacingLayer(traced, runtime, pace, throttled)
    whole = RetryLayer(paced, runtime, retry, throttled)
    return backend_class(account, replace(connection, transport=whole, signer=signer))


def endpoint_of(
    endpoint: str | None, host: str | None, port: int | None, secure: bool
) -> str | None:
    """Make an endpoint from the arguments `host`, `port` and `secure` of the standard API.

    Raises:
        InvalidAccountError: They contradict each other.
    """
    if endpoint is not None and (host is not None or port is not None):
        raise InvalidAccountError("give either endpoint= or host= and port=, not both")
    if host is None:
        if port is not None or (endpoint is None and not secure):
            raise InvalidAccountError("port= and secure=False need host=; or give endpoint=")
        return endpoint
    if "/" in host:
        raise InvalidAccountError("host= is the name of a host; give a URL as endpoint=")
    scheme = "https" if secure else "http"
    address = f"[{host}]" if ":" in host and not host.startswith("[") else host
    return (
        f"{scheme}://{address}"
        if port in (None, _PORTS[scheme])
        else f"{scheme}://{address}:{port}"
    )


def check_options(
    backend_class: type[Backend], operation: str, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the options that are given, without those that are None.

    Raises:
        UnsupportedOperationError: The backend does not know one of them; nothing was sent.
    """
    known = [option.name for option in backend_class.options.get(operation, ())]
    for name in options:
        if name not in known:
            import difflib

            near = difflib.get_close_matches(name, known, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise UnsupportedOperationError(
                f"{backend_class.__name__}.{operation} has no option {name!r}{hint}"
            )
    return {name: value for name, value in options.items() if value is not None}


def own_operation(backend: Backend, name: str) -> Callable[..., Any]:
    """Return a backend's operation for the attribute ``ex_…`` of a driver.

    Raises:
        AttributeError: The backend has no such operation.
    """
    operation = name.removeprefix("ex_")
    if not name.startswith("ex_") or not backend.supports(operation):
        raise AttributeError(f"{type(backend).__name__} has no operation {name!r}")
    found: Callable[..., Any] = getattr(backend, operation)
    return found


def typed_operation(backend: Backend, operation: Callable[..., Any]) -> Callable[..., Any]:
    """Return a backend's own method for an operation that was named as ``Backend.operation``.

    Raises:
        UnsupportedOperationError: It is an operation of another backend.
    """
    name = operation.__name__
    if not any(cls.__dict__.get(name) is operation for cls in type(backend).__mro__):
        raise UnsupportedOperationError(
            f"{type(backend).__name__} has no operation {operation.__qualname__}"
        )
    found: Callable[..., Any] = getattr(backend, name)
    return found


def bind(model: Any, target: type[T], driver: Any) -> T:
    """Make a portable object of a model: the same data, bound to a driver."""
    if isinstance(model, target):
        return model
    bound = object.__new__(target)
    for read, write in field_slots(model.__class__):
        write(bound, read(model))
    object.__setattr__(bound, "driver", driver)
    tags = getattr(bound, "tags", None)
    if tags and MARK_TAG in tags:  # it is not the user's
        own = {name: value for name, value in tags.items() if name != MARK_TAG}
        object.__setattr__(bound, "tags", own)
    return bound
