"""Route 53 against an imitation that is as strict as its reference."""

from __future__ import annotations

import asyncio
import threading

import pytest
from tests.providers.aws.dns_imitation import Route53Imitation, error_xml

from anysky.aio import dns as aio_dns
from anysky.dns import get_driver
from anysky.errors import (
    ConflictError,
    DeadlineExceededError,
    InvalidAccountError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    QuotaExceededError,
    RateLimitedError,
    RecordAlreadyExistsError,
    RecordDoesNotExistError,
    UnsupportedOperationError,
    ZoneAlreadyExistsError,
    ZoneDoesNotExistError,
)
from anysky.model.dns import RecordType
from anysky.providers.aws.dns import Route53
from anysky.providers.aws.dns_api import Change
from anysky.transport.retry import RetryPolicy

CLASS = get_driver("route53")
QUICK = RetryPolicy(base=0.001, throttled_base=0.001)


@pytest.fixture
def cloud():
    with Route53Imitation() as server:
        yield server


@pytest.fixture
def driver(cloud):
    with make_driver(cloud) as made:
        yield made


@pytest.fixture
def zone(driver, cloud):
    made = driver.create_zone("example.com")
    cloud.requests.clear()
    return made


def make_driver(cloud, **settings):
    return CLASS("AKIAEXAMPLE", "secret", endpoint=cloud.url, rate=0, retry=QUICK, **settings)


def rows(zone):
    """Return what a zone holds besides what each has: (id, data, ttl)."""
    return [
        (record.id, record.data, record.ttl)
        for record in zone.list_records()
        if record.name is not None or record.type not in ("NS", "SOA")
    ]


# -- zones ---------------------------------------------------------------------------------------


def test_a_zone_from_beginning_to_end(driver, cloud):
    zone = driver.create_zone("Example.com.", extra={"Comment": "for <tests> & more"})

    assert (zone.id, zone.domain, zone.type, zone.ttl) == ("Z000000", "example.com", "master", None)
    assert zone.extra == {
        "Comment": "for <tests> & more",
        "PrivateZone": False,
        "CallerReference": cloud.requests[0][1]["CallerReference"],
        "ResourceRecordSetCount": 2,
        "NameServers": ["ns-1.awsdns-01.org", "ns-2.awsdns-02.com"],
        "change_id": "C1",
    }
    assert driver.list_zones() == [zone]
    assert driver.get_zone(zone.id) == zone
    assert zone.update(extra={"Comment": "changed"}).extra["Comment"] == "changed"
    assert "Comment" not in zone.update(extra={"Comment": None}).extra
    assert zone.update() == zone
    assert zone.delete()
    with pytest.raises(ZoneDoesNotExistError):
        driver.get_zone(zone.id)


def test_zones_are_listed_over_pages(driver, cloud):
    made = [driver.create_zone(f"zone{number}.example") for number in range(120)]
    cloud.requests.clear()

    assert driver.list_zones() == made
    assert cloud.requests == [
        ("ListHostedZones", {"MaxItems": "100"}),
        ("ListHostedZones", {"MaxItems": "100", "Marker": "Z000100"}),
    ]


def test_a_private_zone_names_its_vpc(driver, cloud):
    driver.create_zone(
        "example.internal",
        ex_vpc_id="vpc-1",
        extra={"ex_vpc_region": "eu-west-1", "ex_delegation_set_id": "N1"},
    )

    ((name, params),) = cloud.requests
    del params["CallerReference"]
    assert name == "CreateHostedZone"
    assert params == {
        "Name": "example.internal.",
        "VPC": {"VPCRegion": "eu-west-1", "VPCId": "vpc-1"},
        "HostedZoneConfig": {"PrivateZone": True},
        "DelegationSetId": "N1",
    }


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"domain": "a..b"}, InvalidRequestError),
        ({"domain": "."}, InvalidRequestError),
        ({"domain": "münchen.example"}, InvalidRequestError),
        ({"domain": "example.com", "type": "slave"}, UnsupportedOperationError),
        ({"domain": "example.com", "ttl": 60}, UnsupportedOperationError),
        ({"domain": "example.com", "ex_vpc_id": "vpc-1"}, InvalidRequestError),
        ({"domain": "example.com", "ex_vpc": "vpc-1"}, UnsupportedOperationError),
        ({"domain": "example.com", "extra": {"ex_vpc": 1}}, UnsupportedOperationError),
        ({"domain": "example.com", "extra": {"Comment": "\0"}}, InvalidRequestError),
    ],
)
def test_what_cannot_be_a_zone_is_refused_before_it_is_sent(driver, cloud, arguments, error):
    with pytest.raises(error):
        driver.create_zone(**arguments)

    assert cloud.requests == []


