"""Cases of compute."""

from __future__ import annotations

import base64
import urllib.parse
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from anysky.errors import KeyPairDoesNotExistError, NotFoundError
from anysky.model.compute import (
    NodeState,
    SecurityGroupRule,
    StorageVolumeState,
    VolumeSnapshotState,
)
from anysky.transport.base import Request

from .case import case
from .trial import Trial, check, equal, only

__all__: list[str] = []

_TAGS = {"purpose": "conformance", "team": "anysky"}
_OTHER_TAGS = {"purpose": "another"}
_GONE = frozenset({NodeState.TERMINATED, NodeState.STOPPING})
_UNUSED = frozenset({StorageVolumeState.AVAILABLE, None})
_USED = frozenset({StorageVolumeState.INUSE, StorageVolumeState.ATTACHING, None})
# The public key of the first test in section 7.1 of RFC 8032.
_PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAINdamAGCsQq31Uv+08lkBzoO4XLz2qYjJa8CGmj3B1Ea"
_USER_DATA = "#cloud-config {}"
_SSH = SecurityGroupRule("ingress", "tcp", 22, 22, cidrs=("192.0.2.0/24",))
_DNS = SecurityGroupRule("ingress", "udp", 53, 53, cidrs=("198.51.100.0/24",))

NODES = ("create_node", "list_nodes", "destroy_node")
VOLUMES = ("create_volume", "list_volumes", "destroy_volume")


@case("list_sizes")
async def sizes(trial: Trial) -> None:
    """Sizes have memory, disk and price in their units, and are fetched once an hour."""
    found = await trial.do(trial.driver.list_sizes())
    requests = len(trial.requests)

    check(trial.setup.size in [size.id for size in found], "the size of the setup should be listed")
    for size in found:
        check(size.ram > 0 and size.disk >= 0, f"{size!r} should have memory, in MiB")
        check(size.price is None or size.price >= 0, f"{size!r} should have a price or None")
        check(size.vcpus is None or size.vcpus > 0, f"{size!r} should have processors or None")
    _check_different(found, "sizes")
    equal(await trial.do(trial.driver.list_sizes()), found, "the sizes, asked for again")
    equal(len(trial.requests), requests, "requests, after sizes were asked for again")


@case("list_locations")
async def locations(trial: Trial) -> None:
    """Locations have an id and a name; an unknown country is empty."""
    found = await trial.do(trial.driver.list_locations())

    for location in found:
        check(location.id and location.name, f"{location!r} should have id and name")
        check(len(location.country) in (0, 2), f"{location!r} should have an ISO 3166 code")
    _check_different(found, "locations")
    if trial.setup.location is not None:
        ids = [location.id for location in found]
        check(trial.setup.location in ids, "the location of the setup should be listed")


@case("list_images", "get_image")
async def images(trial: Trial) -> None:
    """An image is got by its id, and found in the list under the same."""
    image = await trial.do(trial.driver.get_image(trial.setup.image))
    equal(image.id, trial.setup.image, "id of the image")

    found = await trial.do(trial.driver.list_images(ids=[image.id]))
    equal(found, [image], "images of this id")
    _check_different(await trial.do(trial.driver.list_images()), "images")


@case(*NODES)
async def node_life(trial: Trial) -> None:
    """A node is made, listed by id and name, and destroyed."""
    name = trial.name("node")
    node = await _node(trial, name)
    equal(node.name, name, "name of the node")
    check(isinstance(node.state, NodeState), f"{node!r} should have a state")

    running = await _running(trial, node)
    equal((running.id, running.name), (node.id, name), "id and name of the node")
    check(isinstance(running.created_at, datetime | None), "created_at should be a date or None")
    check(running.created_at is None or running.created_at.tzinfo, "created_at needs a time zone")
    equal(await trial.do(trial.driver.list_nodes(name=name)), [running], "nodes of this name")
    equal(await trial.do(trial.driver.list_nodes(name="no-such-node")), [], "nodes of another name")
    check(running in await trial.do(trial.driver.iterate_nodes()), "the node should be yielded")
    equal(hash(running), hash(node), "hash of the node at two times")
    equal(len(running.uuid), 40, "digits of the node's uuid")

    await trial.drop(node)
    await _node_gone(trial, node)


@case(*NODES, "get_node")
async def node_by_id(trial: Trial) -> None:
    """A node is got by its id until it is destroyed."""
    node = await _running(trial, await _node(trial, trial.name("node")))

    equal(await trial.do(trial.driver.get_node(node.id)), node, "the node, got by its id")

    await trial.drop(node)
    await _node_gone(trial, node)


