"""EC2: requests as data, answers as data, and what happens when things go wrong."""

import datetime as dt

import pytest
from tests.providers.aws.ec2_support import MARK, answer, driver, fault, tagged

from anysky import transaction
from anysky.compute import NodeAuthPassword, NodeAuthSSHKey, NodeState, SecurityGroupRule
from anysky.errors import (
    AlreadyExistsError,
    AuthenticationError,
    CloudError,
    ConflictError,
    ConnectionFailedError,
    InvalidAccountError,
    InvalidRequestError,
    KeyPairAlreadyExistsError,
    KeyPairDoesNotExistError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    PartialFailureError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedOperationError,
)
from anysky.model.compute import (
    FloatingIP,
    KeyPair,
    Network,
    Node,
    NodeImage,
    NodeLocation,
    NodeSize,
    SecurityGroup,
    StorageVolume,
    Subnet,
    VolumeSnapshot,
)
from anysky.providers.aws.compute import EC2
from anysky.transport.base import Response, SendClass


@pytest.fixture(autouse=True)
def pinned_mark(monkeypatch):
    """Every step has the same mark."""
    monkeypatch.setattr("anysky.ledger.fresh_mark", lambda: MARK)


LOST = OutcomeUnknownError("the connection broke")
NODE = Node("i-1", "web", NodeState.RUNNING, [], [])
VOLUME = StorageVolume("vol-1", "data", 5)
SIZE = NodeSize("t3.micro", "t3.micro", 1024, 0, None, None)
IMAGE = NodeImage("ami-1", None)
ZONE = NodeLocation("eu-west-1b", "eu-west-1b", "IE")
NETWORK = Network("vpc-1", "net", "10.0.0.0/16")
GROUP = SecurityGroup("sg-1", "web", "")
ED25519 = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE me"
ED25519_NAME = "anysky-b9bc44978d5f2439d4a043ca499134cb"

# As https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html shows one,
# with a second interface and IPv6.
INSTANCE = """<item>
  <instanceId>i-1234567890abcdef0</instanceId><imageId>ami-bff32ccc</imageId>
  <instanceState><code>16</code><name>running</name></instanceState>
  <privateDnsName>ip-192-168-1-88.eu-west-1.compute.internal</privateDnsName>
  <keyName>my_keypair</keyName><instanceType>t2.micro</instanceType>
  <launchTime>2018-05-08T16:46:19.000Z</launchTime>
  <placement><availabilityZone>eu-west-1c</availabilityZone></placement>
  <subnetId>subnet-56f5f633</subnetId><vpcId>vpc-11112222</vpcId>
  <privateIpAddress>192.168.1.88</privateIpAddress><ipAddress>54.194.252.215</ipAddress>
  <tagSet>
    <item><key>Name</key><value>Server_1</value></item>
    <item><key>stage</key><value/></item>
  </tagSet>
  <networkInterfaceSet>
    <item>
      <privateIpAddress>192.168.1.88</privateIpAddress>
      <association><publicIp>54.194.252.215</publicIp></association>
      <privateIpAddressesSet>
        <item><privateIpAddress>192.168.1.88</privateIpAddress><primary>true</primary>
          <association><publicIp>54.194.252.215</publicIp></association></item>
        <item><privateIpAddress>192.168.1.89</privateIpAddress><primary>false</primary></item>
      </privateIpAddressesSet>
      <ipv6AddressesSet><item><ipv6Address>2001:db8::1</ipv6Address></item></ipv6AddressesSet>
    </item>
  </networkInterfaceSet>
</item>"""
BARE_INSTANCE = "<item><instanceId>i-2</instanceId></item>"


def instances(*items, token=None):
    inside = "".join(
        f"<item><ownerId>1</ownerId><instancesSet>{item}</instancesSet></item>" for item in items
    )
    token = f"<nextToken>{token}</nextToken>" if token else "<nextToken/>"
    return answer("DescribeInstances", f"<reservationSet>{inside}</reservationSet>{token}")


LAUNCHED = answer("RunInstances", f"<instancesSet>{BARE_INSTANCE}</instancesSet>")
DONE = {
    action: answer(action)
    for action in (
        "AuthorizeSecurityGroupIngress",
        "DeleteVolume",
        "StopInstances",
        "TerminateInstances",
    )
}


# -- answers -------------------------------------------------------------------------------------


def test_an_instance_becomes_a_node():
    cloud, _ = driver(instances(INSTANCE))

    [node] = cloud.list_nodes()

    assert (node.id, node.name, node.state) == (
        "i-1234567890abcdef0",
        "Server_1",
        NodeState.RUNNING,
    )
    assert node.public_ips == ["54.194.252.215", "2001:db8::1"]
    assert node.private_ips == ["192.168.1.88", "192.168.1.89"]
    assert (node.size.id, node.size.driver) == ("t2.micro", cloud)
    assert (node.image.id, node.image.driver) == ("ami-bff32ccc", cloud)
    assert node.created_at == dt.datetime(2018, 5, 8, 16, 46, 19, tzinfo=dt.UTC)
    assert node.tags == {"Name": "Server_1", "stage": ""}
    assert node.extra["availability"] == "eu-west-1c"
    assert node.extra["placement"] == {"availabilityZone": "eu-west-1c"}
    assert node.extra["key_name"] == node.extra["keyName"] == "my_keypair"


def test_an_instance_that_has_nothing_is_named_by_its_id():
    cloud, _ = driver(instances(BARE_INSTANCE))

    [node] = cloud.list_nodes()

    assert (node.name, node.state, node.public_ips, node.tags) == (
        "i-2",
        NodeState.UNKNOWN,
        [],
        {},
    )