def test_a_zone_keeps_its_name(driver, zone, cloud):
    with pytest.raises(UnsupportedOperationError, match="cannot rename"):
        zone.update(domain="example.net")

    assert cloud.requests == []


def test_a_zone_with_records_is_deleted_only_together_with_them(driver, zone):
    zone.create_record("www", "A", "192.0.2.1")
    zone.create_record("www", "TXT", "x" * 300)

    with pytest.raises(ConflictError, match="HostedZoneNotEmpty"):
        zone.delete()

    assert zone.delete(ex_delete_records=True)
    assert driver.list_zones() == []


def test_a_zone_whose_answer_was_lost_is_made_once(driver, cloud):
    lost = iter([(0, "")])
    cloud.after = lambda name: next(lost, None) if name == "CreateHostedZone" else None

    zone = driver.create_zone("example.com")

    assert driver.list_zones() == [zone]
    assert zone.extra["NameServers"] == ["ns-1.awsdns-01.org", "ns-2.awsdns-02.com"]
    assert cloud.names()[:4] == [
        "CreateHostedZone",
        "CreateHostedZone",
        "ListHostedZones",
        "GetHostedZone",
    ]


def test_a_zone_whose_deletion_lost_its_answer_is_deleted(driver, zone, cloud):
    lost = iter([(0, "")])
    cloud.after = lambda name: next(lost, None)

    assert zone.delete()
    assert cloud.zones == {}


# -- records -------------------------------------------------------------------------------------


def test_a_record_from_beginning_to_end(driver, zone, cloud):
    record = zone.create_record("www", RecordType.A, "192.0.2.1", {"ttl": 60})

    assert (record.id, record.name, record.type, record.data, record.ttl) == (
        ("A:www", "www", "A", "192.0.2.1", 60)
    )  # fmt: skip
    assert record.zone == zone
    assert record.extra == {"ttl": 60, "value": "192.0.2.1", "change_id": "C1"}
    assert driver.get_record(zone.id, record.id) == record
    changed = record.update(data="192.0.2.2")
    assert rows(zone) == [("A:www", "192.0.2.2", 60)]
    assert changed.delete()
    assert rows(zone) == []
    with pytest.raises(RecordDoesNotExistError):
        driver.get_record(zone.id, record.id)


def test_a_new_set_takes_one_read_and_one_write(zone, cloud):
    zone.create_record("www", "A", "192.0.2.1")

    assert cloud.requests == [
        (
            "ListResourceRecordSets",
            {
                "HostedZoneId": zone.id,
                "StartRecordName": "www.example.com.",
                "StartRecordType": "A",
                "MaxItems": "1",
            },
        ),
        (
            "ChangeResourceRecordSets",
            {
                "HostedZoneId": zone.id,
                "ChangeBatch": {
                    "Changes": [
                        {
                            "Action": "CREATE",
                            "ResourceRecordSet": {
                                "Name": "www.example.com.",
                                "Type": "A",
                                "TTL": 300,
                                "ResourceRecords": [{"Value": "192.0.2.1"}],
                            },
                        }
                    ]
                },
            },
        ),
    ]


