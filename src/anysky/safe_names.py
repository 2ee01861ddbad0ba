"""Names of objects as names of local files: nothing leads out of the directory they are saved in.

The name of an object is any text; the service, or whoever may write to it, chooses it. Here each
part of it between slashes becomes one name of a file or directory, or is refused::

    local_path("downloads", "reports/2026.csv")       # downloads/reports/2026.csv
    local_path("downloads", "../../etc/passwd")       # InvalidRequestError
    local_path("downloads", "../../etc/passwd", encode=True)   # downloads/%2E%2E/%2E%2E/etc/passwd

With `encode` every name has a file, from which `object_name` gives it back. A `NameMap` does the
same for all objects of a run, and sees to it that no two get the same file: neither ``a`` and
``a/b``, nor names that differ in case or in Unicode's normal form only.
"""

from __future__ import annotations

import os
import re
import sys
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .errors import InvalidRequestError

__all__ = ["POSIX", "WINDOWS", "NameMap", "Rules", "local_path", "object_name"]

_LONGEST = 255
_EMPTY, _CONTINUED = "%-", "%+"
_MARGIN = 4  # bytes for what marks a piece, and for an escape
_SHOWN = 200

# https://learn.microsoft.com/en-us/windows/win32/fileio/naming-a-file
_DEVICES = frozenset(
    {"CON", "PRN", "AUX", "NUL", "CONIN$", "CONOUT$"}
    | {f"{kind}{number}" for kind in ("COM", "LPT") for number in "0123456789¹²³"}
)
_ESCAPE = re.compile("%([0-9A-F]{2})")


def _bytes(part: str) -> int:
    return len(part.encode("utf-8", "surrogatepass"))


def _units(part: str) -> int:
    return len(part.encode("utf-16-le", "surrogatepass")) // 2


@dataclass(frozen=True, slots=True)
class Rules:
    """What a system allows in the name of a file.

    Attributes:
        forbidden: Characters that it may not have, besides control characters.
        has_devices: Whether some names mean devices, and no name ends with a dot or space.
        size: Measures a name, which may have a size of 255.
    """

    forbidden: str
    has_devices: bool
    size: Callable[[str], int]


POSIX = Rules("/", has_devices=False, size=_bytes)
WINDOWS = Rules('/\\:<>"|?*', has_devices=True, size=_units)
_OWN = WINDOWS if sys.platform == "win32" else POSIX


def local_path(
    root: str | os.PathLike[str],
    object_name: str,
    *,
    encode: bool = False,
    rules: Rules = _OWN,
) -> Path:
    """Return the path below a directory for the file of an object.

    Args:
        root: The directory.
        object_name: The object's name.
        encode: Whether parts that no file can be called are encoded, reversibly, and not refused.
        rules: What names are allowed; those of this system by default.

    Raises:
        InvalidRequestError: A part cannot be the name of a file, or leads elsewhere.
    """
    names: list[str] = []
    for part in _parts(object_name):
        if encode:
            names += _encoded(part, rules)
        else:
            _check(object_name, part, rules)
            names.append(part)
    return Path(root, *names)


def object_name(
    root: str | os.PathLike[str], path: str | os.PathLike[str], *, encode: bool = False
) -> str:
    """Return the name of the object for a file below a directory.

    Args:
        root: The directory.
        path: The file, as `local_path` gave it.
        encode: Whether the path was made with `encode`.

    Raises:
        InvalidRequestError: The file is not below the directory.
    """
    try:
        names = Path(path).relative_to(root).parts
    except ValueError as error:
        raise InvalidRequestError(f"{os.fspath(path)!r} is not in {os.fspath(root)!r}") from error
    if not names or ".." in names:
        raise InvalidRequestError(f"{os.fspath(path)!r} is no file in {os.fspath(root)!r}")
    return _decoded(names) if encode else "/".join(names)


class NameMap:
    """The files of all objects of a run, no two of which are the same file.

    The first object of several that would have the same gets it; the others are refused or, with
    `encode`, get another. The order in which they come should therefore be the same in each run,
    such as that of a list. It is not for several threads at once.

    Args:
        root: The directory.
        encode: Whether names that no file can have are encoded, and not refused.
        rules: What names are allowed; those of this system by default.
        folds: Whether names that differ in case or normal form only count as the same, as they do
            on most disks of macOS and Windows.
    """

    def __init__(
        self,
        root: str | os.PathLike[str],
        *,
        encode: bool = False,
        rules: Rules = _OWN,
        folds: bool = True,
    ) -> None:
        self.root = Path(root)
        self._encode = encode
        self._rules = rules
        self._folds = folds
        self._taken: dict[str, str] = {}

    def local_path(self, object_name: str) -> Path:
        """Return the path for the file of an object.

        Raises:
            InvalidRequestError: A part of its name cannot be the name of a file, or the file is
                another object's already.
        """
        parts = _parts(object_name)
        claims: dict[str, str] = {}
        names: list[str] = []
        for count, part in enumerate(parts, 1):
            is_folder = count < len(parts)
            meant = "/".join(parts[:count]) + ("/" if is_folder else "")
            found = self._names(object_name, part)
            claimed = self._claims(names, found, meant)
            other = next((self._taken[key] for key in self._conflicts(claimed)), None)
            if other is not None:
                found = self._other_names(object_name, part, other, is_folder=is_folder)
                claimed = self._claims(names, found, meant)
            names += found
            claims |= claimed
        self._taken |= claims
        return self.root.joinpath(*names)

    def object_name(self, path: str | os.PathLike[str]) -> str:
        """Return the name of the object for a file.

        Raises:
            InvalidRequestError: The file is not below the directory.
        """
        return object_name(self.root, path, encode=self._encode)

    def _names(self, name: str, part: str) -> list[str]:
        if self._encode:
            return _encoded(part, self._rules)
        _check(name, part, self._rules)
        return [part]

    def _other_names(self, name: str, part: str, other: str, *, is_folder: bool) -> list[str]:
        """Return names that nothing else has, not even a directory those of a file."""
        if not self._encode:
            raise InvalidRequestError(
                f"the object {name[:_SHOWN]!r} would get the file of {other[:_SHOWN]!r}"
            )
        names = _encoded(part, self._rules, everything=True)
        return [_CONTINUED] * (2 if is_folder else 1) + names

    def _claims(self, names: Sequence[str], found: Sequence[str], meant: str) -> dict[str, str]:
        """Return what is taken, each with what it stands for."""
        paths = [[*names, *found[: count + 1]] for count in range(len(found))]
        claims = {self._key(path): "/".join(path) for path in paths[:-1]}
        return {**claims, self._key(paths[-1]): meant}

    def _conflicts(self, claims: Mapping[str, str]) -> Iterator[str]:
        for key, meant in claims.items():
            if self._taken.get(key, meant) != meant:
                yield key

    def _key(self, names: Sequence[str]) -> str:
        path = "/".join(names)
        if not self._folds:
            return path
        return unicodedata.normalize("NFD", unicodedata.normalize("NFD", path).casefold())


