"""Tell what is sent: log records, hooks, OpenTelemetry spans; secrets never among it."""

from __future__ import annotations

import logging
import sys
import urllib.parse
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Any

from anysky.errors import CloudError
from anysky.runtime.base import Runtime

from .base import Layer, Request, Response, Transport

__all__ = ["Hooks", "TracingLayer", "redacted_headers", "redacted_params", "span"]

_log = logging.getLogger("anysky.http")

_SHOWN_HEADERS = frozenset(
    {
        "accept",
        "accept-encoding",
        "content-encoding",
        "content-length",
        "content-range",
        "content-type",
        "date",
        "etag",
        "last-modified",
        "range",
        "ratelimit-limit",
        "ratelimit-remaining",
        "ratelimit-reset",
        "retry-after",
        "server",
        "user-agent",
        "x-amz-id-2",
        "x-amz-request-id",
        "x-amzn-requestid",
        "x-request-id",
    }
)
_SHOWN_PARAMS = frozenset(
    {"Action", "Version", "page", "per_page", "list-type", "max-keys", "maxitems", "MaxResults"}
)

RequestHook = Callable[[Request], None]
ResponseHook = Callable[[Request, Response | CloudError, float], None]


@dataclass(frozen=True, slots=True)
class Hooks:
    """Functions that are called for every request that is sent, each try included.

    Attributes:
        request: Called with the request before it is sent. It holds no credentials.
        response: Called with the request, its answer or error, and the seconds it took.
    """

    request: RequestHook | None = None
    response: ResponseHook | None = None


def redacted_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Return header fields for a log: values only of fields known to be harmless."""
    return {k: v if k.lower() in _SHOWN_HEADERS else "***" for k, v in headers.items()}


def redacted_params(request: Request) -> str:
    """Return a request's path and parameters for a log: values only of harmless ones."""
    shown = "&".join(f"{k}={v if k in _SHOWN_PARAMS else '***'}" for k, v in request.params)
    return f"{request.path}?{shown}" if shown else request.path


def span(name: str, attributes: Mapping[str, Any]) -> AbstractContextManager[Any]:
    """Open an OpenTelemetry span if the program uses OpenTelemetry, else do nothing."""
    if "opentelemetry.trace" not in sys.modules:
        return nullcontext()
    from opentelemetry import trace

    return trace.get_tracer("anysky").start_as_current_span(
        name, kind=trace.SpanKind.CLIENT, attributes=dict(attributes)
    )


class TracingLayer(Layer):
    """Logs each try to the logger ``anysky.http`` and calls the hooks.

    It stands above the signing layer, so that it never sees credentials.
    """

    def __init__(
        self, inner: Transport, runtime: Runtime, hooks: Hooks, endpoint: str, provider: str
    ) -> None:
        super().__init__(inner)
        self._runtime = runtime
        self._hooks = hooks
        self._endpoint = endpoint
        self._provider = provider

    async def send(self, request: Request) -> Response:
        """Send one try and tell about it."""
        if self._is_quiet():
            return await self.inner.send(request)
        if self._hooks.request is not None:
            self._hooks.request(request)
        start = self._runtime.now()
        with span(
            f"{request.method} {request.operation}".strip(), self._attributes(request)
        ) as open_span:
            try:
                response = await self.inner.send(request)
            except CloudError as error:
                self._tell(request, error, self._runtime.now() - start)
                raise
            if open_span is not None:
                open_span.set_attribute("http.response.status_code", response.status)
        self._tell(request, response, self._runtime.now() - start)
        return response

    def _is_quiet(self) -> bool:
        return (
            self._hooks.request is None
            and self._hooks.response is None
            and not _log.isEnabledFor(logging.DEBUG)
            and "opentelemetry.trace" not in sys.modules
        )

    def _host(self, request: Request) -> str:
        return urllib.parse.urlsplit(request.endpoint or self._endpoint).netloc

    def _attributes(self, request: Request) -> dict[str, Any]:
        return {
            "anysky.provider": self._provider,
            "anysky.operation": request.operation,
            "http.request.method": request.method,
            "server.address": self._host(request),
        }

    def _tell(self, request: Request, outcome: Response | CloudError, seconds: float) -> None:
        if self._hooks.response is not None:
            self._hooks.response(request, outcome, seconds)
        if not _log.isEnabledFor(logging.DEBUG):
            return
        what = (
            f"{outcome.status} {redacted_headers(outcome.headers)}"
            if isinstance(outcome, Response)
            else type(outcome).__name__
        )
        _log.debug(
            "%s %s%s -> %s in %.3f s",
            request.method,
            self._host(request),
            redacted_params(request),
            what,
            seconds,
        )
