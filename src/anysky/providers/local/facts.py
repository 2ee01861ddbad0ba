"""What is known of an object besides its content: type, metadata, tags, digests.

It stands in an extended attribute of the file, so that it is renamed with it. Where the file system
has none, or not as large a one, it stands in a file of its own in ``.anysky/facts``, called by the
inode's number. It says of which state of the file it was written: what another program has changed
since then has the type and metadata that it had, but no digests.
"""

from __future__ import annotations

import errno
import os
import secrets
from contextlib import suppress
from dataclasses import dataclass, field, replace

import msgspec

from .failures import ABSENT
from .folders import chain, make_chain
from .names import HIDDEN

__all__ = ["SIDECARS", "TEMPORARY", "Facts", "Known", "drop_facts", "read_facts", "write_facts"]

SIDECARS = (HIDDEN, "facts")
TEMPORARY = (HIDDEN, "tmp")
_ATTRIBUTE = "user.anysky"
_NOT_HERE = frozenset(
    {errno.ENOTSUP, errno.ENOSPC, errno.E2BIG, errno.ERANGE, errno.EPERM, errno.ENODATA}
)
_LARGEST = 1 << 20


@dataclass(frozen=True, slots=True)
class Facts:
    """What is written down of an object.

    Attributes:
        etag: Changes with the content.
        content_type: MIME type.
        meta_data: The user's own metadata.
        tags: Tags.
        checksums: Digests of the content.
        acl: What was asked for, which means nothing here.
        size: Bytes of the file when this was written.
        modified: Nanoseconds since 1970 of its last change then.
    """

    etag: str
    content_type: str
    meta_data: dict[str, str] = field(default_factory=dict[str, str])
    tags: dict[str, str] = field(default_factory=dict[str, str])
    checksums: dict[str, str] = field(default_factory=dict[str, str])
    acl: str | None = None
    size: int = 0
    modified: int = 0


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a file.

    Attributes:
        status: What the system knows.
        facts: What was written down; None of a file that another program made.
    """

    status: os.stat_result
    facts: Facts | None

    @property
    def etag(self) -> str:
        """What a condition takes."""
        if self.facts is not None:
            return self.facts.etag
        return _etag_of(self.status)


def read_facts(container: int, file: int) -> Known:
    """Read what is known of an open file.

    Raises:
        FileNotFoundError: It has been deleted or replaced meanwhile.
    """
    status = os.fstat(file)
    facts = _parse(_attribute(file))
    if facts is None:
        facts = _parse(_sidecar(container, status.st_ino))
        if facts is not None and not _is_of(facts, status):  # the inode is another file's now
            facts = None
        if facts is None and os.fstat(file).st_nlink == 0:  # it is gone with what was known
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    elif not _is_of(facts, status):
        facts = replace(facts, etag=_etag_of(status), checksums={})
    return Known(status, facts)


def write_facts(container: int, file: int, facts: Facts) -> Known:
    """Write down what is known of an open file, at once or not at all."""
    status = os.fstat(file)
    facts = replace(facts, size=status.st_size, modified=status.st_mtime_ns)
    content = msgspec.json.encode(facts)
    if _set_attribute(file, content):
        drop_facts(container, status)
    else:
        _write_sidecar(container, status.st_ino, content)
        _remove_attribute(file)
    return Known(status, facts)


def drop_facts(container: int, status: os.stat_result) -> None:
    """Forget what stands in a file of its own about a file that is gone."""
    with suppress(OSError), chain(container, SIDECARS) as folder:
        os.unlink(str(status.st_ino), dir_fd=folder)


def _etag_of(status: os.stat_result) -> str:
    return f"{status.st_mtime_ns:x}-{status.st_size:x}-{status.st_ino:x}"


def _is_of(facts: Facts, status: os.stat_result) -> bool:
    return (facts.size, facts.modified) == (status.st_size, status.st_mtime_ns)


def _parse(content: bytes) -> Facts | None:
    """Return what was written, or None if another program wrote it."""
    if not content:
        return None
    try:
        return msgspec.json.decode(content, type=Facts)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None


def _attribute(file: int) -> bytes:
    if not hasattr(os, "getxattr"):
        return b""
    try:
        return os.getxattr(file, _ATTRIBUTE)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return b""
        raise


def _set_attribute(file: int, content: bytes) -> bool:
    if not hasattr(os, "setxattr"):
        return False
    try:
        os.setxattr(file, _ATTRIBUTE, content)
    except OSError as error:
        if error.errno in _NOT_HERE:
            return False
        raise
    return True


def _remove_attribute(file: int) -> None:
    if hasattr(os, "removexattr"):
        with suppress(OSError):
            os.removexattr(file, _ATTRIBUTE)


def _sidecar(container: int, inode: int) -> bytes:
    try:
        with chain(container, SIDECARS) as folder:
            file = os.open(str(inode), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    except OSError as error:
        if error.errno in ABSENT or error.errno in (errno.ELOOP, errno.EACCES):
            return b""
        raise
    try:
        return os.read(file, _LARGEST)
    finally:
        os.close(file)


def _write_sidecar(container: int, inode: int, content: bytes) -> None:
    part = secrets.token_hex(16)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW
    with (
        make_chain(container, TEMPORARY) as (drafts, _),
        make_chain(container, SIDECARS) as (
            folder,
            _,
        ),
    ):
        file = os.open(part, flags, 0o666, dir_fd=drafts)
        try:
            try:
                os.write(file, content)
                os.fsync(file)
            finally:
                os.close(file)
            os.rename(part, str(inode), src_dir_fd=drafts, dst_dir_fd=folder)
            os.fsync(folder)
        except BaseException:
            with suppress(OSError):
                os.unlink(part, dir_fd=drafts)
            raise
