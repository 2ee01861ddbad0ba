"""Send again what failed in passing: only what may be sent twice, within limits and deadline."""

from __future__ import annotations

import datetime as dt
import logging
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from anysky import deadlines
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    DeadlineExceededError,
    OutcomeUnknownError,
    RateLimitedError,
)
from anysky.runtime.base import Runtime
from anysky.runtime.locks import ForkLock

from .base import Body, Layer, Request, Response, SendClass, Transport

__all__ = ["RetryBudget", "RetryLayer", "RetryPolicy", "retry_after", "retry_at", "too_many"]

E = TypeVar("E", bound=CloudError)

_log = logging.getLogger("anysky.retry")
_GAVE_UP = "a gateway gave up waiting for the provider: the request may have been carried out"

_TOO_MANY = 429
_TIMED_OUT = 408  # the request did not arrive in time: it was not carried out
_BUSY = 503
_FIRST_ERROR = 400
_GATEWAY = frozenset({502, 504})  # it may have been carried out behind the gateway
_NUMBER = re.compile(r"-?[0-9]{1,15}(\.[0-9]{1,9})?")
_FAILED = frozenset({500, 502, 503, 504})


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When and how often a request is sent again.

    The figures but `attempts` and `patience` are those of the AWS SDKs' standard mode (SDKs and
    Tools Reference Guide, "Retry behavior"; botocore 1.44): full jitter up to `base` times a
    power of two, and a token bucket that stops retries when most requests fail.

    Attributes:
        attempts: How often one request is sent at the most; 1 switches retries off. The AWS SDKs
            send 3 times.
        base: Seconds that the first wait is at the most; each further one doubles it.
        throttled_base: The same after an answer 429.
        cap: Seconds that one wait is at the most, unless the provider asks for more.
        patience: Seconds that a wait which the provider asks for is at the most; a longer one
            is not waited for.
        capacity: Tokens in the bucket at the start.
        cost: Tokens for a retry; the last one's are given back when it succeeds, and one token
            for a request that succeeds at once.
        throttled_cost: Tokens for a retry after an answer 429.
    """

    attempts: int = 4
    base: float = 0.05
    throttled_base: float = 1.0
    cap: float = 20.0
    patience: float = 300.0
    capacity: int = 500
    cost: int = 14
    throttled_cost: int = 5


class RetryBudget:
    """A token bucket, shared by all calls of one driver, safe between threads."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._tokens = capacity
        self._lock = ForkLock()

    def take(self, cost: int) -> bool:
        """Take tokens for one retry; False when too few are left."""
        with self._lock:
            if cost > self._tokens:
                return False
            self._tokens -= cost
            return True

    def give(self, tokens: int) -> None:
        """Give tokens back after a success."""
        if self._tokens < self._capacity:
            with self._lock:
                self._tokens = min(self._capacity, self._tokens + tokens)


def too_many(response: Response) -> bool:
    """Whether an answer says that requests come too fast, where only its status tells."""
    return response.status == _TOO_MANY


def retry_after(headers: Mapping[str, str], now: float) -> float | None:
    """Read how many seconds to wait from an answer's header fields.

    Args:
        headers: Header fields, names in lower case.
        now: Unix time in seconds.

    Returns:
        Seconds from ``Retry-After`` (seconds or a date) or ``RateLimit-Reset`` (Unix time, as
        DigitalOcean sends it, or seconds), never negative; None if there is neither or it is
        not readable.
    """
    value = headers.get("retry-after")
    if value is not None:
        return _seconds_or_date(value.strip(), now)
    if headers.get("ratelimit-remaining", "").strip() not in ("", "0"):
        return None
    reset = _number(headers.get("ratelimit-reset", ""))
    if reset is None:
        return None
    return max(reset - now if reset > 1e9 else reset, 0.0)  # noqa: PLR2004 - a date, not a wait


def retry_at(headers: Mapping[str, str]) -> float | None:
    """Return the Unix time that an answer's header fields ask to wait for, or None."""
    now = time.time()
    wait = retry_after(headers, now)
    return None if wait is None else now + wait


def _seconds_or_date(value: str, now: float) -> float | None:
    seconds = _number(value)
    if seconds is not None:
        return max(seconds, 0.0)
    import email.utils

    try:
        date = email.utils.parsedate_to_datetime(value)
        if date.tzinfo is None:  # HTTP's dates are in UTC, whether they say so or not
            date = date.replace(tzinfo=dt.UTC)
        return max(date.timestamp() - now, 0.0)
    except (ValueError, TypeError, OverflowError, OSError):
        return None


def _number(text: str) -> float | None:
    return float(text) if _NUMBER.fullmatch(text.strip()) else None


