"""Every error that anysky raises.

The tree, each class with what it means::

    CloudError                        anything that went wrong
    ├── UnsupportedOperationError     this provider, or this version, cannot do it; nothing was sent
    ├── InvalidAccountError           a setting is missing or wrong; nothing was sent
    ├── AuthenticationError           the credentials were refused
    ├── PermissionDeniedError         the credentials are right but may not do this
    ├── NotFoundError                 the thing does not exist
    ├── AlreadyExistsError            the name is taken
    ├── ConflictError                 the thing is in a state in which this cannot be done
    │   └── PreconditionFailedError   it is not, or no longer, what a condition asked for
    ├── InvalidRequestError           the provider, or anysky, refused an argument
    ├── QuotaExceededError            a limit of the account, or no capacity
    ├── RateLimitedError              too many requests; ``retry_at`` says when to come back
    ├── ProviderUnavailableError      the provider failed or is down
    ├── ConnectionFailedError         nothing was done: no connection, or the line of a read broke
    ├── OutcomeUnknownError           sent, but the answer was lost: it may have been done
    ├── DeadlineExceededError         the call ran out of time
    ├── MalformedResponseError        the answer is not what the provider promises
    ├── UnsafeResponseError           the answer breaks a safety rule (size, origin, redirect)
    ├── PartialFailureError           something was made, then a step failed; `rollback()`
    └── JournalError                  the journal cannot be read or written

Names that only one service has (`ContainerDoesNotExistError`, `KeyPairDoesNotExistError` …) are
subclasses of these. No error of the standard library or of an HTTP library reaches a caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .outcomes import InDoubt, Rollback

__all__ = [
    "AlreadyExistsError",
    "AuthenticationError",
    "CloudError",
    "ConflictError",
    "ConnectionFailedError",
    "ContainerAlreadyExistsError",
    "ContainerDoesNotExistError",
    "ContainerError",
    "ContainerIsNotEmptyError",
    "DeadlineExceededError",
    "DriverTypeNotFoundError",
    "InvalidAccountError",
    "InvalidContainerNameError",
    "InvalidCredsError",
    "InvalidRequestError",
    "JournalError",
    "KeyPairAlreadyExistsError",
    "KeyPairDoesNotExistError",
    "KeyPairError",
    "MalformedResponseError",
    "NotFoundError",
    "ObjectDoesNotExistError",
    "ObjectError",
    "ObjectHashMismatchError",
    "OutcomeUnknownError",
    "PartialFailureError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "PriceLimitError",
    "ProviderUnavailableError",
    "QuotaExceededError",
    "RateLimitedError",
    "RecordAlreadyExistsError",
    "RecordDoesNotExistError",
    "RecordError",
    "UnknownProviderError",
    "UnsafeResponseError",
    "UnsupportedOperationError",
    "ZoneAlreadyExistsError",
    "ZoneDoesNotExistError",
    "ZoneError",
]

_BODY_LIMIT = 4096
_SHORTEST_IN_BASE64 = 12
_SHORTEST_PART = 4
_SHORTEST_SECRET = 6  # a shorter one occurs by chance, and taking it out would spoil the message


class CloudError(Exception):
    """Anything that went wrong; the base of every error of anysky.

    Attributes:
        message: What happened and what to do, in one or two sentences.
        provider: Name of the provider, for example ``"ec2"``; empty when none is involved.
        operation: The operation that failed, for example ``"create_node"``.
        status: HTTP status of the answer, or None when there was none.
        code: The provider's own error code, for example ``"InvalidAMIID.NotFound"``.
        request_id: The provider's id of the request, for its support.
        body: The answer's raw body, shortened to 4 KiB, secrets removed.
        attempts: How many times the request was sent.
        retryable: Whether the same call may succeed later without any change.
        driver: The driver that was called, when it was called through one.
        in_doubt: What may have been made although its answer was lost, and where to look for it.
    """

    retryable: bool = False
    in_doubt: Sequence[InDoubt] = ()

    def __init__(
        self,
        message: str,
        *,
        provider: str = "",
        operation: str = "",
        status: int | None = None,
        code: str = "",
        request_id: str = "",
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.provider = provider
        self.operation = operation
        self.status = status
        self.code = code
        self.request_id = request_id
        self.body = body[:_BODY_LIMIT]
        self.headers: dict[str, str] = headers or {}
        self.attempts = 1
        self.driver: Any = None

    @property
    def value(self) -> str:
        """The message, under the name that programs written for Libcloud read."""
        return self.message

    @property
    def http_code(self) -> int | None:
        """The HTTP status, under the name that programs written for Libcloud read."""
        return self.status

    def __str__(self) -> str:
        place = " ".join(part for part in (self.provider, self.operation) if part)
        details = ", ".join(self._details())
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} ({details})" if details else text

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"

    def _details(self) -> Iterable[str]:
        if self.status is not None:
            yield f"HTTP {self.status}"
        if self.code:
            yield f"code {self.code}"
        if self.request_id:
            yield f"request {self.request_id}"

    def redact(self, secrets: Iterable[str]) -> None:
        """Take secret values, also base64 and percent-encoded, out of all that an error shows.

        Values of fewer than six characters stay: they occur by chance.
        """
        # The longest first: one secret may be a part of another.
        for secret in sorted(secrets, key=len, reverse=True):
            for form in _forms(secret) if len(secret) >= _SHORTEST_SECRET else ():
                self.message = self.message.replace(form, "***")
                self.code = self.code.replace(form, "***")
                self.request_id = self.request_id.replace(form, "***")
                self.headers = {k: v.replace(form, "***") for k, v in self.headers.items()}
                self.body = _without(self.body, form.encode("utf-8", "surrogatepass"))
        self.args = (self.message, *self.args[1:])

    def __reduce__(self) -> tuple[Any, ...]:
        """Travel between processes, without the driver and its connections."""
        return type(self), (self.message,), {**self.__dict__, "driver": None}


def _forms(secret: str) -> set[str]:
    """Return how a secret may stand in an answer; base64 at three offsets, without its ends."""
    import base64
    from urllib.parse import quote, quote_plus

    raw = secret.encode("utf-8", "surrogatepass")
    forms = {secret, quote(raw, safe=""), quote_plus(raw)}
    if len(raw) >= _SHORTEST_IN_BASE64:
        whole = [base64.b64encode(b" " * offset + raw).decode() for offset in range(3)]
        forms |= {text[4 if offset else 0 : -4] for offset, text in enumerate(whole)}
    return forms


def _without(body: bytes, secret: bytes) -> bytes:
    """Remove a secret, also where the shortened body ends in the middle of it."""
    if len(body) == _BODY_LIMIT:
        for length in range(len(secret) - 1, _SHORTEST_PART, -1):
            if body.endswith(secret[:length]):
                body = body[:-length] + b"***"
    return body.replace(secret, b"***")


class UnsupportedOperationError(CloudError, NotImplementedError):
    """The provider, or anysky's support of it, cannot do this. Nothing was sent."""


