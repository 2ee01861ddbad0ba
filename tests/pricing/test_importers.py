"""Importers: whole rows of the vendors' samples, and what is left out of them."""

from __future__ import annotations

import csv
import io
import json
import subprocess
import sys
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path
from typing import Any

import pytest

from anysky.errors import InvalidRequestError
from anysky.pricing.building.draft import Region, Spec, Vendor
from anysky.pricing.errors import VendorDataError
from anysky.pricing.importers import Document, Importer, Rows, importer_names, load
from anysky.pricing.model import amount_of

SAMPLES = Path(__file__).with_name("samples")
DAY = "2026-11-22"
HEAD = (SAMPLES / "aws-ec2-region.csv").read_text().splitlines()


def read(
    name: str, content: str | bytes | Path | Any, url: str = "", *, tmp: Path | None = None
) -> Rows:
    """Read one document of a vendor: the name of a sample, or what is to be written as one."""
    if tmp is None:
        path = SAMPLES / content
    else:
        path = tmp / "document"
        text = content if isinstance(content, str) else json.dumps(content)
        path.write_text(text)
    importer = load(name)
    return importer.complete(importer.read(Document(path, DAY, url)))


def sample(name: str) -> Any:
    return json.loads((SAMPLES / name).read_text())


def prices(rows: Rows) -> dict[tuple[str, ...], str]:
    """Return the amounts by size, region, operating system, term and currency."""
    return {
        (one.size, one.region, one.os, one.term, one.currency): f"{amount_of(one.nano):f}"
        for one in rows.figures
    }


def ondemand(found: dict[tuple[str, str], str], currency: str = "USD") -> dict[Any, str]:
    """Write what `prices` returns for Linux on demand in short."""
    return {(*key, "linux", "ondemand", currency): one for key, one in found.items()}


def test_there_is_one_for_each_vendor() -> None:
    assert importer_names() == [
        "aws", "azure", "digitalocean", "exoscale", "gcp", "hetzner", "linode", "oci", "ovh",
        "scaleway", "upcloud", "vultr",
    ]  # fmt: skip


@pytest.mark.parametrize("name", importer_names())
def test_what_an_importer_says_of_its_vendor(name: str) -> None:
    importer = load(name)

    assert importer.name == name
    assert all(url.startswith("https://") for url in importer.urls)
    assert importer.vendor.price_page.startswith("https://")
    assert importer.regions
    assert {len(one.country or "") for one in importer.regions.values()} == {2}
    assert {one.geo for one in importer.regions.values()} <= {"af", "ap", "eu", "me", "na", "sa"}


@pytest.mark.parametrize("name", importer_names())
@pytest.mark.parametrize(
    "content", ["", "<html>Welcome</html>", "{}", "[1]", '{"data": 1}', '{"items": [{}]}', "\0"]
)
def test_what_is_no_document_of_a_vendor(name: str, content: str, tmp_path: Path) -> None:
    with pytest.raises(VendorDataError, match="document"):
        read(name, content, tmp=tmp_path)


# --- Amazon ---------------------------------------------------------------------------------------


def five_skus() -> list[dict[str, str]]:
    """Return the lines of the five SKUs that share size, region and operating system."""
    offer = sample("aws-ec2-offer-five-skus-one-size.json")
    lines: list[dict[str, str]] = []
    for sku, product in offer["products"].items():
        (term,) = offer["terms"]["OnDemand"][sku].values()
        (dimension,) = term["priceDimensions"].values()
        of = product["attributes"]
        lines.append({
            "SKU": sku, "TermType": "OnDemand", "Unit": dimension["unit"],
            "PricePerUnit": dimension["pricePerUnit"]["USD"], "Currency": "USD",
            "PriceDescription": dimension["description"],
            "Product Family": product["productFamily"],
            "Location Type": of["locationType"], "Instance Type": of["instanceType"],
            "vCPU": of["vcpu"], "Memory": of["memory"], "Tenancy": of["tenancy"],
            "Operating System": of["operatingSystem"], "License Model": of["licenseModel"],
            "usageType": of["usagetype"], "operation": of["operation"],
            "CapacityStatus": of["capacitystatus"], "Pre Installed S/W": of["preInstalledSw"],
            "MarketOption": of["marketoption"], "Region Code": of["regionCode"],
        })  # fmt: skip
    return lines


