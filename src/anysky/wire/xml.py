"""XML answers: a small safe tree, and typed records straight from the parser's events.

`parse` makes a tree of a small answer. `decode` is for long lists: the caller states in a class
which paths it wants, and only those become Python objects; everything else is passed over::

    class Instance(Record):
        id: str = required("instanceId")
        zone: str | None = text("placement/availabilityZone")
        groups: list[str] = texts("groupSet/item/groupId")
        tags: dict[str, str] = pairs("tagSet/item", "key", "value")
        raw: bytes = source()

    class Reservation(Record):
        owner: str | None = text("ownerId")
        instances: list[Instance] = records("instancesSet/item", Instance)

    class Instances(Record, root="DescribeInstancesResponse"):
        next_token: str | None = text("nextToken")
        reservations: list[Reservation] = records("reservationSet/item", Reservation)

    page = decode(body, Instances)

A field made by `source` keeps the bytes of its element, so that everything else in it can be had
later: ``parse(instance.raw).to_dict()``.

Names are bare: prefixes and namespaces are taken off. An answer must be UTF-8, well-formed, at most
`MAX_DEPTH` deep, without a DOCTYPE (hence without entities) and not an HTML page; else `XMLError`.
Its size is limited by the transport that read it, the number of its tags and attributes here.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar, Final, TypeVar, cast, dataclass_transform, overload
from xml.parsers import expat

if TYPE_CHECKING:
    from collections.abc import Callable
    from collections.abc import Set as AbstractSet
    from typing import NoReturn

T = TypeVar("T")
R = TypeVar("R", bound="Record")
_Values = dict[str, Any]

__all__ = [
    "LIST_TAGS",
    "MAX_ATTRIBUTES",
    "MAX_DEPTH",
    "MAX_TAGS",
    "MAX_TREE_TAGS",
    "Element",
    "Record",
    "XMLError",
    "boolean",
    "decode",
    "integer",
    "pairs",
    "parse",
    "records",
    "required",
    "source",
    "text",
    "texts",
    "value",
]

MAX_DEPTH: Final = 200
MAX_TAGS: Final = 4_000_000
"""How many ``<`` an answer may hold; 1,000 EC2 instances have about 200,000."""
MAX_TREE_TAGS: Final = 1_000_000
"""The same for a tree, which keeps every element."""
MAX_ATTRIBUTES: Final = 500_000
"""How many ``=`` an answer may hold."""
LIST_TAGS: Final = frozenset({"item", "member"})
"""Children by which the query protocol of EC2 (``item``) and of its siblings (``member``) lists."""

_ENCODINGS = frozenset({"utf-8", "utf8", "us-ascii"})
_BOOLEANS = {"true": True, "false": False}
_START_TAG = re.compile(rb"<(?:[^\"'>]|\"[^\"]*\"|'[^']*')*+>")


class XMLError(ValueError):
    """The bytes are not the XML that was promised, or are XML that is not safe to read."""


# -- the parser ----------------------------------------------------------------------------------


def _refuse_doctype(name: str, *_: object) -> NoReturn:
    raise XMLError(f"a DOCTYPE is not allowed (here: {_shown(name)})")


def _check_declaration(_version: str, encoding: str | None, _standalone: int) -> None:
    if encoding is not None and encoding.lower() not in _ENCODINGS:
        raise XMLError(f"only UTF-8 is read, not {_shown(encoding)}")


def _new_parser() -> expat.XMLParserType:
    # The name of the encoding overrules what the document declares. Without a namespace separator
    # expat hands out names as they are written, which spares the hot path a split of every name.
    parser = expat.ParserCreate("utf-8")
    parser.ordered_attributes = True
    parser.buffer_text = True
    parser.StartDoctypeDeclHandler = _refuse_doctype
    parser.XmlDeclHandler = _check_declaration
    return parser


def _feed(parser: expat.XMLParserType, body: bytes, max_tags: int) -> None:
    # UTF-16 and UTF-32, which expat would detect and accept, cannot write "<" without a NUL.
    if b"\0" in body:
        raise XMLError("a NUL byte: not UTF-8 XML")
    # A tag or attribute costs many times its bytes; counting them beforehand costs next to none.
    if body.count(b"<") > max_tags or body.count(b"=") > MAX_ATTRIBUTES:
        raise XMLError(f"more than {max_tags:,} tags or {MAX_ATTRIBUTES:,} attributes")
    try:
        parser.Parse(body, True)
    except expat.ExpatError as error:
        raise XMLError(f"malformed XML: {error}") from None
    finally:
        # The handlers know the parser: a cycle that would keep the body until the next collection.
        parser.StartElementHandler = None
        parser.EndElementHandler = None
        parser.CharacterDataHandler = None


def _bare(name: str) -> str:
    return name.rpartition(":")[2]


def _shown(value: str) -> str:
    return repr(value[:80])


def _too_deep() -> XMLError:
    return XMLError(f"more than {MAX_DEPTH} levels deep")


# -- the tree ------------------------------------------------------------------------------------


class Element:
    """One element of a parsed answer.

    Paths are bare tag names joined by ``/``, below this element: ``placement/availabilityZone``.

    Attributes:
        tag: The bare name.
        attributes: Those of the start tag, by bare name, without ``xmlns``.
        value: The text as the document has it, spaces included; empty if there are children.
        children: The elements in it, in order.
    """

    __slots__ = ("attributes", "children", "tag", "value")

    def __init__(self, tag: str, attributes: dict[str, str]) -> None:
        self.tag = tag
        self.attributes = attributes
        self.value = ""
        self.children: list[Element] = []

    def __repr__(self) -> str:
        return f"<Element {self.tag}: {len(self.children)} children>"

    def all(self, path: str) -> list[Element]:
        """Return every element at ``path``, in document order."""
        found: list[Element] = [self]
        for tag in path.split("/"):
            found = [child for each in found for child in each.children if child.tag == tag]
        return found

    def find(self, path: str) -> Element | None:
        """Return the first element at ``path``, or None."""
        return next(iter(self.all(path)), None)

    @overload
    def text(self, path: str) -> str | None: ...
    @overload
    def text(self, path: str, default: str) -> str: ...
    def text(self, path: str, default: str | None = None) -> str | None:
        """Return the text of the first element at ``path``, or ``default`` if there is none."""
        found = self.find(path)
        return default if found is None else found.value

    def to_dict(self, lists: AbstractSet[str] = LIST_TAGS) -> dict[str, Any]:
        """Return the children as plain data: dicts, lists and strings, for ``extra``.

        An element without children becomes its text (empty: ``""``). Children of one name become a
        list if they are several or their name is in ``lists``; an element that holds nothing but
        children named in ``lists`` becomes that list itself. Attributes are left out.
        """
        data = _plain(self, lists)
        return data if isinstance(data, dict) else {self.children[0].tag: data}


def _plain(element: Element, lists: AbstractSet[str]) -> dict[str, Any] | list[Any]:
    # One frame for each level, so that `MAX_DEPTH` stays far from the interpreter's own limit.
    groups: dict[str, list[Any]] = {}
    for child in element.children:
        data = _plain(child, lists) if child.children else child.value
        groups.setdefault(child.tag, []).append(data)
    if len(groups) == 1 and element.children[0].tag in lists:
        return groups[element.children[0].tag]
    return {
        tag: values if tag in lists or len(values) > 1 else values[0]
        for tag, values in groups.items()
    }


def parse(body: bytes) -> Element:
    """Return the root of a small answer; for long lists use `decode`.

    Raises:
        XMLError: Malformed, truncated, empty, too deep, not UTF-8, with a DOCTYPE, or HTML.
    """
    builder = _TreeBuilder()
    parser = _new_parser()
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.pieces.append
    _feed(parser, body, MAX_TREE_TAGS)
    root = builder.top.children[0]
    if root.tag.lower() == "html":
        raise XMLError("an HTML page instead of XML")
    return root


class _TreeBuilder:
    def __init__(self) -> None:
        self.top = Element("", {})
        self.pieces: list[str] = []
        self._open = [self.top]

    def start(self, name: str, attributes: list[str]) -> None:
        if len(self._open) > MAX_DEPTH:
            raise _too_deep()
        element = Element(_bare(name), _attributes(attributes) if attributes else {})
        self._open[-1].children.append(element)
        self._open.append(element)
        self.pieces.clear()

    def end(self, _name: str) -> None:
        element = self._open.pop()
        if not element.children:
            element.value = "".join(self.pieces)
        self.pieces.clear()


def _attributes(flat: list[str]) -> dict[str, str]:
    pairs_ = zip(flat[::2], flat[1::2], strict=True)
    return {_bare(name): value for name, value in pairs_ if not name.startswith("xmlns")}


# -- records -------------------------------------------------------------------------------------


class _Node:
    """What the reader knows of an element: one that is wanted, or that leads to a wanted one.

    ``store`` takes the text of a wanted leaf. ``fresh``, ``close`` and ``source`` belong to an
    element that has values of its own: they make them, hand them over to the values around them,
    and name the one that keeps the element's bytes. A strict node takes no unknown children.
    """

    __slots__ = ("children", "close", "fresh", "is_strict", "source", "store")

    def __init__(self) -> None:
        self.children: dict[str, _Node] = {}
        self.store: Callable[[_Values, str], None] | None = None
        self.fresh: Callable[[], _Values] | None = None
        self.close: Callable[[_Values, _Values], None] | None = None
        self.source: str | None = None
        self.is_strict = False

    def at(self, path: str) -> _Node:
        """Return the new node at ``path`` below this one."""
        node = self
        for tag in path.split("/"):
            if node.store or (node.fresh and node is not self):
                raise TypeError(f"the path {path} leads through another field")
            node = node.children.setdefault(tag, _Node())
        if node.children or node.store or node.fresh:
            raise TypeError(f"the path {path} belongs to another field")
        return node

    def hold(self, path: str, store: Callable[[_Values, str], None]) -> None:
        """Let the text at ``path`` go to ``store``."""
        leaf = self.at(path)
        leaf.store = store
        leaf.is_strict = True


class _Field:
    """A field of a record: how it is laid into a plan, and what it is without an element."""

    def __init__(
        self,
        lay: Callable[[_Node, str], None],
        default: object = None,
        collection: type[list[Any] | dict[Any, Any]] | None = None,
        *,
        is_required: bool = False,
    ) -> None:
        self.lay = lay
        self.default = default
        self.collection = collection
        self.is_required = is_required


def _lay_text(path: str) -> Callable[[_Node, str], None]:
    def lay(plan: _Node, name: str) -> None:
        def store(values: _Values, found: str) -> None:
            values.setdefault(name, found)

        plan.hold(path, store)

    return lay


@overload
def text(path: str) -> str | None: ...
@overload
def text(path: str, default: str) -> str: ...
def text(path: str, default: str | None = None) -> Any:
    """Make a field of the text of the first element at ``path``; an empty element gives ``""``."""
    return _Field(_lay_text(path), default)


def required(path: str) -> str:
    """Make a field of the text at ``path``; an answer without it raises `XMLError`."""
    return cast("str", _Field(_lay_text(path), is_required=True))


@overload
def value(path: str, convert: Callable[[str], T]) -> T | None: ...
@overload
def value(path: str, convert: Callable[[str], T], default: T) -> T: ...
def value(path: str, convert: Callable[[str], Any], default: Any = None) -> Any:
    """Make a field of the text at ``path``, converted; an empty element counts as absent.

    A ValueError of ``convert`` becomes an `XMLError`.
    """

    def lay(plan: _Node, name: str) -> None:
        def store(values: _Values, found: str) -> None:
            if found:
                try:
                    values.setdefault(name, convert(found))
                except ValueError:
                    raise XMLError(f"a bad value at {path}: {_shown(found)}") from None

        plan.hold(path, store)

    return _Field(lay, default)


@overload
def integer(path: str) -> int | None: ...
@overload
def integer(path: str, default: int) -> int: ...
def integer(path: str, default: int | None = None) -> Any:
    """Make a field of the whole number at ``path``."""
    return value(path, int, default)


@overload
def boolean(path: str) -> bool | None: ...
@overload
def boolean(path: str, default: bool) -> bool: ...
def boolean(path: str, default: bool | None = None) -> Any:
    """Make a field of the ``true`` or ``false`` at ``path``."""
    return value(path, _boolean, default)


def _boolean(found: str) -> bool:
    if found not in _BOOLEANS:
        raise ValueError(found)
    return _BOOLEANS[found]


def texts(path: str) -> list[str]:
    """Make a field of the texts of all elements at ``path``, in order."""

    def lay(plan: _Node, name: str) -> None:
        def store(values: _Values, found: str) -> None:
            values[name].append(found)

        plan.hold(path, store)

    return cast("list[str]", _Field(lay, collection=list))


def pairs(path: str, key: str, item: str) -> dict[str, str]:
    """Make a field of the elements at ``path``: the text at ``key`` to the text at ``item``.

    An element without ``key`` is left out, one without ``item`` has ``""``. The last of a key wins.
    """

    def lay(plan: _Node, name: str) -> None:
        def close(outer: _Values, inner: _Values) -> None:
            if "key" in inner:
                outer[name][inner["key"]] = inner.get("item", "")

        node = plan.at(path)
        _lay_text(key)(node, "key")
        _lay_text(item)(node, "item")
        node.fresh, node.close = dict, close

    return cast("dict[str, str]", _Field(lay, collection=dict))


def records(path: str, record: type[R]) -> list[R]:
    """Make a field of one ``record`` for each element at ``path``, in order."""

    def lay(plan: _Node, name: str) -> None:
        _lay_record(plan.at(path), name, record)

    return cast("list[R]", _Field(lay, collection=list))


def source() -> bytes:
    """Make a field of the bytes of the record's own element, a document for `parse`."""

    def lay(plan: _Node, name: str) -> None:
        plan.source = name

    return cast("bytes", _Field(lay))