@pytest.mark.parametrize(
    ("name", "state"),
    [
        ("pending", NodeState.PENDING),
        ("running", NodeState.RUNNING),
        ("shutting-down", NodeState.STOPPING),
        ("terminated", NodeState.TERMINATED),
        ("stopping", NodeState.STOPPING),
        ("stopped", NodeState.STOPPED),
        ("invented-tomorrow", NodeState.UNKNOWN),
    ],
)
def test_states(name, state):
    state_of_it = f"<instanceState><name>{name}</name></instanceState>"
    cloud, _ = driver(instances(f"<item><instanceId>i-1</instanceId>{state_of_it}</item>"))

    assert [node.state for node in cloud.list_nodes()] == [state]


def test_5000_nodes_on_five_pages_are_listed():
    pages = [
        instances(
            *(f"<item><instanceId>i-{page}-{n}</instanceId></item>" for n in range(1000)),
            token=f"page {page + 1}" if page < 4 else None,
        )
        for page in range(5)
    ]
    cloud, canned = driver(*pages)

    nodes = cloud.list_nodes()

    assert len({node.id for node in nodes}) == 5000
    assert canned.sent == [
        ("DescribeInstances", {"MaxResults": "1000"}),
        *(
            ("DescribeInstances", {"MaxResults": "1000", "NextToken": f"page {n}"})
            for n in range(1, 5)
        ),
    ]


def test_a_token_that_comes_twice_ends_the_list():
    cloud, _ = driver(*(instances(BARE_INSTANCE, token="again") for _ in range(2)))

    with pytest.raises(MalformedResponseError, match="same page link twice"):
        cloud.list_nodes()


def test_a_failure_on_a_later_page_gives_no_half_list():
    cloud, _ = driver(instances(INSTANCE, token="2"), fault("InternalError", status=400))

    with pytest.raises(ProviderUnavailableError):
        cloud.list_nodes()


# -- requests ------------------------------------------------------------------------------------


def test_filters_of_a_list():
    cloud, canned = driver(instances())

    cloud.list_nodes(
        ids=["i-1", "i-2"],
        name="a*b?\\",
        tags={"stage": "test"},
        ex_filters={"instance-state-name": ["running", "pending"], "vpc-id": "vpc-1"},
    )

    assert canned.sent == [
        (
            "DescribeInstances",
            {
                "Filter.1.Name": "instance-id",
                "Filter.1.Value.1": "i-1",
                "Filter.1.Value.2": "i-2",
                "Filter.2.Name": "tag:Name",
                "Filter.2.Value.1": "a\\*b\\?\\\\",
                "Filter.3.Name": "tag:stage",
                "Filter.3.Value.1": "test",
                "Filter.4.Name": "instance-state-name",
                "Filter.4.Value.1": "running",
                "Filter.4.Value.2": "pending",
                "Filter.5.Name": "vpc-id",
                "Filter.5.Value.1": "vpc-1",
                "MaxResults": "1000",
            },
        )
    ]


def test_more_ids_than_a_filter_takes_are_looked_for_in_the_whole_list():
    cloud, canned = driver(instances(BARE_INSTANCE, INSTANCE))

    found = cloud.list_nodes(ids=[f"i-{n}" for n in range(201)])

    assert [node.id for node in found] == ["i-2"]
    assert canned.sent == [("DescribeInstances", {"MaxResults": "1000"})]


def test_named_nodes_are_asked_for_without_a_page_size():
    cloud, canned = driver(instances(BARE_INSTANCE))

    cloud.list_nodes(ex_node_ids=["i-2"])

    assert canned.sent == [("DescribeInstances", {"InstanceId.1": "i-2"})]


def test_the_smallest_node():
    cloud, canned = driver(LAUNCHED)

    cloud.create_node("web", SIZE, IMAGE)

    assert canned.sent == [
        (
            "RunInstances",
            {
                "ImageId": "ami-1",
                "InstanceType": "t3.micro",
                "MinCount": "1",
                "MaxCount": "1",
                "ClientToken": MARK,
                **tagged("instance", ("Name", "web")),
                **tagged("volume", ("Name", "web"), number=2),
            },
        )
    ]


def launched_with(**options):
    """The parameters of RunInstances that an option adds to those of the smallest node."""
    cloud, canned = driver(LAUNCHED)
    cloud.create_node("", SIZE, IMAGE, **options)
    [(_, sent)] = canned.sent
    always = {
        "ImageId": "ami-1",
        "InstanceType": "t3.micro",
        "MinCount": "1",
        "MaxCount": "1",
        "ClientToken": MARK,
        **tagged("instance"),
        **tagged("volume", number=2),
    }
    return {name: value for name, value in sent.items() if always.get(name) != value}


