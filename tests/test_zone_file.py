"""Zone files, read back by another program's parser."""

from __future__ import annotations

import dns.rdatatype
import dns.zone
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysky.errors import InvalidRequestError
from anysky.model.dns import Record, RecordType, Zone
from anysky.zone_file import zone_file

ZONE = Zone("Z1", "example.com", "master", 300)
SOA = ("SOA", None, "ns1.example.com hostmaster.example.com 1 7200 900 1209600 300", {})
NS = ("NS", None, "ns1.example.net", {})


def record(type, name, data, extra=None, ttl=None):
    return Record("id", name, RecordType(type), data, ZONE, ttl, extra or {})


def text_of(*rows):
    return zone_file(ZONE, [record(*row) for row in rows])


def read(text):
    """Return the zone's records as dnspython understands them: (name, ttl, type, value)."""
    zone = dns.zone.from_text(text, origin="example.com.", relativize=False, check_origin=False)
    found = []
    for name, ttl, data in zone.iterate_rdatas():
        type = dns.rdatatype.to_text(data.rdtype)
        found.append((str(name), ttl, type, data.to_text()))
    return sorted(found)


def test_a_zone_file_as_a_whole():
    text = text_of(NS, ("A", "www", "192.0.2.1", {}, 60), SOA)

    head, *lines = text.splitlines()
    assert head.startswith("; Zone example.com, written by anysky on 20")
    assert lines == [
        "$ORIGIN example.com.",
        "$TTL 300",
        "",
        "example.com.\tIN\tSOA\tns1.example.com. hostmaster.example.com. 1 7200 900 1209600 300",
        "example.com.\tIN\tNS\tns1.example.net.",
        "www.example.com.\t60\tIN\tA\t192.0.2.1",
    ]


DIGEST = "ab" * 32
KEY = "AwEAAcw5QLr0IjC0wKbGoBPQv4qmeqHy9mvL5qGQTuaG5TSrNqEAR6b/qvxDx6my4JmEmjUPA1JeEI9Y"


@pytest.mark.parametrize(
    ("type", "data", "extra", "value"),
    [
        ("A", "192.0.2.1", {}, "192.0.2.1"),
        ("AAAA", "2001:DB8::1", {}, "2001:db8::1"),
        ("AFSDB", "1 afs.example.com", {}, "1 afs.example.com."),
        ("CAA", '0 issue "ca.example.net; a=b"', {}, '0 issue "ca.example.net; a=b"'),
        ("CERT", "PKIX 1 RSASHA1 aGVsbG8=", {}, "PKIX 1 RSASHA1 aGVsbG8="),
        ("CNAME", "www.example.net", {}, "www.example.net."),
        ("CNAME", "www", {}, "www.example.com."),
        ("CNAME", "@", {}, "example.com."),
        ("DNAME", "example.net.", {}, "example.net."),
        ("DNSKEY", f"256 3 5 {KEY}", {}, None),
        ("DS", f"60485 5 2 {DIGEST}", {}, f"60485 5 2 {DIGEST}"),
        ("HINFO", '"PC" "Linux"', {}, '"PC" "Linux"'),
        ("HTTPS", '1 . alpn="h3,h2"', {}, '1 . alpn="h3,h2"'),
        ("HTTPS", "0 www.example.net", {}, "0 www.example.net."),
        ("KEY", f"256 3 5 {KEY}", {}, None),
        ("LOC", "52 22 23.000 N 4 53 32.000 E -2.00m", {}, None),
        ("MX", "mail.example.com", {"priority": 10}, "10 mail.example.com."),
        ("MX", "10 mail.example.com.", {}, "10 mail.example.com."),
        ("NAPTR", '1 2 "u" "sip" "!^.*$!x!" .', {}, '1 2 "u" "sip" "!^.*$!x!" .'),
        ("NS", "ns1.example.net", {}, "ns1.example.net."),
        ("NSEC", "b.example.com. A MX", {}, "b.example.com. A MX"),
        ("OPENPGPKEY", "aGVsbG8=", {}, "aGVsbG8="),
        ("PTR", "host.example.net", {}, "host.example.net."),
        ("RP", "admin.example.net .", {}, "admin.example.net. ."),
        (
            "RRSIG",
            "A 5 3 300 20300101000000 20290101000000 1 example.com. aGVsbG8=",
            {},
            "A 5 3 300 20300101000000 20290101000000 1 example.com. aGVsbG8=",
        ),
        ("SPF", "v=spf1 -all", {}, '"v=spf1 -all"'),
        (
            "SRV",
            "sip.example.com",
            {"priority": 1, "weight": 2, "port": 5060},
            "1 2 5060 sip.example.com.",
        ),
        ("SRV", "1 2 5060 sip.example.com", {}, "1 2 5060 sip.example.com."),
        ("SSHFP", "4 2 " + DIGEST, {}, "4 2 " + DIGEST),
        ("SVCB", '1 svc.example.com port="8443"', {}, '1 svc.example.com. port="8443"'),
        ("TLSA", "3 1 1 " + DIGEST, {}, "3 1 1 " + DIGEST),
        ("TXT", 'say "hi" \\ ü', {}, '"say \\"hi\\" \\\\ \\195\\188"'),
        ("TXT", '"one" "two"', {}, '"one" "two"'),
        ("TXT", "", {}, '""'),
        ("WKS", "192.0.2.1 6 25", {}, "192.0.2.1 6 25"),
    ],
)
def test_records_are_read_as_they_were_meant(type, data, extra, value):
    ((name, ttl, kind, found),) = read(text_of((type, "x", data, extra)))

    assert (name, ttl, kind) == ("x.example.com.", 300, type)
    assert value is None or found == value


