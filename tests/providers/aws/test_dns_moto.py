"""A zone's life at moto, in both APIs."""

from __future__ import annotations

import asyncio

import pytest

from anysky.aio import dns as aio_dns
from anysky.dns import get_driver
from anysky.errors import AuthenticationError, ConflictError, ZoneDoesNotExistError

pytestmark = pytest.mark.server

RECORDS = [
    ("a", "A", "192.0.2.1", {"ttl": 60}),
    ("aaaa", "AAAA", "2001:db8::1", {}),
    ("caa", "CAA", '0 issue "ca.example.net"', {}),
    ("cname", "CNAME", "www.example.net", {}),
    ("ds", "DS", "60485 5 2 " + "ab" * 32, {}),
    ("https", "HTTPS", '1 . alpn="h3,h2"', {}),
    (None, "MX", "mail.example.com", {"priority": 10}),
    ("naptr", "NAPTR", '1 2 "u" "sip" "!^.*$!sip:x!" .', {}),
    ("sub", "NS", "ns1.example.net", {}),
    ("ptr", "PTR", "host.example.net", {}),
    ("spf", "SPF", "v=spf1 -all", {}),
    ("_sip._tcp", "SRV", "sip.example.com", {"priority": 1, "weight": 2, "port": 5060}),
    ("sshfp", "SSHFP", "4 2 " + "ab" * 32, {}),
    ("svcb", "SVCB", '1 svc.example.com port="8443"', {}),
    ("tlsa", "TLSA", "3 1 1 " + "ab" * 32, {}),
    ("txt", "TXT", 'ü "quoted" & <long> ' + "x" * 300, {}),
    ("*", "A", "192.0.2.9", {}),
]


def settings(url):
    return {"key": "AKIAEXAMPLE", "secret": "secret", "endpoint": url, "rate": 0}


def test_a_zone_and_each_type_of_record(moto):
    with get_driver("route53")(**settings(moto)) as driver:
        zone = driver.create_zone("example.com", extra={"Comment": "first"}, ex_wait=True)
        assert driver.list_zones() == [zone]
        made = [zone.create_record(*row) for row in RECORDS]

        assert [(one.name, one.type, one.data) for one in made] == [row[:3] for row in RECORDS]
        for record in made:
            assert driver.get_record(zone.id, record.id) == record
        listed = {record.id for record in zone.list_records()}
        assert listed >= {record.id for record in made}
        for record in made:
            record.delete(ex_wait=True)
        assert zone.update(extra={"Comment": "second"}).extra["Comment"] == "second"
        assert zone.delete()
        with pytest.raises(ZoneDoesNotExistError):
            driver.get_zone(zone.id)


def test_values_come_and_go_one_by_one(moto):
    with get_driver("route53")(**settings(moto)) as driver:
        zone = driver.create_zone("example.com")
        first = zone.create_record("www", "A", "192.0.2.1")
        second = zone.create_record("www", "A", "192.0.2.2")
        second.delete()
        second = zone.create_record("www", "A", "192.0.2.2")
        first = first.update(data="192.0.2.3")
        second = second.update(name="other")
        zone.create_record(None, "NS", "ns.example.net")

        found = [(one.id, one.data) for one in zone.list_records() if one.name is not None]
        assert sorted(found) == [("A:other", "192.0.2.2"), ("A:www", "192.0.2.3")]
        with pytest.raises(ConflictError):
            zone.delete()
        first.delete()
        assert zone.create_record("www", "A", "192.0.2.3").delete()
        assert zone.delete(ex_delete_records=True)


def test_sets_with_a_routing_policy_and_aliases(moto):
    with get_driver("route53")(**settings(moto)) as driver:
        zone = driver.create_zone("example.com")
        for place in ("eu", "us"):
            routing = {"SetIdentifier": place, "Weight": 10}
            zone.create_record("www", "A", "192.0.2.1", {"routing": routing})
        alias = zone.create_record("alias", "A", "www.example.com", {"alias_target": {}})

        assert driver.get_record(zone.id, "A:www?set=us").extra["routing"]["Weight"] == 10
        assert driver.get_record(zone.id, alias.id) == alias


def test_a_thousand_records(moto):
    with get_driver("route53")(**settings(moto)) as driver:
        zone = driver.create_zone("example.com")
        for start in range(0, 1000, 500):
            changes = [
                (
                    "CREATE",
                    {
                        "Name": f"n{number:04}.example.com",
                        "Type": "A",
                        "TTL": 60,
                        "ResourceRecords": [{"Value": "192.0.2.1"}],
                    },
                )
                for number in range(start, start + 500)
            ]
            driver.ex_change_records(zone, changes)

        names = [record.name for record in zone.list_records() if record.name]
        assert sorted(names) == [f"n{number:04}" for number in range(1000)]


def test_asyncio(moto):
    async def use():
        async with aio_dns.get_driver("route53")(**settings(moto)) as driver:
            zone = await driver.create_zone("example.com")
            for row in RECORDS:
                await zone.create_record(*row)
            listed = [record async for record in zone.iterate_records()]
            assert len(listed) >= len(RECORDS)
            await zone.delete(ex_delete_records=True)
            return await driver.list_zones()

    assert asyncio.run(use()) == []


def test_signatures_are_right(moto_auth):
    """Only what is posted: moto gets the signatures of Route 53's reads wrong, botocore's too."""
    make = get_driver("route53")
    with make(moto_auth.access_key, moto_auth.secret_key, endpoint=moto_auth.url) as driver:
        assert driver.create_zone("example.com", extra={"Comment": "x"}).domain == "example.com"

    wrong = make(moto_auth.access_key, "wrong", endpoint=moto_auth.url)
    with wrong as driver, pytest.raises(AuthenticationError):
        driver.create_zone("example.com")
