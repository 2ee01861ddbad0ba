"""The answer of ListObjectsV2, read as fast as it can be.

A page has a thousand entries of one and the same form. What is around them, and the first of them,
is read as XML with all its rules; the others are read by an expression made of the form of the
first, which must cover them from the first to the last character. If it does not, the whole is read
as XML.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/API_ListObjectsV2.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from .xml import Record, XMLError, boolean, decode, integer, records, required, text, texts

__all__ = ["Entry", "Listing", "read_listing"]

Entry = tuple[str, str, str | None, str | None, str | None]
"""Key, size, ETag, time of the last change and storage class of an object."""

_START, _END = "<Contents>", "</Contents>"
_WANTED = ("Key", "Size", "ETag", "LastModified", "StorageClass")
_NAME = "[A-Za-z0-9]+"
_LEAF = "<{0}>[^<]*</{0}>"
_INNER = f"(?:<{_NAME}>[^<]*</{_NAME}>)*"
_CHILD = re.compile(f"<({_NAME})>(?:[^<]*|({_INNER}))</\\1>")
_MAX_DIGITS = 19
_REFERENCES = re.compile("(?:[^&]|&(?:amp|lt|gt|quot|apos);)*+")
# The ampersand comes last: what it leaves is not to be resolved again.
_CHARACTERS: Mapping[str, str] = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&apos;": "'",
    "&amp;": "&",
}


class _Contents(Record):
    key: str = required("Key")
    size: int = integer("Size", 0)
    etag: str | None = text("ETag")
    modified: str | None = text("LastModified")
    storage_class: str | None = text("StorageClass")


class _Document(Record, root="ListBucketResult"):
    is_truncated: bool = boolean("IsTruncated", False)
    token: str | None = text("NextContinuationToken")
    encoding: str | None = text("EncodingType")
    contents: list[_Contents] = records("Contents", _Contents)
    prefixes: list[str] = texts("CommonPrefixes/Prefix")


@dataclass(frozen=True, slots=True)
class Listing:
    """A page of objects.

    Attributes:
        entries: The objects, their keys as they stand in the answer.
        prefixes: What keys up to a delimiter have in common, likewise.
        encoding: How keys and prefixes are encoded: ``"url"`` or not at all.
        is_truncated: Whether the list goes on.
        token: Where it does.
    """

    entries: list[Entry]
    prefixes: list[str]
    encoding: str | None
    is_truncated: bool
    token: str | None


def read_listing(body: bytes) -> Listing:
    """Read an answer.

    Raises:
        XMLError: It is not the XML that the reference promises.
    """
    return _quickly(body) or _listing(decode(body, _Document), None)


def _listing(document: _Document, entries: list[Entry] | None) -> Listing:
    if entries is None:
        entries = [
            (item.key, str(item.size), item.etag, item.modified, item.storage_class)
            for item in document.contents
        ]
    return Listing(
        entries, document.prefixes, document.encoding, document.is_truncated, document.token
    )


def _quickly(body: bytes) -> Listing | None:
    """Read an answer whose entries have one form; None if they have not."""
    try:
        whole = body.decode()
    except UnicodeDecodeError:
        return None
    start, end = whole.find(_START), whole.rfind(_END) + len(_END)
    first_end = whole.find(_END, start) + len(_END)
    form = _form(whole[start:first_end]) if 0 <= start < first_end else None
    # What is no element or text, such as a comment, is left to the parser.
    if form is None or "<!" in whole or "\0" in whole:
        return None
    try:
        frame = decode((whole[:first_end] + whole[end:]).encode(), _Document)
        entries = list(_entries(form, whole[start:end]))
    except XMLError:
        return None
    return _listing(frame, entries)


def _form(entry: str) -> re.Pattern[str] | None:
    """Return the expression for entries like this one, with a group for each of `_WANTED`."""
    children: list[tuple[str, bool]] = []
    place, end = len(_START), len(entry) - len(_END)
    while place < end:
        child = _CHILD.match(entry, place, end)
        if child is None:
            return None
        children.append((child[1], bool(child[2])))
        place = child.end()
    return _expression(tuple(dict.fromkeys(children)))


@lru_cache(maxsize=64)
def _expression(children: tuple[tuple[str, bool], ...]) -> re.Pattern[str] | None:
    names = [name for name, _ in children]
    if "Key" not in names or "Size" not in names or len(set(names)) != len(names):
        return None
    parts = [_part(name, is_nested=is_nested) for name, is_nested in children]
    absent = [f"(?P<{name}>(?!))?" for name in _WANTED if name not in names]
    return re.compile(f"{_START}{''.join(parts)}{''.join(absent)}{_END}\\s*")


def _part(name: str, *, is_nested: bool) -> str:
    if name == "Size":
        return f"<Size>(?P<Size>[0-9]{{1,{_MAX_DIGITS}}})</Size>"
    if name in _WANTED:
        return f"<{name}>(?P<{name}>[^<]*)</{name}>"
    # Others may be there or not, once or several times.
    return f"(?:<{name}>{_INNER}</{name}>)*" if is_nested else f"(?:{_LEAF.format(name)})*"


def _entries(form: re.Pattern[str], region: str) -> Iterator[Entry]:
    """Yield all entries of a region.

    Raises:
        XMLError: There is something else in it.
    """
    place = 0
    has_references = "&" in region
    for found in form.finditer(region):
        if found.start() != place:
            break
        place = found.end()
        key, size, etag, modified, storage_class = found.group(*_WANTED)
        if has_references:
            key, etag = _resolved(key), etag and _resolved(etag)
        yield key, size, etag, modified, storage_class
    if place != len(region):
        raise XMLError("entries of several forms")


def _resolved(value: str) -> str:
    """Resolve the five references that XML has by name."""
    if "&" not in value:
        return value
    if not _REFERENCES.fullmatch(value):
        raise XMLError("an unknown reference")
    for reference, character in _CHARACTERS.items():
        value = value.replace(reference, character)
    return value
