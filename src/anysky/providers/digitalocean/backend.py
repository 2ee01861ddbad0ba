"""What the backends of all services of DigitalOcean share."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, TypedDict, cast

from anysky.account import Account
from anysky.backend.base import Backend, Connection
from anysky.errors import ConflictError, InvalidAccountError
from anysky.ledger import Ledger
from anysky.model.compute import NodeLocation
from anysky.steps import StepState
from anysky.transport.signing import BearerSigner

from . import DigitalOcean
from .api import Action, DigitalOceanAPI

__all__ = ["DigitalOceanBackend", "Find", "Known", "is_watched"]

Find = Callable[..., Coroutine[Any, Any, list[Any]]]
"""Looks for what a step has made, by arguments after the mark, which serves only for tags."""


class Known(TypedDict, total=False):
    """How a step finds what it has made; empty if that cannot be told from what was there."""

    find: Find
    find_args: tuple[Any, ...]


class DigitalOceanBackend(Backend):
    """What is the same for every service."""

    account: DigitalOcean

    # Lists lack a new Droplet for seconds: https://github.com/digitalocean/api-v2/issues/202
    list_lag = 15.0

    def __init__(self, account: Account, connection: Connection) -> None:
        super().__init__(account, connection)
        self.api = DigitalOceanAPI(connection)

    @classmethod
    def signer(cls, account: Account, connection: Connection) -> BearerSigner:  # noqa: ARG003 - the token is in the account
        """Return what sends the token."""
        return BearerSigner(cast("DigitalOcean", account).token.reveal())

    def region_of(self, location: NodeLocation | None) -> str:
        """Return the region for something new.

        Raises:
            InvalidAccountError: Neither the call nor the account names one.
        """
        region = location.id if location else self.account.region
        if not region:
            raise InvalidAccountError(
                "DigitalOcean needs a region: pass location=, or region= to the driver"
            )
        return region

    async def _known(self, ledger: Ledger, find: Find, *find_args: Any) -> Known:
        """Return how a step will find what it has made: by `find`, if this finds nothing yet.

        Most things have no tags here (those of firewalls and load balancers say which Droplets
        they are for), but have a name of their own, or are told from others by what they are.
        """
        if not is_watched(ledger) or await find("", *find_args):
            return {}
        return {"find": find, "find_args": find_args}

    async def _attach(
        self,
        ledger: Ledger,
        what: str,
        path: str,
        json: Mapping[str, Any],
        undo: Callable[..., Coroutine[Any, Any, None]],
        find: Find,
        *ids: str,
    ) -> None:
        """Attach one thing to another by an action, which is a step, and wait for its end.

        Args:
            ledger: The ledger.
            what: What is done, for people.
            path: Path of the actions.
            json: The action.
            undo: Takes the one from the other again; gets `ids`.
            find: Returns ``[None]`` if they are attached; gets `ids`.
            ids: Those of the two things.

        Raises:
            ConflictError: The action ended with an error, or another one is under way.
        """
        known = await self._known(ledger, find, *ids)
        started: list[Action] = []

        async def begin() -> None:
            started.append(await self.api.begin(path, json))

        await ledger.step(what, begin(), undo, undo_args=ids, **known)
        step = ledger.steps[-1]
        for action in started:  # none if the answer was lost, and they were found attached
            ended = await self.api.ended(action)
            try:
                ended.check()
            except ConflictError:
                step.state = StepState.NOT_MADE
                if step.journal is not None:
                    step.journal.settle(step)
                raise


def is_watched(ledger: Ledger) -> bool:
    """Whether somebody will undo what a call makes: only then a look at what is there pays."""
    return bool(ledger.scope or ledger.journal or ledger.terms.choice == "rollback")
