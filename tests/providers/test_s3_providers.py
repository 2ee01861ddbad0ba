"""Services that speak S3: where their requests go, and what they lack."""

from __future__ import annotations

import pytest

from anysky import Provider
from anysky.aio import storage as aio_storage
from anysky.errors import InvalidAccountError, UnsupportedOperationError
from anysky.model.storage import Container, PartLimits
from anysky.storage import get_driver

BOX = Container("box")
ACCOUNT = "0123456789abcdef0123456789abcdef"


def address_of(provider, **settings):
    """Where an object of a bucket is, and the region in the signature."""
    url = get_driver(provider)("access", "secret", **settings).presign(BOX, "k").url
    address, _, query = url.partition("?")
    return address, query.split("%2F")[2]


@pytest.mark.parametrize(
    ("provider", "settings", "address", "region"),
    [
        (
            Provider.S3_COMPATIBLE,
            {"endpoint": "https://storage.example.com:9000"},
            "https://storage.example.com:9000/box/k",
            "us-east-1",
        ),
        (
            Provider.S3_COMPATIBLE,
            {"endpoint": "https://example.com/", "addressing": "virtual", "region": "x"},
            "https://box.example.com/k",
            "x",
        ),
        (
            Provider.DIGITALOCEAN_SPACES,
            {"region": "fra1"},
            "https://box.fra1.digitaloceanspaces.com/k",
            "fra1",
        ),
        (
            Provider.DIGITALOCEAN_SPACES,
            {"region": "fra1", "addressing": "path"},
            "https://fra1.digitaloceanspaces.com/box/k",
            "fra1",
        ),
        (
            Provider.R2,
            {"account_id": ACCOUNT},
            f"https://{ACCOUNT}.r2.cloudflarestorage.com/box/k",
            "auto",
        ),
        (
            Provider.CLOUDFLARE,
            {"endpoint": f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com"},
            f"https://{ACCOUNT}.eu.r2.cloudflarestorage.com/box/k",
            "auto",
        ),
        (
            Provider.WASABI,
            {"region": "eu-central-1"},
            "https://box.s3.eu-central-1.wasabisys.com/k",
            "eu-central-1",
        ),
        (
            Provider.BACKBLAZE_B2,
            {"region": "us-west-004"},
            "https://box.s3.us-west-004.backblazeb2.com/k",
            "us-west-004",
        ),
        (Provider.MINIO, {"host": "minio.example"}, "https://minio.example/box/k", "us-east-1"),
        (
            Provider.S3_RGW,
            {"host": "ceph.example", "port": 7480, "secure": False},
            "http://ceph.example:7480/box/k",
            "us-east-1",
        ),
        (Provider.CEPH, {"endpoint": "https://c.example"}, "https://c.example/box/k", "us-east-1"),
        (Provider.SCALEWAY, {}, "https://box.s3.fr-par.scw.cloud/k", "fr-par"),
        (Provider.OVH, {"region": "sbg"}, "https://box.s3.sbg.io.cloud.ovh.net/k", "sbg"),
        (Provider.HETZNER, {"region": "hel1"}, "https://box.hel1.your-objectstorage.com/k", "hel1"),
        (
            Provider.LINODE,
            {"region": "eu-central-1"},
            "https://box.eu-central-1.linodeobjects.com/k",
            "eu-central-1",
        ),
        (Provider.VULTR, {"region": "ams1"}, "https://box.ams1.vultrobjects.com/k", "ams1"),
    ],
)
def test_where_requests_go(provider, settings, address, region):
    assert address_of(provider, **settings) == (address, region)


def test_bucket_whose_name_can_be_no_host_is_in_the_path():
    driver = get_driver(Provider.WASABI)("access", "secret", region="eu-central-1")

    url = driver.presign(Container("with.dots"), "k").url

    assert url.startswith("https://s3.eu-central-1.wasabisys.com/with.dots/k?")


def test_keys_come_from_the_environment(monkeypatch):
    monkeypatch.setenv("SPACES_ACCESS_KEY_ID", "from-environment")
    monkeypatch.setenv("SPACES_SECRET_ACCESS_KEY", "secret-of-environment")

    account = get_driver(Provider.DIGITALOCEAN_SPACES)(region="ams3").account

    assert (account.access_key, account.secret_key.reveal()) == (
        "from-environment",
        "secret-of-environment",
    )
    assert "secret-of-environment" not in repr(account)


@pytest.mark.parametrize(
    ("provider", "settings", "message"),
    [
        (Provider.S3_COMPATIBLE, {}, "needs an endpoint"),
        (Provider.MINIO, {}, "needs an endpoint"),
        (Provider.R2, {}, "needs 'account_id' as a part of its host's name"),
        (Provider.R2, {"account_id": "evil.example/"}, "evil.example/"),
        (Provider.WASABI, {"region": "evil.example#"}, "needs 'region' as a part"),
        (Provider.BACKBLAZE_B2, {}, "needs 'region'"),
        (Provider.OVH, {"addressing": "dns"}, "auto, path, virtual, not 'dns'"),
        (Provider.OVH, {"secret": None}, "needs 'secret_key'"),
    ],
)
def test_settings_that_cannot_be(provider, settings, message):
    given = {"secret": "secret", **settings}

    with pytest.raises(InvalidAccountError, match=message):
        get_driver(provider)("access", **given)


@pytest.mark.parametrize(
    ("provider", "lacks"),
    [
        (
            Provider.R2,
            {
                "get_object_tags",
                "get_object_version",
                "get_versioning",
                "list_object_versions",
                "set_object_tags",
                "set_versioning",
            },
        ),
        (Provider.BACKBLAZE_B2, {"get_object_tags", "set_object_tags"}),
        (Provider.CEPH, set()),
    ],
)
def test_what_a_service_lacks_is_told_beforehand(provider, lacks):
    whole, driver = get_driver(Provider.S3), get_driver(provider)

    assert {
        name
        for name in dir(driver)
        if not name.startswith(("_", "iterate_"))
        and whole.supports(name)
        and not driver.supports(name)
    } == lacks


def test_tags_of_a_service_without_any_are_refused_before_sending():
    driver = get_driver(Provider.R2)("access", "secret", account_id=ACCOUNT)

    with pytest.raises(UnsupportedOperationError, match="R2Storage has no tags"):
        driver.upload_object_via_stream(b"", BOX, "k", tags={"a": "b"})


def test_scaleway_takes_fewer_parts():
    backend = get_driver(Provider.SCALEWAY)("access", "secret")._backend

    assert backend.parts == PartLimits(count=1000)


def test_a_driver_of_asyncio_is_made_alike():
    driver = aio_storage.get_driver("hetzner")("access", "secret", region="nbg1")

    assert driver._backend.connection.endpoint == "https://nbg1.your-objectstorage.com"
