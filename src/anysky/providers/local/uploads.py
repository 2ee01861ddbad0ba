"""Uploads in parts: one hidden file, into which each part is written where it belongs.

An upload is a directory ``.anysky/uploads/<id>`` with the file ``content``, a file ``upload`` that
says for which object it is, and for each part that is complete a file called by its number, which
says where the part is and what its digests are.
"""

from __future__ import annotations

import os
import re
import secrets
from collections.abc import Iterable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from typing import TypeVar

import msgspec

from anysky.errors import ConflictError, InvalidRequestError, NotFoundError
from anysky.model.storage import Container, MultipartUpload, Part

from .containers import Root, Vessel, while_there
from .drafts import Sink
from .failures import ABSENT
from .folders import chain, make_chain, names_in, remove_files
from .names import HIDDEN, parts_of, sort_key

__all__ = ["Piece", "Upload", "abort", "begin", "list_parts", "list_uploads"]

T = TypeVar("T")

_UPLOADS = (HIDDEN, "uploads")
_ABOUT, _CONTENT = "upload", "content"
_ID = re.compile(r"[0-9a-f]{32}")
_NUMBER = re.compile(r"[1-9][0-9]{0,5}")
_LARGEST = 1 << 16
_NEW = os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW


@dataclass(frozen=True, slots=True)
class _About:
    name: str
    initiated: float


@dataclass(frozen=True, slots=True)
class Piece:
    """Where a part is.

    Attributes:
        offset: Where it begins.
        size: Its bytes.
        etag: What tells it from others of its number.
        checksums: Its digests.
    """

    offset: int
    size: int
    etag: str
    checksums: dict[str, str] = field(default_factory=dict[str, str])


class Upload:
    """An open upload; its methods block.

    Args:
        root: Where the container is.
        upload: The upload.

    Attributes:
        vessel: The container.
        file: The content.
    """

    vessel: Vessel
    file: int

    def __init__(self, root: Root, upload: MultipartUpload) -> None:
        self._root = root
        self._upload = upload
        self._stack = ExitStack()

    def open(self) -> None:
        """Open it.

        Raises:
            NotFoundError: It has been ended.
        """
        if not _ID.fullmatch(self._upload.upload_id):
            raise _ended(self._upload)
        vessel = self._root.vessel(self._upload.container.name)
        self.vessel = self._stack.enter_context(vessel)
        try:
            names = (*_UPLOADS, self._upload.upload_id)
            self._folder = self._stack.enter_context(chain(self.vessel.fd, names))
            about = _read(self._folder, _ABOUT, _About)
            self.file = os.open(_CONTENT, os.O_RDWR | os.O_NOFOLLOW, dir_fd=self._folder)
        except OSError as error:
            if error.errno not in ABSENT:
                raise
            raise _ended(self._upload) from error
        self._stack.callback(os.close, self.file)
        if about is None or about.name != self._upload.name:
            raise _ended(self._upload)

    def close(self) -> None:
        """Close it."""
        self._stack.close()

    def sink(self, number: int, offset: int, digests: Iterable[str]) -> Sink:
        """Return where to write a part; one of the same number is forgotten."""
        if not _NUMBER.fullmatch(str(number)) or offset < 0:
            raise InvalidRequestError(f"there is no part {number} at {offset}")
        with suppress(FileNotFoundError):
            os.unlink(str(number), dir_fd=self._folder)
        return Sink(self.file, offset, digests)

    def add(self, number: int, offset: int, sink: Sink, *, fsync: bool) -> Part:
        """Note a part that is complete."""
        checksums = sink.checksums()
        piece = Piece(offset, sink.size, secrets.token_hex(16), checksums)
        if fsync:
            os.fdatasync(self.file)
        _write(self._folder, str(number), piece, fsync=fsync)
        return _part(number, piece)

    def parts(self) -> dict[int, Piece]:
        """Return the parts that are complete, by their numbers."""
        numbers = [int(name) for name in names_in(self._folder) if _NUMBER.fullmatch(name)]
        read = {number: _read(self._folder, str(number), Piece) for number in sorted(numbers)}
        return {number: piece for number, piece in read.items() if piece is not None}

    def chosen(self, wanted: Sequence[Part]) -> list[Piece]:
        """Return the pieces of which the object shall be made.

        Raises:
            InvalidRequestError: One is not there, or has been replaced.
            ConflictError: One may have been overwritten by another.
        """
        there = self.parts()
        pieces: list[Piece] = []
        for part in wanted:
            piece = there.get(part.number)
            if piece is None or piece.etag != part.etag:
                raise InvalidRequestError(f"there is no part {part.number} as it is given")
            pieces.append(piece)
        numbers = [part.number for part in wanted]
        if not numbers or numbers != sorted(set(numbers)):
            raise InvalidRequestError("parts must be given in the order of their numbers")
        _check_apart(there.values())
        return pieces

    def is_all(self, pieces: Sequence[Piece]) -> bool:
        """Whether pieces are the whole content, one after the other."""
        end = 0
        for piece in pieces:
            if piece.offset != end:
                return False
            end += piece.size
        return os.fstat(self.file).st_size == end

    def rename(self, folder: int, name: str) -> None:
        """Give the content its name."""
        os.rename(_CONTENT, name, src_dir_fd=self._folder, dst_dir_fd=folder)

    def remove(self) -> None:
        """Remove what is left of it."""
        remove_files(self._folder)
        with chain(self.vessel.fd, _UPLOADS) as uploads:
            os.rmdir(self._upload.upload_id, dir_fd=uploads)