def _lay_record(node: _Node, name: str, record: type[Record]) -> None:
    fields = record.record_fields
    collections = [(each, field.collection) for each, field in fields.items() if field.collection]
    needed = [each for each, field in fields.items() if field.is_required]

    def fresh() -> _Values:
        return {each: make() for each, make in collections}

    def close(outer: _Values, inner: _Values) -> None:
        for each in needed:
            if each not in inner:
                raise XMLError(f"{record.__name__} without {each}")
        made = record.__new__(record)
        made.__dict__ = inner
        outer[name].append(made)

    for each, field in fields.items():
        field.lay(node, each)
    node.fresh, node.close = fresh, close


def _plan(document: type[Record], root: str) -> _Node:
    plan = _Node()
    plan.is_strict = True
    _lay_record(plan.at(root), "document", document)
    return plan


@dataclass_transform(
    kw_only_default=True,
    field_specifiers=(text, required, value, integer, boolean, texts, pairs, records, source),
)
class Record:  # noqa: PLW1641 - equal by its values, which may change: no hash
    """A typed part of an answer: a class whose fields say at which paths they stand.

    The class of a whole document names its root element: ``class Page(Record, root="…")``.
    """

    record_fields: ClassVar[dict[str, _Field]] = {}
    record_plan: ClassVar[_Node | None] = None

    def __init_subclass__(cls, root: str | None = None) -> None:
        own = {name: each for name, each in vars(cls).items() if isinstance(each, _Field)}
        cls.record_fields = {**cls.record_fields, **own}
        for name, field in own.items():
            setattr(cls, name, field.default)
        cls.record_plan = None if root is None else _plan(cls, root)

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - self.record_fields.keys()
        if unknown:
            raise TypeError(f"{type(self).__name__} has no field {', '.join(sorted(unknown))}")
        made = {
            name: each.collection() for name, each in self.record_fields.items() if each.collection
        }
        self.__dict__ = made | values

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Record)
            and type(self) is type(other)
            and self._values() == other._values()
        )

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={found!r}" for name, found in self._values().items())
        return f"{type(self).__name__}({shown})"

    def _values(self) -> _Values:
        return {name: getattr(self, name) for name in self.record_fields}


