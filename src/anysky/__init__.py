"""One Python API to many clouds, blocking and asyncio.

Start with a service: ``from anysky.compute import Provider, get_driver``, or with
``from anysky.aio.compute import …`` for asyncio. See `anysky.errors` for what can go wrong.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers take it for true; importing `typing` costs milliseconds

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
    "DriverType",
    "DriverTypeNotFoundError",
    "Hooks",
    "InDoubt",
    "InvalidAccountError",
    "InvalidContainerNameError",
    "InvalidCredsError",
    "InvalidRequestError",
    "Journal",
    "JournalError",
    "KeyPairAlreadyExistsError",
    "KeyPairDoesNotExistError",
    "KeyPairError",
    "Limits",
    "MalformedResponseError",
    "NotFoundError",
    "ObjectDoesNotExistError",
    "ObjectError",
    "ObjectHashMismatchError",
    "OutcomeUnknownError",
    "Outcomes",
    "PartialFailureError",
    "PermissionDeniedError",
    "PreconditionFailedError",
    "PriceLimitError",
    "Provider",
    "ProviderUnavailableError",
    "QuotaExceededError",
    "RateLimitedError",
    "RecordAlreadyExistsError",
    "RecordDoesNotExistError",
    "RecordError",
    "Resumption",
    "RetryPolicy",
    "Rollback",
    "Secret",
    "Transaction",
    "UnknownProviderError",
    "UnsafeResponseError",
    "UnsupportedOperationError",
    "ZoneAlreadyExistsError",
    "ZoneDoesNotExistError",
    "ZoneError",
    "allow_secrets",
    "deadline",
    "get_driver",
    "transaction",
]

__version__ = "0.1.0"

if TYPE_CHECKING:
    from typing import Any

    from .deadlines import deadline
    from .drivers import get_driver
    from .errors import (
        AlreadyExistsError,
        AuthenticationError,
        CloudError,
        ConflictError,
        ConnectionFailedError,
        ContainerAlreadyExistsError,
        ContainerDoesNotExistError,
        ContainerError,
        ContainerIsNotEmptyError,
        DeadlineExceededError,
        DriverTypeNotFoundError,
        InvalidAccountError,
        InvalidContainerNameError,
        InvalidCredsError,
        InvalidRequestError,
        JournalError,
        KeyPairAlreadyExistsError,
        KeyPairDoesNotExistError,
        KeyPairError,
        MalformedResponseError,
        NotFoundError,
        ObjectDoesNotExistError,
        ObjectError,
        ObjectHashMismatchError,
        OutcomeUnknownError,
        PartialFailureError,
        PermissionDeniedError,
        PreconditionFailedError,
        PriceLimitError,
        ProviderUnavailableError,
        QuotaExceededError,
        RateLimitedError,
        RecordAlreadyExistsError,
        RecordDoesNotExistError,
        RecordError,
        UnknownProviderError,
        UnsafeResponseError,
        UnsupportedOperationError,
        ZoneAlreadyExistsError,
        ZoneDoesNotExistError,
        ZoneError,
    )
    from .names import DriverType, Provider
    from .outcomes import InDoubt, Outcomes, Rollback
    from .recovering import Resumption
    from .recovery import Journal
    from .secret import Secret, allow_secrets
    from .transactions import Transaction, transaction
    from .transport.base import Limits
    from .transport.retry import RetryPolicy
    from .transport.tracing import Hooks

_HOMES = {
    "DriverType": ".names",
    "Hooks": ".transport.tracing",
    "Journal": ".recovery",
    "Limits": ".transport.base",
    "Provider": ".names",
    "InDoubt": ".outcomes",
    "Outcomes": ".outcomes",
    "Resumption": ".recovering",
    "RetryPolicy": ".transport.retry",
    "Rollback": ".outcomes",
    "Secret": ".secret",
    "Transaction": ".transactions",
    "allow_secrets": ".secret",
    "deadline": ".deadlines",
    "get_driver": ".drivers",
    "transaction": ".transactions",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for, so that ``import anysky`` itself costs nothing."""
    if name.startswith("_"):
        raise AttributeError(f"module 'anysky' has no attribute {name!r}")
    import importlib

    home = importlib.import_module(_HOMES.get(name, ".errors"), __name__)
    try:
        value = getattr(home, name)
    except AttributeError:
        raise AttributeError(f"module 'anysky' has no attribute {name!r}") from None
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
