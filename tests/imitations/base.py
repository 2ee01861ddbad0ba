"""What every imitation of a provider's API shares: routing, log, checks, injected faults.

An imitation is a class whose methods are marked with `route`. It keeps state, answers over HTTP on
a free loopback port, records each request and compares it with the vendor's OpenAPI document::

    with DigitalOceanImitation(token="secret") as cloud:
        cloud.fail_next(503, path="/v2/droplets")
        ...                                     # talk to cloud.url
        assert cloud.requests[-1].path == "/v2/droplets"

At the end of the block it raises AssertionError if a request broke the vendor's document or if a
fault was never hit.
"""

import inspect
import json
import re
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Self
from urllib.parse import unquote

from tests.imitations.openapi import OpenApi
from tests.support.loopback import LoopbackHandler, LoopbackServer, Received


@dataclass(slots=True)
class Answer:
    """What is sent back: `body` as JSON unless it is bytes; None sends no body."""

    status: int = 200
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)

    def encoded(self) -> "Answer":
        """The same answer with a body of bytes."""
        if isinstance(self.body, bytes | None):
            return self
        content_type = {"Content-Type": "application/json; charset=utf-8"}
        return Answer(self.status, json.dumps(self.body).encode(), content_type | self.headers)


class RefusedError(Exception):
    """Raised by a handler to end the request with an error of the vendor's form."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message


@dataclass(slots=True)
class Fault:
    """A failure put in the way of requests that match; see `Imitation.fail_next`."""

    status: int | None
    times: int
    method: str | None
    path: re.Pattern[str] | None
    body: Any
    headers: dict[str, str]
    after_work: bool
    delay: float
    skip: int
    hits: int = 0

    def matches(self, request: Received) -> bool:
        return (
            self.hits < self.times
            and (self.method is None or self.method == request.method)
            and (self.path is None or self.path.fullmatch(request.path) is not None)
        )

    def takes(self, request: Received) -> bool:
        """Whether this request fails; the first `skip` matching ones still pass."""
        if not self.matches(request):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.hits += 1
        return True


def route(method: str, template: str) -> Callable[[Any], Any]:
    """Mark a method as the handler of `method` on a path such as "/v2/droplets/{droplet_id}".

    It is called with the request and the decoded values of the path, in order; it returns an
    `Answer`, or an object that is sent as JSON with status 200, or None for 204.
    """

    def mark(handler: Any) -> Any:
        handler.route = (method, template)
        return handler

    return mark


class Imitation:
    """Base of the imitations. Handlers run one at a time, so they need no locks.

    Args:
        document: the vendor's OpenAPI document; without it requests are not checked.
        check_answers: check the imitation's own answers against the document, too.
        latency: seconds to wait before each answer.
    """

    def __init__(
        self,
        document: OpenApi | None = None,
        *,
        check_answers: bool = False,
        latency: float = 0.0,
    ) -> None:
        self.document = document
        self.check_answers = check_answers
        self.latency = latency
        self.requests: list[Received] = []
        self.violations: list[str] = []
        self._faults: list[Fault] = []
        self._lock = threading.RLock()
        self._routes = _routes_of(self)
        self._server = LoopbackServer(_handler_for(self))
        self.clear()

    @property
    def url(self) -> str:
        """The address to use as the provider's endpoint."""
        return self._server.url

    @property
    def connections(self) -> int:
        """How many TCP connections were accepted."""
        return self._server.connections

    def clear(self) -> None:
        """Forget what requests have made; subclasses extend this with their state."""
        self.requests.clear()
        self.violations.clear()
        self._faults.clear()

    def fail_next(
        self,
        status: int | None = 500,
        *,
        times: int = 1,
        skip: int = 0,
        method: str | None = None,
        path: str | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        after_work: bool = False,
        delay: float = 0.0,
    ) -> Fault:
        """Let the next matching requests fail.

        Args:
            status: of the answer; None closes the connection without one.
            times: how many requests fail.
            skip: how many matching requests pass before.
            method: only requests with this method.
            path: only requests whose whole path matches this regular expression.
            body: sent as JSON, or as it is if bytes; by default an error of the vendor's form.
            headers: further headers of the answer.
            after_work: do what was asked first, and lose only the answer.
            delay: seconds to wait before the answer.

        Returns:
            The fault; its `hits` tells how often it struck.
        """
        pattern = re.compile(path) if path is not None else None
        fault = Fault(
            status, times, method, pattern, body, dict(headers or {}), after_work, delay, skip
        )
        self._faults.append(fault)
        return fault

    def start(self) -> Self:
        self._server.start()
        return self

    def stop(self) -> None:
        self._server.stop()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, *exc_info: object) -> None:
        self.stop()
        if kind is None:
            self.verify()

    def verify(self) -> None:
        """Raise AssertionError for violations and for faults that were never hit."""
        unhit = [each for each in self._faults if not each.hits]
        problems = [*self.violations, *(f"never hit: {each}" for each in unhit)]
        problems += ["".join(traceback.format_exception(e)) for e in self._server.errors]
        if problems:
            raise AssertionError("\n".join([f"{type(self).__name__}:", *problems]))

    def handle(self, request: Received) -> Answer | None:
        """The answer to a request; None closes the connection."""
        with self._lock:
            self.requests.append(request)
            self.violations += self._check(request)
            fault = next((each for each in self._faults if each.takes(request)), None)
            if fault is None or fault.after_work:
                answer = self._work(request)
            if fault is not None:
                answer = self._failed(request, fault)
            # Encoded under the lock: the body may hold state that the next request changes.
            answer = answer.encoded() if answer else None
        if delay := self.latency + (fault.delay if fault else 0.0):
            time.sleep(delay)
        return answer

    def authorize(self, request: Received) -> None:
        """Raise `RefusedError` unless the request carries the right credentials."""

    def error_body(self, request: Received, refusal: RefusedError) -> Any:
        """The body of an error in the vendor's form."""
        raise NotImplementedError

    def extra_headers(self, request: Received) -> dict[str, str]:
        """Headers that the vendor adds to every answer."""
        return {}

    def _check(self, request: Received) -> list[str]:
        if self.document is None:
            return []
        return self.document.check_request(
            request.method, unquote(request.path), request.query, request.headers, request.body
        )

    def _work(self, request: Received) -> Answer:
        try:
            self.authorize(request)
            answer = self._dispatch(request)
        except RefusedError as refusal:
            answer = Answer(refusal.status, self.error_body(request, refusal))
        answer.headers = self.extra_headers(request) | answer.headers
        self._check_answer(request, answer)
        return answer

    def _dispatch(self, request: Received) -> Answer:
        allowed = False
        for method, pattern, handler in self._routes:
            match = pattern.fullmatch(request.path)
            if match and method == request.method:
                return _answer(handler(request, *map(unquote, match.groups())))
            allowed = allowed or bool(match)
        if allowed:
            raise RefusedError(405, "method_not_allowed", "This method is not allowed here.")
        raise RefusedError(404, "not_found", "The resource you were accessing could not be found.")

    def _failed(self, request: Received, fault: Fault) -> Answer | None:
        if fault.status is None:
            return None
        body = fault.body
        if body is None:
            phrase = HTTPStatus(fault.status).phrase
            refusal = RefusedError(fault.status, phrase.lower().replace(" ", "_"), phrase)
            body = self.error_body(request, refusal)
        return Answer(fault.status, body, self.extra_headers(request) | fault.headers)

    def _check_answer(self, request: Received, answer: Answer) -> None:
        if self.check_answers and self.document is not None:
            self.violations += self.document.check_response(
                request.method, unquote(request.path), answer.status, answer.body
            )


