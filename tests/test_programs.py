"""Programs as people write them for Libcloud; only the modules they import from are anysky's.

`libcloud.compute.types` and `libcloud.compute.providers` are `anysky.compute`, and so on.
"""

from __future__ import annotations

import io
from urllib.parse import urlsplit

import pytest

from anysky import dns as dns_service
from anysky.compute import NodeState, Provider, get_driver
from anysky.dns import RecordType
from anysky.errors import (
    ContainerDoesNotExistError,
    InvalidCredsError,
    KeyPairDoesNotExistError,
    ObjectDoesNotExistError,
    ZoneDoesNotExistError,
)
from anysky.storage import Provider as StorageProvider
from anysky.storage import get_driver as get_storage_driver

pytestmark = pytest.mark.server

ACCESS_ID, SECRET_KEY = "AKIAIOSFODNN7EXAMPLE", "my-secret-key"
IMAGE_ID = "ami-1e749f67"
SIZE_ID = "t3.micro"
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea me"


@pytest.fixture
def place(moto):
    """Where the server is, in the arguments that Libcloud's drivers take."""
    parts = urlsplit(moto)
    return {"host": parts.hostname, "port": parts.port, "secure": False}


@pytest.fixture
def compute(place):
    cls = get_driver(Provider.EC2)
    with cls(ACCESS_ID, SECRET_KEY, region="us-east-1", **place) as driver:
        yield driver


@pytest.fixture
def storage(place):
    cls = get_storage_driver(StorageProvider.S3)
    with cls(ACCESS_ID, SECRET_KEY, region="us-east-1", **place) as driver:
        yield driver


@pytest.fixture
def dns(place):
    cls = dns_service.get_driver(dns_service.Provider.ROUTE53)
    with cls(ACCESS_ID, SECRET_KEY, rate=0, **place) as driver:
        yield driver


def make_node(driver, name="test-node"):
    size = [s for s in driver.list_sizes() if s.id == SIZE_ID][0]  # noqa: RUF015 - as people write
    image = [i for i in driver.list_images() if i.id == IMAGE_ID][0]  # noqa: RUF015 - as people write
    return driver.create_node(name=name, image=image, size=size)


def test_pick_a_size_and_an_image_and_create_a_node(compute):
    node = make_node(compute)
    nodes = compute.wait_until_running([node], wait_period=0.1, timeout=20)
    node, ip_addresses = nodes[0]
    names = [n.name for n in compute.list_nodes() if n.state == NodeState.RUNNING]

    stopped = node.stop_node()
    started = compute.start_node(node)
    rebooted = node.reboot()
    destroyed = compute.destroy_node(node)

    assert names == ["test-node"]
    assert node.public_ips == ip_addresses
    assert (stopped, started, rebooted, destroyed) == (True, True, True, True)
    assert [n.state for n in compute.list_nodes()] == [NodeState.TERMINATED]


def test_sizes_say_what_they_have(compute):
    [size] = [s for s in compute.list_sizes() if s.ram == 1024 and s.id.startswith("t3.")]

    assert (size.id, size.ram) == ("t3.micro", 1024)
    assert size.driver is compute


def test_create_attach_and_snapshot_a_volume(compute):
    location = compute.list_locations()[0]
    node = make_node(compute)
    compute.wait_until_running(nodes=[node], wait_period=0.1)

    volume = compute.create_volume(size=10, name="Test volume", location=location)
    attached = compute.attach_volume(node, volume, device="/dev/sdh")
    snapshot = compute.create_volume_snapshot(volume, name="nightly")
    snapshots = compute.list_volume_snapshots(volume)
    copy = compute.create_volume(10, "Copy", location, snapshot)
    detached = volume.detach()
    names = sorted(v.name for v in compute.list_volumes() if v.name.startswith(("Test", "Copy")))
    deleted = snapshot.destroy(), volume.destroy(), compute.destroy_volume(copy)

    assert (attached, detached, deleted) == (True, True, (True, True, True))
    assert [(s.id, s.name, s.size) for s in snapshots] == [(snapshot.id, "nightly", 10)]
    assert names == ["Copy", "Test volume"]
    assert [v for v in compute.list_volumes() if v.id in (volume.id, copy.id)] == []


def test_key_pairs(compute, tmp_path):
    key_file = tmp_path / "id_ed25519.pub"
    key_file.write_text(PUBLIC_KEY)

    made = compute.create_key_pair(name="made")
    imported = compute.import_key_pair_from_file(name="imported", key_file_path=str(key_file))
    names = sorted(key.name for key in compute.list_key_pairs())
    compute.delete_key_pair(key_pair=made)
    imported.delete()

    assert made.private_key.startswith("-----BEGIN")
    assert imported.private_key is None
    assert names == ["imported", "made"]
    with pytest.raises(KeyPairDoesNotExistError):
        compute.get_key_pair(name="made")