class InvalidAccountError(CloudError, ValueError):
    """A setting of the account is missing or wrong. Nothing was sent."""


class AuthenticationError(CloudError):
    """The provider refused the credentials: wrong, expired or from a wrong clock."""


InvalidCredsError = AuthenticationError


class PermissionDeniedError(CloudError):
    """The credentials are right but are not allowed to do this."""


class NotFoundError(CloudError):
    """The thing does not exist, or the credentials may not see it."""


class AlreadyExistsError(CloudError):
    """A thing with this name exists already."""


class ConflictError(CloudError):
    """The thing is in a state, or in use, so that this cannot be done now."""


class PreconditionFailedError(ConflictError):
    """The thing is not, or no longer, what ``if_match`` or ``if_none_match`` asked for."""


class InvalidRequestError(CloudError, ValueError):
    """An argument was refused, by anysky before sending or by the provider."""


class PriceLimitError(InvalidRequestError):
    """It would cost more than the caller allows, or nobody knows how much. Nothing was sent."""


class UnknownProviderError(InvalidRequestError, AttributeError):
    """There is no provider of this name for the service."""


class DriverTypeNotFoundError(InvalidRequestError, KeyError):
    """There is no service of this name."""

    __str__ = CloudError.__str__


class QuotaExceededError(CloudError):
    """A limit of the account is reached, or the provider has no capacity for it."""


class RateLimitedError(CloudError):
    """Too many requests were sent.

    Attributes:
        retry_at: Unix time in seconds from which on a new try makes sense, or None if unknown.
    """

    retryable = True

    def __init__(self, message: str, *, retry_at: float | None = None, **details: Any) -> None:
        super().__init__(message, **details)
        self.retry_at = retry_at


class ProviderUnavailableError(CloudError):
    """The provider answered that it failed or is overloaded."""

    retryable = True