def test_a_further_value_leaves_the_first_ones(driver, zone, cloud):
    first = zone.create_record("www", "A", "192.0.2.1")
    second = zone.create_record("www", "A", "192.0.2.2")
    third = zone.create_record("www", "A", "192.0.2.3", {"ttl": 60})

    assert rows(zone) == [
        ("A:www?value=192.0.2.1", "192.0.2.1", 60),
        ("A:www?value=192.0.2.2", "192.0.2.2", 60),
        ("A:www?value=192.0.2.3", "192.0.2.3", 60),
    ]
    batch = cloud.requests[3][1]["ChangeBatch"]["Changes"]
    assert [(one["Action"], len(one["ResourceRecordSet"]["ResourceRecords"])) for one in batch] == [
        ("DELETE", 1),
        ("CREATE", 2),
    ]
    assert driver.get_record(zone.id, second.id).data == "192.0.2.2"
    with pytest.raises(RecordDoesNotExistError, match="3 values"):
        driver.get_record(zone.id, first.id)
    assert third.update(data="192.0.2.4").id == "A:www?value=192.0.2.4"
    first.delete()
    second.delete()
    assert rows(zone) == [("A:www", "192.0.2.4", 60)]


def test_several_values_are_made_at_once(driver, zone, cloud):
    made = driver.ex_create_multi_value_record("www", zone, "A", "192.0.2.1\n 192.0.2.2\n")
    more = driver.call(
        Route53.create_multi_value_record, "www", zone, RecordType.A, ["192.0.2.3"], {"ttl": 5}
    )

    assert [record.data for record in made + more] == ["192.0.2.1", "192.0.2.2", "192.0.2.3"]
    assert made[0].driver is driver
    assert [row[1:] for row in rows(zone)] == [
        ("192.0.2.1", 5), ("192.0.2.2", 5), ("192.0.2.3", 5),
    ]  # fmt: skip


def test_what_is_there_already_is_refused(zone):
    zone.create_record("www", "A", "192.0.2.1")
    zone.create_record("c", "CNAME", "www.example.com")
    zone.create_record("al", "A", "www.example.com", {"alias_target": {}})

    for name, type, data in [
        ("www", "A", "192.0.2.1"),
        ("c", "CNAME", "other.example.com"),
        ("al", "A", "192.0.2.1"),
    ]:
        with pytest.raises(RecordAlreadyExistsError):
            zone.create_record(name, type, data)


def test_a_record_moves_to_another_name_and_type(zone, cloud):
    zone.create_record("a", "A", "192.0.2.9", {"ttl": 60})
    record = zone.create_record("a", "A", "192.0.2.1")
    zone.create_record("b", "A", "192.0.2.2", {"ttl": 120})

    moved = record.update(name="b")
    assert rows(zone) == [
        ("A:a", "192.0.2.9", 60),
        ("A:b?value=192.0.2.2", "192.0.2.2", 60),
        ("A:b?value=192.0.2.1", "192.0.2.1", 60),
    ]
    other = moved.update(type="TXT", data="text")
    assert (other.id, other.ttl) == ("TXT:b", 60)
    assert len(cloud.zones[zone.id].sets) == 5


def test_an_update_of_numbers_or_ttl_alone(zone):
    record = zone.create_record(None, "MX", "mail.example.com", {"priority": 10})

    record = record.update(extra={"priority": 20})
    assert (record.data, record.extra["priority"]) == ("mail.example.com", 20)
    record = record.update(extra={"ttl": 5})
    assert (record.ttl, record.extra["priority"]) == (5, 20)
    assert record.update(data="30 other.example.com").extra["value"] == "30 other.example.com"


def test_nothing_is_sent_for_a_change_that_is_none(zone, cloud):
    record = zone.create_record("www", "A", "192.0.2.1")
    cloud.requests.clear()

    assert record.update() == record
    assert cloud.names() == ["ListResourceRecordSets"]


def test_names_are_escaped_for_route_53_and_plain_for_us(zone, driver):
    for name in ("*", "_dmarc", "user\\@x", "a\\.b", "a\\032b", "UPPER"):
        record = zone.create_record(name, "TXT", "x")
        assert record.name == name.lower()
        assert driver.get_record(zone.id, record.id) == record

    assert {row[0] for row in rows(zone)} == {
        "TXT:*",
        "TXT:_dmarc",
        "TXT:a\\.b",
        "TXT:a\\032b",
        "TXT:upper",
        "TXT:user\\@x",
    }


