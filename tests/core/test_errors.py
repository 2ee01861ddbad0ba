"""The errors: the documented tree is the tree, and they travel, print and redact."""

import copy
import pickle
import re

import pytest

import anysky
from anysky import errors
from anysky.compute import NodeDriver
from anysky.errors import CloudError

CLASSES = [getattr(errors, name) for name in errors.__all__]


def test_documented_tree_is_the_tree():
    lines = re.findall(r"^    [├└]── (\w+)", errors.__doc__, re.MULTILINE)
    general = [
        one.__name__ for one in CloudError.__subclasses__() if one.__module__ == errors.__name__
    ]
    services = ["KeyPairError", "ContainerError", "ObjectError", "ZoneError", "RecordError"]

    assert lines == [name for name in general if name not in services]


@pytest.mark.parametrize("name", errors.__all__)
def test_every_error_is_public(name):
    assert getattr(anysky, name) is getattr(errors, name)
    assert issubclass(getattr(errors, name), CloudError)


def make(kind):
    error = kind(
        "it failed",
        provider="ec2",
        operation="create_node",
        status=418,
        code="Teapot",
        request_id="r-1",
        body=b"body",
        headers={"a": "b"},
    )
    error.attempts = 3
    error.driver = object()
    return error


@pytest.mark.parametrize("kind", CLASSES)
def test_errors_travel_between_processes(kind):
    error = make(kind)
    for made in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(made) is kind
        assert str(made) == str(error)
        assert made.driver is None
        assert {**vars(made), "driver": 0} == {**vars(error), "driver": 0}


def test_special_attributes_travel():
    limited = errors.RateLimitedError("x", retry_at=5.0)
    partial = errors.PartialFailureError("x", created=["n"], failed_step="volume")

    assert pickle.loads(pickle.dumps(limited)).retry_at == 5.0
    assert vars(pickle.loads(pickle.dumps(partial)))["created"] == ["n"]
    assert pickle.loads(pickle.dumps(partial)).failed_step == "volume"


@pytest.mark.parametrize(
    ("details", "text"),
    [
        ({}, "it failed"),
        ({"provider": "ec2"}, "ec2: it failed"),
        ({"provider": "ec2", "operation": "stop"}, "ec2 stop: it failed"),
        (
            {"status": 404, "code": "C", "request_id": "r"},
            "it failed (HTTP 404, code C, request r)",
        ),
    ],
)
def test_text(details, text):
    error = CloudError("it failed", **details)

    assert (str(error), repr(error)) == (text, f"CloudError({text!r})")
    assert (error.value, error.http_code, error.args) == (
        "it failed",
        details.get("status"),
        ("it failed",),
    )


def test_errors_are_also_those_of_the_standard_library():
    assert issubclass(errors.ConnectionFailedError, ConnectionError)
    assert issubclass(errors.DeadlineExceededError, TimeoutError)
    assert issubclass(errors.UnsupportedOperationError, NotImplementedError)
    assert issubclass(errors.UnknownProviderError, AttributeError)
    assert issubclass(errors.DriverTypeNotFoundError, KeyError)
    assert str(errors.DriverTypeNotFoundError("no such")) == "no such"


def test_redact_removes_every_form():
    error = CloudError(
        "s3cret/value is wrong: s3cret%2Fvalue",
        code="s3cret/value",
        request_id="s3cret/value",
        body=b"<s3cret/value> czNjcmV0L3ZhbHVl",
        headers={"a": "s3cret/value"},
    )
    error.redact(["s3cret/value", ""])

    assert error.args == ("*** is wrong: ***",)
    assert (error.code, error.request_id, error.headers) == ("***", "***", {"a": "***"})
    assert b"s3cret" not in error.body
    assert b"czNjcmV0L3Zh" not in error.body


def test_redact_at_the_end_of_a_shortened_body():
    error = CloudError("x", body=b"x" * 4086 + b"s3cret/value")

    error.redact(["s3cret/value"])

    assert error.body == b"x" * 4086 + b"***"


def test_short_secrets_do_not_spoil_messages():
    error = CloudError("an apple")
    error.redact(["a", "an"])

    assert str(error) == "an apple"


def test_driver_is_made_by_get_driver():
    with pytest.raises(errors.InvalidAccountError, match="made by get_driver"):
        NodeDriver("x")
