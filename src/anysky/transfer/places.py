"""Where content is, as people write it: ``s3://bucket/key``, ``profile:container/key``, a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from anysky.errors import InvalidRequestError

__all__ = ["CloudPlace", "parse_place"]

_SCHEMES = {"gs": "google_storage", "az": "azure_blobs", "swift": "openstack_swift"}
_URL = re.compile(r"(?P<name>[A-Za-z][\w+.-]*)://(?P<rest>.*)", re.DOTALL)
# One letter before a colon is a drive of Windows.
_SHORT = re.compile(r"(?P<name>[\w+.-]{2,}):(?P<rest>(?!//).*)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class CloudPlace:
    """A place at a provider.

    Attributes:
        profile: Name of a profile or of a provider.
        container: The container; empty for all of them.
        key: Name of an object, or the beginning of names; empty for the container itself.
    """

    profile: str
    container: str
    key: str

    def __str__(self) -> str:
        return f"{self.profile}:{self.container}" + (f"/{self.key}" if self.key else "")


def parse_place(text: str) -> CloudPlace | Path:
    """Read a place: at a provider, or a local path.

    ``s3://bucket/key`` and ``profile:container/key`` are at a provider; ``gs``, ``az`` and
    ``swift`` stand for Google, Azure and OpenStack. ``file:///path`` and everything else is local;
    write ``./name:with-colon`` for a file of such a name.

    Raises:
        InvalidRequestError: It is empty, or a key without a container.
    """
    if not text:
        raise InvalidRequestError("a place is empty")
    found = _URL.fullmatch(text) or _SHORT.fullmatch(text)
    if found is None:
        return Path(text).expanduser()
    name, rest = found["name"], found["rest"]
    if name == "file":
        return Path(rest or "/")
    container, _, key = rest.partition("/")
    if key and not container:
        raise InvalidRequestError(f"{text[:200]!r} names an object but no container")
    return CloudPlace(_SCHEMES.get(name, name), container, key)