@pytest.mark.parametrize(
    ("options", "added"),
    [
        ({"location": ZONE}, {"Placement.AvailabilityZone": "eu-west-1b"}),
        ({"key_pair": "mine"}, {"KeyName": "mine"}),
        ({"key_pair": KeyPair("mine", "", "")}, {"KeyName": "mine"}),
        ({"ex_keyname": "mine"}, {"KeyName": "mine"}),
        ({"user_data": "#!é"}, {"UserData": "IyHDqQ=="}),
        ({"ex_userdata": b"\0"}, {"UserData": "AA=="}),
        ({"network": Subnet("subnet-1", "", "", "vpc-1")}, {"SubnetId": "subnet-1"}),
        ({"ex_subnet": "subnet-1"}, {"SubnetId": "subnet-1"}),
        ({"security_groups": [GROUP]}, {"SecurityGroupId.1": "sg-1"}),
        ({"ex_security_group_ids": ["sg-2"]}, {"SecurityGroupId.1": "sg-2"}),
        ({"ex_security_groups": ["web"]}, {"SecurityGroup.1": "web"}),
        ({"ex_placement_group": "near"}, {"Placement.GroupName": "near"}),
        ({"ex_iamprofile": "app"}, {"IamInstanceProfile.Name": "app"}),
        (
            {"ex_iamprofile": "arn:aws:iam::1:instance-profile/app"},
            {"IamInstanceProfile.Arn": "arn:aws:iam::1:instance-profile/app"},
        ),
        ({"ex_ebs_optimized": True}, {"EbsOptimized": "true"}),
        ({"ex_terminate_on_shutdown": True}, {"InstanceInitiatedShutdownBehavior": "terminate"}),
        ({"ex_mincount": 1, "ex_maxcount": 1}, {}),
        ({"ex_spot": True}, {"InstanceMarketOptions.MarketType": "spot"}),
        (
            {"ex_spot": True, "ex_spot_max_price": 0.05},
            {
                "InstanceMarketOptions.MarketType": "spot",
                "InstanceMarketOptions.SpotOptions.MaxPrice": "0.05",
            },
        ),
        (
            {
                "ex_blockdevicemappings": [
                    {
                        "DeviceName": "/dev/sda1",
                        "Ebs": {"VolumeSize": 20, "DeleteOnTermination": True},
                    }
                ]
            },
            {
                "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
                "BlockDeviceMapping.1.Ebs.VolumeSize": "20",
                "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
            },
        ),
        (
            {"ex_assign_public_ip": True, "ex_subnet": "subnet-1", "security_groups": [GROUP]},
            {
                "NetworkInterface.1.DeviceIndex": "0",
                "NetworkInterface.1.AssociatePublicIpAddress": "true",
                "NetworkInterface.1.SubnetId": "subnet-1",
                "NetworkInterface.1.SecurityGroupId.1": "sg-1",
            },
        ),
        (
            {"tags": {"a": "1"}, "ex_metadata": {"b": "2"}},
            {
                f"TagSpecification.{n}.Tag.{tag}": value
                for n in (1, 2)
                for tag, value in (
                    ("1.Key", "a"),
                    ("1.Value", "1"),
                    ("2.Key", "b"),
                    ("2.Value", "2"),
                    ("3.Key", "anysky-op"),
                    ("3.Value", MARK),
                )
            },
        ),
    ],
)
def test_options_of_a_node(options, added):
    assert launched_with(**options) == added


def test_a_node_in_a_network_goes_into_its_emptiest_subnet():
    subnets = "".join(
        f"<item><subnetId>subnet-{n}</subnetId>"
        f"<availableIpAddressCount>{free}</availableIpAddressCount></item>"
        for n, free in ((1, 10), (2, 200), (3, 30))
    )
    cloud, canned = driver(answer("DescribeSubnets", f"<subnetSet>{subnets}</subnetSet>"), LAUNCHED)

    cloud.create_node("web", SIZE, IMAGE, ZONE, network=NETWORK)

    assert canned.sent[0] == (
        "DescribeSubnets",
        {
            "Filter.1.Name": "vpc-id",
            "Filter.1.Value.1": "vpc-1",
            "Filter.2.Name": "state",
            "Filter.2.Value.1": "available",
            "Filter.3.Name": "availability-zone",
            "Filter.3.Value.1": "eu-west-1b",
            "MaxResults": "1000",
        },
    )
    assert canned.sent[1][1]["SubnetId"] == "subnet-2"


def test_each_node_has_a_token_of_its_own_which_is_in_its_tags(monkeypatch):
    monkeypatch.undo()
    cloud, canned = driver(LAUNCHED, LAUNCHED)

    cloud.create_node("a", SIZE, IMAGE)
    cloud.create_node("b", SIZE, IMAGE)

    [first, second] = [sent for _, sent in canned.sent]
    assert first["ClientToken"] == first["TagSpecification.1.Tag.2.Value"]
    assert first["ClientToken"] != second["ClientToken"]


SMALLEST = {
    "ImageId": "ami-1",
    "InstanceType": "t3.micro",
    "MinCount": "1",
    "MaxCount": "1",
}


def test_a_token_of_the_users_own_goes_without_a_mark_since_ec2_wants_the_same_request_again():
    cloud, canned = driver(instances(), LAUNCHED)

    cloud.create_node("", SIZE, IMAGE, ex_clienttoken="mine")

    assert canned.sent == [
        ("DescribeInstances", {"Filter.1.Name": "client-token", "Filter.1.Value.1": "mine"}),
        ("RunInstances", {**SMALLEST, "ClientToken": "mine"}),
    ]


def test_a_node_that_was_made_with_the_users_own_token_before_is_not_taken_back():
    cloud, canned = driver(instances(BARE_INSTANCE), LAUNCHED)

    with transaction() as block:
        cloud.create_node("", SIZE, IMAGE, ex_clienttoken="mine")
        assert block.plan() == []

    assert [action for action, _ in canned.sent] == ["DescribeInstances", "RunInstances"]


def test_a_node_with_the_users_own_token_is_found_by_it_when_the_answer_is_lost():
    cloud, _ = driver(instances(), LOST, LOST, LOST, LOST, instances(BARE_INSTANCE))

    assert cloud.create_node("", SIZE, IMAGE, ex_clienttoken="mine").id == "i-2"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"auth": NodeAuthPassword("pw")}, "EC2 sets no passwords"),
        ({"auth": NodeAuthSSHKey(ED25519), "key_pair": "mine"}, "a node takes one key"),
        ({"auth": NodeAuthSSHKey("not a key")}, "a public key has OpenSSH's format"),
        ({"ex_maxcount": 2}, "one call makes one node"),
        ({"network": NETWORK, "ex_subnet": "subnet-1"}, "either network or ex_subnet"),
        ({"ex_assign_public_ip": True, "ex_security_groups": ["web"]}, "by their ids"),
    ],
)
def test_what_ec2_cannot_do_is_refused_before_anything_is_sent(options, message):
    cloud, canned = driver()

    with pytest.raises(InvalidRequestError, match=message):
        cloud.create_node("web", SIZE, IMAGE, **options)
    assert canned.requests == []


def test_an_unknown_option_is_refused():
    cloud, canned = driver()

    with pytest.raises(UnsupportedOperationError, match="did you mean 'ex_keyname'"):
        cloud.create_node("web", SIZE, IMAGE, ex_key_name="mine")
    assert canned.requests == []


