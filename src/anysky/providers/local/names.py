"""How the names of objects become names of files, and back.

A part of an object's name, between slashes, is the name of a file or directory as it is, if a file
can have it. Others are *escaped*: ``%~`` and the part, percent-encoded, or for a directory ``%-``
and the part; where that is longer than a file's name may be, its first pieces become directories
that begin with ``%+``. So ``a//b`` is the file ``a/%-/b`` and ``..`` is ``%~..``, and each file has
one name as an object.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from urllib.parse import quote, unquote_to_bytes

from anysky.errors import InvalidRequestError

__all__ = [
    "CONTINUED",
    "HIDDEN",
    "escaped",
    "is_container_name",
    "is_plain",
    "parts_of",
    "sort_key",
    "unescaped",
]

HIDDEN = ".anysky"
CONTINUED = "%+"
_ESCAPED_FILE, _ESCAPED_FOLDER = "%~", "%-"
_MARKS = (_ESCAPED_FILE, _ESCAPED_FOLDER, CONTINUED)
_LONGEST_NAME = 1024
_LONGEST_FILE = 255
_CHUNK = 240
_UPPER = re.compile("[A-Z]")


def parts_of(name: str) -> list[str]:
    """Return the parts of an object's name.

    Raises:
        InvalidRequestError: It is empty, longer than 1,024 bytes in UTF-8, or not text.
    """
    try:
        size = len(name.encode("utf-8", "surrogateescape"))
    except UnicodeEncodeError as error:
        raise InvalidRequestError(f"the name {name[:200]!r} cannot be written in UTF-8") from error
    if not 0 < size <= _LONGEST_NAME:
        raise InvalidRequestError(
            f"an object's name has 1 to {_LONGEST_NAME} bytes in UTF-8, not {size}"
        )
    return name.split("/")


def is_container_name(name: str) -> bool:
    """Whether a directory can be a container of this name."""
    try:
        return is_plain(name) and "/" not in name
    except UnicodeEncodeError:
        return False


def is_plain(part: str) -> bool:
    """Whether a part of a name is the name of its file as it is."""
    if part in ("", ".", "..") or "\0" in part or part.casefold() == HIDDEN:
        return False
    return not part.startswith(_MARKS) and len(_bytes(part)) <= _LONGEST_FILE


def escaped(part: str, *, is_folder: bool = False) -> list[str]:
    """Return the names of directories, one in the other, and of the file in them for a part.

    Letters that a file system might take for others are escaped as well.

    Args:
        part: The part.
        is_folder: Whether it is followed by others, so that it is no file but a directory.
    """
    text = _quoted(part)
    names: list[str] = []
    while len(text) > _CHUNK:
        end = text.rfind("%", _CHUNK - 2, _CHUNK)  # never in the middle of an escape
        end = _CHUNK if end < 0 else end
        names.append(CONTINUED + text[:end])
        text = text[end:]
    return [*names, (_ESCAPED_FOLDER if is_folder else _ESCAPED_FILE) + text]


def unescaped(names: Sequence[str], *, is_folder: bool = False) -> str | None:
    """Return the part of a name for names that `escaped` made; None if it did not make them."""
    if len(names) == 1 and not names[0].startswith(_MARKS):
        return names[0]
    text = "".join(name[len(CONTINUED) :] for name in names)
    part = unquote_to_bytes(text).decode("utf-8", "surrogateescape")
    return part if escaped(part, is_folder=is_folder) == list(names) else None


def sort_key(name: str) -> bytes:
    """Return what names are sorted by: their bytes in UTF-8, as in S3."""
    return _bytes(name)


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _quoted(part: str) -> str:
    text = quote(part, safe="", errors="surrogateescape").replace("~", "%7E")
    # Only small letters: a file system that ignores case takes no two names for one. The digits
    # of escapes stay as they are, since each comes right after a percent sign.
    pieces = re.split("(%[0-9A-F]{2})", text)
    return "".join(piece if piece.startswith("%") else _UPPER.sub(_code, piece) for piece in pieces)


def _code(match: re.Match[str]) -> str:
    return f"%{ord(match.group()):02X}"