class ConnectionFailedError(CloudError, ConnectionError):
    """No connection was made, or the line of a request that changes nothing broke."""

    retryable = True


class OutcomeUnknownError(CloudError):
    """The request left but its answer was lost: what it asks for may have been done.

    Look at the provider's inventory before sending it again; `in_doubt` says what to look for.
    """


class DeadlineExceededError(CloudError, TimeoutError):
    """The call ran out of the time it was given."""

    retryable = True


class MalformedResponseError(CloudError):
    """The answer is not what the provider's reference promises."""


class UnsafeResponseError(CloudError):
    """The answer breaks a safety rule: too large, a redirect, a link to another host."""


class PartialFailureError(CloudError):
    """An operation made something and then failed, or was interrupted.

    Attributes:
        operation: The operation.
        created: What it had made, in order of creation; what belongs to a driver is bound to it.
        in_doubt: Steps whose answer was lost.
        failed_step: What failed, in words.
        undone: What has been removed again since.
        left_behind: What could not be removed when that was tried.
        journal_id: Id of the operation in the journal, empty without one.
    """

    def __init__(
        self,
        message: str,
        *,
        created: Iterable[Any] = (),
        in_doubt: Iterable[InDoubt] = (),
        failed_step: str = "",
        journal_id: str = "",
        undo: Callable[[], Rollback] | None = None,
        **details: Any,
    ) -> None:
        super().__init__(message, **details)
        self.created = list(created)
        self.in_doubt = list(in_doubt)
        self.failed_step = failed_step
        self.journal_id = journal_id
        self.undone: list[Any] = []
        self.left_behind: list[Any] = []
        self._undo = undo

    def rollback(self) -> Rollback:
        """Remove what was made, in reverse order; in the asyncio API, await what this returns.

        It goes on past what cannot be removed and reports it, and may be called again: what is
        gone is left alone. What is in doubt is looked for first.

        Raises:
            UnsupportedOperationError: The error comes from another process; use the journal.
        """
        if self._undo is None:
            raise UnsupportedOperationError(
                "this error has lost its driver: it was copied or comes from another process"
            )
        return self._undo()

    def __reduce__(self) -> tuple[Any, ...]:
        kind, arguments, state = super().__reduce__()
        things = ("created", "undone", "left_behind")
        return kind, arguments, {**state, "_undo": None, **{k: _copies(state[k]) for k in things}}


def _copies(things: list[Any]) -> list[Any]:
    """Return models without the driver that they are bound to."""
    from .model.base import unbound

    return [unbound(thing) for thing in things]


class JournalError(CloudError):
    """The journal cannot be read or written; nothing new was sent."""


class KeyPairError(CloudError):
    """Something is wrong with a key pair."""


class KeyPairDoesNotExistError(KeyPairError, NotFoundError):
    """There is no key pair of this name."""


class KeyPairAlreadyExistsError(KeyPairError, AlreadyExistsError):
    """There is a key pair of this name already."""


class ContainerError(CloudError):
    """Something is wrong with a storage container."""


class ContainerAlreadyExistsError(ContainerError, AlreadyExistsError):
    """There is a container of this name already, perhaps somebody else's."""


class ContainerDoesNotExistError(ContainerError, NotFoundError):
    """There is no container of this name."""


class ContainerIsNotEmptyError(ContainerError, ConflictError):
    """The container still has objects in it."""


class InvalidContainerNameError(ContainerError, InvalidRequestError):
    """The provider does not allow this name for a container."""


class ObjectError(CloudError):
    """Something is wrong with an object."""


class ObjectDoesNotExistError(ObjectError, NotFoundError):
    """There is no object of this name in the container."""


class ObjectHashMismatchError(ObjectError, MalformedResponseError):
    """The bytes that arrived are not those that were sent."""


class ZoneError(CloudError):
    """Something is wrong with a DNS zone."""


class ZoneDoesNotExistError(ZoneError, NotFoundError):
    """There is no such DNS zone."""


class ZoneAlreadyExistsError(ZoneError, AlreadyExistsError):
    """There is such a DNS zone already."""


class RecordError(CloudError):
    """Something is wrong with a DNS record."""


class RecordDoesNotExistError(RecordError, NotFoundError):
    """There is no such DNS record."""


class RecordAlreadyExistsError(RecordError, AlreadyExistsError):
    """There is such a DNS record already."""
