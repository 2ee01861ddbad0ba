"""The declared outcome of every cell: by fault and send class, then the exceptions.

A cell is one fault, striking once or for good, on one request of one operation of one provider;
both APIs have the same outcome. This table is the only place that says what should happen: the
tests compare with it and the documentation is made from it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from anysky.errors import (
    AuthenticationError,
    CloudError,
    ConflictError,
    ConnectionFailedError,
    DeadlineExceededError,
    InvalidRequestError,
    MalformedResponseError,
    ObjectHashMismatchError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
    ProviderUnavailableError,
    RateLimitedError,
    UnsafeResponseError,
)
from anysky.transport.base import SendClass
from tests.faults.catalogue import ASKED_WAIT, FAULTS, LONG_WAIT, Fault
from tests.faults.operations import DOCUMENT, NOTHING, STREAM, Row

__all__ = ["APIS", "DEPARTURES", "RULES", "Outcome", "Rule", "cells", "declared"]

APIS = ("blocking", "asyncio")
TRIES = 4


@dataclass(frozen=True)
class Outcome:
    """What a call comes to.

    Attributes:
        error: Class of the error, exactly; None for success.
        sends: How often the struck request was sent.
        attempts: What the error says of that; 0 for success.
        retryable: Whether the error says that the same call may succeed later.
        waited: Whether the call waited as long as the provider had asked for.
        retry_in: The seconds from now that `retry_at` of the error means, or None.
        unnoticed: Whether the result is wrong, and nothing tells that it is.
    """

    error: type[CloudError] | None = None
    sends: int = 1
    attempts: int = 0
    retryable: bool = False
    waited: bool = False
    retry_in: int | None = None
    unnoticed: bool = False


@dataclass(frozen=True)
class Rule:
    """The outcomes of one fault for requests that may be sent again, or once only.

    Each is a pair: if the fault strikes once, and if it lasts. A request that may be sent only
    once and whose answer was lost is looked for: `ok(1)` means that it was found and adopted.
    """

    safe: tuple[Outcome, Outcome]
    repeatable: tuple[Outcome, Outcome]
    once: tuple[Outcome, Outcome]


def ok(sends: int, *, waited: bool = False) -> Outcome:
    """It succeeds after so many sends; 1 where the fault struck means that it was adopted."""
    return Outcome(sends=sends, waited=waited)


def fails(
    error: type[CloudError],
    sends: int = 1,
    *,
    attempts: int | None = None,
    waited: bool = False,
    retry_in: int | None = None,
    retryable: bool | None = None,
) -> Outcome:
    """It fails after so many sends."""
    again = error.retryable if retryable is None else retryable
    tries = sends if attempts is None else attempts
    return Outcome(error, sends, tries, again, waited, retry_in)


def _alike(first: Outcome, lasting: Outcome | None = None) -> Rule:
    """The same for all requests."""
    pair = (first, first if lasting is None else lasting)
    return Rule(pair, pair, pair)


UNREACHABLE = _alike(ok(2), fails(ConnectionFailedError, TRIES))
UNTRUSTED = _alike(fails(ConnectionFailedError, retryable=False))
UNKNOWN = fails(OutcomeUnknownError)
LOST = Rule(
    safe=(ok(2), fails(ConnectionFailedError, TRIES)),
    repeatable=(ok(2), fails(OutcomeUnknownError, TRIES)),
    once=(UNKNOWN, UNKNOWN),
)
OUT_OF_TIME = Rule(
    safe=(fails(DeadlineExceededError), fails(DeadlineExceededError)),
    repeatable=(UNKNOWN, UNKNOWN),
    once=(UNKNOWN, UNKNOWN),
)
# Answers that say that nothing was done.
REFUSED = _alike(ok(2), fails(ProviderUnavailableError, TRIES))
THROTTLED = _alike(ok(2), fails(RateLimitedError, TRIES))
THROTTLED_FOR = _alike(
    ok(2, waited=True), fails(RateLimitedError, TRIES, waited=True, retry_in=ASKED_WAIT)
)
# Answers after which nobody knows.
FAILED = Rule(
    safe=(ok(2), fails(ProviderUnavailableError, TRIES)),
    repeatable=(ok(2), fails(ProviderUnavailableError, TRIES)),
    once=(fails(ProviderUnavailableError), fails(ProviderUnavailableError)),
)
GATEWAY = Rule(safe=FAILED.safe, repeatable=FAILED.repeatable, once=(UNKNOWN, UNKNOWN))

RULES: Mapping[str, Rule] = {
    "dns": UNREACHABLE,
    "refused": UNREACHABLE,
    "connect-timeout": UNREACHABLE,
    "tls-name": UNTRUSTED,
    "tls-expired": UNTRUSTED,
    "reset-before": LOST,
    "reset-after": LOST,
    "reset-in-headers": LOST,
    "reset-in-body": LOST,
    "short-chunks": LOST,
    "wrong-length": LOST,
    "stall-before-headers": LOST,
    "stall-in-body": LOST,
    "drip": OUT_OF_TIME,
    "expired-token": _alike(fails(AuthenticationError)),
    "clock-skew": _alike(ok(2), fails(AuthenticationError, 2, attempts=1)),
    "408": REFUSED,
    "409-busy": _alike(fails(ConflictError)),
    "429-seconds": THROTTLED_FOR,
    "429-date": THROTTLED_FOR,
    "429": THROTTLED,
    "429-day": _alike(fails(RateLimitedError, retry_in=LONG_WAIT)),
    "500": FAILED,
    "502-html": GATEWAY,
    "503": FAILED,
    "503-retry-after": _alike(
        ok(2, waited=True), fails(ProviderUnavailableError, TRIES, waited=True)
    ),
    "504-done": GATEWAY,
    "wrong-type": _alike(fails(MalformedResponseError)),
    "wrong-bytes": _alike(fails(ObjectHashMismatchError)),
    "redirect-302": _alike(fails(UnsafeResponseError)),
    "redirect-307": _alike(fails(UnsafeResponseError)),
    "gzip-bomb": _alike(fails(UnsafeResponseError)),
}


@dataclass(frozen=True)
class Departure:
    """A cell, or several, that differ from the rule.

    Attributes:
        why: The reason, for the documentation.
        faults: Names of the faults.
        outcomes: If the fault strikes once, and if it lasts.
        provider: Only this provider, or all.
        operations: Only these operations, or all.
        answer: Only requests with this kind of answer, or all.
    """

    why: str
    faults: Sequence[str]
    outcomes: tuple[Outcome, Outcome]
    provider: str | None = None
    operations: Sequence[str] = ()
    answer: str | None = None

    def concerns(self, provider: str, row: Row, fault: Fault) -> bool:
        """Whether a cell is one of these."""
        return (
            fault.name in self.faults
            and self.provider in {None, provider}
            and (not self.operations or row.operation in self.operations)
            and self.answer in {None, row.answer}
        )


DEPARTURES: Sequence[Departure] = (
    Departure(
        "its requests carry a token, not a signature with a date, so that no clock matters",
        ["clock-skew"],
        (fails(PermissionDeniedError), fails(PermissionDeniedError)),
        provider="digitalocean",
    ),
    Departure(
        "the answer to a HEAD request has no body that says why it was refused",
        ["expired-token"],
        (fails(InvalidRequestError), fails(InvalidRequestError)),
        operations=["get_container", "get_object"],
    ),
    Departure(
        "the answer to a HEAD request has no body that says why it was refused, only a date",
        ["clock-skew"],
        (ok(2), fails(PermissionDeniedError, 2, attempts=1)),
        operations=["get_container", "get_object"],
    ),
    Departure(
        "a download goes on where the line broke, up to five times without progress",
        ["reset-in-body", "stall-in-body"],
        (ok(2), fails(ConnectionFailedError, 6, attempts=1)),
        answer=STREAM,
    ),
    Departure(
        "all bytes have come, and there is nothing left to ask for; the file is not kept",
        ["short-chunks", "wrong-length"],
        (fails(ConnectionFailedError), fails(ConnectionFailedError)),
        answer=STREAM,
    ),
    Departure(
        "a download is checked against the size of the object",
        ["wrong-type", "gzip-bomb"],
        (fails(ObjectHashMismatchError), fails(ObjectHashMismatchError)),
        operations=["download_object"],
    ),
    Departure(
        "an object may have any content and, since it was listed, any size",
        ["wrong-type", "gzip-bomb"],
        (Outcome(unnoticed=True), Outcome(unnoticed=True)),
        operations=["download_object_as_stream"],
    ),
    Departure(
        "as long as the records are what they were, the change is tried again, eight times",
        ["reset-before"],
        (ok(2), fails(OutcomeUnknownError, 8 * TRIES, attempts=TRIES)),
        provider="aws",
        operations=["create_record", "update_record", "delete_record"],
    ),
    Departure(
        "no time is left to look at the records",
        ["drip"],
        (UNKNOWN, UNKNOWN),
        provider="aws",
        operations=["update_record", "delete_record"],
    ),
    Departure(
        "what was made is found, and then no time is left for the rest",
        ["drip"],
        (fails(PartialFailureError), fails(PartialFailureError)),
        provider="aws",
        operations=["create_balancer"],
    ),
    Departure(
        "credentials of a role are asked for with a token, not with a signature that has a date",
        ["clock-skew"],
        (fails(AuthenticationError), fails(AuthenticationError)),
        operations=["assume_role"],
    ),
)


def cells(row: Row) -> Iterator[tuple[Fault, bool]]:
    """The faults that can strike a row's request, each once and then for good."""
    for fault in FAULTS:
        if fault.part == "document" and row.answer == NOTHING:
            continue
        if fault.part == "content" and row.answer in {NOTHING, DOCUMENT}:
            continue
        if fault.part == "post" and " " in row.request and not row.request.startswith("POST"):
            continue
        yield from ((fault, False), (fault, True))


def declared(provider: str, row: Row, fault: Fault, *, lasting: bool) -> Outcome | None:
    """Return the declared outcome of a cell; None if there is none."""
    for departure in DEPARTURES:
        if departure.concerns(provider, row, fault):
            return departure.outcomes[lasting]
    rule = RULES.get(fault.name)
    if rule is None:
        return None
    by_class = {
        SendClass.SAFE: rule.safe,
        SendClass.REPEATABLE: rule.repeatable,
        SendClass.ONCE: rule.once,
    }
    outcome = by_class[row.sends][lasting]
    outcome = found_again(fault, outcome) if row.found else outcome
    return _after_others(fault, outcome) if row.partial else outcome


def _after_others(fault: Fault, outcome: Outcome) -> Outcome:
    """The outcome where the operation had made something before its request failed."""
    if fault.door is not None or outcome.error is None:
        return outcome  # it strikes the first request
    return replace(fails(PartialFailureError, outcome.sends, attempts=1), waited=outcome.waited)


def found_again(fault: Fault, outcome: Outcome) -> Outcome:
    """The outcome where what a request made or changed is found although its answer was lost."""
    if not fault.done or outcome.error is None:
        return outcome
    return ok(outcome.sends, waited=outcome.waited)