def test_a_name_in_full_is_taken_as_such(zone):
    assert zone.create_record("www.example.com.", "A", "192.0.2.1").name == "www"
    assert zone.create_record("@", "A", "192.0.2.1").name is None
    with pytest.raises(InvalidRequestError, match="not within"):
        zone.create_record("www.example.net.", "A", "192.0.2.1")


def test_an_alias_is_a_record(zone, driver, cloud):
    target = {"HostedZoneId": "Z35SXDOTRQ7X7K", "EvaluateTargetHealth": True}
    record = zone.create_record(None, "A", "lb.eu-west-1.amazonaws.com", {"alias_target": target})

    assert (record.id, record.data, record.ttl) == ("A:", "lb.eu-west-1.amazonaws.com", None)
    assert record.extra["alias_target"] == {**target, "DNSName": "lb.eu-west-1.amazonaws.com."}
    assert driver.get_record(zone.id, "A:") == record
    assert "; example.com.\tIN\tA\tlb.eu-west-1.amazonaws.com\n" in zone.export_to_bind_format()
    changed = record.update(data="other.example.com")
    assert changed.extra["alias_target"] == {**target, "DNSName": "other.example.com."}
    plain = changed.update(data="192.0.2.1", extra={"alias_target": None})
    assert rows(zone) == [("A:", "192.0.2.1", 300)]
    back = plain.update(data="www.example.com", extra={"alias_target": {}})
    assert back.extra["alias_target"]["HostedZoneId"] == zone.id
    assert back.delete()
    assert rows(zone) == []


ROUTINGS = [
    {"SetIdentifier": "one", "Weight": 0},
    {"SetIdentifier": "west coast", "Region": "us-west-2", "HealthCheckId": "h-1"},
    {"SetIdentifier": "eu", "GeoLocation": {"ContinentCode": "EU"}},
    {"SetIdentifier": "p", "Failover": "PRIMARY"},
    {"SetIdentifier": "m", "MultiValueAnswer": True},
    {
        "SetIdentifier": "g",
        "GeoProximityLocation": {"AWSRegion": "us-east-2", "Bias": -5},
    },
    {
        "SetIdentifier": "c",
        "CidrRoutingConfig": {
            "CollectionId": "8f2ca1f5-6b54-4b5a-8e5c-1c9a1d1b2c3d",
            "LocationName": "office",
        },
    },
]  # fmt: skip


@pytest.mark.parametrize("routing", ROUTINGS, ids=lambda one: list(one)[1])
def test_a_routing_policy_stays_as_it_is(zone, driver, cloud, routing):
    other = {
        "SetIdentifier": "other",
        **{key: one for key, one in routing.items() if key != "SetIdentifier"},
    }
    zone.create_record("www", "A", "192.0.2.1", {"routing": other})
    record = zone.create_record("www", "A", "192.0.2.1", {"routing": routing})

    again = driver.get_record(zone.id, record.id)
    assert again == record
    assert again.extra["routing"] == routing
    zone.create_record(
        "www", "A", "192.0.2.2", {"routing": {"SetIdentifier": routing["SetIdentifier"]}}
    )
    listed = [one for one in zone.list_records() if one.extra.get("routing") == routing]
    assert [one.data for one in listed] == ["192.0.2.1", "192.0.2.2"]
    changed = listed[0].update(data="192.0.2.3", extra={"ttl": 60})
    assert changed.extra["routing"] == routing
    renamed = changed.update(name="api")
    assert renamed.extra["routing"] == routing
    renamed.delete()
    listed[1].delete()
    assert [row[1] for row in rows(zone)] == ["192.0.2.1"]


def test_a_weight_is_changed_alone(zone):
    record = zone.create_record("www", "A", "192.0.2.1", {"routing": ROUTINGS[0]})

    changed = record.update(extra={"routing": {"Weight": 9}})

    assert changed.extra["routing"] == {"SetIdentifier": "one", "Weight": 9}
    assert changed.id == "A:www?set=one"


