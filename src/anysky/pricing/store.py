"""The folder of installed catalogues.

Catalogues are named by version and content and never written over, so that whoever has one open
goes on reading it. The file ``current`` says which one counts; it is replaced in one step.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sys
from collections.abc import Generator, Mapping
from pathlib import Path
from typing import IO

from .checking import check_catalogue, file_sha256
from .errors import (
    CatalogueDamagedError,
    CatalogueMissingError,
    CatalogueStoreError,
    PricingError,
    UpdateLockedError,
)
from .places import BUNDLED, BUNDLED_VERSION, POINTER, bundled_path, read_pointer

__all__ = ["Lock", "Store"]

_PART = ".part"
_LOCK = "update.lock"
_MOVED = ("file", "version", "sha256")


class Lock:
    """The lock of a folder, which one process holds; it is free again when that process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: IO[str] | None = None

    def take(self) -> bool:
        """Take the lock if it is free; whether it was.

        Raises:
            CatalogueStoreError: The folder cannot be written.
        """
        try:
            file = self._path.open("a+", encoding="utf-8")
        except OSError as error:
            raise _cannot_write(self._path, error) from error
        try:
            _lock(file)
        except OSError:
            file.close()
            return False
        file.seek(0)
        file.truncate()
        file.write(f"{os.getpid()}\n")
        file.flush()
        self._file = file
        return True

    def release(self) -> None:
        """Give the lock back."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def held(self) -> UpdateLockedError:
        """Return the error that says who has the lock."""
        try:
            holder = self._path.read_text("utf-8").strip()
        except (OSError, ValueError):
            holder = ""
        pid = holder if holder.isdecimal() else "unknown"
        return UpdateLockedError(f"another update is running (process {pid}): try again later")


def _lock(file: IO[str]) -> None:
    if sys.platform == "win32":
        import msvcrt

        file.seek(0x7FFF0000)  # beyond the content, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


class Store:
    """The catalogues of one user.

    Args:
        folder: Where they are; it is made when something is written.
    """

    def __init__(self, folder: str) -> None:
        self.folder = Path(folder)

    def lock(self) -> Lock:
        """Return the lock that everything that writes has to hold.

        Raises:
            CatalogueStoreError: The folder cannot be made.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        return Lock(self.folder / _LOCK)

    @contextlib.contextmanager
    def locked(self) -> Generator[None]:
        """Hold the lock, or raise `UpdateLockedError` if another process does."""
        lock = self.lock()
        if not lock.take():
            raise lock.held()
        try:
            yield
        finally:
            lock.release()

    def state(self) -> dict[str, str]:
        """Return what is installed; nothing if nothing is.

        Raises:
            CatalogueDamagedError: What says so is damaged.
        """
        return read_pointer(str(self.folder))

    def temporary(self) -> Path:
        """Return a new name for a file that is being written; those of dead updates are removed."""
        with contextlib.suppress(OSError):
            for left in self.folder.glob(f"*{_PART}"):
                left.unlink()
        return self.folder / f"{secrets.token_hex(8)}{_PART}"

    def install(self, temporary: Path, state: Mapping[str, str]) -> Path:
        """Give a checked file its name and make it the current one.

        Args:
            temporary: The file.
            state: Its version and sha256, and what else is to be remembered of it.

        Raises:
            CatalogueStoreError: It cannot be written.
        """
        before = self._state_or_nothing()
        name = f"prices-{state['version']}-{state['sha256'][:12]}.db"
        target = self.folder / name
        try:
            with temporary.open("rb") as file:
                os.fsync(file.fileno())
            temporary.replace(target)
        except OSError as error:
            raise _cannot_write(target, error) from error
        after = {**state, "file": name}
        if before.get("file") and before["file"] != name:
            after |= {f"previous_{key}": before[key] for key in _MOVED}
        else:
            after |= {key: text for key, text in before.items() if key.startswith("previous_")}
        self.write_state(after)
        self._prune(after)
        return target

    def _state_or_nothing(self) -> dict[str, str]:
        try:
            return self.state()
        except CatalogueDamagedError:
            return {}

    def write_state(self, state: Mapping[str, str]) -> None:
        """Replace what says which catalogue is installed, in one step.

        Raises:
            CatalogueStoreError: It cannot be written.
        """
        text = "".join(f"{key} {_one_line(value)}\n" for key, value in sorted(state.items()))
        temporary = self.temporary()
        try:
            with temporary.open("w", encoding="utf-8", newline="\n") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self.folder / POINTER)
        except OSError as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise _cannot_write(self.folder / POINTER, error) from error

    def _prune(self, state: Mapping[str, str]) -> None:
        """Remove all catalogues but the current one and the one before."""
        kept = {state.get("file"), state.get("previous_file")}
        for path in self.folder.glob("prices-*.db"):
            if path.name not in kept:
                with contextlib.suppress(OSError):
                    path.unlink()

    def rollback(self) -> str:
        """Go back to the catalogue before, pin it and return its version.

        Without one, the bundled catalogue is pinned.

        Raises:
            CatalogueMissingError: Nothing is installed.
            CatalogueDamagedError: The catalogue before is damaged.
            UpdateLockedError: Another process is updating.
        """
        with self.locked():
            state = self.state()
            if not state.get("version"):
                raise CatalogueMissingError("no update is installed, so that none can be undone")
            if not state.get("previous_file"):
                self.write_state({**state, "pinned": BUNDLED})
                return BUNDLED_VERSION
            swapped = self._swapped(state)
            self.write_state({**swapped, "pinned": swapped["version"]})
            return swapped["version"]

    def _swapped(self, state: Mapping[str, str]) -> dict[str, str]:
        """Return a state in which the catalogue before is the current one, its file checked."""
        previous = self.folder / state["previous_file"]
        if file_sha256(previous) != state["previous_sha256"]:
            raise CatalogueDamagedError(f"the catalogue {previous} is damaged")
        return {
            **{key: state[f"previous_{key}"] for key in _MOVED},
            **{f"previous_{key}": state[key] for key in _MOVED},
        }

    def pin(self, version: str) -> None:
        """Keep to a version that is installed, or to ``"bundled"``; ``""`` lets updates go on.

        Raises:
            CatalogueMissingError: The version is not installed.
            CatalogueDamagedError: Its file is damaged.
            UpdateLockedError: Another process is updating.
        """
        with self.locked():
            state = self.state()
            if version in (BUNDLED, BUNDLED_VERSION) and version != state.get("version"):
                version = BUNDLED
            elif version and version == state.get("previous_version"):
                state = self._swapped(state)
            elif version not in ("", state.get("version")):
                has = [state.get("version"), state.get("previous_version"), BUNDLED]
                installed = ", ".join(one for one in has if one)
                raise CatalogueMissingError(f"version {version} is not installed, but {installed}")
            self.write_state({**state, "pinned": version})

    def verify(self) -> tuple[Path, str]:
        """Look the current catalogue through; return its path and version.

        Raises:
            CatalogueDamagedError: It is not the one that was installed, or is not sound.
            CatalogueMissingError: Its file is not there.
        """
        state = self.state()
        if not state.get("version") or state.get("pinned") == BUNDLED:
            path = Path(bundled_path())
            return path, check_catalogue(path, version=BUNDLED_VERSION)
        path = self.folder / state["file"]
        if not path.exists():
            raise CatalogueMissingError(f"{path} is not there: run `anysky prices update --force`")
        if file_sha256(path) != state["sha256"]:
            raise CatalogueDamagedError(
                f"{path} was changed after it was installed: run `anysky prices update --force`"
            )
        return path, check_catalogue(path, version=state["version"])


def _one_line(value: str) -> str:
    return value if value.isprintable() else ""


def _cannot_write(path: Path, error: OSError) -> PricingError:
    return CatalogueStoreError(f"cannot write {path}: {error.strerror or error}")
