"""Models to text and back, and what becomes of text that nobody wrote with `encode`."""

from __future__ import annotations

import dataclasses
import importlib
import json
import math
import pkgutil
import sys
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anysky.model
from anysky.compute import get_driver
from anysky.errors import InvalidRequestError, MalformedResponseError
from anysky.model import codec
from anysky.model.codec import decode, encode
from anysky.model.compute import (
    KeyPair,
    Node,
    NodeAuthPassword,
    NodeAuthSSHKey,
    NodeImage,
    NodeLocation,
    NodeSize,
    NodeSpec,
    NodeState,
    SecurityGroup,
    SecurityGroupRule,
    StorageVolume,
    VolumeSpec,
)
from anysky.model.dns import Record, RecordType, Zone
from anysky.model.loadbalancer import Algorithm
from anysky.model.storage import Container, Object, ObjectSpec
from anysky.providers.memory import Cloud

CANARY = "canary-7d1f"
SIZE = NodeSize("s-1", "small", 1024, 25, None, Decimal("0.00744"), {"class": "basic"}, 1)
IMAGE = NodeImage("debian-12", "Debian 12")
NODE = Node(
    "i-1",
    "web",
    NodeState.RUNNING,
    ["192.0.2.1"],
    [],
    SIZE,
    IMAGE,
    {"features": ("backups", b"\x00\xff")},
    datetime(2026, 2, 3, 4, 5, 6, 7, timezone(timedelta(hours=5, minutes=30))),
    {"role": "web"},
)


def models():
    """Return every class of model, by its tag."""
    found = {}
    for module in pkgutil.iter_modules(anysky.model.__path__):
        names = vars(importlib.import_module(f"anysky.model.{module.name}"))
        for name, one in names.items():
            if dataclasses.is_dataclass(one) and one.__module__ == f"anysky.model.{module.name}":
                found[f"{module.name}.{name}"] = one
    return found


def extras(value):
    """Return what a model's `extra` holds, which equality passes over, at all depths."""
    if not dataclasses.is_dataclass(value):
        return None
    names = [field.name for field in dataclasses.fields(value)]
    inner = {name: extras(getattr(value, name)) for name in names}
    return getattr(value, "extra", None), inner