def test_what_is_not_understood_in_a_set_stays(zone, cloud):
    zone.create_record("www", "A", "192.0.2.1")
    key = ("www.example.com.", "A", "")
    cloud.zones[zone.id].sets[key]["TrafficPolicyInstanceId"] = "t-1"

    zone.create_record("www", "A", "192.0.2.2")

    assert cloud.zones[zone.id].sets[key]["TrafficPolicyInstanceId"] == "t-1"


def test_a_thousand_records_are_listed_over_pages(zone, driver, cloud):
    made = {}
    for number in range(1000):
        name = f"n{number:04}.example.com."
        made[name, "A", ""] = {
            "Name": name, "Type": "A", "TTL": 60, "ResourceRecords": [{"Value": "192.0.2.1"}],
        }  # fmt: skip
    cloud.zones[zone.id].sets.update(made)

    found = rows(zone)

    assert [row[0] for row in found] == [f"A:n{number:04}" for number in range(1000)]
    assert cloud.names() == ["ListResourceRecordSets"] * 4
    assert cloud.requests[1][1]["StartRecordName"] == "n0298.example.com."


def test_pages_go_on_within_the_sets_of_one_name(zone, cloud):
    for routing in ("a b", "b", "c&d"):
        extra = {"routing": {"SetIdentifier": routing, "Weight": 1}}
        zone.create_record("www", "A", "192.0.2.1", extra)
    cloud.page = 1

    assert [row[0] for row in rows(zone)] == [
        "A:www?set=a%20b",
        "A:www?set=b",
        "A:www?set=c%26d",
    ]


def test_all_records_are_deleted_in_batches_that_fit(zone, driver, cloud):
    for name in ("one", "two", "three"):
        values = [f"{number:03}" + "x" * 60 for number in range(200)]
        driver.ex_create_multi_value_record(name, zone, "TXT", values)
    cloud.requests.clear()

    driver.ex_delete_all_records(zone)

    assert cloud.names() == ["ListResourceRecordSets"] + ["ChangeResourceRecordSets"] * 2
    assert rows(zone) == []


def test_the_ns_records_of_the_zone_are_changed_in_place(zone, cloud):
    zone.create_record(None, "NS", "ns.example.net")

    (change,) = cloud.requests[-1][1]["ChangeBatch"]["Changes"]
    assert change["Action"] == "UPSERT"
    assert len(change["ResourceRecordSet"]["ResourceRecords"]) == 3


@pytest.mark.parametrize(
    ("name", "type", "data", "extra"),
    [
        ("www", "A", "2001:db8::1", {}),
        ("www", "A", "", {}),
        ("www", "AAAA", "192.0.2.1", {}),
        ("www", "LOC", "x", {}),
        ("www", "NO", "x", {}),
        ("a..b", "A", "192.0.2.1", {}),
        ("x" * 64, "A", "192.0.2.1", {}),
        ("ü", "A", "192.0.2.1", {}),
        ("www", "A", "192.0.2.1", {"ttl": -1}),
        ("www", "A", "192.0.2.1", {"ttl": "300"}),
        ("www", "A", "192.0.2.1", {"ttl": True}),
        ("www", "A", "192.0.2.1", {"routing": "x"}),
        ("www", "A", "192.0.2.1", {"routing": {"Wieght": 1}}),
        ("www", "A", "x", {"alias_target": {"Zone": "Z1"}}),
        ("www", "MX", "mail.example.com", {}),
        ("www", "MX", "mail.example.com", {"priority": "high"}),
        ("www", "MX", "mail.example.com", {"priority": 70000}),
        ("www", "SRV", "sip.example.com", {"priority": 1, "weight": 1}),
        ("www", "TXT", '"one', {}),
        ("www", "TXT", '"' + "x" * 256 + '"', {}),
        ("www", "CAA", "0 issue \0", {}),
    ],
)
def test_what_cannot_be_a_record_is_refused_before_it_changes_anything(
    zone, cloud, name, type, data, extra
):
    with pytest.raises(InvalidRequestError):
        zone.create_record(name, type, data, extra)

    assert "ChangeResourceRecordSets" not in cloud.names()


