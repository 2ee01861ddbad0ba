"""The life of everything that EC2 has, against moto, in both APIs.

Each request that is sent is checked against botocore's model of EC2.
"""

import pytest
from tests.providers.aws.ec2_support import AT_ONCE, play_asyncio, play_blocking
from tests.support.botocore_models import check_request

from anysky.compute import (
    NodeAuthSSHKey,
    NodeState,
    SecurityGroupRule,
    StorageVolumeState,
    VolumeSnapshotState,
)
from anysky.errors import (
    AuthenticationError,
    ConflictError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    NotFoundError,
    ProviderUnavailableError,
)
from anysky.model.compute import NodeImage, NodeSize
from anysky.providers.aws.compute import EC2
from anysky.transport.tracing import Hooks

pytestmark = pytest.mark.server

MICRO = NodeSize("t3.micro", "t3.micro", 1024, 0, None, None)
IMAGE = NodeImage("ami-12345678", None)
PUBLIC_KEY = (
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE me@here"
)


@pytest.fixture(params=[play_blocking, play_asyncio], ids=["blocking", "asyncio"])
def play(request, moto):
    """Runs a scenario in one of the APIs and returns the actions that were sent."""

    def run(scenario, **settings):
        actions = []

        def check(sent):
            url = "https://ec2.us-east-1.amazonaws.com/"
            operation = check_request("ec2", sent.method, url, sent.headers, sent.body)
            actions.append(operation.name)

        given = {
            "key": "AKIAEXAMPLE",
            "secret": "example-secret",
            "region": "us-east-1",
            "endpoint": moto,
            "hooks": Hooks(request=check),
            **settings,
        }
        request.param(scenario, **given)
        return actions

    return run


def test_a_node_lives(play):
    async def scenario(cloud):
        made = await cloud.create_node(
            "web", MICRO, IMAGE, tags={"stage": "test"}, user_data="#cloud-config"
        )
        [(running, addresses)] = await cloud.wait_until_running([made], wait_period=0.01)
        assert addresses == running.public_ips
        assert (running.id, running.name, running.state) == (made.id, "web", NodeState.RUNNING)
        assert running.tags == {"Name": "web", "stage": "test"}
        assert (running.size.id, running.image.id) == ("t3.micro", "ami-12345678")
        assert running.created_at.tzinfo is not None
        assert running.extra["instance_type"] == running.extra["instanceType"] == "t3.micro"

        assert await cloud.reboot_node(made) is True
        renamed = await cloud.rename_node(made, "db")
        assert (renamed.name, (await cloud.get_node(made.id)).name) == ("db", "db")

        assert await cloud.stop_node(made) is True
        assert (await cloud.get_node(made.id)).state is NodeState.STOPPED
        await cloud.call(EC2.change_node_size, made, "t3.small")
        assert await cloud.start_node(made) is True
        assert (await cloud.get_node(made.id)).size.id == "t3.small"

        assert await cloud.destroy_node(made) is True
        assert [node.state for node in await cloud.list_nodes()] == [NodeState.TERMINATED]

    assert play(scenario) == [
        "RunInstances",
        "DescribeInstances",
        "RebootInstances",
        "CreateTags",
        "DescribeInstances",
        "DescribeInstances",
        "StopInstances",
        "DescribeInstances",
        "ModifyInstanceAttribute",
        "StartInstances",
        "DescribeInstances",
        "TerminateInstances",
        "DescribeInstances",
    ]


def test_lists_of_nodes_are_narrowed_by_ec2(play):
    async def scenario(cloud):
        one = await cloud.create_node("one", MICRO, IMAGE, tags={"stage": "test"})
        two = await cloud.create_node("two", MICRO, IMAGE, tags={"stage": ""})

        async def listed(**wanted):
            return [node.id for node in await cloud.list_nodes(**wanted)]

        assert await listed() == [one.id, two.id]
        assert await listed(name="one") == [one.id]
        assert await listed(name=one.id) == []
        assert await listed(ids=[two.id, "i-0000000000000dead"]) == [two.id]
        assert await listed(tags={"stage": "test"}) == [one.id]
        assert await listed(tags={"stage": ""}) == [two.id]
        assert await listed(ex_node_ids=[one.id]) == [one.id]
        assert await listed(ex_filters={"tag:Name": ["two", "three"]}) == [two.id]

    play(scenario)


