"""What every backend has, whatever its service."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import dataclass
from typing import Any, ClassVar

from anysky.account import Account
from anysky.errors import UnsupportedOperationError
from anysky.ledger import Ledger, current_ledger
from anysky.runtime.base import Runtime
from anysky.steps import MARK_TAG, Effect
from anysky.transport.base import Limits, Response, Transport
from anysky.transport.retry import too_many
from anysky.transport.signing import Signer

__all__ = ["Backend", "Connection", "Effect", "Option"]

_CONTRACTS = "anysky.backend."


@dataclass(frozen=True, slots=True)
class Option:
    """An option that only this provider has, passed by its name to a standard operation.

    Attributes:
        name: Name of the argument, starting with ``ex_``.
        type: Its type, as it stands in an annotation.
        help: What it does, in a few words.
    """

    name: str
    type: str
    help: str


@dataclass(frozen=True, slots=True)
class Connection:
    """How a backend reaches the world.

    Attributes:
        transport: Sends signed, paced, retried requests.
        plain: Sends requests without credentials, to fetch some or to read public data.
        direct: The same without a proxy and with short time limits, for what is on the machine
            itself, such as a metadata service.
        runtime: Clocks, sleep, files, several jobs at once.
        limits: Caps on answers and lists.
        endpoint: URL of the API, without a slash at its end.
        signer: What adds the credentials, for URLs that are signed without being sent.
    """

    transport: Transport
    plain: Transport
    direct: Transport
    runtime: Runtime
    limits: Limits
    endpoint: str
    signer: Signer | None = None


class Backend:
    """One service of one provider, as coroutines: arguments in, models out.

    A public coroutine is an operation. Those of the standard API are in the contract of the
    service, where each raises `UnsupportedOperationError` until a backend overrides it; further
    ones are reached by ``driver.call(Backend.operation, …)`` or ``driver.ex_operation(…)``.

    A backend keeps no state of a call: one is used by many threads or tasks at once. It may
    await only its transport, its runtime and other operations.

    Attributes:
        kind: The service: ``"compute"``, ``"storage"``, ``"dns"`` …
        options: Options of its own for each operation that takes some.
        rate: Requests a second that the provider allows, or None.
        hosts: Hosts besides the endpoint's to which credentials may go; subdomains count.
        driver_attributes: Names of class attributes that drivers have as well.
        effects: Operations that make something, with what takes that back. A provider adds its
            own operations to those of the contract.
        marked: Those of them whose request carries `anysky.ledger.mark` as a tag, so that what
            was made is found again when the answer is lost.
        marked_as: How the mark is told to people: where to look for it, up to the ``=``.
        list_lag: Seconds after which the provider's lists show what was made before.
    """

    kind: ClassVar[str] = ""
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {}
    rate: ClassVar[float | None] = None
    hosts: ClassVar[tuple[str, ...]] = ()
    driver_attributes: ClassVar[tuple[str, ...]] = ()
    effects: ClassVar[Mapping[str, Effect]] = {}
    marked: ClassVar[frozenset[str]] = frozenset()
    marked_as: ClassVar[str] = f"tagged {MARK_TAG}"
    list_lag: float = 30.0

    def __init__(self, account: Account, connection: Connection) -> None:
        self.account = account
        self.connection = connection
        self.transport = connection.transport
        self.runtime = connection.runtime

    @classmethod
    def endpoint(cls, account: Account, environ: Mapping[str, str]) -> str:
        """Return the URL of the API for an account; empty if every request names its own."""
        return account.endpoint

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> Signer | None:
        """Return what adds the credentials, or None for an API without any.

        Args:
            account: The settings.
            connection: To fetch tokens with; its `transport` does not sign.
        """
        return None

    @classmethod
    def throttled(cls, response: Response) -> bool:
        """Whether an answer says that requests come too fast, so that nothing was done.

        Override it for a provider that says so by another status than 429.
        """
        return too_many(response)

    def secrets(self) -> list[str]:
        """Return the values that no error may show: those of the account, and fetched ones."""
        return self.account.secrets()

    def ledger(self, operation: str) -> AbstractAsyncContextManager[Ledger]:
        """Return the ledger of the running call, for an operation that makes several things.

        Outside of a call it is a new one, and keeps what was made.

        Args:
            operation: Name of the operation.
        """
        running = current_ledger()
        if running is not None and running.backend is self:
            return nullcontext(running)
        return Ledger(self, operation)

    async def _find_created(
        self,
        operation: str,
        mark: str,
        named: Sequence[Any] | None,
    ) -> list[Any] | None:
        """Look for what a request made whose answer was lost.

        Args:
            operation: The operation.
            mark: The mark that the request carried.
            named: What the thing is known by, if there was no such thing before.

        Returns:
            What was found, or None if what is found cannot be known to be ours.
        """
        effect = self.effects.get(operation)
        if effect is None or not effect.named or named is None:
            return None
        found: list[Any] = await getattr(self, effect.named)(*named)
        return found

    @classmethod
    def supports(cls, operation: str) -> bool:
        """Whether this backend has an operation: of the contract, or one of its own."""
        method = getattr(cls, operation, None)
        return inspect.iscoroutinefunction(method) and not (
            operation.startswith("_") or method.__module__.startswith(_CONTRACTS)
        )

    @classmethod
    def operations(cls) -> list[str]:
        """Return the names of all operations, those of the contract included."""
        names = [name for name, _ in inspect.getmembers(cls, inspect.iscoroutinefunction)]
        return [name for name in names if not name.startswith("_")]

    def _unsupported(self, operation: str) -> UnsupportedOperationError:
        """Make the error for an operation that the contract has and this backend has not."""
        return UnsupportedOperationError(f"{type(self).__name__} has no {operation}")
