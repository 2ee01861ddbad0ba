"""The functions of the old pricing module keep their names, arguments and results."""

import json

import pytest

from anysky import pricing
from anysky.errors import InvalidRequestError, MalformedResponseError
from anysky.pricing.errors import UpdateUnavailableError


@pytest.fixture(autouse=True)
def bundled(monkeypatch):
    monkeypatch.setenv("ANYSKY_PRICES", "bundled")
    yield
    pricing.clear_pricing_data()


def test_the_price_of_a_size_is_a_float_or_none():
    assert pricing.get_size_price("compute", "ec2_linux", "m5.large", "eu-west-1") == 0.107
    assert pricing.get_size_price("compute", "ec2_eu_west", "m5.large") == 0.107
    assert pricing.get_size_price("compute", "aws", "m5.large", region="eu-west-1") == 0.107
    assert pricing.get_size_price("compute", "ec2_linux", "m5.large", "mars") is None
    assert pricing.get_size_price("compute", "ec2_linux", "m5.large") is None
    assert pricing.get_size_price("compute", "no_such", "m5.large", "eu-west-1") is None
    assert pricing.get_size_price("storage", "ec2_linux", "m5.large", "eu-west-1") is None


def test_windows_is_not_priced_as_linux():
    linux = pricing.get_size_price("compute", "ec2_linux", "m5.large", "eu-west-1")
    windows = pricing.get_size_price("compute", "ec2_windows", "m5.large", "eu-west-1")

    assert windows > linux


def test_a_table_has_sizes_and_regions():
    table = pricing.get_pricing("compute", "ec2_linux")

    assert table["m5.large"]["eu-west-1"] == 0.107
    assert not [p for regions in table.values() for p in regions.values() if p <= 0]
    assert pricing.get_pricing("compute", "ec2_eu_west")["m5.large"] == 0.107


def test_what_is_not_there_raises_as_it_did():
    with pytest.raises(KeyError, match="no_such"):
        pricing.get_pricing("compute", "no_such")
    with pytest.raises(KeyError):
        pricing.get_pricing("storage", "s3")
    with pytest.raises(AttributeError, match="no type of driver 'dns'"):
        pricing.get_pricing("dns", "route53")


def test_own_prices_are_used_until_they_are_forgotten():
    pricing.set_pricing("compute", "mine", {"small": 0.5, "large": {"here": 1}})

    assert pricing.get_pricing("compute", "mine") == {"small": 0.5, "large": {"here": 1}}
    assert pricing.get_size_price("compute", "mine", "small") == 0.5
    assert pricing.get_size_price("compute", "mine", "large", "here") == 1.0
    assert pricing.get_size_price("compute", "mine", "large", "there") is None
    assert pricing.get_size_price("compute", "mine", "medium") is None

    pricing.set_pricing("compute", "other", {"small": 2})
    pricing.invalidate_module_pricing_cache("compute", "mine")
    assert pricing.get_size_price("compute", "mine", "small", "here") is None
    assert pricing.get_size_price("compute", "other", "small") == 2.0
    pricing.invalidate_pricing_cache()
    assert pricing.get_size_price("compute", "other", "small", "here") is None


def test_a_price_file_can_be_read(tmp_path):
    file = tmp_path / "pricing.json"
    file.write_text(json.dumps({"compute": {"mine": {"1": 0.2}}, "storage": {}, "updated": 1}))

    assert pricing.get_pricing("compute", "mine", pricing_file_path=file) == {"1": 0.2}
    with pytest.raises(KeyError, match="yours"):
        pricing.get_pricing("compute", "yours", pricing_file_path=str(file))
    file.write_text("<html>")
    with pytest.raises(MalformedResponseError, match="no price file"):
        pricing.get_pricing("compute", "mine", pricing_file_path=file)
    with pytest.raises(InvalidRequestError, match="cannot read the price file"):
        pricing.get_pricing("compute", "mine", pricing_file_path=tmp_path / "none")


@pytest.mark.parametrize(
    ("image", "size", "cores", "price"),
    [
        ("debian-12-bookworm-v20260101", "e2-medium", 1, 0.0),
        ("rhel-9-v20260101", "e2-medium", 2, 0.06),
        ("rhel-9-v20260101", "e2-medium", 8, 0.13),
        ("windows-server-2022", "f1-micro", 1, 0.02),
        ("windows-server-2022", "n2-standard-4", 4, 0.04),
        ("sql-2022-standard-windows-2022", "n2-standard-4", 4, 0.1645),
        ("sles-15-sp6-sap", "n2-standard-4", 3, 0.17),
        ("sles-15", "n2-standard-4", 3, None),
    ],
)
def test_images_with_a_licence(image, size, cores, price):
    pricing.set_pricing(
        "compute",
        "gce_images",
        {
            "RHEL": {"4vcpu or less": {"price": 0.06}, "6vcpu or more": {"price": 0.13}},
            "Windows Server": {
                "description": "Windows",
                "any": {"price": 0.04},
                "f1": {"price": 0.02},
            },
            "SQL Server": {"standard": {"price": 0.1645}, "web": {"price": 0.011}},
            "SLES for SAP": {"1-2vcpu": {"price": 0.16}, "3-4vcpu": {"price": 0.17}},
        },
    )

    assert pricing.get_image_price("gce_images", image, size, cores) == price


def test_an_unknown_licence_is_none_and_others_have_none():
    assert pricing.get_image_price("gce_images", "rhel-9", "e2-medium") is None
    assert pricing.get_image_price("ec2", "rhel-9") == 0.0


def test_a_price_file_is_saved_whole(tmp_path):
    source, target = tmp_path / "source.json", tmp_path / "pricing.json"
    source.write_text(json.dumps({"compute": {"mine": {"1": 0.2}}, "updated": 1}))

    pricing.download_pricing_file(source.as_uri(), target)

    assert target.read_bytes() == source.read_bytes()
    source.write_text("{}")
    with pytest.raises(MalformedResponseError):
        pricing.download_pricing_file(source.as_uri(), target)
    with pytest.raises(UpdateUnavailableError):
        pricing.download_pricing_file((tmp_path / "none").as_uri(), target)
    assert pricing.get_pricing("compute", "mine", target) == {"1": 0.2}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["pricing.json", "source.json"]


def test_places_that_cannot_be_written_are_refused(tmp_path):
    for place in (tmp_path, tmp_path / "none" / "pricing.json"):
        with pytest.raises(ValueError, match="cannot write"):
            pricing.download_pricing_file("file:///dev/null", place)
    with pytest.raises(InvalidRequestError, match="file_url="):
        pricing.download_pricing_file(file_path=tmp_path / "pricing.json")