@case(*NODES)
async def two_nodes_are_kept_apart(trial: Trial) -> None:
    """Destroying one node leaves the other."""
    first = await _running(trial, await _node(trial, trial.name("first")))
    second = await _running(trial, await _node(trial, trial.name("second")))
    check(first != second, "two nodes should differ")

    await trial.drop(first)
    await _node_gone(trial, first)

    left = await trial.do(trial.driver.list_nodes(ids=[second.id]))
    equal([node.state for node in left], [NodeState.RUNNING], "state of the other node")


@case(*NODES)
async def node_tags(trial: Trial) -> None:
    """Tags are set when a node is made, come back as they are, and select nodes."""
    node = await _running(trial, await _node(trial, trial.name("tagged"), tags=_TAGS))
    other = await _running(trial, await _node(trial, trial.name("other"), tags=_OTHER_TAGS))

    equal(_ours(node.tags), _TAGS, "tags of the node")
    await _check_filter(trial, trial.driver.list_nodes, node, other)


@case(*NODES)
async def nodes_run(trial: Trial) -> None:
    """`wait_until_running` returns nodes that run, with their addresses, in the order given."""
    first = await _node(trial, trial.name("first"))
    second = await _node(trial, trial.name("second"))

    found = await trial.do(
        trial.driver.wait_until_running(
            [second, first],
            wait_period=trial.setup.interval,
            timeout=trial.setup.patience,
            ssh_interface=trial.setup.interface,
        )
    )

    equal([node.id for node, _ in found], [second.id, first.id], "ids of the nodes")
    for node, addresses in found:
        equal(node.state, NodeState.RUNNING, "state of the node")
        known = getattr(node, trial.setup.interface)
        check(addresses and set(addresses) <= set(known), f"{node!r} should have {addresses}")


@case(*NODES, "import_key_pair", "delete_key_pair")
async def node_with_key_and_user_data(trial: Trial) -> None:
    """A node is made with a key pair of the provider, given by itself or by name, and user data."""
    name = trial.name("key")
    key = await trial.keep(trial.driver.import_key_pair_from_string(name, _PUBLIC_KEY))
    for given in (key, name):
        before = len(trial.requests)
        options = {"key_pair": given, "user_data": _USER_DATA}
        await _running(trial, await _node(trial, trial.name("node"), **options))
        sent = [urllib.parse.unquote_plus(_text(one)) for one in trial.requests[before:]]
        forms = (_USER_DATA, base64.b64encode(_USER_DATA.encode()).decode())
        found = any(form in text for form in forms for text in sent)
        check(found, "user data should be sent as it is, or in base64")


@case(*NODES, "stop_node", "start_node")
async def node_stops_and_starts(trial: Trial) -> None:
    """A node is stopped and started again."""
    node = await _running(trial, await _node(trial, trial.name("node")))

    equal(await trial.do(node.stop_node()), True, "result of stopping")
    await _in_state(trial, node, NodeState.STOPPED)
    equal(await trial.do(node.start()), True, "result of starting")
    await _in_state(trial, node, NodeState.RUNNING)


@case(*NODES, "reboot_node")
async def node_reboots(trial: Trial) -> None:
    """A node is restarted and runs."""
    node = await _running(trial, await _node(trial, trial.name("node")))

    equal(await trial.do(node.reboot()), True, "result of restarting")
    await _in_state(trial, node, NodeState.RUNNING)


@case(*NODES, "rename_node")
async def node_is_renamed(trial: Trial) -> None:
    """A node gets another name and stays what it is."""
    node = await _running(trial, await _node(trial, trial.name("before")))
    name = trial.name("after")

    renamed = await trial.do(trial.driver.rename_node(node, name))

    equal((renamed.id, renamed.name), (node.id, name), "id and name of the renamed node")
    found = await trial.do(trial.driver.list_nodes(name=name))
    equal([one.id for one in found], [node.id], "nodes of the new name")


@case(*VOLUMES)
async def volume_life(trial: Trial) -> None:
    """A volume is made, listed by id, name and tags, and destroyed."""
    name = trial.name("volume")
    volume = await _volume(trial, name, tags=_TAGS)
    other = await _volume(trial, trial.name("other"), tags=_OTHER_TAGS)
    equal((volume.name, volume.size), (name, trial.setup.volume_size), "name and size")
    equal(_ours(volume.tags), _TAGS, "tags of the volume")

    lists = trial.driver.list_volumes
    ready = await trial.until(
        lambda: lists(ids=[volume.id]), lambda found: _states(found) <= _UNUSED, "a new volume"
    )
    equal(await trial.do(lists(name=name)), ready, "volumes of this name")
    await _check_filter(trial, lists, volume, other)

    await trial.drop(volume)
    await _absent(trial, lambda: lists(ids=[volume.id]), "the volume")
    equal(len(await trial.do(lists(ids=[other.id]))), 1, "volumes of the other id")