def _parts(name: str) -> list[str]:
    if not name:
        raise InvalidRequestError("an object without a name cannot be a file")
    return name.split("/")


def _check(name: str, part: str, rules: Rules) -> None:
    problem = _problem(part, rules)
    if problem:
        raise InvalidRequestError(
            f"the object {name[:_SHOWN]!r} cannot be a file: its part {part[:_SHOWN]!r} {problem}"
        )


def _problem(part: str, rules: Rules) -> str:
    """Return why a part of a name cannot be the name of a file; an empty text if it can."""
    if not part:
        return "is empty"
    if part in (".", ".."):
        return "means a directory"
    odd = next((one for one in part if _is_odd(one, rules)), "")
    if odd:
        return f"has the character {odd!r}"
    if rules.has_devices and part[-1] in ". ":
        return "ends with a dot or space"
    if rules.has_devices and _is_device(part):
        return "is the name of a device"
    return f"is longer than {_LONGEST}" if rules.size(part) > _LONGEST else ""


def _is_odd(character: str, rules: Rules) -> bool:
    if len(character) > 1:  # it is encoded already
        return False
    return character in rules.forbidden or unicodedata.category(character) in ("Cc", "Cs")


def _is_device(part: str) -> bool:
    return part.partition(".")[0].rstrip(" ").upper() in _DEVICES


def _encoded(part: str, rules: Rules, *, everything: bool = False) -> list[str]:
    """Return the names of directories, one in the other, and of the file for a part of a name.

    There are directories only if it is too long for one name.

    Args:
        part: The part.
        rules: What names are allowed.
        everything: Whether also characters are encoded that could stay.
    """
    if not part:
        return [_EMPTY]
    units = [
        _escaped(one) if everything or _is_odd(one, rules) else one
        for one in _without_escapes(part)
    ]
    names: list[str] = []
    while rules.size(last := _finished(units, rules)) > _LONGEST:
        count, size = 0, _MARGIN
        while (size := size + rules.size(units[count])) <= _LONGEST:
            count += 1
        names.append(_without_device(units[:count], rules) + _CONTINUED)
        units = units[count:]
    return [*names, last]


def _without_escapes(part: str) -> list[str]:
    """Return the characters of a part, those percent signs encoded that could be taken for ours."""
    return [
        "%25" if one == "%" and _could_be_ours(part, place) else one
        for place, one in enumerate(part)
    ]


def _could_be_ours(part: str, place: int) -> bool:
    return bool(_ESCAPE.match(part, place)) or part[place : place + 2] in (_EMPTY, _CONTINUED)


def _finished(units: list[str], rules: Rules) -> str:
    """Join the last characters of a part to a name that is allowed."""
    text = "".join(units)
    if text in (".", ".."):
        return "".join(map(_escaped, text))
    if rules.has_devices and text[-1] in ". ":
        units = [*units[:-1], _escaped(units[-1])]
    return _without_device(units, rules)


def _without_device(units: Sequence[str], rules: Rules) -> str:
    text = "".join(units)
    if rules.has_devices and _is_device(text):
        return _escaped(units[0]) + "".join(units[1:])
    return text


def _escaped(character: str) -> str:
    if len(character) > 1:  # it is encoded already
        return character
    return "".join(f"%{byte:02X}" for byte in character.encode("utf-8", "surrogatepass"))


def _decoded(names: Sequence[str]) -> str:
    parts: list[str] = [""]
    for name in names:
        is_continued = name.endswith(_CONTINUED)
        text = name.removesuffix(_CONTINUED)
        parts[-1] += "" if name == _EMPTY else _unescaped(text)
        if not is_continued:
            parts.append("")
    return "/".join(parts[:-1] if not parts[-1] else parts)


def _unescaped(text: str) -> str:
    pieces = _ESCAPE.split(text)  # every second one is the two digits of an escape
    raw = [
        bytes.fromhex(piece) if place % 2 else piece.encode("utf-8", "surrogatepass")
        for place, piece in enumerate(pieces)
    ]
    try:
        return b"".join(raw).decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise InvalidRequestError(f"{text[:_SHOWN]!r} is no name that was encoded here") from error
