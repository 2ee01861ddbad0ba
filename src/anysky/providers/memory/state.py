"""What is in a memory cloud: tables of models, ids, the clock."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar

from anysky.errors import (
    AlreadyExistsError,
    CloudError,
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    InvalidRequestError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    NotFoundError,
    ObjectDoesNotExistError,
    QuotaExceededError,
    RecordDoesNotExistError,
    ZoneDoesNotExistError,
)
from anysky.model.compute import (
    FloatingIP,
    KeyPair,
    Network,
    Node,
    NodeImage,
    SecurityGroup,
    StorageVolume,
    Subnet,
    VolumeSnapshot,
)
from anysky.model.dns import Record, Zone
from anysky.model.loadbalancer import LoadBalancer, Member
from anysky.model.storage import Container, MultipartUpload, Object, ObjectSpec, ObjectVersion, Part
from anysky.paging import Page

__all__ = ["Behaviour", "Blob", "Boot", "PartsSoFar", "State", "Table", "cut", "numbered"]

M = TypeVar("M")


@dataclass(eq=False)
class Behaviour:
    """How a cloud behaves; tests may change it at any time.

    Attributes:
        page_size: Items of one page of a list.
        boot_seconds: Seconds until a node that was made, started or restarted runs, or a balancer.
        boot_looks: How many looks at such a node or balancer still find it on its way.
        list_lag: Seconds until a new thing appears in lists.
        list_lag_looks: How many lists do not hold a new thing yet.
        lag_hides_gets: Whether getting a thing by its id fails as long as lists do not hold it.
    """

    page_size: int = 100
    boot_seconds: float = 0.0
    boot_looks: int = 0
    list_lag: float = 0.0
    list_lag_looks: int = 0
    lag_hides_gets: bool = False


@dataclass(slots=True)
class Boot:
    """A node or balancer on its way to run.

    Attributes:
        ready_at: When it will, on the cloud's clock.
        looks: How many looks will find it on its way.
        ip: Address that a balancer will have then.
    """

    ready_at: float
    looks: int
    ip: str = ""


@dataclass(slots=True)
class Blob:
    """What belongs to one version of an object and is in no model of it.

    Attributes:
        number: Its place among all versions, by age.
        content: The bytes.
        tags: Its tags.
    """

    number: int
    content: bytes = b""
    tags: dict[str, str] = field(default_factory=dict[str, str])


@dataclass(slots=True)
class PartsSoFar:
    """What a multipart upload has got.

    Attributes:
        spec: What the object shall be.
        parts: The parts, with their contents, by their numbers.
    """

    spec: ObjectSpec
    parts: dict[int, tuple[Part, bytes]] = field(default_factory=dict[int, tuple[Part, bytes]])


@dataclass(slots=True)
class _Row(Generic[M]):
    item: M
    number: int
    born: float
    looks: int = 0


class Table(Generic[M]):
    """Things of one kind by their keys, in the order in which they were made.

    Args:
        state: The state that it is a part of.
        kind: Name for quotas and the inventory.
        what: Name for messages.
        missing: Error for a key that is not there.
        taken: Error for a key that is there already.
    """

    def __init__(
        self,
        state: State,
        kind: str,
        what: str,
        missing: type[CloudError] = NotFoundError,
        taken: type[CloudError] = AlreadyExistsError,
    ) -> None:
        self.kind = kind
        self._state = state
        self._what = what
        self._missing = missing
        self._taken = taken
        self._rows: dict[str, _Row[M]] = {}

    def __contains__(self, key: str) -> bool:
        return key in self._rows

    def add(self, key: str, item: M) -> M:
        """Keep a new thing.

        Raises:
            CloudError: The key is taken.
            QuotaExceededError: There are as many as the cloud allows.
        """
        if key in self._rows:
            raise self._taken(f"there is a {self._what} {key!r} already")
        self.check_room(1)
        self._rows[key] = _Row(item, self._state.count(), self._state.now)
        return item

    def check_room(self, count: int) -> None:
        """Refuse so many new things if they are too many.

        Raises:
            QuotaExceededError: There would be more than the cloud allows.
        """
        most = self._state.quotas.get(self.kind)
        if most is not None and len(self._rows) + count > most:
            raise QuotaExceededError(f"the quota of {most} {self.kind} is reached")

    def get(self, key: str) -> M:
        """Return a thing.

        Raises:
            CloudError: It is not there.
        """
        if key not in self._rows:
            raise self._missing(f"there is no {self._what} {key!r}")
        return self._rows[key].item

    def look_up(self, key: str) -> M:
        """Return a thing for somebody who asks for it, who may have to wait until lists hold it.

        Raises:
            CloudError: It is not there, or cannot be seen yet.
        """
        found = self.get(key)
        if self._state.behaviour.lag_hides_gets and self._is_hidden(self._rows[key]):
            raise self._missing(f"there is no {self._what} {key!r}")
        return found

    def put(self, key: str, item: M) -> M:
        """Keep a thing in place of the one that is there."""
        self.get(key)
        self._rows[key].item = item
        return item

    def remove(self, key: str) -> M:
        """Take a thing away."""
        found = self.get(key)
        del self._rows[key]
        return found

    def items(self) -> list[M]:
        """Return all things, those that lists do not hold yet as well."""
        return [row.item for row in self._rows.values()]

    def by_key(self) -> dict[str, M]:
        """Return all things by their keys."""
        return {key: row.item for key, row in self._rows.items()}

    def page(
        self,
        cursor: str | None,
        keep: Callable[[M], bool] = lambda _: True,
        key: Callable[[M], str] | None = None,
    ) -> Page[M]:
        """Return a page of the things that a list holds, in the order of `key` or of their age."""
        return cut(self.listed(cursor, keep, key), cursor, self._state.behaviour.page_size)

    def listed(
        self,
        cursor: str | None,
        keep: Callable[[M], bool] = lambda _: True,
        key: Callable[[M], str] | None = None,
    ) -> list[tuple[str, M]]:
        """Return the things that a list holds, each with the key that orders it.

        The first page, which has no cursor, counts as a look for the whole list.
        """
        rows = [row for row in self._rows.values() if keep(row.item)]
        looks = 0 if cursor is None else 1
        seen = [row for row in rows if not self._is_hidden(row, looks)]
        for row in rows:
            row.looks += 1 - looks
        return [(key(row.item) if key else f"{row.number:012}", row.item) for row in seen]

    def _is_hidden(self, row: _Row[M], counted: int = 0) -> bool:
        """Whether a thing is not to be seen yet, in a list that was counted so often."""
        behaviour = self._state.behaviour
        if self._state.now - row.born < behaviour.list_lag:
            return True
        return 0 < behaviour.list_lag_looks > row.looks - counted


class State:
    """All tables of a cloud, and what its things are made with.

    Attributes:
        behaviour: How the cloud behaves.
        seed: What ids are made from, besides their number.
        now: Seconds on the cloud's clock at the time of the present call.
        date: The date at that time.
        quotas: How many things of a kind there may be.
        boots: Nodes and balancers that are on their way to run, by their ids.
        blobs: Contents and tags of objects, by container and name, then by version.
        versioning: Whether containers keep older versions, for those that ever did.
        received: What multipart uploads have got, by their ids.
    """

    def __init__(self, behaviour: Behaviour, seed: int) -> None:
        self.behaviour = behaviour
        self.seed = seed
        self.now = 0.0
        self.date = datetime.fromtimestamp(0, UTC)
        self.quotas: dict[str, int] = {}
        self.boots: dict[str, Boot] = {}
        self.blobs: dict[str, dict[str, Blob]] = {}
        self.versioning: dict[str, bool] = {}
        self.received: dict[str, PartsSoFar] = {}
        self._numbers: dict[str, int] = {}
        self.nodes = Table[Node](self, "nodes", "node")
        self.volumes = Table[StorageVolume](self, "volumes", "volume")
        self.snapshots = Table[VolumeSnapshot](self, "snapshots", "snapshot")
        self.images = Table[NodeImage](self, "images", "image")
        self.key_pairs = Table[KeyPair](
            self, "key_pairs", "key pair", KeyPairDoesNotExistError, KeyPairAlreadyExistsError
        )
        self.networks = Table[Network](self, "networks", "network")
        self.subnets = Table[Subnet](self, "subnets", "subnet")
        self.security_groups = Table[SecurityGroup](self, "security_groups", "security group")
        self.floating_ips = Table[FloatingIP](self, "floating_ips", "floating IP")
        self.containers = Table[Container](
            self,
            "containers",
            "container",
            ContainerDoesNotExistError,
            ContainerAlreadyExistsError,
        )
        self.objects = Table[Object](self, "objects", "object", ObjectDoesNotExistError)
        self.versions = Table[ObjectVersion](self, "versions", "version", ObjectDoesNotExistError)
        self.uploads = Table[MultipartUpload](self, "multipart_uploads", "multipart upload")
        self.zones = Table[Zone](self, "zones", "zone", ZoneDoesNotExistError)
        self.records = Table[Record](self, "records", "record", RecordDoesNotExistError)
        self.balancers = Table[LoadBalancer](self, "balancers", "balancer")
        self.members = Table[Member](self, "members", "member")

    def tables(self) -> list[Table[Any]]:
        """Return all tables."""
        return [table for table in vars(self).values() if isinstance(table, Table)]

    def count(self, of: str = "") -> int:
        """Return the next number of a row of numbers, from 1."""
        self._numbers[of] = self._numbers.get(of, 0) + 1
        return self._numbers[of]

    def new_id(self, prefix: str) -> str:
        """Return an id that looks real and is the same in each run."""
        text = f"{self.seed}:{prefix}:{self.count(prefix)}"
        return f"{prefix}{hashlib.sha256(text.encode()).hexdigest()[:17]}"


def numbered(items: Iterable[M]) -> list[tuple[str, M]]:
    """Return things with keys that order them as they come."""
    return [(f"{number:012}", item) for number, item in enumerate(items)]


def cut(pairs: Iterable[tuple[str, M]], cursor: str | None, size: int) -> Page[M]:
    """Cut a page out of things with the keys by which they are ordered.

    Raises:
        InvalidRequestError: The cursor is none of this list.
    """
    if cursor == "":
        raise InvalidRequestError("an empty text is no cursor")
    ordered = sorted(pairs, key=lambda pair: pair[0])
    left = [pair for pair in ordered if cursor is None or pair[0] > cursor]
    page = left[:size]
    return Page([item for _, item in page], page[-1][0] if len(left) > size else None)