class RetryLayer(Layer):
    """Sends a request until it succeeds, may not be repeated, or a limit is reached."""

    def __init__(
        self,
        inner: Transport,
        runtime: Runtime,
        policy: RetryPolicy,
        throttled: Callable[[Response], bool] = too_many,
    ) -> None:
        super().__init__(inner)
        self._runtime = runtime
        self._policy = policy
        self._throttled = throttled
        self._budget = RetryBudget(policy.capacity)

    async def send(self, request: Request) -> Response:
        """Send a request, again where that is allowed.

        Raises:
            OutcomeUnknownError: It may have been carried out and may not be repeated.
            RateLimitedError: The provider asks for a wait beyond the deadline.
        """
        attempt, spent = 1, 0
        while True:
            try:
                response = await self.inner.send(request)
            except CloudError as error:
                if error.attempts > 1:  # a request for credentials, sent again often enough
                    raise
                error.attempts = attempt
                spent = await self._after_error(request, error, attempt)
            else:
                response.attempts = attempt
                if response.status < _FIRST_ERROR:
                    self._budget.give(spent or 1)
                    return response
                again = await self._after_answer(request, response)
                if again is None:
                    return response
                spent = again
            attempt += 1

    async def _after_error(self, request: Request, error: CloudError, attempt: int) -> int:
        """Wait for the next try and return its cost, or raise."""
        unsent = isinstance(error, ConnectionFailedError) and error.retryable
        lost = isinstance(error, OutcomeUnknownError)
        repeatable = request.send_class is not SendClass.ONCE
        if not (unsent or (lost and repeatable)) or not _replayable(request):
            raise self._final(request, error)
        cost = self._policy.cost
        wait = self._jitter(self._policy.base, attempt)
        if (
            attempt >= self._policy.attempts
            or not self._in_time(wait)
            or not self._budget.take(cost)
        ):
            raise self._final(request, error)
        _log.info("%s: %s; trying again in %.2f s", request.operation, error.message, wait)
        await self._runtime.sleep(wait)
        return cost

    async def _after_answer(self, request: Request, response: Response) -> int | None:
        """Wait for the next try and return its cost; None if the answer stands."""
        status, throttled = response.status, self._throttled(response)
        if not throttled and status not in _FAILED and status != _TIMED_OUT:
            return None
        asked = retry_after(response.headers, self._runtime.time())
        if request.send_class is SendClass.ONCE and status in _GATEWAY and not throttled:
            raise _of(response, OutcomeUnknownError(_GAVE_UP))
        refused = throttled or status == _TIMED_OUT or (status == _BUSY and asked is not None)
        if not _replayable(request) or not (refused or request.send_class is not SendClass.ONCE):
            return None
        wait = asked
        if wait is None:
            wait = self._jitter(self._base(throttled), response.attempts)
        if throttled and asked is not None and not self._fits(wait):
            raise _of(response, self._rate_limited(asked))
        if response.attempts >= self._policy.attempts or not self._fits(wait):
            return None
        cost = self._policy.throttled_cost if throttled else self._policy.cost
        if not self._budget.take(cost):
            return None
        _log.info("%s: HTTP %d; trying again in %.2f s", request.operation, status, wait)
        await self._runtime.sleep(wait)
        return cost

    def _fits(self, wait: float) -> bool:
        return wait < self._policy.patience and self._in_time(wait)

    def _in_time(self, wait: float) -> bool:
        left = deadlines.remaining(self._runtime.now())
        return left is None or wait < left

    def _rate_limited(self, asked: float) -> RateLimitedError:
        return RateLimitedError(
            f"the provider asks to wait {asked:.0f} s, longer than this call may take",
            retry_at=self._runtime.time() + asked,
        )

    def _final(self, request: Request, error: CloudError) -> CloudError:
        """A read whose answer was lost has changed nothing: say that the connection failed."""
        if request.send_class is not SendClass.SAFE or not isinstance(error, OutcomeUnknownError):
            return error
        late = not self._in_time(0)
        final = (DeadlineExceededError if late else ConnectionFailedError)(error.message)
        final.attempts = error.attempts
        final.__cause__ = error.__cause__
        final.status, final.body, final.headers = error.status, error.body, error.headers
        return final

    def _base(self, throttled: bool) -> float:
        return self._policy.throttled_base if throttled else self._policy.base

    def _jitter(self, base: float, attempt: int) -> float:
        import random

        return random.uniform(0, min(self._policy.cap, base * 2.0 ** (attempt - 1)))  # noqa: S311 - spreads load, guards nothing


def _of(response: Response, error: E) -> E:
    """Tell which answer an error comes from."""
    error.status = response.status
    error.body = response.body[:4096]
    error.headers = dict(response.headers)
    error.attempts = response.attempts
    return error


def _replayable(request: Request) -> bool:
    return not isinstance(request.body, Body) or request.body.replayable