def test_a_public_key_is_imported_once(play):
    async def scenario(cloud):
        auth = NodeAuthSSHKey(PUBLIC_KEY)
        nodes = [await cloud.create_node(name, MICRO, IMAGE, auth=auth) for name in ("a", "b")]

        [key] = await cloud.list_key_pairs()
        assert [node.extra["key_name"] for node in nodes] == [key.name, key.name]

    assert play(scenario) == [
        "DescribeKeyPairs",
        "ImportKeyPair",
        "RunInstances",
        "DescribeKeyPairs",
        "RunInstances",
        "DescribeKeyPairs",
    ]


def test_a_key_pair_lives(play):
    async def scenario(cloud):
        made = await cloud.create_key_pair("mine")
        assert "PRIVATE KEY" in made.private_key
        assert "PRIVATE KEY" not in repr(made)
        modern = await cloud.call(EC2.create_key_pair, "modern", key_type="ed25519")
        assert "PRIVATE KEY" in modern.private_key
        imported = await cloud.import_key_pair_from_string("theirs", PUBLIC_KEY + "\n")
        assert imported.public_key == PUBLIC_KEY

        assert [key.name for key in await cloud.list_key_pairs()] == ["mine", "modern", "theirs"]
        found = await cloud.get_key_pair("theirs")
        assert found.public_key.startswith("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA")
        with pytest.raises(KeyPairAlreadyExistsError):
            await cloud.create_key_pair("mine")
        assert await cloud.delete_key_pair(made) is True
        with pytest.raises(KeyPairDoesNotExistError) as caught:
            await cloud.get_key_pair("mine")
        assert (caught.value.provider, caught.value.operation) == ("ec2", "get_key_pair")

    play(scenario)


def test_a_volume_lives(play):
    async def scenario(cloud):
        node = await cloud.create_node("web", MICRO, IMAGE)
        zone = next(
            place
            for place in await cloud.list_locations()
            if place.id == node.extra["availability"]
        )
        made = await cloud.create_volume(
            5, "data", zone, tags={"stage": "test"}, ex_volume_type="gp3", ex_iops=3000
        )
        assert (made.name, made.size, made.tags) == (
            "data",
            5,
            {"Name": "data", "stage": "test"},
        )

        assert await cloud.attach_volume(node, made) is True
        attached = await cloud.get_volume(made.id)
        assert attached.state is StorageVolumeState.INUSE
        assert (attached.extra["instance_id"], attached.extra["device"]) == (node.id, "/dev/sdf")
        with pytest.raises(ConflictError):
            await cloud.destroy_volume(made)
        assert await cloud.detach_volume(made) is True
        with pytest.raises(ConflictError, match="attached to no node"):
            await cloud.detach_volume(made)

        await cloud.call(EC2.modify_volume, made, {"Size": 8})
        assert [one.size for one in await cloud.list_volumes(name="data")] == [8]
        assert await cloud.destroy_volume(made) is True
        with pytest.raises(NotFoundError):
            await cloud.get_volume(made.id)

    play(scenario)


def test_a_volume_without_a_location_is_in_the_first_zone(play):
    async def scenario(cloud):
        made = await cloud.create_volume(1, "data")

        assert made.extra["zone"] == "us-east-1a"

    assert play(scenario) == ["DescribeAvailabilityZones", "CreateVolume"]


def test_a_snapshot_lives(play):
    async def scenario(cloud):
        volume = await cloud.create_volume(5, "data")
        other = await cloud.create_volume(5, "other")
        await cloud.create_volume_snapshot(other, "elsewhere")
        made = await cloud.create_volume_snapshot(volume, "daily")
        assert (made.name, made.size, made.state) == (
            "daily",
            5,
            VolumeSnapshotState.AVAILABLE,
        )

        assert [one.id for one in await cloud.list_volume_snapshots(volume)] == [made.id]
        assert [one.id for one in await cloud.list_snapshots(name="daily")] == [made.id]
        copy = await cloud.create_volume(6, "copy", snapshot=made)
        assert copy.extra["snapshot_id"] == made.id
        assert await cloud.destroy_volume_snapshot(made) is True
        assert await cloud.list_snapshots(ids=[made.id]) == []

    play(scenario)


