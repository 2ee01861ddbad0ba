"""What is sent to Swift and read from it, as data."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from anysky.errors import MalformedResponseError
from anysky.model.storage import Condition, Container, Part
from anysky.wire import swift_answers as answers
from anysky.wire import swift_requests as requests


@pytest.mark.parametrize(
    ("container", "name", "path"),
    [
        ("box", "a", "/box/a"),
        ("a b", "x/y", "/a%20b/x/y"),
        ("ü", "a//b/../c", "/%C3%BC/a//b/../c"),
        ("box", "100%?#+&=", "/box/100%25%3F%23%2B%26%3D"),
        ("box", "~-._", "/box/~-._"),
    ],
)
def test_paths_are_encoded_and_not_normalised(container, name, path):
    assert requests.object_path(container, name) == path


@pytest.mark.parametrize(
    "value",
    [
        "plain",
        "with spaces",
        "100%",
        "%41",
        " edges ",
        "ü 漢字",
        "a\nb",
        "",
        "=?x",
        '"quoted"',
        "a+b",
    ],
)
def test_metadata_comes_back_as_it_was(value):
    sent = requests.metadata_headers({"Name": value})

    assert list(sent) == ["x-object-meta-name"]
    assert sent["x-object-meta-name"].isascii()
    assert sent["x-object-meta-name"].strip() == sent["x-object-meta-name"]
    assert answers.meta_data_of(sent) == {"name": value}


def test_metadata_of_other_programs_is_read_as_well_as_it_can_be():
    headers = {
        "x-object-meta-raw": "ü".encode().decode("latin-1"),
        "x-object-meta-odd": "100% %FF",
        "x-object-meta-anysky-upload": "box_segments/0123",
        "x-object-meta-static-large-object": "True",
        "etag": "x",
    }

    assert answers.meta_data_of(headers) == {"raw": "ü", "odd": "100% %FF"}


def test_conditions_quote_what_they_name():
    assert requests.read_condition(None) == {}
    assert requests.read_condition(Condition("abc", "*")) == {
        "if-match": '"abc"',
        "if-none-match": "*",
    }


def test_a_manifest_names_segments_with_their_digests():
    segments = [("anysky/parts/1/00000001", Part(1, 5, "e1"))]

    assert requests.manifest("box_segments", segments) == [
        {"path": "/box_segments/anysky/parts/1/00000001", "etag": "e1", "size_bytes": 5}
    ]


def test_a_bulk_delete_has_a_line_for_each_name():
    assert requests.deletion("a b", ["x\ny", "ü/1"]) == b"a%20b/x%0Ay\na%20b/%C3%BC/1"


def test_a_temporary_url_is_signed_over_the_path_as_it_is_meant():
    url = requests.temporary_url(
        "https://s.example.com/v1/AUTH_p",
        "/box/a%20%C3%BC",
        "key",
        method="GET",
        expires=1700000000,
        digest="sha256",
    )

    signed = "GET\n1700000000\n/v1/AUTH_p/box/a ü".encode()
    signature = hmac.new(b"key", signed, hashlib.sha256).hexdigest()
    assert url == (
        f"https://s.example.com/v1/AUTH_p/box/a%20%C3%BC?temp_url_sig={signature}"
        "&temp_url_expires=1700000000"
    )


@pytest.mark.parametrize(
    "headers",
    [
        {"content-length": "many"},
        {"content-length": "9" * 40},
        {"content-length": "-1"},
        {"last-modified": "yesterday"},
    ],
)
def test_what_is_no_number_or_date_is_malformed(headers):
    with pytest.raises(MalformedResponseError):
        answers.object_of_headers("a", headers, Container("box"))


@pytest.mark.parametrize("date", ["soon", "2026-13-01T00:00:00"])
def test_a_date_of_a_list_that_is_none_is_malformed(date):
    with pytest.raises(MalformedResponseError):
        answers.listed_object(answers.Entry("a", last_modified=date), Container("box"))
