"""The conformance suite of DNS over moto."""

from __future__ import annotations

import pytest

from anysky.testing import DNSSetup
from tests.conformance.aws import client, settings, suite

pytestmark = pytest.mark.server


def make_records(url, count):
    route53 = client("route53", url)
    zones = route53.list_hosted_zones()["HostedZones"]
    if not zones:
        route53.create_hosted_zone(Name="pages.example", CallerReference="pages")
        return
    there = route53.list_resource_record_sets(HostedZoneId=zones[0]["Id"])["ResourceRecordSets"]
    changes = [change(number) for number in range(len(there), len(there) + count)]
    route53.change_resource_record_sets(
        HostedZoneId=zones[0]["Id"], ChangeBatch={"Changes": changes}
    )


def change(number):
    record = {
        "Name": f"name-{number:04}.pages.example",
        "Type": "A",
        "TTL": 60,
        "ResourceRecords": [{"Value": "192.0.2.1"}],
    }
    return {"Action": "CREATE", "ResourceRecordSet": record}


# A page holds 300 sets of records; the four name servers of a zone are one set.
@pytest.mark.parametrize("case", suite("dns", "route53", pages={"list_records": 303}))
def test_dns(case, moto, moto_server):
    case.run(
        DNSSetup(
            settings(moto),
            reset=moto_server.reset,
            fill=lambda _, count: make_records(moto, count),
        )
    )