def test_a_volume_of_its_own_kind():
    cloud, canned = driver(
        answer("CreateVolume", "<volumeId>vol-1</volumeId><size>6</size><status>creating</status>")
    )

    cloud.create_volume(
        6,
        "data",
        ZONE,
        VolumeSnapshot("snap-1"),
        ex_volume_type="gp3",
        ex_iops=4000,
        ex_throughput=250,
        ex_encrypted=True,
        ex_kms_key_id="key-1",
    )

    assert canned.sent == [
        (
            "CreateVolume",
            {
                "AvailabilityZone": "eu-west-1b",
                "Size": "6",
                "SnapshotId": "snap-1",
                "VolumeType": "gp3",
                "Iops": "4000",
                "Throughput": "250",
                "Encrypted": "true",
                "KmsKeyId": "key-1",
                "ClientToken": MARK,
                **tagged("volume", ("Name", "data")),
            },
        )
    ]


def devices(*names):
    items = "".join(f"<item><deviceName>{name}</deviceName></item>" for name in names)
    return instances(
        f"<item><instanceId>i-1</instanceId><blockDeviceMapping>{items}</blockDeviceMapping></item>"
    )


def test_a_volume_is_attached_as_the_next_free_device():
    cloud, canned = driver(devices("/dev/xvda", "/dev/sdf", "/dev/sdg"), answer("AttachVolume", ""))

    cloud.attach_volume(NODE, VOLUME)

    assert canned.sent[1] == (
        "AttachVolume",
        {"VolumeId": "vol-1", "InstanceId": "i-1", "Device": "/dev/sdh"},
    )


def test_a_node_without_a_free_device_is_refused():
    cloud, _ = driver(devices(*(f"/dev/sd{letter}" for letter in "fghijklmnop")))

    with pytest.raises(ConflictError, match=r"uses /dev/sdf to /dev/sdp already"):
        cloud.attach_volume(NODE, VOLUME)


def test_images_of_the_account_and_of_amazon_are_listed_by_default():
    empty = answer("DescribeImages", "<imagesSet/>")
    cloud, canned = driver(empty, empty, empty, empty)

    cloud.list_images()
    cloud.list_images(ids=["ami-1"])
    cloud.list_images(ex_owner=["099720109477"], ex_filters={"architecture": "arm64"})
    cloud.list_images(ex_executableby="all")

    assert [sent for _, sent in canned.sent] == [
        {"Owner.1": "self", "Owner.2": "amazon", "MaxResults": "1000"},
        {"Filter.1.Name": "image-id", "Filter.1.Value.1": "ami-1", "MaxResults": "1000"},
        {
            "Owner.1": "099720109477",
            "Filter.1.Name": "architecture",
            "Filter.1.Value.1": "arm64",
            "MaxResults": "1000",
        },
        {"ExecutableBy.1": "all", "MaxResults": "1000"},
    ]


def test_an_image_is_copied_from_another_region():
    cloud, canned = driver(answer("CopyImage", "<imageId>ami-2</imageId>"))

    copy = cloud.copy_image("us-east-1", IMAGE, "copy", "a copy")

    assert (copy.id, copy.name) == ("ami-2", "copy")
    assert canned.sent[0][1] == {
        "SourceRegion": "us-east-1",
        "SourceImageId": "ami-1",
        "Name": "copy",
        "Description": "a copy",
        "ClientToken": MARK,
        **tagged("image", ("Name", "copy")),
    }


def test_a_network_needs_a_range():
    cloud, canned = driver()

    with pytest.raises(InvalidRequestError, match="pass cidr="):
        cloud.create_network("net")
    assert canned.requests == []


# -- security groups -----------------------------------------------------------------------------

PERMISSIONS = """<securityGroupInfo><item><groupId>sg-1</groupId><groupName>web</groupName>
<groupDescription>the web</groupDescription><vpcId>vpc-1</vpcId><ipPermissions>
  <item><ipProtocol>tcp</ipProtocol><fromPort>22</fromPort><toPort>22</toPort>
    <ipRanges>
      <item><cidrIp>192.0.2.0/24</cidrIp><description>office</description></item>
      <item><cidrIp>198.51.100.0/24</cidrIp><description>home</description></item>
    </ipRanges>
    <ipv6Ranges><item><cidrIpv6>2001:db8::/32</cidrIpv6><description>home</description></item></ipv6Ranges>
    <groups><item><groupId>sg-9</groupId></item></groups></item>
  <item><ipProtocol>icmp</ipProtocol><fromPort>-1</fromPort><toPort>-1</toPort>
    <ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>
</ipPermissions><ipPermissionsEgress>
  <item><ipProtocol>-1</ipProtocol><ipRanges><item><cidrIp>0.0.0.0/0</cidrIp></item></ipRanges></item>
</ipPermissionsEgress></item></securityGroupInfo>"""


def test_rules_are_read():
    cloud, _ = driver(answer("DescribeSecurityGroups", PERMISSIONS))

    [group] = cloud.list_security_groups()

    assert group.rules == (
        SecurityGroupRule("ingress", "tcp", 22, 22, ("192.0.2.0/24",), (), "office"),
        SecurityGroupRule(
            "ingress", "tcp", 22, 22, ("198.51.100.0/24", "2001:db8::/32"), (), "home"
        ),
        SecurityGroupRule("ingress", "tcp", 22, 22, (), ("sg-9",)),
        SecurityGroupRule("ingress", "icmp", None, None, ("0.0.0.0/0",)),
        SecurityGroupRule("egress", "all", None, None, ("0.0.0.0/0",)),
    )


def test_rules_are_written():
    cloud, canned = driver(DONE["AuthorizeSecurityGroupIngress"])
    rule = SecurityGroupRule(
        "ingress", "icmpv6", cidrs=("10.0.0.0/8", "::/0"), group_ids=("sg-2",), description="ping"
    )

    cloud.add_security_group_rule(GROUP, rule)

    assert canned.sent == [
        (
            "AuthorizeSecurityGroupIngress",
            {
                "GroupId": "sg-1",
                "IpPermissions.1.IpProtocol": "58",
                "IpPermissions.1.FromPort": "-1",
                "IpPermissions.1.ToPort": "-1",
                "IpPermissions.1.IpRanges.1.CidrIp": "10.0.0.0/8",
                "IpPermissions.1.IpRanges.1.Description": "ping",
                "IpPermissions.1.Ipv6Ranges.1.CidrIpv6": "::/0",
                "IpPermissions.1.Ipv6Ranges.1.Description": "ping",
                "IpPermissions.1.Groups.1.GroupId": "sg-2",
                "IpPermissions.1.Groups.1.Description": "ping",
                **tagged("security-group-rule"),
            },
        )
    ]


