"""Marks of what a call makes, as tags of Droplets, volumes and volumes' snapshots.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Tags
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from typing import TypeVar

from anysky.deadlines import deadline
from anysky.errors import CloudError, MalformedResponseError, NotFoundError
from anysky.ledger import Ledger, unnoted
from anysky.model.compute import Node, StorageVolume, VolumeSnapshot
from anysky.steps import MARK_TAG
from anysky.wire.rest import segment
from anysky.wire.tag_words import words_of

from .backend import DigitalOceanBackend

__all__ = ["Marks"]

M = TypeVar("M", Node, StorageVolume, VolumeSnapshot)

_START = f"{MARK_TAG}:"
_WITHIN = 10.0  # seconds: a tag too many does less harm than a call that hangs


class Marks(DigitalOceanBackend):
    """Takes marks away again.

    A tag is a thing of the account at DigitalOcean: it is made with the first thing that carries
    it, and stays when that goes. So that they do not pile up, the tag of a mark is deleted once
    the answer has come and is noted in the journal, when it has served. It stays where that fails
    or the program ends between, and where a thing was found by it after a crash; then it is
    deleted together with the thing.
    """

    async def _unmark(self, thing: M, ledger: Ledger) -> M:
        """Delete the tag of the mark of the last step, and return what it made without it."""
        words = words_of({MARK_TAG: ledger.steps[-1].mark})
        try:
            with unnoted(), deadline(_WITHIN):
                await self._delete_tags(words)
        except CloudError:
            return thing
        tags = {key: value for key, value in thing.tags.items() if key != MARK_TAG}
        rest = [word for word in thing.extra.get("tags") or () if word not in words]
        return replace(thing, tags=tags, extra={**thing.extra, "tags": rest})

    async def _destroy(self, path: str, thing: Node | StorageVolume | VolumeSnapshot) -> None:
        """Destroy a thing, and the tag of a mark that it still carries."""
        words = _words(thing)
        try:
            await self.api.send("DELETE", path)
        except NotFoundError:  # an earlier try may have left the tag
            with suppress(CloudError):
                await self._delete_tags(words)
            raise
        with suppress(CloudError):
            await self._delete_tags(words)

    async def _delete_tags(self, words: list[str]) -> None:
        for word in words:
            with suppress(NotFoundError):
                await self.api.send("DELETE", f"/tags/{segment(word, safe=':')}")


def _words(thing: Node | StorageVolume | VolumeSnapshot) -> list[str]:
    """Return the tags that are a mark; drivers hide them from `tags`, but not from `extra`."""
    found = words_of({key: value for key, value in thing.tags.items() if key == MARK_TAG})
    with suppress(MalformedResponseError):
        listed = thing.extra.get("tags")
        found += listed if isinstance(listed, list) else []
    return list(dict.fromkeys(word for word in found if str(word).startswith(_START)))