def test_every_type_is_tried_above_or_is_no_type_of_a_name_server():
    tried = {row[0] for row in test_records_are_read_as_they_were_meant.pytestmark[0].args[1]}

    assert {*RecordType} - tried - {"SOA"} == {"ALIAS", "GEO", "REDIRECT", "URL"}


@pytest.mark.parametrize("type", ["ALIAS", "GEO", "REDIRECT", "URL"])
def test_what_only_some_providers_have_is_a_comment(type):
    text = text_of((type, "x", "https://example.net/"))

    assert text.endswith(f"\n; x.example.com.\tIN\t{type}\thttps://example.net/\n")
    assert read(text) == []


def test_what_stands_for_another_record_is_a_comment():
    text = text_of(("A", "x", "www.example.net", {"alias_target": {"DNSName": "www.example.net."}}))

    assert text.endswith("\n; x.example.com.\tIN\tA\twww.example.net\n")
    assert read(text) == []


@pytest.mark.parametrize(
    ("type", "data"),
    [
        ("A", "192.0.2.1\nevil IN A 192.0.2.66"),
        ("A", "{'Value': '192.0.2.1'}"),
        ("CAA", '0 issue "ca.example.net'),
        ("CAA", "0 issue ( x"),
        ("CNAME", "www.example.net ; x"),
        ("CNAME", "a..example.net"),
        ("CNAME", ""),
        ("NS", "ns1.example.net\r\n$INCLUDE /etc/passwd"),
        ("NS", "ns1.example.net\u2028$INCLUDE /etc/passwd"),
    ],
)
def test_a_value_that_would_break_the_file_is_a_comment(type, data):
    assert read(text_of((type, "x", data), ("A", "y", "192.0.2.2"))) == [
        ("y.example.com.", 300, "A", "192.0.2.2")
    ]


def test_a_name_that_would_break_the_file_is_a_comment():
    text = text_of(("A", "x\nevil IN A 192.0.2.66 ;", "192.0.2.1"), ("A", "ü", "192.0.2.1"))

    assert read(text) == [] or read(text)[0][0].startswith("x\\010evil")


def test_names_with_special_characters_are_escaped():
    text = text_of(("A", "*", "192.0.2.1"), ("A", "a b@c;(d)\\.e", "192.0.2.2"))

    assert [row[0] for row in read(text)] == [
        "*.example.com.",
        "a\\032b\\@c\\;\\(d\\)\\.e.example.com.",
    ]


def test_records_without_a_ttl_get_one():
    zone = Zone("Z1", "example.com", "master", None)

    assert "$TTL 3600\n" in zone_file(zone, [record("A", "www", "192.0.2.1")])
    assert "$TTL" not in zone_file(zone, [record("A", "www", "192.0.2.1", ttl=0)])


def test_a_record_stands_in_it_once():
    one = record("A", "www", "192.0.2.1")

    assert zone_file(ZONE, [one, one]).count("192.0.2.1") == 1


@given(st.text(max_size=600))
def test_any_text_is_read_as_it_was_meant(text):
    data = text if not text.startswith('"') else f"x{text}"
    zone = dns.zone.from_text(
        text_of(("TXT", "x", data)), origin="example.com.", check_origin=False
    )

    (found,) = [item for _, _, item in zone.iterate_rdatas()]
    assert b"".join(found.strings) == data.encode("utf-8", "surrogatepass")


@given(st.sampled_from(RecordType), st.text(max_size=60), st.text(max_size=80))
def test_no_record_changes_another(type, name, data):
    """Whatever a provider answers, the line of a record is a line, and the next one stands."""
    text = text_of((type.value, name, data), ("A", "zzz", "192.0.2.2"))

    assert "zzz.example.com.\tIN\tA\t192.0.2.2" in text.split("\n")
    assert len(text.split("\n")) == 7


def test_a_zone_whose_name_is_none_is_refused():
    with pytest.raises(InvalidRequestError, match="Punycode"):
        zone_file(Zone("Z1", "münchen.example", "master", 300), [])