def test_an_image_lives(play):
    async def scenario(cloud):
        node = await cloud.create_node("web", MICRO, IMAGE)
        made = await cloud.create_image(node, "web-1", "the web server")
        assert made.name == "web-1"
        found = await cloud.get_image(made.id)
        assert (found.name, found.extra["description"]) == ("web-1", "the web server")
        copy = await cloud.copy_image("us-east-1", made, "web-2")

        own = await cloud.list_images(ex_owner="self")
        assert sorted(image.name for image in own) == ["web-1", "web-2"]
        named = await cloud.list_images(name="web-2", ex_owner="self")
        assert [image.id for image in named] == [copy.id]
        chosen = await cloud.list_images(ex_image_ids=[made.id])
        assert [image.id for image in chosen] == [made.id]
        assert await cloud.delete_image(made) is True
        with pytest.raises(NotFoundError):
            await cloud.get_image("ami-00000000000000000")

    play(scenario)


def test_a_network_lives_with_all_that_is_in_it(play):
    async def scenario(cloud):
        network = await cloud.create_network("net", "10.0.0.0/16", tags={"stage": "test"})
        assert (network.name, network.cidr) == ("net", "10.0.0.0/16")
        subnet = await cloud.create_subnet(network, "sub", "10.0.1.0/24")
        assert (subnet.name, subnet.cidr, subnet.network_id) == ("sub", "10.0.1.0/24", network.id)
        assert [each.id for each in await cloud.list_networks(name="net")] == [network.id]
        assert [each.id for each in await cloud.list_subnets(network)] == [subnet.id]
        assert [each.id for each in await cloud.list_subnets(network, name="sub")] == [subnet.id]

        group = await cloud.create_security_group("web", network=network)
        node = await cloud.create_node(
            "web", MICRO, IMAGE, network=network, security_groups=[group]
        )
        assert (node.extra["subnet_id"], node.extra["vpc_id"]) == (subnet.id, network.id)
        assert node.extra["groupSet"] == [{"groupId": group.id, "groupName": "web"}]
        with pytest.raises(ConflictError):
            await cloud.delete_network(network)

        await cloud.destroy_node(node)
        assert await cloud.delete_security_group(group) is True
        assert await cloud.delete_subnet(subnet) is True
        assert await cloud.delete_network(network) is True
        assert await cloud.list_networks(ids=[network.id]) == []

    play(scenario)


def test_a_security_group_lives(play):
    web = SecurityGroupRule(
        "ingress", "tcp", 80, 443, ("0.0.0.0/0", "::/0"), description="everybody"
    )
    out = SecurityGroupRule("egress", "udp", cidrs=("10.0.0.0/8",))
    ping = SecurityGroupRule("ingress", "icmp", cidrs=("192.0.2.0/24",))

    async def scenario(cloud):
        made = await cloud.create_security_group(
            "web", "for the web", rules=[web, out], tags={"stage": "test"}
        )
        [found] = await cloud.list_security_groups(name="web")
        assert (found.id, found.description, found.tags) == (
            made.id,
            "for the web",
            {"stage": "test"},
        )
        assert found.rules == made.rules == (web, out)

        assert await cloud.add_security_group_rule(made, ping) is True
        [found] = await cloud.list_security_groups(ids=[made.id])
        assert set(found.rules) == {web, out, ping}
        assert await cloud.remove_security_group_rule(made, ping) is True
        [found] = await cloud.list_security_groups(ids=[made.id])
        assert found.rules == (web, out)
        assert await cloud.delete_security_group(made) is True

    play(scenario)


def test_rules_by_the_arguments_of_libcloud(play):
    async def scenario(cloud):
        group = await cloud.create_security_group("web")
        other = await cloud.create_security_group("other")
        pairs = [{"group_id": other.id}]

        await cloud.ex_authorize_security_group_ingress(
            group.id, 22, 22, ["192.0.2.0/24"], description="office"
        )
        await cloud.ex_authorize_security_group_ingress(group.id, 53, 53, None, pairs, "udp")
        await cloud.ex_authorize_security_group_egress(group.id, 80, 81, ["192.0.2.0/24"])
        [found] = await cloud.list_security_groups(ids=[group.id])
        assert set(found.rules) == {
            SecurityGroupRule("ingress", "tcp", 22, 22, ("192.0.2.0/24",), (), "office"),
            SecurityGroupRule("ingress", "udp", 53, 53, (), (other.id,)),
            SecurityGroupRule("egress", "tcp", 80, 81, ("192.0.2.0/24",)),
            SecurityGroupRule("egress", "all", None, None, ("0.0.0.0/0",)),
        }

        await cloud.ex_revoke_security_group_ingress(group.id, 53, 53, None, pairs, "udp")
        await cloud.ex_revoke_security_group_egress(group.id, 80, 81, ["192.0.2.0/24"])
        [found] = await cloud.list_security_groups(ids=[group.id])
        assert [rule.protocol for rule in found.rules] == ["tcp", "all"]

    play(scenario)


