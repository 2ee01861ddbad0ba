"""What the DNS service of the memory cloud does, and what it refuses."""

from __future__ import annotations

import pytest

from anysky import ConflictError, InvalidRequestError, UnsupportedOperationError
from anysky.dns import RecordType
from anysky.errors import (
    RecordAlreadyExistsError,
    RecordDoesNotExistError,
    ZoneAlreadyExistsError,
    ZoneDoesNotExistError,
)


@pytest.fixture
def zone(dns):
    return dns.create_zone("example.com", ttl=300)


def test_a_zone_has_records_of_its_own_that_stay(zone):
    own = zone.list_records()

    assert [(one.name, one.type) for one in own] == [(None, "SOA"), (None, "NS"), (None, "NS")]
    for record in own:
        with pytest.raises(ConflictError, match="stays as it is"):
            record.delete()
        with pytest.raises(ConflictError, match="stays as it is"):
            record.update(data="other.example.")


def test_a_zone_is_there_once(dns, zone):
    with pytest.raises(ZoneAlreadyExistsError, match=r"zone EXAMPLE\.com already"):
        dns.create_zone("EXAMPLE.com.")


@pytest.mark.parametrize(
    ("domain", "options"),
    [
        ("a..b", {}),
        ("x" * 64 + ".example", {}),
        ("ümlaut.example", {}),
        ("example.org", {"type": "primary"}),
        ("example.org", {"ttl": 0}),
        ("example.org", {"ttl": 2**31}),
    ],
)
def test_wrong_zones_are_refused(cloud, dns, domain, options):
    with pytest.raises(InvalidRequestError):
        dns.create_zone(domain, **options)
    assert cloud.inventory() == {}


def test_a_zone_is_changed_but_for_its_domain(cloud, dns, zone):
    changed = zone.update(ttl=600)
    assert (changed.id, changed.domain, changed.ttl) == (zone.id, "example.com", 600)

    before = len(cloud.calls)
    with pytest.raises(UnsupportedOperationError, match="keeps its domain"):
        zone.update(domain="example.org")
    assert len(cloud.calls) == before


def test_a_zone_with_records_stays(dns, zone):
    record = zone.create_record("www", "A", "192.0.2.1")
    with pytest.raises(ConflictError, match="has records"):
        zone.delete()

    record.delete()
    assert zone.delete()

    with pytest.raises(ZoneDoesNotExistError):
        zone.create_record("www", "A", "192.0.2.1")
    with pytest.raises(ZoneDoesNotExistError):
        dns.get_record(zone.id, record.id)
    assert dns.list_zones() == []


def test_records_keep_what_counts_of_their_extra(zone):
    given = {"ttl": 60, "priority": 5, "weight": 1, "port": 5060, "colour": "blue"}
    record = zone.create_record("_sip._tcp", RecordType.SRV, "sip.example.net.", given)

    assert record.ttl == 60
    assert record.extra == {"ttl": 60, "priority": 5, "weight": 1, "port": 5060}
    changed = record.update(extra={"priority": 6})
    assert changed.extra == {"ttl": 60, "priority": 6, "weight": 1, "port": 5060}
    assert (changed.id, changed.data) == (record.id, "sip.example.net.")


@pytest.mark.parametrize(
    ("name", "type", "data", "extra"),
    [
        ("www", "A", "192.0.2", {}),
        ("www", "A", "2001:db8::1", {}),
        ("www", "AAAA", "192.0.2.1", {}),
        ("www", "TXT", "", {}),
        ("www", "TXT", "x" * 65536, {}),
        ("a..b", "A", "192.0.2.1", {}),
        ("x" * 64, "A", "192.0.2.1", {}),
        ("www", "A", "192.0.2.1", {"ttl": 0}),
        ("www", "A", "192.0.2.1", {"ttl": "60"}),
        ("www", "MX", "mail.example.net.", {}),
        ("www", "MX", "mail.example.net.", {"priority": 65536}),
        ("www", "SRV", "sip.example.net.", {"priority": 1, "weight": 1}),
        (None, "CNAME", "www.example.net.", {}),
    ],
)
def test_wrong_records_are_refused(zone, name, type, data, extra):
    with pytest.raises(InvalidRequestError):
        zone.create_record(name, type, data, extra)
    assert len(zone.list_records()) == 3


def test_exactly_the_same_record_is_refused(zone):
    first = zone.create_record("www", "A", "192.0.2.1")
    second = zone.create_record("www", "A", "192.0.2.2")

    with pytest.raises(RecordAlreadyExistsError):
        zone.create_record("WWW", "A", "192.0.2.1")
    with pytest.raises(RecordAlreadyExistsError):
        second.update(data="192.0.2.1")
    assert first.update(data="192.0.2.1") == first


def test_a_cname_is_alone(zone):
    zone.create_record("www", "A", "192.0.2.1")
    zone.create_record("alias", "CNAME", "www.example.com.")

    for name, type, data in (("www", "CNAME", "x.example."), ("alias", "A", "192.0.2.2")):
        with pytest.raises(ConflictError, match="a CNAME record is alone at its name"):
            zone.create_record(name, type, data)


def test_a_deleted_record_is_gone(dns, zone):
    record = zone.create_record("www", "A", "192.0.2.1")
    record.delete()

    for call in (record.delete, record.update, lambda: dns.get_record(zone.id, record.id)):
        with pytest.raises(RecordDoesNotExistError):
            call()


def test_every_type_of_record_is_taken(dns):
    assert dns.list_record_types() == list(RecordType)