def test_make_an_image_of_a_node(compute):
    node = make_node(compute)

    image = compute.create_image(node, "golden", description="with everything in it")
    found = compute.get_image(image.id)
    deleted = compute.delete_image(image)

    assert (found.id, found.name) == (image.id, "golden")
    assert deleted is True


def test_upload_iterate_and_download_a_backup(storage, tmp_path):
    (tmp_path / "backup.txt").write_text("everything")
    try:
        container = storage.get_container(container_name="my-backups")
    except ContainerDoesNotExistError:
        container = storage.create_container(container_name="my-backups")

    extra = {"content_type": "text/plain", "meta_data": {"owner": "me"}}
    obj = storage.upload_object(
        file_path=str(tmp_path / "backup.txt"),
        container=container,
        object_name="2026/backup.txt",
        extra=extra,
    )
    with io.BytesIO(b"a log, line by line") as iterator:
        container.upload_object_via_stream(iterator=iterator, object_name="2026/log")
    sizes = {o.name: o.size for o in storage.iterate_container_objects(container)}
    with_prefix = [o.name for o in container.list_objects(prefix="2026/b")]
    obj = storage.get_object("my-backups", "2026/backup.txt")
    downloaded = obj.download(destination_path=str(tmp_path / "restored.txt"))

    assert sizes == {"2026/backup.txt": 10, "2026/log": 19}
    assert with_prefix == ["2026/backup.txt"]
    assert obj.meta_data == {"owner": "me"}
    assert downloaded is True
    assert (tmp_path / "restored.txt").read_text() == "everything"
    stream = storage.download_object_as_stream(obj, chunk_size=4)
    assert list(stream) == [b"ever", b"ythi", b"ng"]
    part = storage.download_object_range_as_stream(obj, start_bytes=0, end_bytes=5)
    assert b"".join(part) == b"every"


def test_empty_and_delete_containers(storage):
    for name in ("first", "second"):
        storage.create_container(name).upload_object_via_stream([b"x"], "object")

    for container in storage.list_containers():
        for obj in container.iterate_objects():
            obj.delete()
        container.delete()

    assert list(storage.iterate_containers()) == []
    with pytest.raises(ContainerDoesNotExistError):
        storage.get_object("first", "object")
    container = storage.create_container("first")
    with pytest.raises(ObjectDoesNotExistError):
        container.get_object("object")


def test_create_records_and_export_the_zone(dns, tmp_path):
    zone = dns.create_zone(domain="example.com")
    record = zone.create_record(
        name="www", type=RecordType.A, data="127.0.0.1", extra={"ttl": 3600}
    )
    dns.create_record("", zone, RecordType.MX, "mail.example.com.", {"ttl": 60, "priority": 10})
    dns.update_record(record, name="www", type=RecordType.A, data="127.0.0.2", extra={"ttl": 300})
    [zone] = [z for z in dns.list_zones() if z.domain == "example.com"]
    records = {(r.name, r.type): r.data for r in zone.list_records()}
    dns.export_zone_to_bind_zone_file(zone, str(tmp_path / "example.com.zone"))
    lines = [line.split() for line in (tmp_path / "example.com.zone").read_text().splitlines()]

    assert records["www", "A"] == "127.0.0.2"
    assert records[None, "MX"] in ("mail.example.com", "mail.example.com.")
    assert ["www.example.com.", "300", "IN", "A", "127.0.0.2"] in lines
    in_memory = [line.split() for line in zone.export_to_bind_format().splitlines()]
    assert in_memory[1:] == lines[1:]  # the first line has the time


def test_delete_a_zone_with_its_records(dns):
    zone = dns.create_zone("example.org")
    for number in (1, 2):
        zone.create_record("www", RecordType.A, f"192.0.2.{number}", {"ttl": 60})

    for record in zone.list_records():
        if record.type not in (RecordType.NS, RecordType.SOA):
            record.delete()
    deleted = zone.delete()

    assert deleted is True
    with pytest.raises(ZoneDoesNotExistError):
        dns.get_zone(zone.id)


def test_wrong_credentials(moto_auth):
    cls = get_driver("ec2")
    driver = cls(moto_auth.access_key, "wrong", region="us-east-1", endpoint=moto_auth.url)

    with driver, pytest.raises(InvalidCredsError) as caught:
        driver.list_nodes()
    assert caught.value.driver is driver
    assert "wrong" not in str(caught.value)