@pytest.mark.parametrize(
    "rule",
    [
        SecurityGroupRule("sideways", "tcp", 1, 2, ("0.0.0.0/0",)),
        SecurityGroupRule("ingress", "tcp"),
    ],
)
def test_a_rule_that_is_wrong_leaves_no_group_behind(rule):
    cloud, canned = driver()

    with pytest.raises(InvalidRequestError):
        cloud.create_security_group("web", rules=[rule])
    assert canned.requests == []


def test_egress_rules_take_the_place_of_those_of_a_new_group():
    cloud, canned = driver(
        answer("CreateSecurityGroup", "<groupId>sg-1</groupId>"),
        answer("RevokeSecurityGroupEgress"),
        fault("InvalidPermission.NotFound"),
        answer("AuthorizeSecurityGroupEgress"),
    )

    cloud.create_security_group(
        "web", rules=[SecurityGroupRule("egress", "tcp", 80, 80, ("::/0",))]
    )

    revoked = {"GroupId": "sg-1", "IpPermissions.1.IpProtocol": "-1"}
    assert canned.sent[1:3] == [
        (
            "RevokeSecurityGroupEgress",
            {**revoked, "IpPermissions.1.IpRanges.1.CidrIp": "0.0.0.0/0"},
        ),
        ("RevokeSecurityGroupEgress", {**revoked, "IpPermissions.1.Ipv6Ranges.1.CidrIpv6": "::/0"}),
    ]


def test_a_group_without_its_rules_is_told():
    cloud, _ = driver(
        answer("CreateSecurityGroup", "<groupId>sg-1</groupId>"),
        fault("RulesPerSecurityGroupLimitExceeded", "too many"),
    )
    rule = SecurityGroupRule("ingress", "tcp", 80, 80, ("0.0.0.0/0",))

    with pytest.raises(PartialFailureError) as caught:
        cloud.create_security_group("web", "for the web", rules=[rule])

    [group] = caught.value.created
    assert (group.id, group.rules) == ("sg-1", ())
    assert caught.value.failed_step == "ingress rules of security group sg-1"
    assert caught.value.message == (
        "made security group web (sg-1); then ingress rules of security group sg-1 failed: "
        "too many; `rollback()` of this error removes it again"
    )
    assert isinstance(caught.value.__cause__, QuotaExceededError)


def test_a_key_that_was_imported_for_nothing_is_told():
    cloud, _ = driver(
        answer("DescribeKeyPairs", "<keySet/>"),
        answer("ImportKeyPair", f"<keyName>{ED25519_NAME}</keyName>"),
        fault("InsufficientInstanceCapacity", "none left", status=500),
        *[fault("InsufficientInstanceCapacity", "none left", status=500)] * 3,
        instances(),
    )

    with pytest.raises(PartialFailureError, match="none left") as caught:
        cloud.create_node("web", SIZE, IMAGE, auth=NodeAuthSSHKey(ED25519))

    assert [key.name for key in caught.value.created] == [ED25519_NAME]
    assert isinstance(caught.value.__cause__, QuotaExceededError)


def test_a_key_that_somebody_else_imports_meanwhile_is_taken():
    cloud, canned = driver(
        answer("DescribeKeyPairs", "<keySet/>"), fault("InvalidKeyPair.Duplicate"), LAUNCHED
    )

    cloud.create_node("web", SIZE, IMAGE, auth=NodeAuthSSHKey(ED25519))

    assert canned.sent[2][1]["KeyName"] == ED25519_NAME


# -- sending again -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("use", "reply", "send_class"),
    [
        (lambda c: c.list_nodes(), instances(), SendClass.SAFE),
        (lambda c: c.create_node("", SIZE, IMAGE), LAUNCHED, SendClass.REPEATABLE),
        (lambda c: c.destroy_node(NODE), DONE["TerminateInstances"], SendClass.REPEATABLE),
        (lambda c: c.stop_node(NODE), DONE["StopInstances"], SendClass.REPEATABLE),
        (lambda c: c.reboot_node(NODE), answer("RebootInstances"), SendClass.ONCE),
        (lambda c: c.destroy_volume(VOLUME), DONE["DeleteVolume"], SendClass.REPEATABLE),
        (
            lambda c: c.create_volume(1, "", ZONE),
            answer("CreateVolume", "<volumeId>vol-1</volumeId>"),
            SendClass.REPEATABLE,
        ),
        (
            lambda c: c.create_volume_snapshot(VOLUME),
            answer("CreateSnapshot", "<snapshotId>snap-1</snapshotId>"),
            SendClass.ONCE,
        ),
        (
            lambda c: c.create_key_pair("a"),
            answer("CreateKeyPair", "<keyName>a</keyName>"),
            SendClass.ONCE,
        ),
        (
            lambda c: c.create_floating_ip(),
            answer("AllocateAddress", "<allocationId>eipalloc-1</allocationId>"),
            SendClass.ONCE,
        ),
    ],
)
def test_how_often_a_request_may_be_sent(use, reply, send_class):
    cloud, canned = driver(reply)

    use(cloud)

    assert [request.send_class for request in canned.requests] == [send_class]


def test_a_node_whose_answer_was_lost_is_asked_for_again_with_the_same_token():
    cloud, canned = driver(LOST, fault("RequestLimitExceeded", status=503), LAUNCHED)

    cloud.create_node("web", SIZE, IMAGE)

    assert len(canned.requests) == 3
    assert len({request.body for request in canned.requests}) == 1