def csv_of(lines: list[dict[str, str]], *more: str) -> str:
    """Write a region's file, with further columns."""
    columns = [*next(csv.reader([HEAD[5]])), *more]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", quoting=csv.QUOTE_ALL)
    writer.writeheader()
    writer.writerows(lines)
    return "\n".join(HEAD[:5]) + "\n" + text.getvalue()


def line(**changes: str) -> dict[str, str]:
    return {**five_skus()[0], **{name.replace("_", " "): value for name, value in changes.items()}}


def test_aws_sample() -> None:
    rows = read("aws", "aws-ec2-region.csv")

    assert prices(rows) == ondemand({("m5.large", "eu-west-1"): "0.107"})
    assert rows.specs == {"m5.large": Spec(2, 8192, gpus=0, burstable=False)}
    assert {one.source.as_of for one in rows.figures} == {"2026-09-21"}


def test_aws_five_skus_share_a_size_and_one_is_its_price(tmp_path: Path) -> None:
    rows = read("aws", csv_of(five_skus()), tmp=tmp_path)

    assert prices(rows) == ondemand({("m5.large", "eu-west-1"): "0.107"})


@pytest.mark.parametrize(
    "change",
    [
        {"Tenancy": "Dedicated"},
        {"Tenancy": "Host"},
        {"CapacityStatus": "AllocatedCapacityReservation"},
        {"CapacityStatus": "UnusedCapacityReservation"},
        {"Pre_Installed_S/W": "SQL Std"},
        {"License_Model": "Bring your own license"},
        {"MarketOption": "CapacityBlock"},
        {"TermType": "Reserved"},
        {"Unit": "Quantity"},
        {"Currency": "CNY"},
        {"Product_Family": "Dedicated Host"},
        {"Location_Type": "AWS Local Zone"},
        {"usageType": "EU-HostBoxUsage:m5.large"},
        {"usageType": "EU-DedicatedUsage:m5.large"},
        {"Operating_System": "NA"},
        {"PricePerUnit": "0.0000000000"},
        {"PricePerUnit": ""},
        {"PricePerUnit": "0.00000000001"},
    ],
)
def test_aws_lines_that_are_no_price_of_a_node(change: dict[str, str], tmp_path: Path) -> None:
    rows = read("aws", csv_of([line(**change)]), tmp=tmp_path)

    assert prices(rows) == {}


def test_aws_operating_systems(tmp_path: Path) -> None:
    names = ("Linux", "Windows", "RHEL", "Red Hat Enterprise Linux with HA", "SUSE", "Ubuntu Pro")
    lines = [line(Operating_System=name, PricePerUnit=f"0.{n}") for n, name in enumerate(names, 1)]

    rows = read("aws", csv_of(lines), tmp=tmp_path)

    assert {key[2]: amount for key, amount in prices(rows).items()} == {
        "linux": "0.1", "windows": "0.2", "rhel": "0.3", "rhel-ha": "0.4", "suse": "0.5",
        "ubuntu-pro": "0.6",
    }  # fmt: skip


def test_aws_specs(tmp_path: Path) -> None:
    size = {
        "Instance Type": "x2gd.metal", "vCPU": "64", "Memory": "1,024 GiB", "GPU": "2",
        "Physical Processor": "AWS Graviton2 Processor", "Storage": "2 x 1,900 NVMe SSD",
    }  # fmt: skip
    lines = [line() | size, line() | size | {"Instance Type": "t3.nano", "Memory": "0.5 GiB"}]

    rows = read("aws", csv_of(lines, "Physical Processor", "Storage"), tmp=tmp_path)

    assert rows.specs == {
        "x2gd.metal": Spec(64, 1048576, 3800, 2, arch="arm64", burstable=False),
        "t3.nano": Spec(64, 512, 3800, 2, arch="arm64", burstable=True),
    }