@case(*VOLUMES, "get_volume")
async def volume_by_id(trial: Trial) -> None:
    """A volume is got by its id until it is destroyed."""
    volume = await _volume(trial, trial.name("volume"))
    got = await trial.do(trial.driver.get_volume(volume.id))
    equal((got.id, got.name, got.size), (volume.id, volume.name, volume.size), "the volume")

    await trial.drop(volume)
    await trial.gone(lambda: trial.driver.get_volume(volume.id), "the volume")


@case(*NODES, *VOLUMES, "attach_volume", "detach_volume")
async def volume_is_attached(trial: Trial) -> None:
    """A volume is attached to a node and detached again."""
    node = await _running(trial, await _node(trial, trial.name("node")))
    volume = await _volume(trial, trial.name("volume"))

    def look() -> Any:
        return trial.driver.list_volumes(ids=[volume.id])

    equal(await trial.do(volume.attach(node)), True, "result of attaching")
    await trial.until(look, lambda found: _states(found) <= _USED, "an attached volume")
    equal(await trial.do(volume.detach()), True, "result of detaching")
    await trial.until(look, lambda found: _states(found) <= _UNUSED, "a detached volume")
    await trial.drop(volume)


@case(*VOLUMES, "create_volume_snapshot", "list_volume_snapshots", "destroy_volume_snapshot")
async def volume_snapshot_life(trial: Trial) -> None:
    """A volume's snapshot is made, listed, made a volume again, and destroyed."""
    volume = await _volume(trial, trial.name("volume"))
    other = await _volume(trial, trial.name("other"))
    name = trial.name("snapshot")
    snapshot = await trial.keep(volume.snapshot(name))
    check(isinstance(snapshot.created, datetime | None), "created should be a date or None")

    [ready] = await trial.until(
        volume.list_snapshots,
        lambda found: _states(found) <= {VolumeSnapshotState.AVAILABLE, None},
        "a new snapshot",
    )
    equal((ready.id, ready.name), (snapshot.id, name), "id and name of the snapshot")
    equal(await trial.do(other.list_snapshots()), [], "snapshots of the other volume")
    await trial.drop(await _volume(trial, trial.name("copy"), snapshot=ready))

    await trial.drop(snapshot)
    await _absent(trial, volume.list_snapshots, "the snapshot")


@case(*VOLUMES, "create_volume_snapshot", "list_snapshots", "destroy_volume_snapshot")
async def snapshots_of_all_volumes(trial: Trial) -> None:
    """Snapshots are listed whatever their volume, and by id."""
    volumes = [await _volume(trial, trial.name(name)) for name in ("first", "second")]
    made = [await trial.keep(volume.snapshot(trial.name("snapshot"))) for volume in volumes]

    ids = {snapshot.id for snapshot in await trial.do(trial.driver.list_snapshots())}
    check({one.id for one in made} <= ids, "both snapshots should be listed")
    one = only(await trial.do(trial.driver.list_snapshots(ids=[made[0].id])), "snapshots")
    equal(one.id, made[0].id, "id of the snapshot")


@case(*NODES, "create_image", "get_image", "delete_image")
async def image_life(trial: Trial) -> None:
    """An image is made of a node, listed, and deleted."""
    node = await _running(trial, await _node(trial, trial.name("node")))
    name = trial.name("image")

    image = await trial.do(trial.driver.create_image(node, name))
    equal(image.name, name, "name of the image")
    got = await trial.do(trial.driver.get_image(image.id))
    equal((got.id, got.name), (image.id, name), "id and name of the image, got by its id")

    equal(await trial.do(trial.driver.delete_image(image)), True, "result of deleting")
    await trial.gone(lambda: trial.driver.get_image(image.id), "the image")


@case("import_key_pair", "list_key_pairs", "get_key_pair", "delete_key_pair")
async def key_pair_is_imported(trial: Trial) -> None:
    """A public key is imported, found by its name, and deleted."""
    name = trial.name("key")
    key = await trial.keep(trial.driver.import_key_pair_from_string(name, f"{_PUBLIC_KEY}\n"))
    equal((key.name, key.private_key), (name, None), "name and private part of the key")
    check(key.fingerprint, "the key should have a fingerprint")

    got = await trial.do(trial.driver.get_key_pair(name))
    equal((got.name, got.fingerprint), (name, key.fingerprint), "the key, got by its name")
    listed = [one for one in await trial.do(trial.driver.list_key_pairs()) if one.name == name]
    equal(only(listed, "keys of this name").fingerprint, key.fingerprint, "its fingerprint")

    await trial.drop(key)
    await trial.fails(KeyPairDoesNotExistError, lambda: trial.driver.get_key_pair(name))