KEY_TAGS = tagged("key-pair")
KEYS = "<keySet><item><keyName>mine</keyName></item></keySet>"


def test_a_key_pair_whose_answer_was_lost_is_told_as_its_private_key_is_not_told_again():
    cloud, canned = driver(LOST, answer("DescribeKeyPairs", KEYS), answer("DeleteKeyPair"))

    with pytest.raises(PartialFailureError) as caught:
        cloud.create_key_pair("mine")

    assert [(key.name, key.private_key) for key in caught.value.created] == [("mine", None)]
    assert isinstance(caught.value.__cause__, OutcomeUnknownError)
    caught.value.rollback().raise_if_incomplete()
    assert canned.sent == [
        ("CreateKeyPair", {"KeyName": "mine", "KeyType": "rsa", "KeyFormat": "pem"} | KEY_TAGS),
        (
            "DescribeKeyPairs",
            {
                "IncludePublicKey": "true",
                "Filter.1.Name": "tag:anysky-op",
                "Filter.1.Value.1": MARK,
            },
        ),
        ("DeleteKeyPair", {"KeyName": "mine"}),
    ]


def test_an_imported_key_pair_whose_answer_was_lost_is_found_again():
    cloud, _ = driver(LOST, answer("DescribeKeyPairs", KEYS))

    assert cloud.import_key_pair_from_string("mine", ED25519).name == "mine"


class StopHereError(Exception):
    pass


def in_failing_transaction(use):
    with transaction():
        use()
        raise StopHereError


def test_a_node_that_is_taken_back_takes_the_volumes_with_it_that_were_made_for_it():
    tags = f"<tagSet><item><key>anysky-op</key><value>{MARK}</value></item></tagSet>"
    node = f"<item><instanceId>i-2</instanceId>{tags}</item>"
    attachments = "".join(
        f"<item><attachmentSet><item><instanceId>i-2</instanceId><device>{device}</device>"
        f"<deleteOnTermination>{ends}</deleteOnTermination></item></attachmentSet></item>"
        for device, ends in (("/dev/xvda", "true"), ("/dev/sdf", "false"))
    )
    cloud, canned = driver(
        answer("RunInstances", f"<instancesSet>{node}</instancesSet>"),
        answer("DescribeVolumes", f"<volumeSet>{attachments}</volumeSet>"),
        instances(BARE_INSTANCE),
        answer("ModifyInstanceAttribute"),
        DONE["TerminateInstances"],
    )

    with pytest.raises(StopHereError):
        in_failing_transaction(lambda: cloud.create_node("", SIZE, IMAGE))

    assert canned.sent[1:] == [
        (
            "DescribeVolumes",
            {
                "Filter.1.Name": "tag:anysky-op",
                "Filter.1.Value.1": MARK,
                "Filter.2.Name": "attachment.instance-id",
                "Filter.2.Value.1": "i-2",
            },
        ),
        ("DescribeInstances", {"InstanceId.1": "i-2"}),
        (
            "ModifyInstanceAttribute",
            {
                "InstanceId": "i-2",
                "BlockDeviceMapping.1.DeviceName": "/dev/sdf",
                "BlockDeviceMapping.1.Ebs.DeleteOnTermination": "true",
            },
        ),
        ("TerminateInstances", {"InstanceId.1": "i-2"}),
    ]


def test_an_image_that_is_taken_back_takes_its_snapshots_with_it():
    mapping = "<item><ebs><snapshotId>snap-1</snapshotId></ebs></item>"
    image = (
        f"<item><imageId>ami-2</imageId><blockDeviceMapping>{mapping}</blockDeviceMapping></item>"
    )
    cloud, canned = driver(
        LOST,
        LOST,
        LOST,
        LOST,
        answer("DescribeImages", f"<imagesSet>{image}</imagesSet>"),
        answer("DescribeImages", f"<imagesSet>{image}</imagesSet>"),
        answer("DeregisterImage"),
        fault("InvalidSnapshot.NotFound"),
    )

    with pytest.raises(StopHereError):
        in_failing_transaction(lambda: cloud.copy_image("us-east-1", IMAGE, "copy"))

    assert canned.sent[4:] == [
        (
            "DescribeImages",
            {
                "Owner.1": "self",
                "Filter.1.Name": "tag:anysky-op",
                "Filter.1.Value.1": MARK,
                "MaxResults": "1000",
            },
        ),
        ("DescribeImages", {"ImageId.1": "ami-2"}),
        ("DeregisterImage", {"ImageId": "ami-2", "DeleteAssociatedSnapshots": "true"}),
        ("DeleteSnapshot", {"SnapshotId": "snap-1"}),
    ]


def test_an_address_that_displaces_another_is_put_back_with_it():
    def addresses(*rows):
        items = "".join(
            f"<item><allocationId>{allocation}</allocationId><instanceId>{node}</instanceId>"
            f"<associationId>as-{allocation}</associationId><networkInterfaceId>eni-{node}"
            "</networkInterfaceId><privateIpAddress>10.0.0.1</privateIpAddress></item>"
            for allocation, node in rows
        )
        return answer("DescribeAddresses", f"<addressesSet>{items}</addressesSet>")

    associated = answer("AssociateAddress", "<associationId>as-new</associationId>")
    cloud, canned = driver(
        fault("Resource.AlreadyAssociated"),
        addresses(("eip-1", "i-2")),
        addresses(("eip-2", "i-1")),
        associated,
        addresses(("eip-1", "i-1")),
        answer("DisassociateAddress"),
        associated,
        associated,
    )

    with pytest.raises(StopHereError):
        in_failing_transaction(
            lambda: cloud.attach_floating_ip(FloatingIP("eip-1", "192.0.2.1"), NODE)
        )

    new = {"InstanceId": "i-1", "AllocationId": "eip-1"}
    place = {"PrivateIpAddress": "10.0.0.1", "AllowReassociation": "false"}
    assert canned.sent == [
        ("AssociateAddress", {**new, "AllowReassociation": "false"}),
        ("DescribeAddresses", {"AllocationId.1": "eip-1"}),
        ("DescribeAddresses", {"Filter.1.Name": "instance-id", "Filter.1.Value.1": "i-1"}),
        ("AssociateAddress", {**new, "AllowReassociation": "true"}),
        ("DescribeAddresses", {"AllocationId.1": "eip-1"}),
        ("DisassociateAddress", {"AssociationId": "as-eip-1"}),
        ("AssociateAddress", {"AllocationId": "eip-1", "NetworkInterfaceId": "eni-i-2", **place}),
        ("AssociateAddress", {"AllocationId": "eip-2", "NetworkInterfaceId": "eni-i-1", **place}),
    ]