VALUES = [
    None,
    True,
    0,
    -(10**30),
    1.5,
    math.inf,
    "text \ud800 \x00",
    b"\x00\xff",
    Decimal("1.500"),
    datetime(2026, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    NodeState.RUNNING,
    RecordType.AAAA,
    Algorithm.LEAST_CONNECTIONS,
    [1, (2, [3, ()])],
    {"$": "compute.Node", "v": {"$": 1}},
    {"": {"a": (None,)}},
    NODE,
    SecurityGroup("g", "web", "", (SecurityGroupRule("ingress", "tcp", 80, 80, ("0.0.0.0/0",)),)),
    Record("r", None, RecordType.A, "192.0.2.1", Zone("Z", "example.org", "master", None), 60),
    Object("a/b", 3, "d41d8", {"etag": '"x"'}, {"k": "v"}, Container("photos")),
]


@pytest.mark.parametrize("value", VALUES, ids=str)
def test_what_is_written_is_read_again(value):
    again = decode(encode(value, secrets=True))

    assert again == value
    assert type(again) is type(value)
    assert extras(again) == extras(value)


def test_the_text_is_json_that_people_can_read():
    assert json.loads(encode(StorageVolume("v-1", "data", 10))) == {
        "$": "compute.StorageVolume",
        "id": "v-1",
        "name": "data",
        "size": 10,
        "state": None,
        "tags": {},
    }


def test_a_bound_model_is_written_without_its_driver():
    driver = get_driver("memory")(cloud=Cloud())
    bound = driver.create_volume(10, "data")

    again = decode(encode([bound]))

    assert type(again[0]) is StorageVolume
    assert again == [StorageVolume(bound.id, "data", 10, bound.state)]


def test_a_model_of_a_plug_in_is_written_as_that_which_it_extends():
    @dataclasses.dataclass(frozen=True)
    class Rack(NodeLocation):
        row: int = 0

    assert decode(encode(Rack("r1", "Rack", "DE", row=3))) == NodeLocation("r1", "Rack", "DE")


def test_enums_and_text_of_others_are_written_as_plain_text():
    class Colour(StrEnum):
        RED = "red"

    assert decode(encode(Colour.RED)) == "red"
    assert type(decode(encode(Colour.RED))) is str


# --- Secrets ---

SECRET = {
    "extra of a node": dataclasses.replace(NODE, extra={"admin_pass": CANARY}),
    "extra within": dataclasses.replace(NODE, size=dataclasses.replace(SIZE, extra={"x": CANARY})),
    "private key": KeyPair("k", "ssh-rsa", "00", CANARY, {"material": CANARY}),
    "password": NodeAuthPassword(CANARY),
    "password of a node": NodeSpec("web", SIZE, IMAGE, auth=NodeAuthPassword(CANARY)),
    "user data": NodeSpec("web", SIZE, IMAGE, user_data=CANARY),
    "options of a node": NodeSpec("web", SIZE, IMAGE, options={"token": CANARY}),
    "options of a volume": VolumeSpec(1, "v", options={"key": CANARY}),
    "header fields": ObjectSpec("o", headers={"x-customer-key": CANARY}),
    "options of an object": ObjectSpec("o", options={"key": CANARY}),
}


@pytest.mark.parametrize("value", SECRET.values(), ids=list(SECRET))
def test_nothing_secret_is_written_unless_told(value):
    assert CANARY not in encode({"args": [(value,)]})
    assert CANARY in encode(value, secrets=True)


def test_what_was_left_out_has_its_default():
    spec = NodeSpec(
        "web", SIZE, IMAGE, auth=NodeAuthPassword(CANARY), user_data=CANARY, options={"a": CANARY}
    )

    assert decode(encode(spec)) == NodeSpec("web", SIZE, IMAGE)
    assert decode(encode(spec)).size.extra == {}
    assert decode(encode(NodeAuthPassword(CANARY))) is None
    assert decode(encode(Object("o", 1, None, {"x": CANARY}, {}, Container("c")))).extra == {}
    assert decode(encode(NodeAuthSSHKey("ssh-rsa AAAA"))) == NodeAuthSSHKey("ssh-rsa AAAA")


def test_extra_that_undoing_needs_is_kept(monkeypatch):
    monkeypatch.setattr(codec, "_KEPT_EXTRA", {"compute.KeyPair": frozenset({"id"})})
    key = KeyPair("k", "ssh-rsa", "00", CANARY, {"id": 7, "material": CANARY})

    text = encode(key)

    assert decode(text).extra == {"id": 7}
    assert CANARY not in text


@pytest.mark.parametrize("tag", sorted(models()))
def test_no_field_that_is_not_shown_is_written(tag):
    kind = models()[tag]
    hidden = [field.name for field in dataclasses.fields(kind) if not field.repr]
    values = {field.name: f"of {field.name}" for field in dataclasses.fields(kind)}

    text = encode(kind(**{**values, **dict.fromkeys(hidden, CANARY)}))

    assert CANARY not in text
    if not hidden:
        assert json.loads(text)["$"] == tag


# --- What cannot be written, or read ---


@pytest.mark.parametrize("value", [object(), {1: 2}, {1, 2}, timedelta(1), NodeState])
def test_what_has_no_form_is_refused(value):
    with pytest.raises(TypeError, match="cannot be written as text"):
        encode([value])


def nested(levels):
    value = 0
    for _ in range(levels):
        value = [value]
    return value


def test_depth_and_size_have_limits_for_both():
    assert decode(encode(nested(50))) == nested(50)
    with pytest.raises(InvalidRequestError, match="nested deeper than 50"):
        encode(nested(51))
    with pytest.raises(InvalidRequestError, match="more than 8388608"):
        encode("x" * (8 << 20))
    with pytest.raises(MalformedResponseError, match="nested deeper than 50"):
        decode("[" * 52 + "]" * 52)
    with pytest.raises(MalformedResponseError, match="more than 8388608"):
        decode(f'"{"x" * (8 << 20)}"')


HOSTILE = {
    "nothing": "",
    "not JSON": "{",
    "deep": "[" * 100_000,
    "deep type": '{"$":' + "[" * 500 + "]" * 500 + "}",
    "not a number": "NaN",
    "endless number": "9" * 5000,
    "type that is none": '{"$": 1}',
    "unknown type": '{"$": "compute.Rocket"}',
    "unknown module": '{"$": "rockets.Rocket"}',
    "type outside": '{"$": "os.system", "v": "true"}',
    "class that is no model": '{"$": "compute.Architecture"}',
    "imported name": '{"$": "compute.Mapping"}',
    "path to a type": '{"$": "..compute.Node"}',
    "long type": json.dumps({"$": "a" * 100_000 + ".B"}),
    "wrong field": '{"$": "compute.NodeImage", "id": "1", "name": "n", "driver": 1}',
    "self as a field": '{"$": "compute.NodeImage", "id": "1", "name": "n", "self": 1}',
    "missing field": '{"$": "compute.NodeImage", "id": "1"}',
    "unknown state": '{"$": "compute.NodeState", "v": "flying"}',
    "state without members": '{"$": "base.State", "v": "flying"}',
    "state that is none": '{"$": "compute.NodeState", "v": []}',
    "no date": '{"$": "datetime", "v": "yesterday"}',
    "no decimal": '{"$": "Decimal", "v": "much"}',
    "no bytes": '{"$": "bytes", "v": "%"}',
    "no float": '{"$": "float", "v": "x"}',
    "no tuple": '{"$": "tuple", "v": {}}',
    "no pairs": '{"$": "dict", "v": [[1]]}',
    "name that is none": '{"$": "dict", "v": [[[], 1]]}',
    "nothing in it": '{"$": "tuple"}',
    "more in it": '{"$": "tuple", "v": [], "w": []}',
}


@pytest.mark.parametrize("text", HOSTILE.values(), ids=list(HOSTILE))
def test_hostile_text_is_refused(text):
    with pytest.raises(MalformedResponseError) as caught:
        decode(text)

    assert len(str(caught.value)) < 400


def test_a_text_imports_nothing_but_models():
    with pytest.raises(MalformedResponseError):
        decode('{"$": "this.Zen"}')

    assert "this" not in sys.modules
    assert "anysky.model.this" not in sys.modules


# --- Any value, any text ---

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | st.text(st.characters(exclude_categories=()))
    | st.binary()
    | st.decimals(allow_nan=False)
    | st.datetimes(timezones=st.none() | st.just(UTC)).map(lambda one: one.replace(fold=0))
    | st.sampled_from([state for one in (NodeState, RecordType, Algorithm) for state in one])
)
names = st.text() | st.just("$")
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(names, inner, max_size=4)
        | st.builds(NodeImage, st.text(), st.text(), st.dictionaries(names, inner, max_size=2))
        | st.builds(Container, st.text(), st.dictionaries(names, inner, max_size=2))
    ),
    max_leaves=12,
)


@given(values)
@settings(deadline=None)
def test_any_value_is_read_as_it_was_written(value):
    again = decode(encode(value, secrets=True))

    assert repr(again) == repr(value)
    assert again == value


tags = st.sampled_from([*models(), *codec._READERS, "compute.NodeState", "base.State", "x.Y"])
trees = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["v", "id", "name", "extra", "$"]), inner, max_size=4)
        | st.builds(lambda tag, content: {"$": tag, "v": content}, tags, inner)
        | st.builds(lambda tag, content: {"$": tag, "id": content, "name": ""}, tags, inner)
    ),
    max_leaves=12,
)


@given(trees.map(json.dumps) | st.text())
@settings(deadline=None)
def test_any_text_is_a_value_or_malformed(text):
    try:
        value = decode(text)
    except MalformedResponseError:
        return
    encode(value)
