"""Each operation of DNS: the exact requests it sends, and the models it makes of answers."""

import pytest

from anysky.errors import InvalidRequestError, UnsupportedOperationError
from anysky.model.dns import Record, RecordType, Zone
from anysky.paging import Page
from anysky.providers.digitalocean.dns import DigitalOceanDNS
from anysky.run import run

DOMAIN = {"name": "example.com", "ttl": 1800, "zone_file": "$ORIGIN example.com.\n"}
ZONE = Zone("example.com", "example.com", "master", 1800)
NONE = {"priority": None, "port": None, "weight": None, "flags": None, "tag": None}
WWW = {"id": 1, "type": "A", "name": "www", "data": "192.0.2.1", "ttl": 300, **NONE}
THE_WWW = Record("1", "www", RecordType.A, "192.0.2.1", ZONE, 300)
RECORDS = "/v2/domains/example.com/records"
NEXT = f"https://api.digitalocean.com{RECORDS}?page=2&per_page=200"


@pytest.fixture
def dns(backend_of):
    return backend_of(DigitalOceanDNS)


def test_list_zones(dns, script):
    script.answer({"domains": [DOMAIN]})

    page = run(dns.list_zones(None))

    assert script.sent == [("GET", "/v2/domains?per_page=200")]
    assert page == Page([ZONE])
    assert page.items[0].extra == DOMAIN


def test_get_zone(dns, script):
    script.answer({"domain": DOMAIN})

    zone = run(dns.get_zone("example.com"))

    assert script.sent == [("GET", "/v2/domains/example.com")]
    assert zone == ZONE


@pytest.mark.parametrize("extra", [{}, {"ip_address": "192.0.2.1"}])
def test_create_zone(dns, script, extra):
    script.answer({"domain": {**DOMAIN, "zone_file": None}}, status=201)

    zone = run(dns.create_zone("example.com", "master", None, extra))

    assert script.sent == [("POST", "/v2/domains", {"name": "example.com", **extra})]
    assert zone == ZONE


def test_delete_zone(dns, script):
    script.answer(b"", status=204)

    run(dns.delete_zone(ZONE))

    assert script.sent == [("DELETE", "/v2/domains/example.com")]


def test_update_zone_is_unsupported():
    assert not DigitalOceanDNS.supports("update_zone")


@pytest.mark.parametrize(
    ("cursor", "target"),
    [(None, f"{RECORDS}?per_page=200"), (NEXT, NEXT.removeprefix("https://api.digitalocean.com"))],
)
def test_list_records(dns, script, cursor, target):
    script.answer({"domain_records": [WWW], "links": {"pages": {"next": NEXT}}})

    page = run(dns.list_records(ZONE, cursor))

    assert script.sent == [("GET", target)]
    assert page == Page([THE_WWW], NEXT)
    assert page.items[0].extra == WWW


def test_get_record_fetches_its_zone(dns, script):
    script.answer({"domain": DOMAIN}, {"domain_record": WWW})

    record = run(dns.get_record("example.com", "1"))

    assert script.sent == [("GET", "/v2/domains/example.com"), ("GET", f"{RECORDS}/1")]
    assert record == THE_WWW


def test_delete_record(dns, script):
    script.answer(b"", status=204)

    run(dns.delete_record(THE_WWW))

    assert script.sent == [("DELETE", f"{RECORDS}/1")]


def test_update_record_may_be_sent_twice(dns, script):
    script.answer({"domain_record": {**WWW, "name": "@", "data": "192.0.2.2"}})

    record = run(dns.update_record(THE_WWW, None, RecordType.A, "192.0.2.2", {"ttl": 60}))

    body = {"type": "A", "name": "@", "data": "192.0.2.2", "ttl": 60}
    assert script.sent == [("PATCH", f"{RECORDS}/1", body)]
    assert script.requests[0].send_class.name == "REPEATABLE"
    assert record == Record("1", None, RecordType.A, "192.0.2.2", ZONE, 300)