def test_aws_index_leads_to_the_files_of_regions_but_not_of_zones_in_them() -> None:
    rows = read("aws", "aws-region-index.json", "https://mirror.example/offers/index.json")

    assert rows.more == [
        "https://mirror.example/offers/v1.0/aws/AmazonEC2/20260921194712/eu-west-1/index.csv"
    ]


@pytest.mark.parametrize(
    "text",
    [
        csv_of([line()])[:-30],
        csv_of([line()]).replace('"Tenancy"', '"Tenant"'),
        "\n".join(HEAD[:5]) + "\n",
        csv_of([line()]) + '"x","Shared","Used","OnDemand"\n',
        csv_of([line()]) + "x" * 2_000_000,
        "\n".join([*HEAD[:5]] * 5) + csv_of([line()]),
    ],
    ids=["cut off", "column", "no lines", "short line", "long line", "long head"],
)
def test_aws_damaged_file(text: str, tmp_path: Path) -> None:
    with pytest.raises(VendorDataError):
        read("aws", text, tmp=tmp_path)


# The kernel's mark of this program alone: getrusage() also counts what forked it.
_MEASURE = """
import re, sys
from pathlib import Path
from anysky.pricing.importers import Document, load
rows = load("aws").read(Document(Path(sys.argv[1]), "2026-11-22"))
print(len(rows.specs), re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="memory is measured as Linux tells it")
@pytest.mark.slow
def test_aws_file_of_300_megabytes_takes_less_than_100_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "region.csv"
    text = csv_of([line()]).splitlines(keepends=True)
    other = text[-1].replace('"Shared"', '"Dedicated"') * 39
    with path.open("w") as file:
        file.writelines(text[:-1])
        for number in range(300_000_000 // (len(other) + len(text[-1])) + 1):
            size = f"m{number % 1000}.{number % 30}xlarge"
            file.write(text[-1].replace("m5.large", size) + other)

    command = [sys.executable, "-c", _MEASURE, str(path)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)

    specs, kibibytes = map(int, done.stdout.split())
    assert path.stat().st_size > 300_000_000
    assert specs == 3000
    assert kibibytes < 100 * 1024


# --- Azure ----------------------------------------------------------------------------------------


def azure(item: dict[str, Any], tmp: Path) -> Rows:
    """Read a page with one item: the Linux one of the sample, changed."""
    (linux,) = [one for one in sample("azure-retail-page.json")["Items"]
                if one["retailPrice"] == 0.115 and one["serviceName"] == "Virtual Machines"
                and one["type"] == "Consumption"]  # fmt: skip
    return read("azure", {"Items": [linux | item], "NextPageLink": None}, tmp=tmp)


def test_azure_sample() -> None:
    rows = read("azure", "azure-retail-page.json")

    place = ("Standard_D2s_v5", "westeurope")
    assert prices(rows) == {
        (*place, "linux", "ondemand", "USD"): "0.115",
        (*place, "windows", "ondemand", "USD"): "0.207",
        (*place, "linux", "savings-1y", "USD"): "0.0794",
        (*place, "linux", "savings-3y", "USD"): "0.0529",
        (*place, "linux", "reserved-1y", "USD"): "0.067808219",
    }
    assert {one.term for one in rows.figures if one.source.quality == "derived"} == {"reserved-1y"}
    assert rows.specs == {"Standard_D2s_v5": Spec(2, 8192, gpus=0, arch="x86_64", burstable=False)}
    assert rows.left_out == {
        "may be interrupted": 3,
        "another service": 1,
        "not for sale to all": 1,
    }
    assert [url.partition("?")[0] for url in rows.more] == [
        "https://prices.azure.com:443/api/retail/prices"
    ]


@pytest.mark.parametrize(
    "change",
    [
        {"armSkuName": "Dsv3_Type3"},
        {"armSkuName": ""},
        {"armSkuName": None},
        {"armRegionName": ""},
        {"meterName": "D2s v5 Spot"},
        {"skuName": "D2s v5 Low Priority"},
        {"productName": "Dsv5 Series CloudServices"},
        {"serviceName": "Azure Kubernetes Service"},
        {"type": "DevTestConsumption"},
        {"unitOfMeasure": "1/Month"},
        {"tierMinimumUnits": 100.0},
        {"effectiveStartDate": "2026-12-01T00:00:00Z"},
        {"effectiveEndDate": "2026-09-30T23:59:00Z"},
        {"isPrimaryMeterRegion": False},
        {"retailPrice": 0.0, "savingsPlan": []},
        {"type": "Reservation", "reservationTerm": "7 Years"},
    ],
)
def test_azure_items_that_are_no_price_of_a_node(change: dict[str, Any], tmp_path: Path) -> None:
    assert prices(azure(change, tmp_path)) == {}


@pytest.mark.parametrize("name", ["Virtual Machines Dsv5 Series Windows", "Dsv5 Series Win"])
def test_azure_windows(name: str, tmp_path: Path) -> None:
    rows = azure({"productName": name}, tmp_path)

    place = ("Standard_D2s_v5", "westeurope")
    assert prices(rows) == {(*place, "windows", "ondemand", "USD"): "0.115"}


def test_azure_asks_for_each_region_alone() -> None:
    importer = load("azure")

    assert len(importer.urls) == len(importer.regions) > 50
    assert "armRegionName%20eq%20%27westeurope%27" in " ".join(importer.urls)


# --- Google ---------------------------------------------------------------------------------------


def sku(description: str, nanos: int, **changes: Any) -> dict[str, Any]:
    """Return a SKU of us-central1."""
    of = {"use": "OnDemand", "unit": "GiBy.h" if " Ram " in description else "h"} | changes
    money = {"currencyCode": of.get("currency", "USD"), "units": "0", "nanos": nanos}
    tiers = [{"startUsageAmount": 0, "unitPrice": money}] * of.get("tiers", 1)
    expression = {"usageUnit": of["unit"], "tieredRates": tiers}
    return {
        "description": description,
        "category": {"resourceFamily": of.get("family", "Compute"), "usageType": of["use"]},
        "serviceRegions": ["us-central1"],
        "pricingInfo": [{"pricingExpression": expression}],
    }


def gcp(tmp: Path, *skus: dict[str, Any]) -> Rows:
    return read("gcp", {"skus": list(skus)}, tmp=tmp)


def test_gcp_sample() -> None:
    rows = read("gcp", "gcp-skus.json")

    found = prices(rows)
    assert {key[:2]: amount for key, amount in found.items() if key[0] == "n2-standard-4"} == {
        ("n2-standard-4", "us-central1"): "0.194236",
        ("n2-standard-4", "us-east1"): "0.194236",
        ("n2-standard-4", "us-west1"): "0.194236",
    }
    assert {one.source.quality for one in rows.figures} == {"composed"}
    assert len(found) == 29 * 3
    assert rows.specs["n2-highmem-128"] == Spec(
        128, 864 * 1024, gpus=0, arch="x86_64", burstable=False
    )
    assert rows.left_out == {"another service": 1}
    assert "pageToken=NTAwMA" in rows.more[0]


def test_gcp_composes_what_has_both_parts(tmp_path: Path) -> None:
    rows = gcp(
        tmp_path,
        sku("C4A Arm Instance Core running in Iowa", 40_000_000),
        sku("C4A Arm Instance Ram running in Iowa", 4_000_000),
        sku("N2 Instance Core running in Iowa", 30_000_000),
    )

    assert prices(rows)["c4a-highmem-8", "us-central1", "linux", "ondemand", "USD"] == "0.576"
    assert rows.specs["c4a-highmem-8"] == Spec(8, 65536, gpus=0, arch="arm64", burstable=False)
    assert {one.size.partition("-")[0] for one in rows.figures} == {"c4a"}


def test_gcp_shared_cores_are_billed_in_part(tmp_path: Path) -> None:
    rows = gcp(
        tmp_path,
        sku("E2 Instance Core running in Americas", 21_811_590),
        sku("E2 Instance Ram running in Americas", 2_923_530),
        sku("Micro Instance with burstable CPU running in Americas", 7_600_000),
    )

    found = {key[0]: amount for key, amount in prices(rows).items()}
    assert (found["e2-micro"], found["e2-medium"]) == ("0.008376428", "0.03350571")
    assert found["f1-micro"] == "0.0076"
    assert rows.specs["e2-micro"] == Spec(2, 1024, gpus=0, arch="x86_64", burstable=True)
    assert {(one.family, one.resource, one.nano) for one in rows.components} == {
        ("e2", "cpu", 21_811_590),
        ("e2", "ram", 2_923_530),
    }


def test_gcp_commitments(tmp_path: Path) -> None:
    rows = gcp(
        tmp_path,
        sku("Commitment v1: N2D AMD Cpu in Iowa for 1 Year", 20_000_000, use="Commit1Yr"),
        sku("Commitment v1: N2D AMD Ram in Iowa for 1 Year", 2_000_000, use="Commit1Yr"),
        sku("Commitment v1: Cpu in Iowa for 3 Years", 10_000_000, use="Commit3Yr"),
        sku("Commitment v1: Ram in Iowa for 3 Years", 1_000_000, use="Commit3Yr"),
    )

    found = prices(rows)
    assert found["n2d-standard-2", "us-central1", "linux", "commit-1y", "USD"] == "0.056"
    assert found["n1-standard-4", "us-central1", "linux", "commit-3y", "USD"] == "0.055"
    assert {key[3] for key in found} == {"commit-1y", "commit-3y"}


def test_gcp_parts_made_to_measure(tmp_path: Path) -> None:
    rows = gcp(
        tmp_path,
        sku("N2 Custom Instance Core running in Iowa", 33_174_000),
        sku("N2 Custom Instance Ram running in Iowa", 4_446_000),
    )

    assert prices(rows) == {}
    assert {(one.family, one.resource, one.nano) for one in rows.components} == {
        ("n2", "cpu", 33_174_000),
        ("n2", "ram", 4_446_000),
    }


@pytest.mark.parametrize(
    "core",
    [
        sku("Spot Preemptible N2 Instance Core running in Iowa", 9, use="Preemptible"),
        sku("N2 Sole Tenancy Instance Core running in Iowa", 9),
        sku("Reserved N2 Instance Core in Iowa", 9),
        sku("N2 Instance Core running in Iowa", 9, unit="mo"),
        sku("N2 Instance Core running in Iowa", 9, tiers=2),
        sku("N2 Instance Core running in Iowa", 9, currency="EUR"),
        sku("N2 Instance Core running in Iowa", 9, family="License"),
        sku("N2 Instance Core running in Iowa", 0),
    ],
)
def test_gcp_what_is_no_core_of_a_machine_type(core: dict[str, Any], tmp_path: Path) -> None:
    rows = gcp(tmp_path, core, sku("N2 Instance Ram running in Iowa", 4_237_000))

    assert prices(rows) == {}


def test_gcp_parts_in_dispute_compose_nothing(tmp_path: Path) -> None:
    rows = gcp(
        tmp_path,
        sku("N2 Instance Core running in Iowa", 1_000_000),
        sku("N2 Instance Core running in Americas", 2_000_000),
        sku("N2 Instance Ram running in Iowa", 4_237_000),
    )

    assert prices(rows) == {}
    assert rows.left_out == {"in dispute": 1}


# --- the others -----------------------------------------------------------------------------------


def test_digitalocean() -> None:
    rows = read("digitalocean", "digitalocean-sizes.json")

    assert prices(rows) == ondemand(
        {("s-1vcpu-1gb", "ams3"): "0.00893", ("s-1vcpu-1gb", "fra1"): "0.00893"}
    )
    assert rows.specs == {"s-1vcpu-1gb": Spec(1, 1024, 25, 0, arch="x86_64", burstable=True)}
    assert rows.left_out == {"sold nowhere": 1}
    assert rows.more == []


def test_digitalocean_accelerator_and_further_pages(tmp_path: Path) -> None:
    data = sample("digitalocean-sizes.json")
    data["sizes"][1]["regions"] = ["nyc2"]
    data["sizes"][1]["available"] = False
    data["links"] = {"pages": {"next": "https://api.digitalocean.com/v2/sizes?page=2"}}

    rows = read("digitalocean", data, tmp=tmp_path)

    assert rows.specs["gpu-h100x1-80gb"] == Spec(
        20, 245760, 720, 1, "nvidia_h100", 81920, "x86_64", burstable=False, is_sold=False
    )
    assert rows.more == ["https://api.digitalocean.com/v2/sizes?page=2"]


def test_hetzner() -> None:
    rows = read("hetzner", "hetzner-server_types.json")

    assert prices(rows) == ondemand({("cpx11", "ash"): "0.028", ("cpx11", "fsn1"): "0.0088"}, "EUR")
    assert rows.specs == {"cpx11": Spec(2, 2048, 40, 0, arch="x86_64", burstable=True)}


def test_hetzner_further_pages(tmp_path: Path) -> None:
    data = sample("hetzner-server_types.json")
    data["meta"] = {"pagination": {"next_page": 2}}

    rows = read("hetzner", data, "https://m.example/v1/server_types?per_page=50", tmp=tmp_path)

    assert rows.more == ["https://m.example/v1/server_types?per_page=50&page=2"]


def test_linode() -> None:
    rows = read("linode", "linode-types.json")

    found = prices(rows)
    assert found["g6-nanode-1", "us-east", "linux", "ondemand", "USD"] == "0.0075"
    assert found["g6-nanode-1", "id-cgk", "linux", "ondemand", "USD"] == "0.009"
    assert len(found) == len(rows.figures) == len(load("linode").regions)
    assert rows.specs == {"g6-nanode-1": Spec(1, 1024, 25, 0, arch="x86_64", burstable=True)}


def test_linode_regions_and_classes(tmp_path: Path) -> None:
    data = sample("linode-types.json")
    data["data"] += [
        {"id": "us-east", "country": "us", "capabilities": ["Linodes"], "site_type": "core"},
        {"id": "us-edge", "country": "us", "site_type": "distributed"},
        {"id": "g2-gpu-1", "class": "gpu", "price": {"hourly": 0, "monthly": 0}},
    ]
    data |= {"page": 1, "pages": 2}

    rows = read("linode", data, tmp=tmp_path)

    assert prices(rows) == ondemand(
        {("g6-nanode-1", "us-east"): "0.0075", ("g6-nanode-1", "id-cgk"): "0.009"}
    )
    assert rows.regions == {"us-east": Region("linode", "us-east", "na", "US")}
    assert rows.left_out == {"not in all regions": 1}
    assert rows.more == ["https://api.linode.com/v4/linode/types?page=2"]


def test_vultr() -> None:
    rows = read("vultr", "vultr-plans.json")

    assert prices(rows) == ondemand({
        ("vc2-1c-1gb", "ewr"): "0.007",
        ("vc2-1c-1gb", "ord"): "0.007",
        ("vc2-1c-1gb", "sao"): "0.01",
        ("vcg-a16-2c-16g-4vram", "ewr"): "0.118",
        ("vcg-a16-2c-16g-4vram", "fra"): "0.118",
    })  # fmt: skip
    assert rows.specs == {
        "vc2-1c-1gb": Spec(1, 1024, 25, 0, arch="x86_64", burstable=True),
        "vcg-a16-2c-16g-4vram": Spec(
            2, 16384, 80, 0.25, "NVIDIA A16", 4096, "x86_64", burstable=False
        ),
    }


def test_vultr_what_is_not_sold_and_further_pages(tmp_path: Path) -> None:
    data = sample("vultr-plans.json")
    data["plans"][0] |= {"locations": [], "location_cost": []}
    data["plans"][1]["deploy_ondemand"] = False
    data["meta"]["links"]["next"] = "bmV4dA"

    rows = read("vultr", data, tmp=tmp_path)

    assert rows.left_out == {"sold nowhere": 1, "not on demand": 1}
    assert rows.more == ["https://api.vultr.com/v2/plans?per_page=500&cursor=bmV4dA"]


def scaleway(tmp: Path, url: str = "", **changes: Any) -> Rows:
    data = sample("scaleway-public-catalog.json")
    data["products"][0] |= changes
    return read("scaleway", data, url, tmp=tmp)


def test_scaleway() -> None:
    rows = read("scaleway", "scaleway-public-catalog.json")

    assert prices(rows) == ondemand({("VC1-L", "fr-par-1"): "0.02"}, "EUR")
    assert rows.specs == {
        "VC1-L": Spec(6, 8192, gpus=0, arch="x86_64", burstable=True, is_sold=False)
    }


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"status": "retired"}, "retired"),
        ({"product_category": "Block Storage"}, "another service"),
        ({"unit_of_measure": {"unit": "gigabyte", "size": 1}}, "not by the hour in a zone"),
        ({"locality": {"region": "fr-par"}}, "not by the hour in a zone"),
        ({"price": {}}, "not priced"),
    ],
)
def test_scaleway_what_is_left_out(change: dict[str, Any], reason: str, tmp_path: Path) -> None:
    rows = scaleway(tmp_path, **change)

    assert (rows.figures, rows.left_out) == ([], {reason: 1})


def test_scaleway_minutes_and_windows(tmp_path: Path) -> None:
    rows = scaleway(
        tmp_path, product="POP2-2C-8G-WIN", unit_of_measure={"unit": "minute", "size": 2}
    )

    assert prices(rows) == {("POP2-2C-8G-WIN", "fr-par-1", "windows", "ondemand", "EUR"): "0.6"}


def test_scaleway_first_page_names_all_others(tmp_path: Path) -> None:
    first = scaleway(tmp_path, "https://m.example/products?page_size=100&page=1")
    second = scaleway(tmp_path, "https://m.example/products?page_size=100&page=2")

    assert len(first.more) == 52
    assert first.more[-1] == "https://m.example/products?page_size=100&page=53"
    assert second.more == []


def ovh(tmp: Path, **changes: Any) -> Rows:
    data = sample("ovh-cloud-catalog.json")
    data["addons"][0] |= changes
    return read("ovh", data, tmp=tmp)


def test_ovh() -> None:
    rows = read("ovh", "ovh-cloud-catalog.json")

    assert prices(rows) == ondemand(
        {("h100-760", region): "5.6" for region in load("ovh").regions}, "EUR"
    )
    assert rows.specs == {"h100-760": Spec(60, arch="x86_64", burstable=False)}


def test_ovh_windows(tmp_path: Path) -> None:
    rows = ovh(tmp_path, planCode="win-b3-8.consumption")

    assert {key[0:3:2] for key in prices(rows)} == {("b3-8", "windows")}


@pytest.mark.parametrize(
    "change",
    [
        {"planCode": "b3-8.consumption.LZ"},
        {"planCode": "b3-8.consumption.3AZ"},
        {"planCode": "b3-8.monthly.postpaid"},
        {"product": "publiccloud-database"},
        {"blobs": {"tags": ["legacy"]}},
        {"blobs": None},
    ],
)
def test_ovh_what_is_left_out(change: dict[str, Any], tmp_path: Path) -> None:
    assert prices(ovh(tmp_path, **change)) == {}


def test_oci() -> None:
    rows = read("oci", "oci-products.json")

    found = prices(rows)
    place = ("eu-frankfurt-1", "linux", "ondemand", "USD")
    assert found["VM.Standard.E5.Flex.1.16", *place] == "0.062"
    assert found["VM.Standard.E5.Flex.4.32", *place] == "0.184"
    assert rows.specs["VM.Standard.E5.Flex.4.32"] == Spec(
        8, 32768, gpus=0, arch="x86_64", burstable=False
    )
    assert {one.source.quality for one in rows.figures} == {"composed"}
    assert {(one.family, one.resource, one.nano) for one in rows.components} == {
        ("VM.Standard.E5.Flex", "cpu", 30_000_000),
        ("VM.Standard.E5.Flex", "ram", 2_000_000),
    }
    assert rows.left_out == {"no part of a known family": 1}


def test_oci_price_beyond_what_is_free(tmp_path: Path) -> None:
    data = sample("oci-products.json")
    for item, prices_of_tiers in zip(data["items"], ([0, 0.01], [0.001, 0.002]), strict=False):
        item["displayName"] = item["displayName"].replace("E5", "A1")
        item["currencyCodeLocalizations"][0]["prices"] = [
            {"model": "PAY_AS_YOU_GO", "value": value} for value in prices_of_tiers
        ]

    rows = read("oci", data, tmp=tmp_path)

    assert {(one.resource, one.nano) for one in rows.components} == {("cpu", 10_000_000)}
    assert rows.figures == []


def test_upcloud() -> None:
    rows = read("upcloud", "upcloud-price.json")

    assert prices(rows) == ondemand({("1xCPU-1GB", "au-syd1"): "0.011309"}, "EUR")
    assert rows.specs == {"1xCPU-1GB": Spec(1, 1024, gpus=0, arch="x86_64", burstable=False)}
    assert [(one.resource, one.nano, one.currency) for one in rows.components] == [
        ("cpu", 11_200_000, "EUR"),
        ("ram", 5_600_000, "EUR"),
    ]
    assert rows.left_out == {"another service": 3, "may be interrupted": 1}


def test_upcloud_accelerators(tmp_path: Path) -> None:
    data = sample("upcloud-price.json")
    data["prices"]["zone"][0]["server_plan_GPU-8xCPU-64GB-1xL40S"] = {"amount": 1, "price": 99}

    rows = read("upcloud", data, tmp=tmp_path)

    assert rows.specs["GPU-8xCPU-64GB-1xL40S"] == Spec(
        8, 65536, gpus=1, gpu="NVIDIA L40S", arch="x86_64", burstable=False
    )


def test_exoscale() -> None:
    rows = read("exoscale", "exoscale-opencompute.json")

    zones = list(load("exoscale").regions)
    assert prices(rows) == ondemand({("standard.tiny", zone): "0.01458" for zone in zones}, "EUR")
    assert rows.specs == {"standard.tiny": Spec(1, 1024, gpus=0, arch="x86_64", burstable=False)}
    assert [(one.region, one.sku, one.unit, one.nano) for one in rows.rates] == [
        (zone, "volume", "gib-hour", 140_000) for zone in zones
    ]
    assert rows.left_out == {"no number": 1}


# --- plug-ins -------------------------------------------------------------------------------------


def _read_nothing(document: Document) -> Rows:
    return Rows("acme")


acme = Importer(Vendor("acme", "Acme", "USD", "https://acme.example/"), ("https://acme.example/",),
                _read_nothing)  # fmt: skip
no_importer = "something else"


@pytest.mark.parametrize("value", ["acme", "no_importer"])
def test_plug_ins(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    point = EntryPoint("acme", f"{__name__}:{value}", "anysky.price_importers")
    sys.modules.setdefault(__name__, sys.modules[test_plug_ins.__module__])
    points = EntryPoints([point])
    monkeypatch.setattr("anysky.pricing.importers.entry_points", points.select)

    assert "acme" in importer_names()
    if value == "acme":
        assert load("acme") is acme
    else:
        with pytest.raises(InvalidRequestError, match="no importer"):
            load("acme")


def test_unknown_name() -> None:
    with pytest.raises(InvalidRequestError, match="there is no importer 'acme'; there are aws, "):
        load("acme")
