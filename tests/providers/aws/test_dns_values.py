"""Names, values and ids of Route 53's records, there and back."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysky.model.dns import RecordType
from anysky.providers.aws.dns_sets import make_id, split_id, wire_form
from anysky.providers.aws.dns_values import full_name, name_below, read_value, write_value
from anysky.wire.aws_rest_xml import document, error_details
from anysky.wire.dns_text import (
    read_name,
    read_strings,
    write_name,
    write_strings,
)
from anysky.wire.xml import parse

LABELS = st.lists(st.binary(min_size=1, max_size=20), min_size=1, max_size=6)
STRINGS = st.lists(st.binary(max_size=255), min_size=1, max_size=4)


@pytest.mark.parametrize(
    ("name", "route53"),
    [
        (None, "example.com."),
        ("", "example.com."),
        ("www", "www.example.com."),
        ("WWW.Deep", "www.deep.example.com."),
        ("*", "*.example.com."),
        ("*.deep", "*.deep.example.com."),
        ("x.*", "x.\\052.example.com."),
        ("prod*", "prod\\052.example.com."),
        ("user\\@x", "user\\100x.example.com."),
        ("a\\.b", "a\\056b.example.com."),
        ("a\\032b", "a\\040b.example.com."),
        ("\\195\\188", "\\303\\274.example.com."),
        ("www.example.com.", "www.example.com."),
        ("example.com.", "example.com."),
    ],
)
def test_names_as_route_53_writes_them(name, route53):
    assert full_name(name, "example.com") == route53


@pytest.mark.parametrize(
    ("route53", "name"),
    [
        ("example.com.", None),
        ("EXAMPLE.com", None),
        ("\\052.example.com.", "*"),
        ("user\\100x.example.com.", "user\\@x"),
        ("a\\056b.example.com.", "a\\.b"),
    ],
)
def test_names_as_we_write_them(route53, name):
    assert name_below(route53, "example.com") == name


@given(LABELS)
def test_names_come_back(labels):
    name = write_name(labels)

    assert read_name(name) == labels
    lowered = write_name([label.lower() for label in labels])
    assert name_below(full_name(name, "example.com"), "example.com") == lowered


@pytest.mark.parametrize(
    "name", ["a..b", ".a", "a\\", "a\\2", "a\\25x", "a\\256", "ü", "x" * 64, "x." * 128]
)
def test_what_is_no_name_is_refused(name):
    with pytest.raises(ValueError, match=r"label|longer|backslash|byte|ASCII|range"):
        read_name(name)


@given(STRINGS, st.booleans())
def test_strings_come_back(strings, octal):
    assert read_strings(write_strings(strings, octal=octal), octal=octal) == strings


@given(STRINGS)
def test_values_of_texts_come_back(strings):
    """Whatever strings a text has, its data makes the same value again."""
    value = write_strings(strings, octal=True)
    data, numbers = read_value("TXT", value)

    assert numbers == {}
    assert write_value(RecordType.TXT, data, {}) == value


@given(st.text(max_size=700).filter(lambda text: not text.startswith('"')))
def test_texts_come_back(text):
    value = write_value(RecordType.TXT, text, {})

    assert value.isascii()
    assert all(len(one) <= 255 for one in read_strings(value, octal=True))
    assert read_value("TXT", value) == (text, {})


@pytest.mark.parametrize(
    ("data", "value"),
    [
        ("v=spf1 -all", '"v=spf1 -all"'),
        ('say "hi"', '"say \\"hi\\""'),
        ("back\\slash", '"back\\\\slash"'),
        ("ü", '"\\303\\274"'),
        ("", '""'),
        ("x" * 256, f'"{"x" * 255}" "x"'),
        ('"one" "two"', '"one" "two"'),
        ('"\\195"', '"\\303"'),
    ],
)
def test_texts_as_route_53_writes_them(data, value):
    assert write_value(RecordType.TXT, data, {}) == value


@pytest.mark.parametrize(
    ("value", "data"),
    [
        ('"\\303\\274"', "ü"),
        ('"one" "two"', '"one" "two"'),
        ('"\\"one\\""', '"\\"one\\""'),
        ('"\\377"', '"\\255"'),
        ("no quotes", "no quotes"),
        ('"open', '"open'),
    ],
)
def test_texts_as_we_write_them(value, data):
    assert read_value("TXT", value) == (data, {})


@pytest.mark.parametrize(
    ("type", "value", "data", "numbers"),
    [
        ("MX", "10 mail.example.com.", "mail.example.com.", {"priority": 10}),
        ("SRV", "1 2 3 s.example.com", "s.example.com", {"priority": 1, "weight": 2, "port": 3}),
        ("MX", "mail.example.com", "mail.example.com", {}),
        ("MX", "99999 mail.example.com", "99999 mail.example.com", {}),
        ("SRV", "1 2 s.example.com", "1 2 s.example.com", {}),
        ("CAA", '0 issue "ca.example.net"', '0 issue "ca.example.net"', {}),
        ("HTTPS", '1 . alpn="h3,h2"', '1 . alpn="h3,h2"', {}),
        ("A", "192.0.2.1", "192.0.2.1", {}),
    ],
)
def test_numbers_stand_beside_the_data(type, value, data, numbers):
    assert read_value(type, value) == (data, numbers)
    if numbers:
        assert write_value(RecordType(type), data, numbers) == value
        assert write_value(RecordType(type), value, {}) == value


@given(
    st.sampled_from(["A", "TXT"]),
    LABELS,
    st.none() | st.text(min_size=1, max_size=20),
    st.none() | st.text(min_size=1, max_size=40),
)
def test_ids_come_back(type, labels, identifier, value):
    name = write_name(labels)

    assert split_id(make_id(type, name, identifier, value)) == (type, name, identifier, value)


@pytest.mark.parametrize(
    ("parts", "id"),
    [
        (("A", None), "A:"),
        (("A", "www"), "A:www"),
        (("A", "*"), "A:*"),
        (("A", "www", None, "192.0.2.1"), "A:www?value=192.0.2.1"),
        (("MX", None, None, "10 mail.example.com"), "MX:?value=10%20mail.example.com"),
        (("A", "www", "a&b", None), "A:www?set=a%26b"),
        (("A", "why?", "a", "192.0.2.1"), "A:why%3F?set=a&value=192.0.2.1"),
    ],
)
def test_ids_can_be_read(parts, id):
    assert make_id(*parts) == id


def test_elements_of_a_set_stand_in_the_order_of_the_reference():
    wire = wire_form(
        {
            "ResourceRecords": [{"Value": "192.0.2.1"}],
            "NewElement": "x",
            "GeoLocation": {"CountryCode": "US", "ContinentCode": "NA"},
            "Weight": 1,
            "Type": "A",
            "TTL": 300,
            "Name": "www.example.com.",
        }
    )

    assert list(wire) == [
        "Name", "Type", "Weight", "GeoLocation", "TTL", "ResourceRecords", "NewElement",
    ]  # fmt: skip
    assert list(wire["GeoLocation"]) == ["ContinentCode", "CountryCode"]
    assert wire["ResourceRecords"] == {"ResourceRecord": [{"Value": "192.0.2.1"}]}


def test_a_document_is_xml():
    body = document(
        "R", "urn:x", {"A": "<&>\r", "B": True, "C": None, "D": {"E": [1, {"F": "ü"}]}, "G": []}
    )

    assert body.decode() == (
        '<?xml version="1.0" encoding="UTF-8"?><R xmlns="urn:x"><A>&lt;&amp;&gt;&#13;</A>'
        "<B>true</B><D><E>1</E><E><F>ü</F></E></D></R>"
    )
    assert parse(body).text("A") == "<&>\r"


ERROR = b"<Error><Code>C</Code><Message>M</Message>"
ID = b"<RequestId>I</RequestId>"


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (b"<ErrorResponse xmlns='x'>%s</Error>%s</ErrorResponse>" % (ERROR, ID), ("C", "M", "I")),
        (b"%s%s</Error>" % (ERROR, ID), ("C", "M", "I")),
        (
            b"<InvalidChangeBatch><Messages><Message>a</Message></Messages></InvalidChangeBatch>",
            ("InvalidChangeBatch", "a", ""),
        ),
        (b"<Response><Errors>%s</Error></Errors>%s</Response>" % (ERROR, ID), ("C", "M", "I")),
        (b"<Other><RequestId>I</RequestId></Other>", ("", "", "I")),
        (b"<html><body>Bad gateway</body></html>", ("", "", "")),
        (b"", ("", "", "")),
    ],
)
def test_errors_are_read_in_each_form(body, found):
    details = error_details(body)

    assert (details.code, details.message, details.request_id) == found