def test_addresses_by_the_names_of_libcloud(play):
    async def scenario(cloud):
        node = await cloud.create_node("web", MICRO, IMAGE)
        made = await cloud.ex_allocate_address("vpc")
        assert [one.id for one in await cloud.ex_describe_all_addresses()] == [made.id]
        assert await cloud.ex_describe_all_addresses(only_associated=True) == []

        association = await cloud.ex_associate_address_with_node(node, made)
        assert association.startswith("eipassoc-")
        [found] = await cloud.ex_describe_all_addresses(only_associated=True)
        assert found.node_id == node.id
        await cloud.ex_disassociate_address(made)
        await cloud.ex_release_address(made)
        assert await cloud.ex_describe_all_addresses() == []

    play(scenario)


def test_a_floating_address_lives(play):
    async def scenario(cloud):
        node = await cloud.create_node("web", MICRO, IMAGE)
        made = await cloud.create_floating_ip(tags={"stage": "test"})
        assert (made.node_id, made.tags) == (None, {"stage": "test"})

        assert await cloud.attach_floating_ip(made, node) is True
        [found] = await cloud.list_floating_ips(tags={"stage": "test"})
        assert (found.id, found.ip, found.node_id) == (made.id, made.ip, node.id)
        assert await cloud.detach_floating_ip(made) is True
        with pytest.raises(NotFoundError, match="associated with nothing"):
            await cloud.detach_floating_ip(made)
        assert await cloud.delete_floating_ip(made) is True
        assert await cloud.list_floating_ips() == []

    play(scenario)


def test_tags_and_console_of_a_node(play):
    async def scenario(cloud):
        node = await cloud.create_node("web", MICRO, IMAGE)

        await cloud.ex_create_tags(node, {"stage": "test"})
        assert await cloud.ex_describe_tags(node) == {"Name": "web", "stage": "test"}
        await cloud.ex_delete_tags(node.id, {"stage": "test"})
        assert await cloud.ex_describe_tags(node.id) == {"Name": "web"}
        status = await cloud.call(EC2.describe_instance_status, node)
        assert status == {"state": "running", "instance": "ok", "system": "ok"}
        console = await cloud.call(EC2.get_console_output, node)
        assert console["instance_id"] == node.id
        assert "Linux version" in console["output"]

    play(scenario)


def test_the_catalogue(play):
    async def scenario(cloud):
        zones = await cloud.list_locations()
        assert [(zone.id, zone.country) for zone in zones[:2]] == [
            ("us-east-1a", "US"),
            ("us-east-1b", "US"),
        ]
        sizes = {size.id: size for size in await cloud.list_sizes()}
        assert (sizes["m5d.large"].ram, sizes["m5d.large"].vcpus, sizes["m5d.large"].disk) == (
            8192,
            2,
            75,
        )
        offered = {size.id for size in await cloud.list_sizes(zones[0])}
        assert {"t3.micro"} < offered < set(sizes)
        assert "eu-west-1" in await cloud.ex_list_regions()

    play(scenario, timeout=100)


def test_a_page_of_html_with_status_500(play):
    """moto sends one for what it has not implemented."""

    async def scenario(cloud):
        with pytest.raises(ProviderUnavailableError) as caught:
            await cloud.call(EC2.ask, "DescribeBundleTasks", {})
        assert (caught.value.provider, caught.value.operation) == ("ec2", "ask")
        assert caught.value.status == 500

    play(scenario, retry=AT_ONCE)


@pytest.mark.parametrize("player", [play_blocking, play_asyncio])
def test_signatures_are_right(player, moto_auth):
    async def scenario(cloud):
        made = await cloud.create_volume(1, "with spaces, ünïcode & $ymbols~*'")
        found = await cloud.get_volume(made.id)
        assert found.name == "with spaces, ünïcode & $ymbols~*'"

    player(
        scenario,
        key=moto_auth.access_key,
        secret=moto_auth.secret_key,
        region="us-east-1",
        endpoint=moto_auth.url,
    )


def test_a_wrong_secret_is_refused(moto_auth):
    async def scenario(cloud):
        with pytest.raises(AuthenticationError) as caught:
            await cloud.list_nodes()
        assert (caught.value.provider, caught.value.operation) == ("ec2", "list_nodes")
        assert "wrong-secret" not in repr(caught.value)

    play_blocking(
        scenario,
        key=moto_auth.access_key,
        secret="wrong-secret",
        region="us-east-1",
        endpoint=moto_auth.url,
    )