@case("create_key_pair", "list_key_pairs", "delete_key_pair")
async def key_pair_is_made(trial: Trial) -> None:
    """The provider makes a key pair and tells its private part once, never in a repr."""
    name = trial.name("key")
    key = await trial.keep(trial.driver.create_key_pair(name))

    check("PRIVATE KEY" in (key.private_key or ""), "the private key should be told, in PEM")
    check("PRIVATE KEY" not in repr(key), "repr should not show the private key")
    await trial.drop(key)
    names = [one.name for one in await trial.do(trial.driver.list_key_pairs())]
    check(name not in names, "the key should be gone")


@case("create_network", "list_networks", "delete_network")
async def network_life(trial: Trial) -> None:
    """A private network is made, listed, and deleted."""
    network = await _network(trial)

    def look() -> Any:
        return trial.driver.list_networks(ids=[network.id])

    found = only(await trial.do(look()), "networks of this id")
    got = (found.id, found.name, found.cidr)
    equal(got, (network.id, network.name, trial.setup.cidr), "id, name and range of the network")
    by_name = await trial.do(trial.driver.list_networks(name=network.name))
    equal([one.id for one in by_name], [network.id], "networks of this name")

    await trial.drop(network)
    await _absent(trial, look, "the network")


@case("create_network", "delete_network", "create_subnet", "list_subnets", "delete_subnet")
async def subnet_life(trial: Trial) -> None:
    """A subnet of a network is made, listed, and deleted."""
    network = await _network(trial)
    name, cidr = trial.name("subnet"), trial.setup.subnet_cidr
    subnet = await trial.keep(trial.driver.create_subnet(network, name, cidr))

    found = only(await trial.do(network.list_subnets()), "subnets of the network")
    got = (found.id, found.name, found.cidr, found.network_id)
    equal(got, (subnet.id, name, cidr, network.id), "the subnet")
    await trial.drop(subnet)
    equal(await trial.do(network.list_subnets()), [], "subnets of the network")


@case("create_security_group", "list_security_groups", "delete_security_group")
async def security_group_life(trial: Trial) -> None:
    """A security group is made with its rules, listed, and deleted."""
    name = trial.name("group")
    made = trial.driver.create_security_group(name, rules=[_SSH])
    group = await trial.keep(made)

    def look() -> Any:
        return trial.driver.list_security_groups(ids=[group.id])

    found = only(await trial.do(look()), "groups of this id")
    equal((found.id, found.name), (group.id, name), "id and name of the group")
    check(_has(found, _SSH), f"{found!r} should have the rule that it was made with")
    await trial.drop(group)
    await _absent(trial, look, "the group")


@case(
    "create_security_group",
    "list_security_groups",
    "delete_security_group",
    "add_security_group_rule",
    "remove_security_group_rule",
)
async def security_group_rules(trial: Trial) -> None:
    """A rule is added to a security group and taken away; the others stay."""
    made = trial.driver.create_security_group(trial.name("group"), rules=[_SSH])
    group = await trial.keep(made)

    async def rules() -> tuple[bool, bool]:
        found = await trial.do(trial.driver.list_security_groups(ids=[group.id]))
        return _has(found[0], _SSH), _has(found[0], _DNS)

    equal(await trial.do(group.add_rule(_DNS)), True, "result of adding a rule")
    equal(await rules(), (True, True), "whether there are the first and the added rule")
    equal(await trial.do(group.remove_rule(_DNS)), True, "result of removing a rule")
    equal(await rules(), (True, False), "whether there are the first and the removed rule")


@case("create_floating_ip", "list_floating_ips", "delete_floating_ip")
async def floating_ip_life(trial: Trial) -> None:
    """A floating address is reserved, listed, and given back."""
    address = await trial.keep(trial.driver.create_floating_ip(await _location(trial)))

    def look() -> Any:
        return trial.driver.list_floating_ips(ids=[address.id])

    found = only(await trial.do(look()), "addresses of this id")
    equal((found.ip, found.node_id), (address.ip, None), "the address and its node")
    await trial.drop(address)
    await _absent(trial, look, "the address")