def test_a_volume_that_somebody_has_detached_is_not_detached_again():
    gone = answer("DescribeVolumes", "<volumeSet><item><attachmentSet/></item></volumeSet>")
    cloud, canned = driver(answer("AttachVolume", ""), gone)

    with pytest.raises(StopHereError):
        in_failing_transaction(lambda: cloud.attach_volume(NODE, VOLUME, "/dev/sdf"))

    assert [action for action, _ in canned.sent] == ["AttachVolume", "DescribeVolumes"]


def test_what_an_earlier_try_has_done_is_done():
    cloud, _ = driver(LOST, fault("InvalidVolume.NotFound"))

    assert cloud.destroy_volume(VOLUME) is True


RULE = SecurityGroupRule("ingress", "tcp", 1, 1, ("0.0.0.0/0",))
RULES = "DescribeSecurityGroupRules"
DUPLICATE = fault("InvalidPermission.Duplicate")


def test_a_rule_that_an_earlier_try_has_made_is_known_by_its_mark():
    cloud, canned = driver(
        LOST, DUPLICATE, answer(RULES, "<securityGroupRuleSet><item/></securityGroupRuleSet>")
    )

    assert cloud.add_security_group_rule(GROUP, RULE) is True

    marked = {"Filter.1.Name": "tag:anysky-op", "Filter.1.Value.1": MARK}
    assert canned.sent[2] == (RULES, marked)


def test_a_rule_that_was_there_before_is_not_taken_for_that_of_an_earlier_try():
    cloud, _ = driver(LOST, DUPLICATE, answer(RULES, "<securityGroupRuleSet/>"))

    with pytest.raises(AlreadyExistsError):
        cloud.add_security_group_rule(GROUP, RULE)


@pytest.mark.parametrize(
    ("use", "code", "kind"),
    [
        (lambda c: c.destroy_volume(VOLUME), "InvalidVolume.NotFound", NotFoundError),
        (
            lambda c: c.add_security_group_rule(
                GROUP, SecurityGroupRule("ingress", "tcp", 1, 1, ("0.0.0.0/0",))
            ),
            "InvalidPermission.Duplicate",
            AlreadyExistsError,
        ),
    ],
)
def test_what_the_first_try_found_is_an_error(use, code, kind):
    cloud, _ = driver(fault(code))

    with pytest.raises(kind):
        use(cloud)


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("code", "status", "kind"),
    [
        ("InvalidInstanceID.NotFound", 400, NotFoundError),
        ("InvalidKeyPair.NotFound", 400, KeyPairDoesNotExistError),
        ("InvalidKeyPair.Duplicate", 400, KeyPairAlreadyExistsError),
        ("InvalidGroup.Duplicate", 400, AlreadyExistsError),
        ("DependencyViolation", 400, ConflictError),
        ("IncorrectInstanceState", 400, ConflictError),
        ("VolumeInUse", 400, ConflictError),
        ("InvalidGroup.InUse", 400, ConflictError),
        ("InstanceLimitExceeded", 400, QuotaExceededError),
        ("VcpuLimitExceeded", 400, QuotaExceededError),
        ("VpcLimitExceeded", 400, QuotaExceededError),
        ("InsufficientInstanceCapacity", 500, QuotaExceededError),
        ("RequestLimitExceeded", 503, RateLimitedError),
        ("AuthFailure", 401, AuthenticationError),
        ("SignatureDoesNotMatch", 403, AuthenticationError),
        ("InvalidClientTokenId", 403, AuthenticationError),
        ("UnauthorizedOperation", 403, PermissionDeniedError),
        ("OptInRequired", 403, PermissionDeniedError),
        ("InvalidParameterValue", 400, InvalidRequestError),
        ("UnsupportedOperation", 400, InvalidRequestError),
        ("InternalError", 500, ProviderUnavailableError),
        ("Unavailable", 503, ProviderUnavailableError),
    ],
)
def test_error_codes(code, status, kind):
    cloud, _ = driver(*[fault(code, status=status)] * 4)

    with pytest.raises(kind) as caught:
        cloud.get_node("i-1")

    error = caught.value
    assert type(error) is kind
    assert (error.provider, error.operation, error.code) == ("ec2", "get_node", code)
    assert (error.status, error.request_id) == (status, "id")


@pytest.mark.parametrize(
    ("reply", "kind"),
    [
        (
            Response(200, {"content-type": "text/html"}, b"<html>hello</html>"),
            MalformedResponseError,
        ),
        (Response(200, {}, b""), MalformedResponseError),
        (Response(200, {}, instances(INSTANCE).body[:-60]), MalformedResponseError),
        (Response(200, {}, fault("InternalError").body), ProviderUnavailableError),
        (Response(404, {"content-type": "text/html"}, b"<html>no</html>"), NotFoundError),
        (
            Response(500, {"content-type": "text/html"}, b"<html>oops</html>"),
            ProviderUnavailableError,
        ),
        (answer("DescribeInstances", "<reservationSet/>"), NotFoundError),
        (instances("<item><imageId>ami-1</imageId></item>"), MalformedResponseError),
        (
            instances("<item><instanceId>i</instanceId><launchTime>soon</launchTime></item>"),
            MalformedResponseError,
        ),
    ],
)
def test_answers_that_nobody_promised(reply, kind):
    cloud, _ = driver(*[reply] * 4)

    with pytest.raises(kind) as caught:
        cloud.get_node("i-1")
    assert (caught.value.provider, caught.value.operation) == ("ec2", "get_node")