@pytest.mark.parametrize("record_id", ["", "www", "A", "X:www", "A:www?", "A:www?x=1", "A:a..b"])
def test_ids_that_are_none_are_no_records(zone, driver, record_id):
    with pytest.raises((RecordDoesNotExistError, InvalidRequestError)):
        driver.get_record(zone.id, record_id)


def test_extra_of_another_provider_is_passed_over(zone):
    record = zone.create_record("www", "A", "192.0.2.1", {"id": 5, "tag": None, "value": "x"})

    assert record.extra["value"] == "192.0.2.1"


# -- changes on their way ------------------------------------------------------------------------


def test_a_change_is_waited_for_if_that_is_wanted(zone, driver, cloud, monkeypatch):
    slept = []

    async def sleep(seconds):
        slept.append(seconds)

    monkeypatch.setattr(driver._runtime, "sleep", sleep)
    cloud.pending = 2

    record = zone.create_record("www", "A", "192.0.2.1", ex_wait=True)

    assert cloud.names()[2:] == ["GetChange"] * 3
    assert slept == [2.0, 3.0]
    cloud.requests.clear()
    record = record.update(data="192.0.2.2", extra={"ex_wait": True})
    record.delete(ex_wait=True)
    assert cloud.names().count("GetChange") == 2


def test_a_change_is_looked_at(driver, cloud):
    assert driver.ex_get_change("/change/C1") == Change("C1", "INSYNC", "2026-11-22T15:00:00Z")
    cloud.pending = 99
    with pytest.raises(DeadlineExceededError):
        driver.ex_wait_for_change("C1", timeout=0)


def test_a_batch_is_made_as_a_whole_or_not_at_all(zone, driver, cloud):
    zone.create_record("www", "A", "192.0.2.1")
    own = driver.ex_list_record_sets(zone)[0]
    new = {
        **own,
        "Name": "new.example.com",
        "Type": "A",
        "ResourceRecords": [{"Value": "192.0.2.2"}],
    }

    with pytest.raises(RecordDoesNotExistError):
        driver.ex_change_records(
            zone, [("CREATE", new), ("DELETE", {**new, "Name": "x.example.com"})]
        )
    assert len(rows(zone)) == 1
    with pytest.raises(InvalidRequestError, match="CREATE, DELETE, UPSERT"):
        driver.ex_change_records(zone, [("REPLACE", new)])
    change = driver.ex_change_records(zone, [("CREATE", new)], comment="why", wait=True)
    assert change.status == "INSYNC"
    assert cloud.requests[-2][1]["ChangeBatch"]["Comment"] == "why"
    with pytest.raises(RecordAlreadyExistsError):
        driver.ex_change_records(zone, [("CREATE", new)])


# -- others at the same time, lost answers -------------------------------------------------------


def test_a_change_in_between_is_kept(zone, cloud):
    zone.create_record("www", "A", "192.0.2.1")
    key = ("www.example.com.", "A", "")
    sets = cloud.zones[zone.id].sets
    others = iter(["192.0.2.100", "192.0.2.101"])

    def change(name):
        value = next(others, None) if name == "ChangeResourceRecordSets" else None
        if value:
            held = cloud.zones[zone.id].sets[key]
            values = [*held["ResourceRecords"], {"Value": value}]
            cloud.zones[zone.id].sets[key] = {**held, "ResourceRecords": values}

    cloud.before = change
    zone.create_record("www", "A", "192.0.2.2")

    assert sets
    assert [row[1] for row in rows(zone)] == [
        "192.0.2.1", "192.0.2.100", "192.0.2.101", "192.0.2.2",
    ]  # fmt: skip


def test_a_record_that_another_has_changed_is_not_deleted(zone, cloud):
    record = zone.create_record("www", "A", "192.0.2.1")
    zone.list_records()[-1].update(data="192.0.2.2")

    with pytest.raises(RecordDoesNotExistError):
        record.delete()
    with pytest.raises(RecordDoesNotExistError):
        record.update(data="192.0.2.3")
    assert rows(zone) == [("A:www", "192.0.2.2", 300)]


