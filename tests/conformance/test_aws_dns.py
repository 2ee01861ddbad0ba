"""The conformance suite of DNS over moto."""

from __future__ import annotations

import pytest

from anysky.testing import DNSSetup, cases
from tests.conformance.aws import client, settings

pytestmark = pytest.mark.server


def make_zones(url, count):
    route53 = client("route53", url)
    there = len(route53.list_hosted_zones()["HostedZones"])
    for number in range(there, there + count):
        name = f"zone-{number:04}.example"
        route53.create_hosted_zone(Name=name, CallerReference=name)


def make_records(url, count):
    if not count:
        make_zones(url, 1)
        return
    route53 = client("route53", url)
    zone = route53.list_hosted_zones()["HostedZones"][0]
    there = route53.list_resource_record_sets(HostedZoneId=zone["Id"])["ResourceRecordSets"]
    changes = [change(number, zone["Name"]) for number in range(len(there), len(there) + count)]
    batch = {"Changes": changes}
    route53.change_resource_record_sets(HostedZoneId=zone["Id"], ChangeBatch=batch)


def change(number, zone):
    record = {
        "Name": f"name-{number:04}.{zone}",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }
    return {"Action": "CREATE", "ResourceRecordSet": record}


FILL = {"list_zones": make_zones, "list_records": make_records}
# A page holds 300 sets of records; the four name servers of a zone are one set.
PAGES = {"list_zones": 100, "list_records": 303}


@pytest.mark.parametrize("case", cases("dns", "route53", pages=PAGES, failures=False), ids=str)
def test_dns(case, moto, moto_server):
    case.run(
        DNSSetup(
            settings(moto),
            reset=moto_server.reset,
            fill=lambda operation, count: FILL[operation](moto, count),
        )
    )