def begin(root: Root, container: Container, name: str, now: float) -> MultipartUpload:
    """Begin an upload.

    Raises:
        ContainerDoesNotExistError: There is no such container.
    """
    parts_of(name)
    id = secrets.token_hex(16)
    with root.vessel(container.name) as vessel:
        while_there(vessel, partial(_create, vessel, id, _About(name, now)))
    return MultipartUpload(container, name, id, _date(now))


def _create(vessel: Vessel, id: str, about: _About) -> None:
    with make_chain(vessel.fd, (*_UPLOADS, id)) as (folder, _):
        os.close(os.open(_CONTENT, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW, 0o666, dir_fd=folder))
        _write(folder, _ABOUT, about, fsync=False)


def abort(root: Root, upload: MultipartUpload) -> None:
    """End an upload and remove its parts.

    Raises:
        NotFoundError: There is none, or none any more.
    """
    opened = Upload(root, upload)
    try:
        opened.open()
        opened.remove()
    finally:
        opened.close()


def list_parts(root: Root, upload: MultipartUpload) -> list[Part]:
    """Return the parts of an upload that are complete.

    Raises:
        NotFoundError: There is none, or none any more.
    """
    opened = Upload(root, upload)
    try:
        opened.open()
        return [_part(number, piece) for number, piece in opened.parts().items()]
    finally:
        opened.close()


def list_uploads(root: Root, container: Container, prefix: str) -> list[MultipartUpload]:
    """Return the uploads to a container that were not ended, by the names of their objects.

    Raises:
        ContainerDoesNotExistError: There is no such container.
    """
    found: list[MultipartUpload] = []
    with (
        root.vessel(container.name) as vessel,
        suppress(FileNotFoundError),
        chain(vessel.fd, _UPLOADS) as uploads,
    ):
        for id in filter(_ID.fullmatch, names_in(uploads)):
            about = _about(uploads, id)
            if about is not None and about.name.startswith(prefix):
                found.append(MultipartUpload(container, about.name, id, _date(about.initiated)))
    return sorted(found, key=lambda one: (sort_key(one.name), one.initiated, one.upload_id))


def _about(uploads: int, id: str) -> _About | None:
    with suppress(FileNotFoundError), chain(uploads, (id,)) as folder:
        os.stat(_CONTENT, dir_fd=folder, follow_symlinks=False)  # else it is being completed
        return _read(folder, _ABOUT, _About)
    return None


def _check_apart(pieces: Iterable[Piece]) -> None:
    end = 0
    for piece in sorted(pieces, key=lambda one: (one.offset, one.size)):
        if piece.offset < end:
            raise ConflictError("two parts have been written to the same place; begin anew")
        end = piece.offset + piece.size


def _part(number: int, piece: Piece) -> Part:
    return Part(number, piece.size, piece.etag, piece.checksums)


def _ended(upload: MultipartUpload) -> NotFoundError:
    return NotFoundError(f"there is no upload of {upload.name[:300]!r} with this id")


def _date(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


def _read(folder: int, name: str, kind: type[T]) -> T | None:
    try:
        file = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except FileNotFoundError:
        return None
    try:
        return msgspec.json.decode(os.read(file, _LARGEST), type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    finally:
        os.close(file)


def _write(folder: int, name: str, content: object, *, fsync: bool) -> None:
    part = f".{secrets.token_hex(16)}"
    file = os.open(part, os.O_WRONLY | _NEW, 0o666, dir_fd=folder)
    try:
        os.write(file, msgspec.json.encode(content))
        if fsync:
            os.fsync(file)
    finally:
        os.close(file)
    os.rename(part, name, src_dir_fd=folder, dst_dir_fd=folder)
    if fsync:
        os.fsync(folder)