def test_changes_without_end_are_given_up(zone, driver, cloud, monkeypatch):
    async def sleep(seconds):
        assert seconds <= 2

    monkeypatch.setattr(driver._runtime, "sleep", sleep)
    refusal = error_xml("InvalidChangeBatch", "[Tried to delete x but it was not found]")
    cloud.before = lambda name: (400, refusal) if name == "ChangeResourceRecordSets" else None

    with pytest.raises(ConflictError, match="others keep changing"):
        zone.create_record("www", "A", "192.0.2.1")


def test_two_drivers_change_one_set_and_lose_nothing(zone, cloud):
    def add(start):
        with make_driver(cloud) as driver:
            own = driver.get_zone(zone.id)
            for number in range(start, start + 10):
                own.create_record("www", "A", f"192.0.2.{number}")

    threads = [threading.Thread(target=add, args=(start,)) for start in (0, 100)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert {row[1] for row in rows(zone)} == {
        f"192.0.2.{number}" for start in (0, 100) for number in range(start, start + 10)
    }


@pytest.mark.parametrize("carried_out", [True, False])
def test_a_lost_answer_is_settled_by_reading(zone, cloud, carried_out):
    lost = iter([(0, "")])

    def lose(name):
        return next(lost, None) if name == "ChangeResourceRecordSets" else None

    setattr(cloud, "after" if carried_out else "before", lose)
    record = zone.create_record("www", "A", "192.0.2.1")

    assert record.data == "192.0.2.1"
    assert rows(zone) == [("A:www", "192.0.2.1", 300)]


def test_a_lost_answer_that_cannot_be_settled_is_said(zone, cloud):
    record = zone.create_record("www", "A", "192.0.2.1")
    lost = iter([(0, "")])

    def lose(name):
        if name != "ChangeResourceRecordSets":
            return None
        held = cloud.zones[zone.id].sets["www.example.com.", "A", ""]
        held["TTL"] += 1
        return next(lost, None)

    cloud.after = lose
    with pytest.raises(OutcomeUnknownError):
        record.update(data="192.0.2.2")


def test_a_batch_whose_answer_was_lost_is_said_to_be_in_doubt(zone, driver, cloud):
    lost = iter([(0, "")])
    cloud.after = lambda name: next(lost, None)
    new = {
        "Name": "a.example.com",
        "Type": "A",
        "TTL": 5,
        "ResourceRecords": [{"Value": "192.0.2.2"}],
    }

    with pytest.raises(OutcomeUnknownError, match="look at the records"):
        driver.ex_change_records(zone, [("CREATE", new)])


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "code", "message", "error"),
    [
        (404, "NoSuchHostedZone", "", ZoneDoesNotExistError),
        (400, "HostedZoneAlreadyExists", "", ZoneAlreadyExistsError),
        (400, "ConflictingDomainExists", "", ZoneAlreadyExistsError),
        (400, "TooManyHostedZones", "", QuotaExceededError),
        (400, "LimitsExceeded", "", QuotaExceededError),
        (404, "NoSuchChange", "", NotFoundError),
        (400, "InvalidInput", "", InvalidRequestError),
        (400, "InvalidChangeBatch", "RRSet of type CNAME is not permitted", InvalidRequestError),
        (400, "InvalidChangeBatch", "[create x but it already exists]", RecordAlreadyExistsError),
        (400, "InvalidChangeBatch", "delete x but it was not found", RecordDoesNotExistError),
        (400, "Throttling", "Rate exceeded", RateLimitedError),
        (400, "PriorRequestNotComplete", "", RateLimitedError),
    ],
)  # fmt: skip
def test_errors_have_kinds(driver, cloud, status, code, message, error):
    cloud.before = lambda name: (status, error_xml(code, message))

    with pytest.raises(error) as caught:
        driver.get_zone("Z1")

    assert (caught.value.code, caught.value.request_id) == (code, "r-1")
    assert (caught.value.provider, caught.value.operation) == ("route53", "get_zone")