# Name, type, data and extra as they are given; what is sent besides the type; what is answered
# (name, data and numbers); name and data of the record that comes back.
FORMS = {
    "A": (
        ("www", "A", "192.0.2.1", {"ttl": 300}),
        {"name": "www", "data": "192.0.2.1", "ttl": 300},
        {"name": "www", "data": "192.0.2.1"},
        ("www", "192.0.2.1"),
    ),
    "AAAA of the domain itself": (
        (None, "AAAA", "2001:db8::1", {}),
        {"name": "@", "data": "2001:db8::1"},
        {"name": "@", "data": "2001:db8::1"},
        (None, "2001:db8::1"),
    ),
    "CNAME without a dot at its end": (
        ("a", "CNAME", "www.example.org", {}),
        {"name": "a", "data": "www.example.org."},
        {"name": "a", "data": "www.example.org"},
        ("a", "www.example.org"),
    ),
    "CNAME with a dot at its end": (
        ("a", "CNAME", "www.example.org.", {}),
        {"name": "a", "data": "www.example.org."},
        {"name": "a", "data": "www.example.org"},
        ("a", "www.example.org"),
    ),
    "CNAME to a name in the zone": (
        ("a", "CNAME", "www", {}),
        {"name": "a", "data": "www.example.com."},
        {"name": "a", "data": "www.example.com"},
        ("a", "www.example.com"),
    ),
    "CNAME to the domain itself": (
        ("a", "CNAME", "@", {}),
        {"name": "a", "data": "@"},
        {"name": "a", "data": "@"},
        ("a", "@"),
    ),
    "MX": (
        (None, "MX", "mail.example.com", {"priority": 10}),
        {"name": "@", "data": "mail.example.com.", "priority": 10},
        {"name": "@", "data": "mail.example.com", "priority": 10},
        (None, "mail.example.com"),
    ),
    "NS": (
        ("sub", "NS", "ns1.example.org.", {}),
        {"name": "sub", "data": "ns1.example.org."},
        {"name": "sub", "data": "ns1.example.org"},
        ("sub", "ns1.example.org"),
    ),
    "SRV": (
        ("_sip._tcp", "SRV", "sip.example.com", {"priority": 0, "weight": 5, "port": 5060}),
        {
            "name": "_sip._tcp",
            "data": "sip.example.com.",
            "priority": 0,
            "weight": 5,
            "port": 5060,
        },
        {
            "name": "_sip._tcp",
            "data": "sip.example.com",
            "priority": 0,
            "weight": 5,
            "port": 5060,
        },
        ("_sip._tcp", "sip.example.com"),
    ),
    "TXT": (
        (None, "TXT", "v=spf1 include:example.org -all", {}),
        {"name": "@", "data": "v=spf1 include:example.org -all"},
        {"name": "@", "data": "v=spf1 include:example.org -all"},
        (None, "v=spf1 include:example.org -all"),
    ),
    "CAA as in a zone file": (
        (None, "CAA", '0 issue "letsencrypt.org"', {}),
        {"name": "@", "data": "letsencrypt.org.", "flags": 0, "tag": "issue"},
        {"name": "@", "data": "letsencrypt.org", "flags": 0, "tag": "issue"},
        (None, '0 issue "letsencrypt.org"'),
    ),
    "CAA with its parts in extra": (
        (None, "CAA", "letsencrypt.org", {"flags": 128, "tag": "issuewild"}),
        {"name": "@", "data": "letsencrypt.org.", "flags": 128, "tag": "issuewild"},
        {"name": "@", "data": "letsencrypt.org.", "flags": 128, "tag": "issuewild"},
        (None, '128 issuewild "letsencrypt.org"'),
    ),
    "CAA with an address": (
        (None, "CAA", '0 iodef "mailto:me@example.com"', {}),
        {"name": "@", "data": "mailto:me@example.com", "flags": 0, "tag": "iodef"},
        {"name": "@", "data": "mailto:me@example.com", "flags": 0, "tag": "iodef"},
        (None, '0 iodef "mailto:me@example.com"'),
    ),
    "a record of what another one says": (
        ("b", "A", "192.0.2.2", WWW),
        {"name": "b", "data": "192.0.2.2", "ttl": 300},
        {"name": "b", "data": "192.0.2.2"},
        ("b", "192.0.2.2"),
    ),
}


@pytest.mark.parametrize(("given", "sent", "answered", "returned"), FORMS.values(), ids=FORMS)
def test_forms_of_records(dns, script, given, sent, answered, returned):
    name, kind, data, extra = given
    answer = {**WWW, "type": kind, **answered}
    script.answer({"domain_record": answer}, status=201)

    record = run(dns.create_record(name, ZONE, RecordType(kind), data, extra))

    assert script.sent == [("POST", RECORDS, {"type": kind, **sent})]
    assert record == Record("1", returned[0], RecordType(kind), returned[1], ZONE, 300)
    assert record.extra == answer


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda dns: dns.create_zone("example.com", "slave", None, {}),
            UnsupportedOperationError,
            "no slave zones",
        ),
        (
            lambda dns: dns.create_zone("example.com", "master", 60, {}),
            UnsupportedOperationError,
            "take no ttl",
        ),
        (
            lambda dns: dns.create_zone("example.com", "master", None, {"ip": "192.0.2.1"}),
            UnsupportedOperationError,
            "knows no 'ip' in extra, only ip_address",
        ),
        (
            lambda dns: dns.create_record("a", ZONE, RecordType.A, "192.0.2.1", {"tll": 60}),
            UnsupportedOperationError,
            "knows no 'tll' in extra",
        ),
        (
            lambda dns: dns.create_record(None, ZONE, RecordType.CAA, "letsencrypt.org", {}),
            InvalidRequestError,
            'looks like 0 issue "ca.example"',
        ),
        (
            lambda dns: dns.update_record(THE_WWW, "www", RecordType.TXT, "text", {}),
            UnsupportedOperationError,
            "cannot change the type",
        ),
    ],
)
def test_what_cannot_be_done_as_asked_is_refused_before_sending(dns, script, call, error, words):
    with pytest.raises(error, match=words):
        run(call(dns))

    assert script.requests == []