@case(
    *NODES,
    "create_floating_ip",
    "list_floating_ips",
    "delete_floating_ip",
    "attach_floating_ip",
    "detach_floating_ip",
)
async def floating_ip_is_attached(trial: Trial) -> None:
    """A floating address is pointed to a node and taken from it."""
    node = await _running(trial, await _node(trial, trial.name("node")))
    address = await trial.keep(trial.driver.create_floating_ip(await _location(trial)))

    def points_to(wanted: str | None) -> Any:
        return trial.until(
            lambda: trial.driver.list_floating_ips(ids=[address.id]),
            lambda found: found[0].node_id == wanted,
            f"address of node {wanted}",
        )

    equal(await trial.do(address.attach(node)), True, "result of attaching")
    await points_to(node.id)
    equal(await trial.do(address.detach()), True, "result of detaching")
    await points_to(None)


def _text(request: Request) -> str:
    return request.body.decode() if isinstance(request.body, bytes) else ""


async def _node(trial: Trial, name: str, **options: Any) -> Any:
    """Make a node as the setup wants it, which is destroyed when the case is over."""
    setup = trial.setup
    return await trial.keep(
        trial.driver.create_node(
            name,
            trial.module.NodeSize(setup.size, setup.size, 0, 0, None, None, trial.driver),
            trial.module.NodeImage(setup.image, None, trial.driver),
            await _location(trial),
            **{**setup.node_options, **options},
        )
    )


async def _volume(trial: Trial, name: str, **options: Any) -> Any:
    size = trial.setup.volume_size
    place = await _location(trial)
    return await trial.keep(trial.driver.create_volume(size, name, place, **options))


async def _network(trial: Trial) -> Any:
    place = await _location(trial)
    name = trial.name("network")
    return await trial.keep(trial.driver.create_network(name, trial.setup.cidr, place))


async def _location(trial: Trial) -> Any:
    """Return the location of the setup; None for the driver's own."""
    place = trial.setup.location
    return None if place is None else trial.module.NodeLocation(place, place, "", trial.driver)


async def _running(trial: Trial, node: Any) -> Any:
    return await _in_state(trial, node, NodeState.RUNNING)


async def _in_state(trial: Trial, node: Any, state: NodeState) -> Any:
    """Wait until a node is in a state; return it as it is then."""
    found = await trial.until(
        lambda: trial.driver.list_nodes(ids=[node.id]),
        lambda nodes: [one.state for one in nodes] == [state],
        f"state {state}",
    )
    return found[0]


async def _node_gone(trial: Trial, node: Any) -> None:
    """Wait until a node is not there any more, or only shown as terminated."""
    await trial.until(
        lambda: trial.driver.list_nodes(ids=[node.id]),
        lambda nodes: all(one.state in _GONE for one in nodes),
        "end of the node",
    )
    if trial.driver.supports("get_node"):
        try:
            left = await trial.do(trial.driver.get_node(node.id))
        except NotFoundError as error:
            trial.shown.append(str(error))
        else:
            check(left.state in _GONE, f"{left!r} should be terminated")


async def _absent(trial: Trial, look: Callable[[], Any], what: str) -> None:
    await trial.until(look, lambda found: found == [], f"end of {what}")


async def _check_filter(trial: Trial, lists: Callable[..., Any], thing: Any, other: Any) -> None:
    """Check that tags select a thing and not the other."""

    async def ids(tags: Mapping[str, str]) -> list[str]:
        return [one.id for one in await trial.do(lists(tags=tags))]

    equal(await ids(_TAGS), [thing.id], f"things tagged {_TAGS}")
    equal(await ids({"team": "anysky"}), [thing.id], "things of the team")
    equal(await ids(_OTHER_TAGS), [other.id], f"things tagged {_OTHER_TAGS}")
    equal(await ids({"team": "nobody"}), [], "things of nobody's team")


def _ours(tags: Mapping[str, str]) -> dict[str, str]:
    """Return tags without those that a provider adds for itself."""
    return {name: value for name, value in tags.items() if name in _TAGS}


def _has(group: Any, rule: SecurityGroupRule) -> bool:
    """Whether a group has a rule, whatever its description."""

    def facts(one: SecurityGroupRule) -> tuple[object, ...]:
        return one.direction, one.protocol, one.from_port, one.to_port, tuple(one.cidrs)

    return facts(rule) in [facts(one) for one in group.rules]


def _states(things: list[Any]) -> set[Any]:
    return {thing.state for thing in things}


def _check_different(things: list[Any], what: str) -> None:
    ids = [thing.id for thing in things]
    equal(len(set(ids)), len(ids), f"different ids of {what}")