def test_the_older_form_of_a_refused_batch_is_understood(driver, zone, cloud):
    body = (
        "<InvalidChangeBatch><Messages><Message>Tried to delete x but it was not found</Message>"
        "</Messages><RequestId>r-2</RequestId></InvalidChangeBatch>"
    )
    cloud.before = lambda name: (400, body)

    with pytest.raises(RecordDoesNotExistError) as caught:
        driver.ex_change_records(zone, [("DELETE", {"Name": "x", "Type": "A"})])

    assert caught.value.request_id == "r-2"


@pytest.mark.parametrize("code", ["Throttling", "ThrottlingException", "PriorRequestNotComplete"])
def test_a_refusal_for_want_of_time_is_repeated(zone, cloud, code):
    refusals = iter([(400, error_xml(code, "Rate exceeded"))] * 2)
    cloud.before = lambda name: next(refusals, None) if name.startswith("Change") else None

    zone.create_record("www", "A", "192.0.2.1")

    assert cloud.names() == ["ListResourceRecordSets"] + ["ChangeResourceRecordSets"] * 3


@pytest.mark.parametrize(
    "body",
    ["", "<html></html>", "<GetHostedZoneResponse/>", "<GetHostedZoneResponse><HostedZone/>",
     "<GetHostedZoneResponse><HostedZone><Id>Z1</Id></HostedZone></GetHostedZoneResponse>"],
)  # fmt: skip
def test_an_answer_that_is_none_is_malformed(driver, cloud, body):
    cloud.before = lambda name: (200, body)

    with pytest.raises(MalformedResponseError):
        driver.get_zone("Z1")


def test_a_record_outside_its_zone_is_malformed(zone, cloud):
    cloud.zones[zone.id].sets["www.example.net.", "A", ""] = {
        "Name": "www.example.net.", "Type": "A", "TTL": 1, "ResourceRecords": [{"Value": "x"}],
    }  # fmt: skip

    with pytest.raises(MalformedResponseError):
        zone.list_records()


# -- the rest ------------------------------------------------------------------------------------


def test_asyncio_has_the_same(cloud):
    async def use():
        made = aio_dns.get_driver("route53")("AKIAEXAMPLE", "secret", endpoint=cloud.url, rate=0)
        async with made as driver:
            zone = await driver.create_zone("example.com")
            values = [f"192.0.2.{number}" for number in range(4)]
            await asyncio.gather(*(zone.create_record("www", "A", value) for value in values))
            found = [one.data async for one in zone.iterate_records() if one.name == "www"]
            assert sorted(found) == values
            await zone.delete(ex_delete_records=True)
            return await driver.list_zones()

    assert asyncio.run(use()) == []


@pytest.mark.parametrize(
    ("region", "endpoint", "signing"),
    [
        (None, "https://route53.amazonaws.com", "us-east-1"),
        ("eu-west-1", "https://route53.amazonaws.com", "us-east-1"),
        ("cn-north-1", "https://route53.amazonaws.com.cn", "cn-northwest-1"),
        ("us-gov-east-1", "https://route53.us-gov.amazonaws.com", "us-gov-west-1"),
        ("us-isob-east-1", "https://route53.sc2s.sgov.gov", "us-isob-east-1"),
        ("eusc-de-east-1", "https://route53.amazonaws.eu", "eusc-de-east-1"),
    ],
)
def test_each_partition_has_its_endpoint(monkeypatch, region, endpoint, signing):
    for name in (
        "AWS_REGION",
        "AWS_DEFAULT_REGION",
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_ROUTE_53",
    ):
        monkeypatch.delenv(name, raising=False)

    driver = CLASS("AKIAEXAMPLE", "secret", region=region)

    assert driver._backend.connection.endpoint == endpoint
    assert driver._backend.connection.signer._fixed_region == signing


def test_a_region_that_cannot_be_one_is_refused():
    with pytest.raises(InvalidAccountError):
        CLASS("AKIAEXAMPLE", "secret", region="evil.example/")


def test_the_types_are_those_of_the_service_today():
    assert {type.value for type in CLASS.RECORD_TYPE_MAP} == {
        "A", "AAAA", "CAA", "CNAME", "DS", "HTTPS", "MX", "NAPTR", "NS", "PTR", "SOA", "SPF",
        "SRV", "SSHFP", "SVCB", "TLSA", "TXT",
    }  # fmt: skip