@pytest.mark.parametrize(
    "region",
    ["", "nowhere", "eu-west-1.evil.example", "eu-west-1/..", "@evil", "EU-WEST-1", "a-" * 100],
)
def test_what_cannot_be_a_region_is_refused_before_anything_is_sent(region, monkeypatch):
    monkeypatch.delenv("AWS_REGION", raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")

    def use():
        cloud, _ = driver(region=region)
        cloud.list_nodes()

    with pytest.raises(InvalidAccountError, match="region"):
        use()


def test_a_region_without_servers_is_named():
    cloud, canned = driver(
        *[ConnectionFailedError("cannot connect to ec2.nowhere-1.amazonaws.com")] * 4,
        region="nowhere-1",
    )

    with pytest.raises(ConnectionFailedError) as caught:
        cloud.list_nodes()

    assert canned.endpoints[0] == "https://ec2.nowhere-1.amazonaws.com"
    assert caught.value.message == (
        "cannot connect to ec2.nowhere-1.amazonaws.com; the address follows from the region "
        "'nowhere-1': is that the right name?"
    )


def test_a_failure_to_fetch_credentials_is_not_blamed_on_the_region(monkeypatch, tmp_path):
    for name in ("AWS_ACCESS_KEY_ID", "AWS_PROFILE", "AWS_EC2_METADATA_DISABLED"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:9/role")
    cloud, _ = driver(
        *[ConnectionFailedError("cannot connect to 127.0.0.1:9")] * 9, key=None, secret=None
    )

    with pytest.raises(CloudError) as caught:
        cloud.list_nodes()
    assert "is that the right name" not in caught.value.message


def test_a_configured_endpoint_is_not_blamed_on_the_region():
    cloud, _ = driver(
        *[ConnectionFailedError("cannot connect to ec2.example")] * 4,
        endpoint="https://ec2.example",
    )

    with pytest.raises(ConnectionFailedError) as caught:
        cloud.list_nodes()
    assert caught.value.message == "cannot connect to ec2.example"


# -- endpoints -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("region", "endpoint"),
    [
        ("eu-west-1", "https://ec2.eu-west-1.amazonaws.com"),
        ("cn-north-1", "https://ec2.cn-north-1.amazonaws.com.cn"),
        ("us-gov-west-1", "https://ec2.us-gov-west-1.amazonaws.com"),
        ("us-iso-east-1", "https://ec2.us-iso-east-1.c2s.ic.gov"),
        ("us-isob-east-1", "https://ec2.us-isob-east-1.sc2s.sgov.gov"),
        ("eusc-de-east-1", "https://ec2.eusc-de-east-1.amazonaws.eu"),
    ],
)
def test_the_endpoint_follows_from_the_region(region, endpoint):
    _, canned = driver(region=region)

    assert canned.endpoints[0] == endpoint


@pytest.mark.parametrize(
    ("environment", "settings", "endpoint"),
    [
        ({"AWS_REGION": "eu-north-1"}, {}, "https://ec2.eu-north-1.amazonaws.com"),
        ({"AWS_DEFAULT_REGION": "eu-north-1"}, {}, "https://ec2.eu-north-1.amazonaws.com"),
        (
            {"AWS_REGION": "eu-north-1"},
            {"region": "us-east-1"},
            "https://ec2.us-east-1.amazonaws.com",
        ),
        ({"AWS_ENDPOINT_URL": "http://all:1"}, {}, "http://all:1"),
        (
            {"AWS_ENDPOINT_URL": "http://all:1", "AWS_ENDPOINT_URL_EC2": "http://ec2:2/"},
            {},
            "http://ec2:2",
        ),
        ({"AWS_ENDPOINT_URL_EC2": "http://ec2:2"}, {"endpoint": "http://mine:3"}, "http://mine:3"),
        (
            {
                "AWS_ENDPOINT_URL": "http://all:1",
                "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true",
                "AWS_REGION": "eu-north-1",
            },
            {},
            "https://ec2.eu-north-1.amazonaws.com",
        ),
        ({}, {}, ""),
    ],
)
def test_the_endpoint_that_is_configured_comes_first(environment, settings, endpoint, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)

    _, canned = driver(**{"region": None, **settings})

    assert canned.endpoints[0] == endpoint


def test_the_region_of_a_profile_leads_to_its_endpoint(tmp_path, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        monkeypatch.delenv(name, raising=False)
    config = tmp_path / "config"
    config.write_text("[profile work]\nregion = ap-south-1\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    cloud, canned = driver(instances(), region=None, profile="work")

    cloud.list_nodes()

    [request] = canned.requests
    assert request.endpoint == "https://ec2.ap-south-1.amazonaws.com"
    assert "/ap-south-1/ec2/aws4_request" in request.headers["Authorization"]


def test_no_region_says_what_to_do(tmp_path, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_EC2"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    cloud, _ = driver(region=None)

    with pytest.raises(InvalidAccountError, match="pass region= to the driver, or set AWS_REGION"):
        cloud.list_nodes()


def test_an_endpoint_that_is_no_url_is_refused(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL_EC2", "ec2.example")

    with pytest.raises(InvalidAccountError, match="AWS_ENDPOINT_URL_EC2 is not a URL"):
        driver()


def test_operations_of_ec2_alone():
    cloud, canned = driver(answer("ModifyInstanceAttribute"), answer("DeleteTags"))

    cloud.ex_change_node_size(NODE, SIZE)
    cloud.call(EC2.delete_tags, "i-1", {"stage": "test"})

    assert canned.sent == [
        ("ModifyInstanceAttribute", {"InstanceId": "i-1", "InstanceType.Value": "t3.micro"}),
        ("DeleteTags", {"ResourceId.1": "i-1", "Tag.1.Key": "stage", "Tag.1.Value": "test"}),
    ]
