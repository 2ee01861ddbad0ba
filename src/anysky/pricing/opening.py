"""Open a catalogue's file: check its head, then connect read-only."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from .errors import PricingError

__all__ = ["APPLICATION_ID", "EMPTY", "SCHEMA", "check_head", "connect", "damaged"]

SCHEMA = 1
APPLICATION_ID = 0x616E7950  # "anyP"

EMPTY = ":memory:"
"""In place of a path: a catalogue without a single price."""

_HEAD = 100
_MAGIC = b"SQLite format 3\0"
_REPAIR = "run `anysky prices rollback` or `anysky prices update --force`"


def check_head(path: str) -> None:
    """See that a file is a whole catalogue of our schema, from its first 100 bytes and its size.

    Raises:
        FileNotFoundError: It is not there.
        CatalogueMissingError: It cannot be read.
        CatalogueDamagedError: It is no catalogue, or not whole.
        CatalogueSchemaError: It is a catalogue of another schema.
    """
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - pathlib costs more than a look-up
            head = file.read(_HEAD)
            size = os.fstat(file.fileno()).st_size
    except FileNotFoundError:
        raise
    except OSError as error:
        from .errors import CatalogueMissingError

        raise CatalogueMissingError(
            f"cannot read the price catalogue {path}: {error.strerror}"
        ) from error
    problem = _problem(head, size)
    if problem:
        raise damaged(path, problem)
    schema = int.from_bytes(head[60:64], "big")
    if schema != SCHEMA:
        from .errors import CatalogueSchemaError

        raise CatalogueSchemaError(
            f"{path} has schema {schema}, and this version of anysky reads schema {SCHEMA}: "
            "upgrade anysky"
        )


def _problem(head: bytes, size: int) -> str:
    if len(head) < _HEAD or not head.startswith(_MAGIC):
        return "it is not an SQLite file"
    if int.from_bytes(head[68:72], "big") != APPLICATION_ID:
        return "it is an SQLite file, but no price catalogue"
    page = int.from_bytes(head[16:18], "big")
    pages = int.from_bytes(head[28:32], "big")
    whole = (65536 if page == 1 else page) * pages
    return "" if whole == size else f"it has {size} bytes in place of {whole}"


def damaged(path: str, problem: object) -> PricingError:
    """Return the error that says so, and what to do."""
    from .errors import CatalogueDamagedError

    return CatalogueDamagedError(f"the price catalogue {path} is damaged: {problem}; {_REPAIR}")


def connect(path: str) -> sqlite3.Connection:
    """Connect to a catalogue, so that nothing in it can be changed or run.

    Raises:
        CatalogueDamagedError: SQLite does not take it.
        PricingError: This Python has no SQLite.
    """
    try:
        # `sqlite3` itself imports datetime and more, for adapters that nobody needs here.
        import _sqlite3 as sqlite
    except ImportError as error:
        from .errors import PricingError

        raise PricingError(
            "this Python was built without the module _sqlite3, which prices need"
        ) from error
    try:
        if path == EMPTY:
            return _fill_empty(sqlite.connect(EMPTY, check_same_thread=False))
        connection = sqlite.connect(_uri(path), uri=True, check_same_thread=False)
        connection.execute("pragma trusted_schema = off")
    except sqlite.Error as error:
        raise damaged(path, error) from error
    return connection


def _fill_empty(connection: sqlite3.Connection) -> sqlite3.Connection:
    from .schema import ddl

    connection.executescript(ddl())
    return connection


def _uri(path: str) -> str:
    path = path.replace("\\", "/") if os.sep == "\\" else path
    for char, code in (("%", "%25"), ("?", "%3f"), ("#", "%23")):
        path = path.replace(char, code)
    return f"file:{path if path.startswith('/') else '/' + path}?mode=ro&immutable=1"