def _routes_of(imitation: Imitation) -> list[tuple[str, re.Pattern[str], Callable[..., Any]]]:
    """The marked methods, literal paths before those with placeholders."""
    found = []
    for name, function in inspect.getmembers(type(imitation), inspect.isfunction):
        if marked := getattr(function, "route", None):
            found.append((*marked, getattr(imitation, name)))
    found.sort(key=lambda each: [part.startswith("{") for part in each[1].split("/")])
    return [(method, _pattern(template), handler) for method, template, handler in found]


def _pattern(template: str) -> re.Pattern[str]:
    return re.compile("([^/]+)".join(map(re.escape, re.split(r"\{\w+\}", template))))


def _answer(value: Any) -> Answer:
    if isinstance(value, Answer):
        return value
    return Answer(204) if value is None else Answer(200, value)


def _handler_for(imitation: Imitation) -> type[LoopbackHandler]:
    class Handler(LoopbackHandler):
        def serve(self) -> None:
            answer = imitation.handle(self.received())
            if answer is None:
                self.close_connection = True
                return
            self._send(answer)

        def _send(self, answer: Answer) -> None:
            body = answer.body or b""
            self.send_response(answer.status)
            if answer.status != HTTPStatus.NO_CONTENT:
                self.send_header("Content-Length", str(len(body)))
            for name, value in answer.headers.items():
                self.send_header(name, value)
            # One write for head and body: two would be two packets.
            head = b"".join(self._headers_buffer) + b"\r\n"
            self._headers_buffer = []
            self.wfile.write(head if self.command == "HEAD" else head + body)

    return Handler
