"""What can be made with each service, for the cases that let it fail half-way."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import Any

from anysky.model.compute import NodeAuthSSHKey, NodeState, SecurityGroupRule
from anysky.model.loadbalancer import State
from anysky.transfer.options import TransferOptions

from .storage_common import smallest_part
from .trial import Trial

__all__ = ["Making", "Order", "makings_of"]

_Prepare = Callable[[Trial], Coroutine[Any, Any, "Order | None"]]

_TAGS = {"purpose": "conformance"}
_SSH = SecurityGroupRule("ingress", "tcp", 22, 22, cidrs=("192.0.2.0/24",))
_WEB = SecurityGroupRule("ingress", "tcp", 443, 443, cidrs=("198.51.100.0/24",))
_CONTENT = b"half-way"
_LARGEST_PART = 6 * 1024 * 1024  # bytes; each part is sent some hundred times

_NODES = ("create_node", "list_nodes", "destroy_node")
_VOLUMES = ("create_volume", "list_volumes", "destroy_volume")
_KEYS = ("import_key_pair", "list_key_pairs", "delete_key_pair")
_GROUPS = ("create_security_group", "list_security_groups", "delete_security_group")
_ADDRESSES = ("create_floating_ip", "list_floating_ips", "delete_floating_ip")
_CONTAINERS = ("create_container", "list_containers", "delete_container")
_OBJECTS = (*_CONTAINERS, "upload_object", "list_container_objects", "delete_object")
_UPLOADS = ("begin_multipart_upload", "list_multipart_uploads", "abort_multipart_upload")
_ZONES = ("create_zone", "list_zones", "delete_zone")
_RECORDS = (*_ZONES, "create_record", "list_records", "delete_record")
_BALANCERS = ("create_balancer", "list_balancers", "get_balancer", "destroy_balancer")
_MEMBERS = (
    *_BALANCERS,
    "balancer_list_members",
    "balancer_attach_member",
    "balancer_detach_member",
)


@dataclass(frozen=True, slots=True)
class Order:
    """A call that makes something, as often as it is given a driver.

    Attributes:
        make: Makes it, with a name or key that nothing else has.
        remove: Takes it back where destroying what `make` returned does not.
        lists: What must be listed besides to see all that it makes.
        replaces: Whether it takes the place of what has the same name, so that it is taken back
            only if it is known that there was none.
    """

    make: Callable[[Any], Any]
    remove: Callable[[Any, Any], Any] | None = None
    lists: tuple[str, ...] = ()
    replaces: bool = False


@dataclass(frozen=True, slots=True)
class Making:
    """Something that can be made.

    Attributes:
        kind: The service.
        name: What it is.
        needs: Operations without which it cannot be tried.
        prepare: Makes what must be there before, and returns the order; None if the setup of the
            suite has nothing to try it with.
        is_repeatable: Whether there can be two at once.
    """

    kind: str
    name: str
    needs: tuple[str, ...]
    prepare: _Prepare
    is_repeatable: bool = True


_makings: list[Making] = []


def makings_of(kind: str) -> Iterator[Making]:
    """Yield everything that can be made with a service."""
    return (one for one in _makings if one.kind == kind)


def _making(kind: str, *needs: str, is_repeatable: bool = True) -> Callable[[_Prepare], _Prepare]:
    def add(prepare: _Prepare) -> _Prepare:
        name = prepare.__name__.removeprefix("_")
        _makings.append(Making(kind, name, needs, prepare, is_repeatable))
        return prepare

    return add


@_making("compute", *_NODES)
async def _node(trial: Trial) -> Order:
    return Order(_node_maker(trial, tags=_TAGS))


@_making("compute", *_NODES, *_KEYS, *_GROUPS)
async def _node_with_key_and_group(trial: Trial) -> Order:
    key = trial.driver.import_key_pair_from_string(trial.name("key"), _public_key(bytes(32)))
    group = trial.driver.create_security_group(trial.name("group"), rules=[_SSH])
    more = {"key_pair": await trial.keep(key), "security_groups": [await trial.keep(group)]}
    return Order(_node_maker(trial, **more))


@_making("compute", *_NODES, *_KEYS)
async def _node_with_public_key(trial: Trial) -> Order | None:
    if "ssh_key" not in trial.driver.features["create_node"]:
        return None

    def make(driver: Any) -> Any:  # each with a key of its own
        return _node_maker(trial, auth=NodeAuthSSHKey(_public_key()))(driver)

    return Order(make)


@_making("compute", *_VOLUMES)
async def _volume(trial: Trial) -> Order:
    return Order(_volume_maker(trial, tags=_TAGS))


@_making("compute", *_VOLUMES, "create_volume_snapshot", "destroy_volume_snapshot")
async def _snapshot(trial: Trial) -> Order:
    volume = await trial.keep(_volume_maker(trial)(trial.driver))
    return Order(lambda driver: driver.create_volume_snapshot(volume, trial.name("snapshot")))


@_making(
    "compute",
    *_VOLUMES,
    "create_volume_snapshot",
    "list_volume_snapshots",
    "destroy_volume_snapshot",
)
async def _volume_from_snapshot(trial: Trial) -> Order:
    volume = await trial.keep(_volume_maker(trial)(trial.driver))
    await trial.keep(volume.snapshot(trial.name("snapshot")))
    snapshots = await trial.until(volume.list_snapshots, bool, "a new snapshot")
    return Order(_volume_maker(trial, snapshot=snapshots[0]))


@_making("compute", *_NODES, *_VOLUMES, "attach_volume", "detach_volume", is_repeatable=False)
async def _attached_volume(trial: Trial) -> Order:
    node = await _running_node(trial)
    volume = await trial.keep(_volume_maker(trial)(trial.driver))
    return Order(
        lambda driver: driver.attach_volume(node, volume),
        lambda driver, _: driver.detach_volume(volume),
    )


@_making("compute", *_NODES, "create_image", "get_image", "list_images", "delete_image")
async def _image(trial: Trial) -> Order:
    node = await _running_node(trial)
    return Order(
        lambda driver: driver.create_image(node, trial.name("image")),
        lambda driver, image: driver.delete_image(image),
        ("list_images",),
    )


@_making("compute", *_KEYS)
async def _imported_key_pair(trial: Trial) -> Order:
    return Order(
        lambda driver: driver.import_key_pair_from_string(trial.name("key"), _public_key())
    )


@_making("compute", "create_key_pair", "list_key_pairs", "delete_key_pair")
async def _key_pair(trial: Trial) -> Order:
    return Order(lambda driver: driver.create_key_pair(trial.name("key")))


@_making("compute", "create_network", "list_networks", "delete_network", is_repeatable=False)
async def _network(trial: Trial) -> Order:
    return Order(_network_maker(trial))


@_making(
    "compute",
    "create_network",
    "delete_network",
    "create_subnet",
    "list_subnets",
    "delete_subnet",
    is_repeatable=False,
)
async def _subnet(trial: Trial) -> Order:
    network = await trial.keep(_network_maker(trial)(trial.driver))
    cidr = trial.setup.subnet_cidr
    return Order(lambda driver: driver.create_subnet(network, trial.name("subnet"), cidr))


@_making("compute", *_GROUPS)
async def _security_group(trial: Trial) -> Order:
    return Order(
        lambda driver: driver.create_security_group(trial.name("group"), rules=[_SSH, _WEB])
    )


@_making(
    "compute",
    *_GROUPS,
    "add_security_group_rule",
    "remove_security_group_rule",
    is_repeatable=False,
)
async def _rule(trial: Trial) -> Order:
    made = trial.driver.create_security_group(trial.name("group"), rules=[_SSH])
    group = await trial.keep(made)
    return Order(
        lambda driver: driver.add_security_group_rule(group, _WEB),
        lambda driver, _: driver.remove_security_group_rule(group, _WEB),
    )


@_making("compute", *_ADDRESSES)
async def _floating_ip(trial: Trial) -> Order:
    return Order(lambda driver: driver.create_floating_ip(_place(trial)))


@_making(
    "compute", *_NODES, *_ADDRESSES, "attach_floating_ip", "detach_floating_ip", is_repeatable=False
)
async def _attached_floating_ip(trial: Trial) -> Order:
    node = await _running_node(trial)
    address = await trial.keep(trial.driver.create_floating_ip(_place(trial)))
    return Order(
        lambda driver: driver.attach_floating_ip(address, node),
        lambda driver, _: driver.detach_floating_ip(address),
    )


@_making("storage", *_CONTAINERS)
async def _container(trial: Trial) -> Order:
    return Order(lambda driver: driver.create_container(trial.name("container")))


@_making("storage", *_OBJECTS)
async def _object(trial: Trial) -> Order:
    container = await trial.keep(trial.driver.create_container(trial.name("container")))
    return Order(
        lambda driver: driver.upload_object_via_stream(_CONTENT, container, trial.name("object")),
        replaces=True,
    )


@_making("storage", *_OBJECTS, "copy_object")
async def _copied_object(trial: Trial) -> Order:
    container = await trial.keep(trial.driver.create_container(trial.name("container")))
    source = await trial.keep(container.upload_object_via_stream(_CONTENT, trial.name("source")))
    return Order(
        lambda driver: driver.copy_object(source, container, trial.name("copy")), replaces=True
    )


@_making("storage", *_OBJECTS, "copy_object")
async def _changed_copy(trial: Trial) -> Order:
    container = await trial.keep(trial.driver.create_container(trial.name("container")))
    source = await trial.keep(container.upload_object_via_stream(_CONTENT, trial.name("source")))
    return Order(
        lambda driver: driver.copy_object(
            source,
            container,
            trial.name("copy"),
            content_type="text/csv",
            meta_data={"purpose": "conformance"},
        ),
        replaces=True,
    )


@_making("storage", *_OBJECTS, *_UPLOADS)
async def _object_in_parts(trial: Trial) -> Order | None:
    size = smallest_part(trial.driver._backend.parts)
    if size > _LARGEST_PART:
        return None
    container = await trial.keep(trial.driver.create_container(trial.name("container")))
    content = bytes(size + 1)
    options = TransferOptions(threshold=1, part_size=size, concurrency=1)
    return Order(
        lambda driver: driver.upload_object_via_stream(
            content, container, trial.name("object"), transfer=options
        ),
        replaces=True,
    )


@_making("dns", *_ZONES)
async def _zone(trial: Trial) -> Order:
    return Order(lambda driver: driver.create_zone(_domain(trial)))


@_making("dns", *_RECORDS)
async def _record(trial: Trial) -> Order:
    zone = await trial.keep(trial.driver.create_zone(_domain(trial)))
    return Order(
        lambda driver: driver.create_record(
            trial.name("record"), zone, "A", "192.0.2.1", {"ttl": 3600}
        )
    )


@_making("loadbalancer", *_BALANCERS)
async def _balancer(trial: Trial) -> Order:
    return Order(_balancer_maker(trial))


@_making("loadbalancer", *_MEMBERS)
async def _balancer_with_members(trial: Trial) -> Order:
    members = trial.setup.members()
    return Order(_balancer_maker(trial, members=members))


@_making("loadbalancer", *_MEMBERS, is_repeatable=False)
async def _member(trial: Trial) -> Order:
    first, second = trial.setup.members()
    balancer = await _running_balancer(trial, members=[first])
    return Order(
        lambda driver: driver.balancer_attach_member(balancer, second),
        lambda driver, member: driver.balancer_detach_member(balancer, member),
    )


@_making("loadbalancer", *_MEMBERS, "balancer_attach_compute_node", is_repeatable=False)
async def _member_node(trial: Trial) -> Order | None:
    if trial.setup.node is None:
        return None
    node = trial.setup.node()
    balancer = await _running_balancer(trial)
    return Order(
        lambda driver: driver.balancer_attach_compute_node(balancer, node),
        lambda driver, member: driver.balancer_detach_member(balancer, member),
    )


def _node_maker(trial: Trial, **more: Any) -> Callable[[Any], Any]:
    setup, module = trial.setup, trial.module
    size = module.NodeSize(setup.size, setup.size, 0, 0, None, None, trial.driver)
    image = module.NodeImage(setup.image, None, trial.driver)
    options = {**setup.node_options, **more}
    return lambda driver: driver.create_node(
        trial.name("node"), size, image, _place(trial), **options
    )


def _volume_maker(trial: Trial, **more: Any) -> Callable[[Any], Any]:
    size = trial.setup.volume_size
    return lambda driver: driver.create_volume(size, trial.name("volume"), _place(trial), **more)


def _network_maker(trial: Trial) -> Callable[[Any], Any]:
    setup = trial.setup
    return lambda driver: driver.create_network(trial.name("network"), setup.cidr, _place(trial))


def _balancer_maker(trial: Trial, **more: Any) -> Callable[[Any], Any]:
    setup = trial.setup
    options: dict[str, Any] = {"members": [], "location": setup.location, **setup.options, **more}
    return lambda driver: driver.create_balancer(
        trial.name("lb"), setup.port, setup.protocol, setup.algorithm, **options
    )


def _place(trial: Trial) -> Any:
    """Return the location of the setup; None for the driver's own."""
    place = trial.setup.location
    return None if place is None else trial.module.NodeLocation(place, place, "", trial.driver)


async def _running_node(trial: Trial) -> Any:
    node = await trial.keep(_node_maker(trial)(trial.driver))
    found = await trial.until(
        lambda: trial.driver.list_nodes(ids=[node.id]),
        lambda nodes: [one.state for one in nodes] == [NodeState.RUNNING],
        "a node that runs",
    )
    return found[0]


async def _running_balancer(trial: Trial, **more: Any) -> Any:
    balancer = await trial.keep(_balancer_maker(trial, **more)(trial.driver))
    return await trial.until(
        lambda: trial.driver.get_balancer(balancer.id),
        lambda one: one.state is State.RUNNING,
        "a balancer that runs",
    )


def _domain(trial: Trial) -> str:
    return f"{trial.name('zone')}.{trial.setup.domain}"


def _public_key(value: bytes = b"") -> str:
    """Return a public key in OpenSSH's format: of 32 bytes, or one that nobody has."""
    parts = (b"ssh-ed25519", value or secrets.token_bytes(32))
    blob = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return f"ssh-ed25519 {base64.b64encode(blob).decode()}"
