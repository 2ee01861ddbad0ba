"""The operations that the faults strike: one line for each provider that has them.

To add one: say in `OPERATIONS` what it needs and how it is called, then name in `ROWS` for each
provider the request of it that is struck, how often that request may be sent, and what its good
answer holds.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

from anysky.transport.base import Request, SendClass
from tests.faults.clouds import CONTENT, Cloud
from tests.support.loopback import Received

SAFE, REPEATABLE, ONCE = SendClass.SAFE, SendClass.REPEATABLE, SendClass.ONCE
DOCUMENT, NOTHING, STREAM = "document", "nothing", "content"

_KINDS = {"volumes": "compute", "key pairs": "compute", "tokens": "compute"}

Given = tuple[Any, ...]
Settings = tuple[dict[str, Any], dict[str, str]]


def driver_settings(cloud: Cloud, url: str) -> Settings:
    """The provider itself is at the URL."""
    return cloud.settings(url), {}


def assumed_role(cloud: Cloud, url: str) -> Settings:
    """What gives credentials is at the URL."""
    settings = cloud.settings(cloud.url)
    del settings["key"], settings["secret"]
    return settings, cloud.environ_of_role(url)


def _true(result: Any, *given: Any) -> bool:
    return result is True


def _lists(result: Any, thing: Any, *given: Any) -> bool:
    return thing.id in [one.id for one in result]


def _lists_named(result: Any, thing: Any, *given: Any) -> bool:
    return thing.name in [one.name for one in result]


def _is(result: Any, thing: Any, *given: Any) -> bool:
    return result.id == thing.id


def _named(result: Any, name: str, *given: Any) -> bool:
    return result.name == name


def _same_name(result: Any, thing: Any, *given: Any) -> bool:
    return result.name == thing.name


def _some(result: Any, *given: Any) -> bool:
    return len(result) > 0


def _saved(result: Any, obj: Any, folder: Path) -> bool:
    return [path.read_bytes() for path in folder.iterdir()] == [CONTENT]


def _no_file(obj: Any, folder: Path) -> bool:
    return list(folder.iterdir()) == []


@dataclass(frozen=True)
class Operation:
    """How an operation is called, the same for every provider and in both APIs.

    Attributes:
        part: What it is about; the name of its service, but for volumes, key pairs and tokens.
        given: Makes what it is called with.
        call: Calls it on a driver.
        right: Whether a result, together with what was given, is what it should be.
        untouched: After a failure: whether nothing is left on this side, such as half a file.
        settings: Arguments of the driver, and environment, for the server at a URL.
    """

    part: str
    given: Callable[[Cloud], Given]
    call: Callable[..., Any]
    right: Callable[..., bool] = _true
    untouched: Callable[..., bool] = lambda *given: True
    settings: Callable[[Cloud, str], Settings] = driver_settings

    @property
    def kind(self) -> str:
        """Kind of service that is called."""
        return _KINDS.get(self.part, self.part)

    @property
    def dialect(self) -> str:
        """Kind of service whose errors the struck request gets."""
        return self.part if self.part == "tokens" else self.kind


@dataclass(frozen=True)
class Row:
    """An operation of one provider.

    Attributes:
        operation: Name in `OPERATIONS`.
        request: The request that is struck: an action of AWS's query protocol, or method, path
            (``*`` for a segment) and perhaps a parameter.
        sends: How often that request may be sent.
        answer: What a good answer to it holds.
        found: Whether what it made or changed is found again when its answer is lost.
        partial: Whether the operation has made something else before.
    """

    operation: str
    request: str
    sends: SendClass
    answer: str = DOCUMENT
    found: bool = False
    partial: bool = False

    def __str__(self) -> str:
        return self.operation

    def strikes(self, request: Received) -> bool:
        """Whether a request that arrived is the one."""
        return self._is(request.method, request.path, request.query, request.body)

    def is_of(self, request: Request) -> bool:
        """Whether a request that is about to leave is the one."""
        body = request.body if isinstance(request.body, bytes) else b""
        return self._is(request.method, request.path, request.params, body)

    def _is(self, method: str, path: str, query: Sequence[tuple[str, str]], body: bytes) -> bool:
        wanted, _, place = self.request.partition(" ")
        if not place:
            return ("Action", wanted) in parse_qsl(body.decode("utf-8", "replace"))
        pattern, _, parameter = place.partition("?")
        names = {name for name, _ in query}
        fits = re.fullmatch(re.escape(pattern).replace(r"\*", "[^/]+"), path) is not None
        return wanted == method and fits and (not parameter or parameter in names)


def _one(what: str) -> Callable[[Cloud], Given]:
    """A fresh thing for each call."""
    return lambda cloud: (getattr(cloud, what)(),)


def _shared(what: str) -> Callable[[Cloud], Given]:
    """The same thing for all calls."""
    return lambda cloud: (cloud.shared(what),)


def _name(what: str) -> Callable[[Cloud], Given]:
    return lambda cloud: (cloud.name(what),)


def _nothing(cloud: Cloud) -> Given:
    return ()


def _size(cloud: Cloud) -> Given:
    return (cloud.size,)


def _image(cloud: Cloud) -> Given:
    return (cloud.image,)


def _node_to_make(cloud: Cloud) -> Given:
    return cloud.name("made"), cloud.size, cloud.image


def _create_node(driver: Any, name: str, size: Any, image: Any) -> Any:
    return driver.create_node(name=name, size=size, image=image)


def _create_record(driver: Any, name: str, zone: Any) -> Any:
    return driver.create_record(name, zone, "A", "192.0.2.7", {"ttl": 3600})


OPERATIONS: Mapping[str, Operation] = {
    "list_nodes": Operation("compute", _shared("node"), lambda d, _: d.list_nodes(), _lists),
    "get_node": Operation("compute", _shared("node"), lambda d, node: d.get_node(node.id), _is),
    "create_node": Operation("compute", _node_to_make, _create_node, _named),
    "rename_node": Operation(
        "compute", _one("node"), lambda d, node: d.rename_node(node, "renamed"), _is
    ),
    "reboot_node": Operation("compute", _one("node"), lambda d, node: d.reboot_node(node)),
    "stop_node": Operation("compute", _one("node"), lambda d, node: d.stop_node(node)),
    "start_node": Operation("compute", _one("stopped_node"), lambda d, node: d.start_node(node)),
    "destroy_node": Operation("compute", _one("node"), lambda d, node: d.destroy_node(node)),
    "list_sizes": Operation("compute", _size, lambda d, size: d.list_sizes(), _lists),
    "list_locations": Operation("compute", _nothing, lambda d: d.list_locations(), _some),
    "list_images": Operation(
        "compute", _image, lambda d, image: d.list_images(ids=[image.id]), _lists
    ),
    "get_image": Operation("compute", _image, lambda d, image: d.get_image(image.id), _is),
    "create_image": Operation(
        "compute",
        lambda cloud: (cloud.name("image"), cloud.node()),
        lambda d, name, node: d.create_image(node, name),
        _named,
    ),
    "delete_image": Operation(
        "compute", _one("node_image"), lambda d, image: d.delete_image(image)
    ),
    "list_volumes": Operation("volumes", _shared("volume"), lambda d, _: d.list_volumes(), _lists),
    "get_volume": Operation(
        "volumes", _shared("volume"), lambda d, volume: d.get_volume(volume.id), _is
    ),
    "create_volume": Operation(
        "volumes", _name("volume"), lambda d, name: d.create_volume(10, name), _named
    ),
    "attach_volume": Operation(
        "volumes",
        lambda cloud: (cloud.node(), cloud.volume()),
        lambda d, node, volume: d.attach_volume(node, volume),
    ),
    "detach_volume": Operation(
        "volumes", _one("attached_volume"), lambda d, volume: d.detach_volume(volume)
    ),
    "destroy_volume": Operation(
        "volumes", _one("volume"), lambda d, volume: d.destroy_volume(volume)
    ),
    "create_volume_snapshot": Operation(
        "volumes",
        lambda cloud: (cloud.name("snapshot"), cloud.shared("volume")),
        lambda d, name, volume: d.create_volume_snapshot(volume, name),
        _named,
    ),
    "destroy_volume_snapshot": Operation(
        "volumes", _one("volume_snapshot"), lambda d, one: d.destroy_volume_snapshot(one)
    ),
    "list_key_pairs": Operation(
        "key pairs", _shared("key_pair"), lambda d, _: d.list_key_pairs(), _lists_named
    ),
    "import_key_pair": Operation(
        "key pairs",
        lambda cloud: (cloud.name("key"), cloud.public_key()),
        lambda d, name, key: d.import_key_pair_from_string(name, key),
        _named,
    ),
    "delete_key_pair": Operation(
        "key pairs", _one("key_pair"), lambda d, key: d.delete_key_pair(key)
    ),
    "list_containers": Operation(
        "storage", _shared("container"), lambda d, _: d.list_containers(), _lists_named
    ),
    "get_container": Operation(
        "storage", _shared("container"), lambda d, one: d.get_container(one.name), _same_name
    ),
    "create_container": Operation(
        "storage", _name("anysky-made"), lambda d, name: d.create_container(name), _named
    ),
    "delete_container": Operation(
        "storage", _one("container"), lambda d, one: d.delete_container(one)
    ),
    "list_container_objects": Operation(
        "storage",
        _shared("object"),
        lambda d, obj: d.list_container_objects(obj.container),
        _lists_named,
    ),
    "get_object": Operation(
        "storage",
        _shared("object"),
        lambda d, obj: d.get_object(obj.container.name, obj.name),
        _same_name,
    ),
    "upload_object": Operation(
        "storage",
        lambda cloud: (cloud.name("object"), cloud.shared("container")),
        lambda d, name, box: d.upload_object_via_stream(CONTENT, box, name),
        _named,
    ),
    "download_object": Operation(
        "storage",
        lambda cloud: (cloud.shared("object"), cloud.folder()),
        lambda d, obj, folder: d.download_object(obj, folder),
        _saved,
        _no_file,
    ),
    "download_object_as_stream": Operation(
        "storage",
        _shared("object"),
        lambda d, obj: d.download_object_as_stream(obj),
        lambda pieces, obj: b"".join(pieces) == CONTENT,
    ),
    "copy_object": Operation(
        "storage",
        lambda cloud: (cloud.name("copy"), cloud.shared("object"), cloud.shared("container")),
        lambda d, name, obj, box: d.copy_object(obj, box, name),
        _named,
    ),
    "delete_object": Operation("storage", _one("object"), lambda d, obj: d.delete_object(obj)),
    "list_zones": Operation("dns", _shared("zone"), lambda d, _: d.list_zones(), _lists),
    "get_zone": Operation("dns", _shared("zone"), lambda d, zone: d.get_zone(zone.id), _is),
    "create_zone": Operation(
        "dns",
        lambda cloud: (f"{cloud.name('made')}.example.com",),
        lambda d, domain: d.create_zone(domain),
        lambda zone, domain: zone.domain == domain,
    ),
    "delete_zone": Operation("dns", _one("zone"), lambda d, zone: d.delete_zone(zone)),
    "list_records": Operation(
        "dns", _shared("record"), lambda d, record: d.list_records(record.zone), _lists
    ),
    "create_record": Operation(
        "dns", lambda cloud: (cloud.name("made"), cloud.shared("zone")), _create_record, _named
    ),
    "update_record": Operation(
        "dns",
        _one("record"),
        lambda d, record: d.update_record(record, record.name, record.type, "192.0.2.9"),
        lambda changed, record: (changed.name, changed.data) == (record.name, "192.0.2.9"),
    ),
    "delete_record": Operation("dns", _one("record"), lambda d, one: d.delete_record(one)),
    "list_balancers": Operation(
        "loadbalancer", _shared("balancer"), lambda d, _: d.list_balancers(), _lists
    ),
    "create_balancer": Operation(
        "loadbalancer",
        _name("made"),
        lambda d, name: d.create_balancer(name, 80, "http", None, None),
        _named,
    ),
    "destroy_balancer": Operation(
        "loadbalancer", _one("balancer"), lambda d, one: d.destroy_balancer(one)
    ),
    "assume_role": Operation(
        "tokens",
        _shared("node"),
        lambda d, _: d.list_nodes(),
        _lists,
        settings=assumed_role,
    ),
}

_R53 = "/2013-04-01/hostedzone"
_SETS = f"POST {_R53}/*/rrset/"

# Without list_sizes of AWS: moto takes seconds to list its 700 sizes.
ROWS: Mapping[str, Sequence[Row]] = {
    "aws": (
        Row("list_nodes", "DescribeInstances", SAFE),
        Row("get_node", "DescribeInstances", SAFE),
        Row("create_node", "RunInstances", REPEATABLE, found=True),
        Row("rename_node", "CreateTags", REPEATABLE),
        Row("reboot_node", "RebootInstances", ONCE),
        Row("stop_node", "StopInstances", REPEATABLE),
        Row("start_node", "StartInstances", REPEATABLE),
        Row("destroy_node", "TerminateInstances", REPEATABLE),
        Row("list_locations", "DescribeAvailabilityZones", SAFE),
        Row("list_images", "DescribeImages", SAFE),
        Row("get_image", "DescribeImages", SAFE),
        Row("create_image", "CreateImage", ONCE, found=True),
        Row("delete_image", "DeregisterImage", REPEATABLE),
        Row("list_volumes", "DescribeVolumes", SAFE),
        Row("get_volume", "DescribeVolumes", SAFE),
        Row("create_volume", "CreateVolume", REPEATABLE, found=True),
        Row("attach_volume", "AttachVolume", ONCE, found=True),
        Row("detach_volume", "DetachVolume", ONCE),
        Row("destroy_volume", "DeleteVolume", REPEATABLE),
        Row("create_volume_snapshot", "CreateSnapshot", ONCE, found=True),
        Row("destroy_volume_snapshot", "DeleteSnapshot", REPEATABLE),
        Row("list_key_pairs", "DescribeKeyPairs", SAFE),
        Row("import_key_pair", "ImportKeyPair", ONCE, found=True),
        Row("delete_key_pair", "DeleteKeyPair", REPEATABLE),
        Row("list_containers", "GET /", SAFE),
        Row("get_container", "HEAD /*", SAFE, NOTHING),
        Row("create_container", "PUT /*", REPEATABLE, NOTHING),
        Row("delete_container", "DELETE /*", REPEATABLE, NOTHING),
        Row("list_container_objects", "GET /*", SAFE),
        Row("get_object", "HEAD /*/*", SAFE, NOTHING),
        Row("upload_object", "PUT /*/*", REPEATABLE, NOTHING),
        Row("download_object", "GET /*/*", SAFE, STREAM),
        Row("download_object_as_stream", "GET /*/*", SAFE, STREAM),
        Row("copy_object", "PUT /*/*", REPEATABLE),
        Row("delete_object", "DELETE /*/*", REPEATABLE, NOTHING),
        Row("list_zones", f"GET {_R53}", SAFE),
        Row("get_zone", f"GET {_R53}/*", SAFE),
        Row("create_zone", f"POST {_R53}", REPEATABLE, found=True),
        Row("delete_zone", f"DELETE {_R53}/*", REPEATABLE),
        Row("list_records", f"GET {_R53}/*/rrset", SAFE),
        Row("create_record", _SETS, REPEATABLE, found=True),
        Row("update_record", _SETS, REPEATABLE, found=True),
        Row("delete_record", _SETS, REPEATABLE, found=True),
        Row("list_balancers", "DescribeLoadBalancers", SAFE),
        Row("create_balancer", "CreateLoadBalancer", ONCE, found=True),
        Row("create_balancer", "CreateTargetGroup", ONCE, found=True, partial=True),
        Row("destroy_balancer", "DeleteLoadBalancer", REPEATABLE),
        Row("assume_role", "AssumeRoleWithWebIdentity", SAFE),
    ),
    "digitalocean": (
        Row("list_nodes", "GET /v2/droplets", SAFE),
        Row("get_node", "GET /v2/droplets/*", SAFE),
        Row("create_node", "POST /v2/droplets", ONCE, found=True),
        Row("rename_node", "POST /v2/droplets/*/actions", ONCE),
        Row("reboot_node", "POST /v2/droplets/*/actions", ONCE),
        Row("stop_node", "POST /v2/droplets/*/actions", ONCE),
        Row("start_node", "POST /v2/droplets/*/actions", ONCE),
        Row("destroy_node", "DELETE /v2/droplets/*", REPEATABLE, NOTHING),
        Row("list_sizes", "GET /v2/sizes", SAFE),
        Row("list_locations", "GET /v2/regions", SAFE),
        Row("get_image", "GET /v2/images/*", SAFE),
        Row("create_image", "POST /v2/droplets/*/actions", ONCE, found=True),
        Row("delete_image", "DELETE /v2/images/*", REPEATABLE, NOTHING),
        Row("list_volumes", "GET /v2/volumes", SAFE),
        Row("get_volume", "GET /v2/volumes/*", SAFE),
        Row("create_volume", "POST /v2/volumes", ONCE, found=True),
        Row("attach_volume", "POST /v2/volumes/*/actions", ONCE),
        Row("detach_volume", "POST /v2/volumes/*/actions", ONCE),
        Row("destroy_volume", "DELETE /v2/volumes/*", REPEATABLE, NOTHING),
        Row("create_volume_snapshot", "POST /v2/volumes/*/snapshots", ONCE, found=True),
        Row("destroy_volume_snapshot", "DELETE /v2/volumes/snapshots/*", REPEATABLE, NOTHING),
        Row("list_key_pairs", "GET /v2/account/keys", SAFE),
        Row("import_key_pair", "POST /v2/account/keys", ONCE),
        Row("delete_key_pair", "DELETE /v2/account/keys/*", REPEATABLE, NOTHING),
        Row("list_zones", "GET /v2/domains", SAFE),
        Row("get_zone", "GET /v2/domains/*", SAFE),
        Row("create_zone", "POST /v2/domains", ONCE),
        Row("delete_zone", "DELETE /v2/domains/*", REPEATABLE, NOTHING),
        Row("list_records", "GET /v2/domains/*/records", SAFE),
        Row("create_record", "POST /v2/domains/*/records", ONCE),
        Row("update_record", "PATCH /v2/domains/*/records/*", REPEATABLE),
        Row("delete_record", "DELETE /v2/domains/*/records/*", REPEATABLE, NOTHING),
        Row("list_balancers", "GET /v2/load_balancers", SAFE),
        Row("create_balancer", "POST /v2/load_balancers", ONCE),
        Row("destroy_balancer", "DELETE /v2/load_balancers/*", REPEATABLE, NOTHING),
    ),
}


def rows(provider: str, *parts: str) -> list[Row]:
    """The rows of a provider for some parts of it."""
    return [row for row in ROWS[provider] if OPERATIONS[row.operation].part in parts]
