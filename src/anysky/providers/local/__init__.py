"""Object storage in a directory: containers are its subdirectories, objects the files in them.

It has no vendor: what it does follows the contract in `anysky.backend.storage`. It needs a system
that opens files relative to directories and refuses symbolic links, which POSIX has.
"""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import ClassVar

from anysky.account import Account, account, setting
from anysky.errors import InvalidAccountError
from anysky.registry import Provider, Service

__all__ = ["Local", "provider"]

_Place = str | PathLike[str]


@account
class Local(Account):
    """Settings for local files."""

    positional: ClassVar[tuple[str, ...]] = ("path",)

    path: _Place = setting(
        "directory whose subdirectories are the containers", env=("ANYSKY_LOCAL_PATH",)
    )
    fsync: bool = setting(
        "whether a write is on disk when the call returns; False is faster, and safe but for a "
        "loss of power",
        default=True,
    )

    def __post_init__(self) -> None:
        if self.endpoint:
            raise InvalidAccountError("Local has no endpoint: its settings are path and fsync")
        if not isinstance(self.path, str | PathLike) or "\0" in str(self.path) or not self.path:  # pyright: ignore[reportUnnecessaryIsInstance] - it comes from outside
            raise InvalidAccountError("Local wants 'path' as the path of a directory")
        try:
            place = Path(self.path).expanduser().absolute()
        except RuntimeError as error:
            raise InvalidAccountError(f"Local: {error}") from error
        object.__setattr__(self, "path", str(place))


provider = Provider(
    name="local",
    title="Local files",
    website="https://pypi.org/project/anysky/",
    account=Local,
    services={
        "storage": Service("local", "anysky.providers.local.storage:LocalStorage"),
    },
)
