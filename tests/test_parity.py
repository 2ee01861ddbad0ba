"""The two APIs are one, and hold what programs written for Libcloud call."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import re
from datetime import UTC, datetime

import pytest

import anysky
from anysky import compute, dns, errors, loadbalancer, storage
from anysky.compute import NodeState, Provider, StorageVolumeState, VolumeSnapshotState
from anysky.dns import RecordType

MODULES = ["compute", "storage", "dns", "loadbalancer", "drivers", "driver"]

# What is called alike but written otherwise in the two APIs.
SPELLINGS = (
    (re.compile(r"\bAsync(Iterator|Iterable)\b"), r"\1"),
    (re.compile(r"\banysky\.aio\b"), "anysky"),
    (re.compile(r"\basync (with|for|def)\b"), r"\1"),
    (re.compile(r"\bawait "), ""),
    (re.compile(r"; in the asyncio API an async iterator as well"), ""),
    (re.compile(r"\bIterable\[bytes\] \| Iterable\[bytes\]"), "Iterable[bytes]"),
)
DUNDERS = {"__aenter__": "__enter__", "__aexit__": "__exit__"}

# Libcloud 3.9.1's standard API: methods with their arguments, without `self`. Left out is
# `deploy_node`, which anysky does not have.
STANDARD = {
    compute.NodeDriver: """
        list_nodes()
        create_node(name, size, image, location=None, auth=None)
        reboot_node(node)
        start_node(node)
        stop_node(node)
        destroy_node(node)
        wait_until_running(nodes, wait_period=5, timeout=600, ssh_interface='public_ips', \
force_ipv4=True, ex_list_nodes_kwargs=None)
        list_sizes(location=None)
        list_locations()
        list_images(location=None)
        get_image(image_id)
        create_image(node, name, description=None)
        delete_image(node_image)
        copy_image(source_region, node_image, name, description=None)
        list_volumes()
        create_volume(size, name, location=None, snapshot=None)
        attach_volume(node, volume, device=None)
        detach_volume(volume)
        destroy_volume(volume)
        list_volume_snapshots(volume)
        create_volume_snapshot(volume, name=None)
        destroy_volume_snapshot(snapshot)
        list_key_pairs()
        get_key_pair(name)
        create_key_pair(name)
        import_key_pair_from_string(name, key_material)
        import_key_pair_from_file(name, key_file_path)
        delete_key_pair(key_pair)
    """,
    compute.Node: "reboot() start() stop_node() destroy() get_uuid()",
    compute.StorageVolume: """
        list_snapshots()
        attach(node, device=None)
        detach()
        snapshot(name)
        destroy()
    """,
    compute.VolumeSnapshot: "destroy()",
    storage.StorageDriver: """
        iterate_containers()
        list_containers()
        get_container(container_name)
        create_container(container_name)
        delete_container(container)
        get_container_cdn_url(container)
        enable_container_cdn(container)
        iterate_container_objects(container, prefix=None, ex_prefix=None)
        list_container_objects(container, prefix=None, ex_prefix=None)
        get_object(container_name, object_name)
        get_object_cdn_url(obj)
        enable_object_cdn(obj)
        download_object(obj, destination_path, overwrite_existing=False, delete_on_failure=True)
        download_object_as_stream(obj, chunk_size=None)
        download_object_range(obj, destination_path, start_bytes, end_bytes=None, \
overwrite_existing=False, delete_on_failure=True)
        download_object_range_as_stream(obj, start_bytes, end_bytes=None, chunk_size=None)
        upload_object(file_path, container, object_name, extra=None, verify_hash=True, headers=None)
        upload_object_via_stream(iterator, container, object_name, extra=None, headers=None)
        delete_object(obj)
    """,
    storage.Container: """
        iterate_objects()
        list_objects()
        get_object(object_name)
        upload_object(file_path, object_name, extra=None)
        upload_object_via_stream(iterator, object_name, extra=None)
        download_object(obj, destination_path, overwrite_existing=False, delete_on_failure=True)
        download_object_as_stream(obj, chunk_size=None)
        delete_object(obj)
        get_cdn_url()
        enable_cdn()
        delete()
    """,
    storage.Object: """
        download(destination_path, overwrite_existing=False, delete_on_failure=True)
        as_stream(chunk_size=None)
        download_range(destination_path, start_bytes, end_bytes=None, overwrite_existing=False, \
delete_on_failure=True)
        range_as_stream(start_bytes, end_bytes=None, chunk_size=None)
        delete()
        get_cdn_url()
        enable_cdn()
    """,
    dns.DNSDriver: """
        list_record_types()
        iterate_zones()
        list_zones()
        iterate_records(zone)
        list_records(zone)
        get_zone(zone_id)
        get_record(zone_id, record_id)
        create_zone(domain, type='master', ttl=None, extra=None)
        update_zone(zone, domain, type='master', ttl=None, extra=None)
        create_record(name, zone, type, data, extra=None)
        update_record(record, name, type, data, extra=None)
        delete_zone(zone)
        delete_record(record)
        export_zone_to_bind_format(zone)
        export_zone_to_bind_zone_file(zone, file_path)
    """,
    dns.Zone: """
        list_records()
        create_record(name, type, data, extra=None)
        update(domain=None, type=None, ttl=None, extra=None)
        delete()
        export_to_bind_format()
        export_to_bind_zone_file(file_path)
    """,
    dns.Record: "update(name=None, type=None, data=None, extra=None) delete()",
    loadbalancer.LoadBalancerDriver: """
        list_protocols()
        list_balancers()
        create_balancer(name, port, protocol, algorithm, members)
        destroy_balancer(balancer)
        get_balancer(balancer_id)
        update_balancer(balancer)
        balancer_attach_compute_node(balancer, node)
        balancer_attach_member(balancer, member)
        balancer_detach_member(balancer, member)
        balancer_list_members(balancer)
        list_supported_algorithms()
    """,
    loadbalancer.LoadBalancer: """
        attach_compute_node(node)
        attach_member(member)
        detach_member(member)
        list_members()
        destroy()
    """,
}
CALL = re.compile(r"(\w+)\((.*?)\)")
STANDARD_METHODS = [
    pytest.param(cls, name, arguments, id=f"{cls.__name__}.{name}")
    for cls, text in STANDARD.items()
    for name, arguments in CALL.findall(text)
]

SERVICES = [
    compute.NodeDriver,
    storage.StorageDriver,
    dns.DNSDriver,
    loadbalancer.LoadBalancerDriver,
]
DRIVER_ARGUMENTS = "key secret secure host port api_version region"

# Constructors of models; `driver` where Libcloud has it, `extra` and others after it.
CONSTRUCTORS = {
    compute.Node: "id, name, state, public_ips, private_ips, driver, size=None, image=None, "
    "extra=None, created_at=None",
    compute.NodeSize: "id, name, ram, disk, bandwidth, price, driver, extra=None",
    compute.NodeImage: "id, name, driver, extra=None",
    compute.NodeLocation: "id, name, country, driver, extra=None",
    compute.NodeAuthSSHKey: "pubkey",
    compute.NodeAuthPassword: "password, generated=False",
    compute.StorageVolume: "id, name, size, driver, state=None, extra=None",
    compute.VolumeSnapshot: "id, driver, size=None, extra=None, created=None, state=None, "
    "name=None",
    compute.KeyPair: "name, public_key, fingerprint, driver, private_key=None, extra=None",
    storage.Container: "name, extra, driver",
    storage.Object: "name, size, hash, extra, meta_data, container, driver",
    dns.Zone: "id, domain, type, ttl, driver, extra=None",
    dns.Record: "id, name, type, data, zone, driver, ttl=None, extra=None",
    loadbalancer.LoadBalancer: "id, name, state, ip, port, driver, extra=None",
    loadbalancer.Member: "id, ip, port, balancer=None, extra=None",
}

ENUMS = {
    NodeState: "running starting rebooting terminated pending unknown stopping stopped suspended "
    "error paused reconfiguring migrating normal updating",
    StorageVolumeState: "available error inuse creating deleting deleted backup attaching unknown "
    "migrating updating",
    VolumeSnapshotState: "available error creating deleting restoring unknown updating",
    compute.NodeImageMemberState: "accepted pending rejected",
}
NUMBERS = {
    loadbalancer.Algorithm: "RANDOM ROUND_ROBIN LEAST_CONNECTIONS WEIGHTED_ROUND_ROBIN "
    "WEIGHTED_LEAST_CONNECTIONS SHORTEST_RESPONSE PERSISTENT_IP LEAST_CONNECTIONS_MEMBER "
    "LEAST_CONNECTIONS_NODE OBSERVED_MEMBER OBSERVED_NODE PREDICTIVE_MEMBER PREDICTIVE_NODE",
    loadbalancer.State: "RUNNING PENDING UNKNOWN ERROR DELETED",
    loadbalancer.MemberCondition: "ENABLED DISABLED DRAINING",
}

# Errors that programs written for Libcloud catch, and what else must catch them.
CAUGHT = {
    "InvalidCredsError": errors.AuthenticationError,
    "MalformedResponseError": errors.CloudError,
    "KeyPairError": errors.CloudError,
    "KeyPairDoesNotExistError": errors.KeyPairError,
    "ContainerError": errors.CloudError,
    "ContainerAlreadyExistsError": errors.ContainerError,
    "ContainerDoesNotExistError": errors.ContainerError,
    "ContainerIsNotEmptyError": errors.ContainerError,
    "InvalidContainerNameError": errors.ContainerError,
    "ObjectError": errors.CloudError,
    "ObjectDoesNotExistError": errors.ObjectError,
    "ObjectHashMismatchError": errors.ObjectError,
    "ZoneError": errors.CloudError,
    "ZoneDoesNotExistError": errors.ZoneError,
    "ZoneAlreadyExistsError": errors.ZoneError,
    "RecordError": errors.CloudError,
    "RecordDoesNotExistError": errors.RecordError,
    "RecordAlreadyExistsError": errors.RecordError,
    "DriverTypeNotFoundError": KeyError,
    "UnsupportedOperationError": NotImplementedError,
}


def both(module):
    return importlib.import_module(f"anysky.aio.{module}"), importlib.import_module(
        f"anysky.{module}"
    )


def blocking_text(text):
    for pattern, replacement in SPELLINGS:
        text = pattern.sub(replacement, text)
    return re.sub(r"\s+", " ", text)


def classes():
    """Each class of the asyncio API with its twin."""
    for module in MODULES:
        concurrent, blocking = both(module)
        for name, cls in vars(concurrent).items():
            if inspect.isclass(cls) and cls.__module__ == concurrent.__name__:
                yield pytest.param(cls, getattr(blocking, name), id=name)


def members(cls):
    """What a class says itself, without private names and those that dataclasses make."""
    return {
        DUNDERS.get(name, name): value
        for name, value in vars(cls).items()
        if not name.startswith("_") or name in {"__init__", *DUNDERS, *DUNDERS.values()}
    }


def function_of(member):
    if isinstance(member, property):
        return member.fget
    return getattr(member, "__func__", member)


def described(member):
    """How a method is called and what it says of itself, as the blocking API writes it."""
    function = function_of(member)
    signature = str(inspect.signature(function))
    return blocking_text(signature), blocking_text(inspect.getdoc(function) or "")


@pytest.mark.parametrize("module", MODULES)
def test_modules_export_the_same_names(module):
    concurrent, blocking = both(module)

    assert concurrent.__all__ == blocking.__all__
    for name in concurrent.__all__:
        assert hasattr(concurrent, name), name
        assert hasattr(blocking, name), name


@pytest.mark.parametrize(("concurrent", "blocking"), list(classes()))
def test_classes_have_the_same_members_with_signatures_and_docstrings(concurrent, blocking):
    ours, theirs = members(concurrent), members(blocking)

    assert list(ours) == list(theirs)
    for name, member in ours.items():
        if inspect.isfunction(function_of(member)):
            assert described(member) == described(theirs[name]), name


@pytest.mark.parametrize(("concurrent", "blocking"), list(classes()))
def test_what_the_one_api_awaits_the_other_does_not(concurrent, blocking):
    theirs = members(blocking)
    for name, member in members(concurrent).items():
        twin = function_of(theirs[name])
        assert not inspect.iscoroutinefunction(twin), name
        assert not inspect.isasyncgenfunction(twin), name
        if name.startswith("iterate_"):
            assert inspect.isasyncgenfunction(member), name


@pytest.mark.parametrize(("cls", "name", "arguments"), STANDARD_METHODS)
def test_standard_methods_take_the_standard_arguments(cls, name, arguments):
    parameters = list(inspect.signature(getattr(cls, name)).parameters.values())[1:]

    assert_begins_with(parameters, arguments)


@pytest.mark.parametrize("service", SERVICES)
def test_drivers_take_the_standard_arguments(service):
    parameters = list(inspect.signature(service).parameters.values())

    assert [one.name for one in parameters[:7]] == DRIVER_ARGUMENTS.split()
    assert parameters[2].default is True
    assert all(one.default is None for one in parameters[:7] if one.name != "secure")


@pytest.mark.parametrize(("cls", "arguments"), CONSTRUCTORS.items())
def test_models_are_made_with_the_standard_arguments(cls, arguments):
    assert_begins_with(list(inspect.signature(cls).parameters.values()), arguments)


def assert_begins_with(parameters, arguments):
    """Standard arguments come first, in order; what is further may be left out."""
    standard = [part.strip() for part in arguments.split(",") if part.strip()]
    positional = [one for one in parameters if one.kind is one.POSITIONAL_OR_KEYWORD]
    first, further = positional[: len(standard)], positional[len(standard) :]

    for wanted, found in zip(standard, first, strict=True):
        name, _, default = wanted.partition("=")
        assert found.name == name
        if default:
            assert found.default == eval(default)
    for one in [*further, *(one for one in parameters if one.kind is one.KEYWORD_ONLY)]:
        assert one.default is not one.empty, one


@pytest.mark.parametrize(("enum", "values"), ENUMS.items())
def test_states_are_equal_to_their_strings(enum, values):
    assert [str(one) for one in enum] == values.split()
    for value in values.split():
        assert getattr(enum, value.upper()) == value
        assert enum(value) is enum.fromstring(value)
        assert enum.tostring(enum(value)) == value.upper()


@pytest.mark.parametrize(("enum", "names"), NUMBERS.items())
def test_constants_of_load_balancers_are_numbers(enum, names):
    assert {one.name: one for one in enum} == {name: n for n, name in enumerate(names.split())}


def test_architectures_are_numbers():
    assert (compute.Architecture.I386, compute.Architecture.X86_X64) == (0, 1)


def test_record_types_are_equal_to_their_names():
    assert all(kind == kind.name for kind in RecordType)
    libcloud = """A AAAA AFSDB ALIAS CERT CNAME DNAME DNSKEY DS GEO HINFO KEY LOC MX NAPTR NS NSEC
        OPENPGPKEY PTR REDIRECT RP RRSIG SOA SPF SRV SSHFP TLSA TXT URL WKS CAA"""
    assert set(libcloud.split()) <= {kind.value for kind in RecordType}


@pytest.mark.parametrize(("name", "base"), CAUGHT.items())
def test_errors_that_programs_catch(name, base):
    kind = getattr(anysky, name)

    assert issubclass(kind, base)
    assert issubclass(kind, anysky.CloudError)
    error = kind("what happened")
    assert error.value == "what happened"
    assert str(error) == "what happened"


def driver(provider=Provider.DIGITAL_OCEAN):
    return compute.get_driver(provider)("token")


def test_drivers_say_what_they_are():
    one = driver()

    facts = (one.name, one.api_name, one.website, one.type)
    assert facts == (
        "DigitalOcean",
        "digitalocean",
        "https://www.digitalocean.com",
        "digitalocean",
    )
    assert one.type == Provider.DIGITAL_OCEAN
    assert one.features == {"create_node": ["ssh_key"]}


def test_dns_drivers_say_which_records_they_take():
    one = dns.get_driver(dns.Provider.ROUTE53)("key", "secret")

    assert one.list_record_types() == list(one.RECORD_TYPE_MAP)
    assert RecordType.A in one.RECORD_TYPE_MAP
    assert one.RECORD_TYPE_MAP[RecordType.MX] == "MX"


def test_a_node_is_made_by_hand_and_named_by_its_uuid():
    one = driver()
    now = datetime(2026, 1, 2, tzinfo=UTC)
    size = compute.NodeSize("s", "small", 1024, 25, None, 0.01, one, {"a": 1})
    image = compute.NodeImage("i", "debian", one)
    node = compute.Node(
        "1", "web", NodeState.RUNNING, ["192.0.2.1"], [], one, size, image, {"x": 1}, now
    )

    assert (node.id, node.state, node.size, node.image) == ("1", "running", size, image)
    assert (node.extra, node.created_at, node.driver) == ({"x": 1}, now, one)
    assert re.fullmatch("[0-9a-f]{40}", node.uuid)
    assert node.uuid == node.get_uuid() != compute.Node("2", "", "", [], [], one).uuid
    with pytest.raises(dataclasses.FrozenInstanceError):
        node.name = "other"


@pytest.mark.parametrize("name", [Provider.EC2, "ec2", "EC2", "Ec2", anysky.Provider.EC2])
def test_providers_are_found_by_constant_and_by_string_in_any_case(name):
    assert compute.get_driver(name) is compute.get_driver(Provider.EC2)


@pytest.mark.parametrize("kind", [anysky.DriverType.COMPUTE, "compute", "Compute"])
def test_drivers_are_found_by_kind_of_service(kind):
    assert anysky.get_driver(kind, "ec2") is compute.get_driver("ec2")


def test_what_is_not_there_is_an_error_that_programs_catch():
    with pytest.raises(AttributeError, match="'nobody'"):
        compute.get_driver("nobody")
    with pytest.raises(KeyError, match="'weather'"):
        anysky.get_driver("weather", "ec2")


class Mine(compute.get_driver("digitalocean")):
    """A driver of one's own."""


def test_a_driver_of_ones_own_is_registered_once():
    found = compute.set_driver("parity-mine", __name__, "Mine")

    assert compute.get_driver("PARITY-MINE") is found is Mine
    with pytest.raises(AttributeError, match="is there already"):
        compute.set_driver("parity-mine", __name__, "Mine")
    with pytest.raises(AttributeError, match="is there already"):
        compute.set_driver("ec2", __name__, "Mine")
    with pytest.raises(AttributeError, match="cannot import"):
        compute.set_driver("parity-other", "no.such.module", "Mine")
    with pytest.raises(AttributeError, match="has no class 'Missing'"):
        compute.set_driver("parity-other", __name__, "Missing")
    with pytest.raises(AttributeError, match="'parity-mine'"):
        storage.get_driver("parity-mine")