def decode(body: bytes, document: type[R]) -> R:
    """Return the record of a whole answer.

    Raises:
        XMLError: As `parse`; also another root than the document's, a required field that is
            absent, a value that cannot be converted, or elements where a text was wanted.
    """
    if document.record_plan is None:
        raise TypeError(f"{document.__name__} names no root element")
    reader = _Reader(document.record_plan, body)
    parser = reader.parser
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    _feed(parser, body, MAX_TAGS)
    found: R = reader.values["document"][0]
    return found


class _Reader:
    """Walks the plan along the parser's events; this is the hot path."""

    __slots__ = ("_body", "_node", "_outer", "_path", "_pieces", "_skipped", "parser", "values")

    def __init__(self, plan: _Node, body: bytes) -> None:
        self.parser = _new_parser()
        self.values: _Values = {"document": []}
        self._body = body
        self._node = plan
        self._path: list[_Node] = []
        self._outer: list[_Values] = []
        self._pieces: list[str] = []
        self._skipped = 0

    def start(self, name: str, _attributes: list[str]) -> None:
        if self._skipped:
            self._skipped += 1
            if self._skipped + len(self._path) > MAX_DEPTH:
                raise _too_deep()
            return
        node = self._node.children.get(name)
        if node is None:
            # Most elements that nobody wants end here; the call of `_miss` is for the odd ones.
            if ":" in name or self._node.is_strict:
                node = self._miss(name)
            if node is None:
                self._skipped = 1
                return
        self._path.append(self._node)
        self._node = node
        if node.store is not None:
            self.parser.CharacterDataHandler = self._pieces.append
        elif node.fresh is not None:
            self._outer.append(self.values)
            self.values = node.fresh()
            if node.source is not None:
                self.values[node.source] = self.parser.CurrentByteIndex

    def end(self, _name: str) -> None:
        if self._skipped:
            self._skipped -= 1
            return
        node = self._node
        if node.store is not None:
            self.parser.CharacterDataHandler = None
            node.store(self.values, "".join(self._pieces))
            self._pieces.clear()
        elif node.close is not None:
            inner = self.values
            self.values = self._outer.pop()
            if node.source is not None:
                inner[node.source] = self._cut(inner[node.source])
            node.close(self.values, inner)
        self._node = self._path.pop()

    def _miss(self, name: str) -> _Node | None:
        """Return the node of a name with a prefix, None for an element that nobody wants."""
        node = self._node.children.get(_bare(name))
        if node is None and self._node.is_strict:
            wanted = " or ".join(self._node.children) or "a text"
            raise XMLError(f"expected {wanted}, found the element {_shown(name)}")
        return node

    def _cut(self, start: int) -> bytes:
        """Return the bytes of the element that began at ``start`` and ends here."""
        tag = _START_TAG.match(self._body, start)
        if tag and tag[0].endswith(b"/>"):
            return tag[0]
        end = self._body.index(b">", self.parser.CurrentByteIndex)
        return self._body[start : end + 1]
