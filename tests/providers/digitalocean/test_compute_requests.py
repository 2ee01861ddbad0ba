"""Each operation of compute: the exact requests it sends, and the models it makes of answers."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import pytest

from anysky.errors import ConflictError, InvalidRequestError, UnsupportedOperationError
from anysky.model.compute import (
    Filter,
    FloatingIP,
    KeyPair,
    Network,
    Node,
    NodeAuthPassword,
    NodeAuthSSHKey,
    NodeImage,
    NodeLocation,
    NodeSize,
    NodeSpec,
    NodeState,
    SecurityGroup,
    SecurityGroupRule,
    StorageVolume,
    StorageVolumeState,
    Subnet,
    VolumeSnapshot,
    VolumeSnapshotState,
    VolumeSpec,
)
from anysky.paging import Page
from anysky.providers.digitalocean.api import Action
from anysky.providers.digitalocean.compute import DigitalOceanCompute
from anysky.run import run

SIZE = {
    "slug": "s-1vcpu-1gb",
    "memory": 1024,
    "vcpus": 1,
    "disk": 25,
    "transfer": 1.0,
    "price_monthly": 6.0,
    "price_hourly": 0.00893,
    "regions": ["fra1", "nyc3"],
    "available": True,
    "description": "Basic",
}
IMAGE = {
    "id": 129211873,
    "name": "12 x64",
    "distribution": "Debian",
    "slug": "debian-12-x64",
    "public": True,
    "regions": ["fra1"],
    "type": "base",
}
SNAPSHOT_IMAGE = {**IMAGE, "id": 7, "name": "nightly", "slug": None, "public": False}
REGION = {"slug": "fra1", "name": "Frankfurt 1", "available": True, "sizes": [], "features": []}
DROPLET = {
    "id": 3164444,
    "name": "web-1",
    "status": "active",
    "created_at": "2026-01-02T03:04:05Z",
    "networks": {
        "v4": [
            {"ip_address": "10.0.0.2", "type": "private"},
            {"ip_address": "198.18.0.1", "type": "public"},
        ],
        "v6": [{"ip_address": "2001:db8::1", "type": "public"}],
    },
    "size": SIZE,
    "size_slug": "s-1vcpu-1gb",
    "image": IMAGE,
    "region": REGION,
    "tags": ["web", "env:prod", "url:a:b"],
}
VOLUME = {
    "id": "vol-1",
    "name": "data",
    "size_gigabytes": 10,
    "droplet_ids": [],
    "region": REGION,
    "tags": ["env:prod"],
}
VOLUME_SNAPSHOT = {
    "id": "snap-1",
    "name": "daily",
    "created_at": "2026-01-02T03:04:05Z",
    "min_disk_size": 10,
    "size_gigabytes": 0.5,
    "resource_id": "vol-1",
    "tags": [],
}
KEY = {"id": 512189, "name": "me", "public_key": "ssh-ed25519 AAAA me", "fingerprint": "3b:16:bf"}
VPC = {"id": "vpc-1", "name": "inner", "ip_range": "10.10.10.0/24", "region": "fra1"}
FIREWALL = {
    "id": "fw-1",
    "name": "web",
    "inbound_rules": [
        {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}},
        {"protocol": "udp", "ports": "8000-9000", "sources": {"tags": ["web"]}},
    ],
    "outbound_rules": [
        {"protocol": "icmp", "ports": "0", "destinations": {"addresses": ["10.0.0.0/8"]}}
    ],
    "droplet_ids": [],
    "tags": [],
}
RESERVED = {"ip": "203.0.113.1", "droplet": None, "region": REGION}
DONE = {"action": {"id": 1, "type": "reboot", "status": "completed"}}
STARTED = {"action": {"id": 1, "type": "reboot", "status": "in-progress"}}

THE_SIZE = NodeSize("s-1vcpu-1gb", "s-1vcpu-1gb", 1024, 25, 1000, 0.00893, vcpus=1)
THE_IMAGE = NodeImage("debian-12-x64", "12 x64")
THE_SNAPSHOT_IMAGE = NodeImage("7", "nightly")
THE_NODE = Node(
    id="3164444",
    name="web-1",
    state=NodeState.RUNNING,
    public_ips=["198.18.0.1", "2001:db8::1"],
    private_ips=["10.0.0.2"],
    size=THE_SIZE,
    image=THE_IMAGE,
    created_at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    tags={"web": "", "env": "prod", "url": "a:b"},
)
THE_VOLUME = StorageVolume("vol-1", "data", 10, StorageVolumeState.AVAILABLE, tags={"env": "prod"})
THE_VOLUME_SNAPSHOT = VolumeSnapshot(
    "snap-1",
    10,
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    state=VolumeSnapshotState.AVAILABLE,
    name="daily",
)
THE_KEY = KeyPair("me", "ssh-ed25519 AAAA me", "3b:16:bf")
THE_VPC = Network("vpc-1", "inner", "10.10.10.0/24")
HTTPS = SecurityGroupRule("ingress", "tcp", 443, 443, ("0.0.0.0/0", "::/0"))
PING_OUT = SecurityGroupRule("egress", "icmp", None, None, ("10.0.0.0/8",))
THE_FIREWALL = SecurityGroup(
    "fw-1", "web", "", (HTTPS, SecurityGroupRule("ingress", "udp", 8000, 9000), PING_OUT)
)
THE_ADDRESS = FloatingIP("203.0.113.1", "203.0.113.1")
FRANKFURT = NodeLocation("fra1", "Frankfurt 1", "")

HTTPS_BODY = {"protocol": "tcp", "ports": "443", "sources": {"addresses": ["0.0.0.0/0", "::/0"]}}
PING_BODY = {"protocol": "icmp", "ports": "0", "destinations": {"addresses": ["10.0.0.0/8"]}}
SPEC = NodeSpec("web-1", THE_SIZE, THE_IMAGE, FRANKFURT)
SPEC_BODY = {"name": "web-1", "region": "fra1", "size": "s-1vcpu-1gb", "image": "debian-12-x64"}
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2OfbRNsQ9kWGaS4tb8gXpm7Jn2w9jlzFPyAXAh4wrY me"
FINGERPRINT = "03:d6:19:ed:aa:54:4a:19:a0:1b:c5:ba:79:c4:26:0d"
KEY_NAME = f"anysky-{FINGERPRINT.replace(':', '')}"
NEXT = "https://api.digitalocean.com/v2/droplets?page=2&per_page=200&tag_name=web"
MARK = "0" * 32
MARKED = f"anysky-op:{MARK}"
UNMARK = ("DELETE", f"/v2/tags/{MARKED}")


@dataclass
class Case:
    """What is called, what the provider answers, what was sent and what comes back."""

    name: str
    call: Any
    answers: list[Any]
    sent: list[tuple[Any, ...]]
    result: Any = None
    settings: dict[str, str] = field(default_factory=dict)


CASES = [
    Case(
        "list_nodes",
        lambda b: b.list_nodes(None, Filter()),
        [{"droplets": [DROPLET], "links": {}, "meta": {"total": 1}}],
        [("GET", "/v2/droplets?per_page=200")],
        Page([THE_NODE]),
    ),
    Case(
        "list_nodes, first of two pages, by the first tag",
        lambda b: b.list_nodes(None, Filter(name="web-1", tags={"web": "", "env": "prod"})),
        [{"droplets": [DROPLET], "links": {"pages": {"next": NEXT}}}],
        [("GET", "/v2/droplets?per_page=200&tag_name=web")],
        Page([THE_NODE], NEXT),
    ),
    Case(
        "list_nodes, second page",
        lambda b: b.list_nodes(NEXT, Filter(tags={"web": ""})),
        [{"droplets": []}],
        [("GET", "/v2/droplets?page=2&per_page=200&tag_name=web")],
        Page([]),
    ),
    Case(
        "list_nodes by name",
        lambda b: b.list_nodes(None, Filter(name="web-1")),
        [{"droplets": []}],
        [("GET", "/v2/droplets?per_page=200&name=web-1")],
        Page([]),
    ),
    Case(
        "list_nodes by a tag with a value",
        lambda b: b.list_nodes(None, Filter(tags={"env": "prod"})),
        [{"droplets": []}],
        [("GET", "/v2/droplets?per_page=200&tag_name=env%3Aprod")],
        Page([]),
    ),
    Case(
        "list_nodes by a plain tag",
        lambda b: b.list_nodes(None, Filter(options={"ex_tag_name": "web"})),
        [{"droplets": []}],
        [("GET", "/v2/droplets?per_page=200&tag_name=web")],
        Page([]),
    ),
    Case(
        "list_nodes by one id",
        lambda b: b.list_nodes(None, Filter(ids=("3164444",))),
        [{"droplet": DROPLET}],
        [("GET", "/v2/droplets/3164444")],
        Page([THE_NODE]),
    ),
    Case(
        "list_nodes by several ids",
        lambda b: b.list_nodes(None, Filter(ids=("3164444", "3164445"))),
        [{"droplets": [DROPLET]}],
        [("GET", "/v2/droplets?per_page=200")],
        Page([THE_NODE]),
    ),
    Case(
        "list_nodes of a region",
        lambda b: b.list_nodes(None, Filter(location=FRANKFURT)),
        [{"droplets": [DROPLET, {**DROPLET, "region": {**REGION, "slug": "nyc3"}}]}],
        [("GET", "/v2/droplets?per_page=200")],
        Page([THE_NODE]),
    ),
    Case(
        "get_node",
        lambda b: b.get_node("3164444"),
        [{"droplet": DROPLET}],
        [("GET", "/v2/droplets/3164444")],
        THE_NODE,
    ),
    Case(
        "get_node whose image is gone",
        lambda b: b.get_node("../account"),
        [{"droplet": {**DROPLET, "image": None, "status": "strange", "tags": []}}],
        [("GET", "/v2/droplets/..%2Faccount")],
        Node(
            "3164444",
            "web-1",
            NodeState.UNKNOWN,
            THE_NODE.public_ips,
            THE_NODE.private_ips,
            THE_SIZE,
            created_at=THE_NODE.created_at,
        ),
    ),
    Case(
        "create_node",
        lambda b: b.create_node(SPEC),
        [{"droplet": {**DROPLET, "tags": [*DROPLET["tags"], MARKED]}, "links": {}}, b""],
        [("POST", "/v2/droplets", {**SPEC_BODY, "tags": [MARKED]}), UNMARK],
        THE_NODE,
    ),
    Case(
        "create_node with a public key that the account has",
        lambda b: b.create_node(replace(SPEC, auth=NodeAuthSSHKey(PUBLIC_KEY))),
        [{"ssh_key": KEY}, {"droplet": DROPLET}, b""],
        [
            ("GET", f"/v2/account/keys/{FINGERPRINT}"),
            ("POST", "/v2/droplets", {**SPEC_BODY, "ssh_keys": [FINGERPRINT], "tags": [MARKED]}),
            UNMARK,
        ],
        THE_NODE,
    ),
    Case(
        "create_node with a new public key",
        lambda b: b.create_node(replace(SPEC, auth=NodeAuthSSHKey(PUBLIC_KEY))),
        [(404, {"id": "not_found"}), {"ssh_key": KEY}, {"droplet": DROPLET}, b""],
        [
            ("GET", f"/v2/account/keys/{FINGERPRINT}"),
            ("POST", "/v2/account/keys", {"name": KEY_NAME, "public_key": PUBLIC_KEY}),
            ("POST", "/v2/droplets", {**SPEC_BODY, "ssh_keys": [FINGERPRINT], "tags": [MARKED]}),
            UNMARK,
        ],
        THE_NODE,
    ),
    Case(
        "create_node in security groups",
        lambda b: b.create_node(
            replace(SPEC, security_groups=[THE_FIREWALL, replace(THE_FIREWALL, id="fw-2")])
        ),
        [{"droplet": DROPLET}, b"", b"", b""],
        [
            ("POST", "/v2/droplets", {**SPEC_BODY, "tags": [MARKED]}),
            UNMARK,
            ("POST", "/v2/firewalls/fw-1/droplets", {"droplet_ids": [3164444]}),
            ("POST", "/v2/firewalls/fw-2/droplets", {"droplet_ids": [3164444]}),
        ],
        THE_NODE,
    ),
    Case(
        "create_node with everything",
        lambda b: b.create_node(
            NodeSpec(
                "web-1",
                THE_SIZE,
                THE_SNAPSHOT_IMAGE,
                auth=NodeAuthSSHKey(PUBLIC_KEY),
                tags={"env": "prod", "web": ""},
                user_data="#cloud-config\n",
                key_pair="me",
                network=THE_VPC,
                options={
                    "ex_backups": True,
                    "ex_ipv6": False,
                    "ex_monitoring": True,
                    "ex_ssh_key_ids": [1],
                    "ex_volumes": ["vol-1"],
                    "ex_tags": ["plain"],
                },
            )
        ),
        [{"ssh_keys": [KEY]}, {"ssh_key": KEY}, {"droplet": DROPLET}, b""],
        [
            ("GET", "/v2/account/keys?per_page=200"),
            ("GET", f"/v2/account/keys/{FINGERPRINT}"),
            (
                "POST",
                "/v2/droplets",
                {
                    **SPEC_BODY,
                    "region": "nyc3",
                    "image": 7,
                    "ssh_keys": [1, "3b:16:bf", FINGERPRINT],
                    "tags": ["env:prod", "web", "plain", MARKED],
                    "user_data": "#cloud-config\n",
                    "vpc_uuid": "vpc-1",
                    "backups": True,
                    "ipv6": False,
                    "monitoring": True,
                    "volumes": ["vol-1"],
                },
            ),
            UNMARK,
        ],
        THE_NODE,
        {"region": "nyc3"},
    ),
    Case(
        "reboot_node waits",
        lambda b: b.reboot_node(THE_NODE),
        [STARTED, STARTED, DONE],
        [
            ("POST", "/v2/droplets/3164444/actions", {"type": "reboot"}),
            ("GET", "/v2/actions/1"),
            ("GET", "/v2/actions/1"),
        ],
    ),
    *(
        Case(
            operation,
            lambda b, operation=operation: getattr(b, operation)(THE_NODE),
            [DONE],
            [("POST", "/v2/droplets/3164444/actions", {"type": kind})],
        )
        for operation, kind in (
            ("start_node", "power_on"),
            ("stop_node", "power_off"),
            ("shutdown_node", "shutdown"),
        )
    ),
    Case(
        "destroy_node",
        lambda b: b.destroy_node(THE_NODE),
        [b""],
        [("DELETE", "/v2/droplets/3164444")],
    ),
    Case(
        "rename_node",
        lambda b: b.rename_node(THE_NODE, "web-2"),
        [DONE, {"droplet": DROPLET}],
        [
            ("POST", "/v2/droplets/3164444/actions", {"type": "rename", "name": "web-2"}),
            ("GET", "/v2/droplets/3164444"),
        ],
        THE_NODE,
    ),
    Case(
        "resize_node",
        lambda b: b.resize_node(THE_NODE, THE_SIZE, disk=True),
        [DONE, {"droplet": DROPLET}],
        [
            (
                "POST",
                "/v2/droplets/3164444/actions",
                {"type": "resize", "size": "s-1vcpu-1gb", "disk": True},
            ),
            ("GET", "/v2/droplets/3164444"),
        ],
        THE_NODE,
    ),
    Case(
        "rebuild_node of its own image",
        lambda b: b.rebuild_node(THE_NODE),
        [DONE, {"droplet": DROPLET}],
        [
            (
                "POST",
                "/v2/droplets/3164444/actions",
                {"type": "rebuild", "image": "debian-12-x64"},
            ),
            ("GET", "/v2/droplets/3164444"),
        ],
        THE_NODE,
    ),
    Case(
        "list_node_actions",
        lambda b: b.list_node_actions(THE_NODE),
        [{"actions": [DONE["action"]]}],
        [("GET", "/v2/droplets/3164444/actions?per_page=200")],
        [Action(id=1, type="reboot", status="completed")],
    ),
    Case(
        "get_action",
        lambda b: b.get_action(1),
        [DONE],
        [("GET", "/v2/actions/1")],
        Action(id=1, type="reboot", status="completed"),
    ),
    Case(
        "get_account",
        lambda b: b.get_account(),
        [{"account": {"droplet_limit": 25}}],
        [("GET", "/v2/account")],
        {"droplet_limit": 25},
    ),
    Case(
        "list_sizes that can be had there",
        lambda b: b.list_sizes(None, FRANKFURT),
        [
            {
                "sizes": [
                    SIZE,
                    {**SIZE, "slug": "gone", "available": False},
                    {**SIZE, "slug": "elsewhere", "regions": ["nyc3"]},
                ]
            }
        ],
        [("GET", "/v2/sizes?per_page=200")],
        Page([THE_SIZE]),
    ),
    Case(
        "list_locations",
        lambda b: b.list_locations(None),
        [{"regions": [REGION, {**REGION, "slug": "sfo1", "available": False}]}],
        [("GET", "/v2/regions?per_page=200")],
        Page([FRANKFURT]),
    ),
    Case(
        "list_images",
        lambda b: b.list_images(
            None,
            FRANKFURT,
            Filter(options={"ex_type": "distribution", "ex_private": True, "ex_tag_name": "web"}),
        ),
        [{"images": [IMAGE, SNAPSHOT_IMAGE, {**IMAGE, "regions": ["nyc3"]}]}],
        [("GET", "/v2/images?per_page=200&type=distribution&tag_name=web&private=true")],
        Page([THE_IMAGE, THE_SNAPSHOT_IMAGE]),
    ),
    Case(
        "get_image by slug",
        lambda b: b.get_image("debian-12-x64"),
        [{"image": IMAGE}],
        [("GET", "/v2/images/debian-12-x64")],
        THE_IMAGE,
    ),
    Case(
        "create_image, the new snapshot of that name",
        lambda b: b.create_image(THE_NODE, "nightly", None),
        [
            {"snapshots": [{"id": 5, "name": "nightly"}]},
            DONE,
            {
                "snapshots": [
                    {"id": 5, "name": "nightly"},
                    {"id": 7, "name": "nightly"},
                    {"id": 9, "name": "other"},
                ]
            },
            {"image": SNAPSHOT_IMAGE},
        ],
        [
            ("GET", "/v2/droplets/3164444/snapshots?per_page=200"),
            ("POST", "/v2/droplets/3164444/actions", {"type": "snapshot", "name": "nightly"}),
            ("GET", "/v2/droplets/3164444/snapshots?per_page=200"),
            ("GET", "/v2/images/7"),
        ],
        THE_SNAPSHOT_IMAGE,
    ),
    Case(
        "delete_image",
        lambda b: b.delete_image(THE_SNAPSHOT_IMAGE),
        [b""],
        [("DELETE", "/v2/images/7")],
    ),
    Case(
        "copy_image",
        lambda b: b.copy_image("nyc3", THE_SNAPSHOT_IMAGE, "nightly", None),
        [DONE, {"image": SNAPSHOT_IMAGE}],
        [
            ("POST", "/v2/images/7/actions", {"type": "transfer", "region": "fra1"}),
            ("GET", "/v2/images/7"),
        ],
        THE_SNAPSHOT_IMAGE,
        {"region": "fra1"},
    ),
    Case(
        "list_volumes",
        lambda b: b.list_volumes(None, Filter(name="data", options={"ex_region": "fra1"})),
        [{"volumes": [VOLUME, {**VOLUME, "droplet_ids": [3164444], "tags": None}]}],
        [("GET", "/v2/volumes?per_page=200&name=data&region=fra1")],
        Page([THE_VOLUME, StorageVolume("vol-1", "data", 10, StorageVolumeState.INUSE)]),
    ),
    Case(
        "get_volume",
        lambda b: b.get_volume("vol-1"),
        [{"volume": VOLUME}],
        [("GET", "/v2/volumes/vol-1")],
        THE_VOLUME,
    ),
    Case(
        "create_volume",
        lambda b: b.create_volume(
            VolumeSpec(
                10,
                "data",
                FRANKFURT,
                THE_VOLUME_SNAPSHOT,
                {"env": "prod"},
                {
                    "ex_description": "text",
                    "ex_filesystem_type": "ext4",
                    "ex_filesystem_label": "data",
                },
            )
        ),
        [{"volume": {**VOLUME, "tags": [*VOLUME["tags"], MARKED]}}, b""],
        [
            (
                "POST",
                "/v2/volumes",
                {
                    "name": "data",
                    "size_gigabytes": 10,
                    "region": "fra1",
                    "snapshot_id": "snap-1",
                    "tags": ["env:prod", MARKED],
                    "description": "text",
                    "filesystem_type": "ext4",
                    "filesystem_label": "data",
                },
            ),
            UNMARK,
        ],
        THE_VOLUME,
    ),
    Case(
        "attach_volume",
        lambda b: b.attach_volume(THE_NODE, THE_VOLUME, None),
        [DONE],
        [("POST", "/v2/volumes/vol-1/actions", {"type": "attach", "droplet_id": 3164444})],
    ),
    Case(
        "detach_volume from the Droplet that has it now",
        lambda b: b.detach_volume(THE_VOLUME),
        [{"volume": {**VOLUME, "droplet_ids": [3164444]}}, DONE],
        [
            ("GET", "/v2/volumes/vol-1"),
            ("POST", "/v2/volumes/vol-1/actions", {"type": "detach", "droplet_id": 3164444}),
        ],
    ),
    Case(
        "destroy_volume",
        lambda b: b.destroy_volume(THE_VOLUME),
        [b""],
        [("DELETE", "/v2/volumes/vol-1")],
    ),
    Case(
        "destroy_volume that still carries a mark",
        lambda b: b.destroy_volume(replace(THE_VOLUME, tags={"anysky-op": MARK})),
        [b"", b""],
        [("DELETE", "/v2/volumes/vol-1"), UNMARK],
    ),
    Case(
        "list_volume_snapshots",
        lambda b: b.list_volume_snapshots(THE_VOLUME, None),
        [{"snapshots": [VOLUME_SNAPSHOT]}],
        [("GET", "/v2/volumes/vol-1/snapshots?per_page=200")],
        Page([THE_VOLUME_SNAPSHOT]),
    ),
    Case(
        "list_snapshots",
        lambda b: b.list_snapshots(None, Filter()),
        [{"snapshots": [VOLUME_SNAPSHOT]}],
        [("GET", "/v2/snapshots?per_page=200&resource_type=volume")],
        Page([THE_VOLUME_SNAPSHOT]),
    ),
    Case(
        "create_volume_snapshot",
        lambda b: b.create_volume_snapshot(THE_VOLUME, "daily"),
        [{"snapshot": {**VOLUME_SNAPSHOT, "tags": [MARKED]}}, b""],
        [("POST", "/v2/volumes/vol-1/snapshots", {"name": "daily", "tags": [MARKED]}), UNMARK],
        THE_VOLUME_SNAPSHOT,
    ),
    Case(
        "create_volume_snapshot without a name",
        lambda b: b.create_volume_snapshot(THE_VOLUME, None),
        [{"snapshot": {**VOLUME_SNAPSHOT, "tags": None}}, b""],
        [
            (
                "POST",
                "/v2/volumes/vol-1/snapshots",
                {"name": "data-20260101-000000", "tags": [MARKED]},
            ),
            UNMARK,
        ],
        THE_VOLUME_SNAPSHOT,
    ),
    Case(
        "destroy_volume_snapshot",
        lambda b: b.destroy_volume_snapshot(THE_VOLUME_SNAPSHOT),
        [b""],
        [("DELETE", "/v2/volumes/snapshots/snap-1")],
    ),
    Case(
        "list_key_pairs",
        lambda b: b.list_key_pairs(None),
        [{"ssh_keys": [KEY]}],
        [("GET", "/v2/account/keys?per_page=200")],
        Page([THE_KEY]),
    ),
    Case(
        "get_key_pair",
        lambda b: b.get_key_pair("me"),
        [{"ssh_keys": [{**KEY, "name": "you"}, KEY]}],
        [("GET", "/v2/account/keys?per_page=200")],
        THE_KEY,
    ),
    Case(
        "import_key_pair",
        lambda b: b.import_key_pair("me", "ssh-ed25519 AAAA me"),
        [{"ssh_key": KEY}],
        [("POST", "/v2/account/keys", {"name": "me", "public_key": "ssh-ed25519 AAAA me"})],
        THE_KEY,
    ),
    Case(
        "delete_key_pair",
        lambda b: b.delete_key_pair(THE_KEY),
        [b""],
        [("DELETE", "/v2/account/keys/3b:16:bf")],
    ),
    Case(
        "list_networks",
        lambda b: b.list_networks(None, Filter()),
        [{"vpcs": [VPC]}],
        [("GET", "/v2/vpcs?per_page=200")],
        Page([THE_VPC]),
    ),
    Case(
        "create_network",
        lambda b: b.create_network("inner", "10.10.10.0/24", FRANKFURT, {}),
        [{"vpc": VPC}],
        [
            (
                "POST",
                "/v2/vpcs",
                {"name": "inner", "region": "fra1", "ip_range": "10.10.10.0/24"},
            )
        ],
        THE_VPC,
    ),
    Case(
        "delete_network",
        lambda b: b.delete_network(THE_VPC),
        [b""],
        [("DELETE", "/v2/vpcs/vpc-1")],
    ),
    Case(
        "list_security_groups",
        lambda b: b.list_security_groups(None, Filter()),
        [{"firewalls": [FIREWALL]}],
        [("GET", "/v2/firewalls?per_page=200")],
        Page([THE_FIREWALL]),
    ),
    Case(
        "create_security_group",
        lambda b: b.create_security_group("web", "", None, [HTTPS, PING_OUT], {}),
        [{"firewall": FIREWALL}],
        [
            (
                "POST",
                "/v2/firewalls",
                {"name": "web", "inbound_rules": [HTTPS_BODY], "outbound_rules": [PING_BODY]},
            )
        ],
        THE_FIREWALL,
    ),
    Case(
        "delete_security_group",
        lambda b: b.delete_security_group(THE_FIREWALL),
        [b""],
        [("DELETE", "/v2/firewalls/fw-1")],
    ),
    Case(
        "add_security_group_rule",
        lambda b: b.add_security_group_rule(
            THE_FIREWALL, SecurityGroupRule("ingress", "tcp", 8000, 9000, ("10.0.0.0/8",))
        ),
        [b""],
        [
            (
                "POST",
                "/v2/firewalls/fw-1/rules",
                {
                    "inbound_rules": [
                        {
                            "protocol": "tcp",
                            "ports": "8000-9000",
                            "sources": {"addresses": ["10.0.0.0/8"]},
                        }
                    ]
                },
            )
        ],
    ),
    Case(
        "remove_security_group_rule",
        lambda b: b.remove_security_group_rule(THE_FIREWALL, PING_OUT),
        [b""],
        [("DELETE", "/v2/firewalls/fw-1/rules", {"outbound_rules": [PING_BODY]})],
    ),
    Case(
        "add_nodes_to_security_group",
        lambda b: b.add_nodes_to_security_group(THE_FIREWALL, [THE_NODE]),
        [b""],
        [("POST", "/v2/firewalls/fw-1/droplets", {"droplet_ids": [3164444]})],
    ),
    Case(
        "remove_nodes_from_security_group",
        lambda b: b.remove_nodes_from_security_group(THE_FIREWALL, [THE_NODE]),
        [b""],
        [("DELETE", "/v2/firewalls/fw-1/droplets", {"droplet_ids": [3164444]})],
    ),
    Case(
        "list_floating_ips",
        lambda b: b.list_floating_ips(None, Filter()),
        [{"reserved_ips": [RESERVED, {**RESERVED, "droplet": DROPLET}]}],
        [("GET", "/v2/reserved_ips?per_page=200")],
        Page([THE_ADDRESS, FloatingIP("203.0.113.1", "203.0.113.1", "3164444")]),
    ),
    Case(
        "create_floating_ip",
        lambda b: b.create_floating_ip(FRANKFURT, {}),
        [{"reserved_ip": RESERVED}],
        [("POST", "/v2/reserved_ips", {"region": "fra1"})],
        THE_ADDRESS,
    ),
    Case(
        "delete_floating_ip",
        lambda b: b.delete_floating_ip(THE_ADDRESS),
        [b""],
        [("DELETE", "/v2/reserved_ips/203.0.113.1")],
    ),
    Case(
        "attach_floating_ip",
        lambda b: b.attach_floating_ip(THE_ADDRESS, THE_NODE),
        [DONE],
        [
            (
                "POST",
                "/v2/reserved_ips/203.0.113.1/actions",
                {"type": "assign", "droplet_id": 3164444},
            )
        ],
    ),
    Case(
        "detach_floating_ip",
        lambda b: b.detach_floating_ip(THE_ADDRESS),
        [DONE],
        [("POST", "/v2/reserved_ips/203.0.113.1/actions", {"type": "unassign"})],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_and_models(case, backend_of, script, monkeypatch):
    monkeypatch.setattr("anysky.ledger.fresh_mark", lambda: MARK)
    script.answer(*case.answers)

    result = run(case.call(backend_of(DigitalOceanCompute, **case.settings)))

    assert script.sent == case.sent
    assert result == case.result


def test_every_supported_operation_has_a_case():
    tested = {case.name.split(",")[0].split(" ")[0] for case in CASES}

    assert {
        name for name in DigitalOceanCompute.operations() if DigitalOceanCompute.supports(name)
    } == tested


def test_only_what_the_api_has_is_supported():
    missing = {
        name for name in DigitalOceanCompute.operations() if not DigitalOceanCompute.supports(name)
    }

    assert missing == {"create_key_pair", "list_subnets", "create_subnet", "delete_subnet"}


@pytest.mark.parametrize(
    ("call", "answer", "said"),
    [
        (lambda b: b.list_nodes(None, Filter()), {"droplets": [DROPLET]}, DROPLET),
        (lambda b: b.list_sizes(None, None), {"sizes": [SIZE]}, SIZE),
        (lambda b: b.list_locations(None), {"regions": [REGION]}, REGION),
        (lambda b: b.list_images(None, None, Filter()), {"images": [IMAGE]}, IMAGE),
        (lambda b: b.list_volumes(None, Filter()), {"volumes": [VOLUME]}, VOLUME),
        (
            lambda b: b.list_snapshots(None, Filter()),
            {"snapshots": [VOLUME_SNAPSHOT]},
            VOLUME_SNAPSHOT,
        ),
        (lambda b: b.list_key_pairs(None), {"ssh_keys": [KEY]}, KEY),
        (lambda b: b.list_networks(None, Filter()), {"vpcs": [VPC]}, VPC),
        (lambda b: b.list_security_groups(None, Filter()), {"firewalls": [FIREWALL]}, FIREWALL),
        (lambda b: b.list_floating_ips(None, Filter()), {"reserved_ips": [RESERVED]}, RESERVED),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) and len(value) == 1 else "",
)
def test_extra_is_everything_that_the_answer_says(call, answer, said, backend_of, script):
    script.answer(answer)

    page = run(call(backend_of(DigitalOceanCompute)))

    assert page.items[0].extra == said


def test_extra_of_a_nodes_size_and_image_is_there_too(backend_of, script):
    script.answer({"droplet": DROPLET})

    node = run(backend_of(DigitalOceanCompute).get_node("3164444"))

    assert (node.size.extra, node.image.extra) == (SIZE, IMAGE)


def test_nodes_of_one_answer_share_sizes_but_not_tags(backend_of, script):
    script.answer({"droplets": [DROPLET, {**DROPLET, "id": 2}]})

    one, two = run(backend_of(DigitalOceanCompute).list_nodes(None, Filter())).items

    assert one.size is two.size
    assert one.tags == two.tags
    assert one.tags is not two.tags


def test_an_action_that_fails_is_a_conflict(backend_of, script):
    script.answer(STARTED, {"action": {"id": 1, "type": "reboot", "status": "errored"}})

    with pytest.raises(ConflictError, match=r"the action reboot \(1\) ended with an error"):
        run(backend_of(DigitalOceanCompute).reboot_node(THE_NODE))


def test_detaching_a_volume_that_is_free_is_a_conflict(backend_of, script):
    script.answer({"volume": VOLUME})

    with pytest.raises(ConflictError, match="attached to no Droplet"):
        run(backend_of(DigitalOceanCompute).detach_volume(THE_VOLUME))


TO_ALL = SecurityGroupRule("ingress", "all", cidrs=("0.0.0.0/0",))
SUBNET = Subnet("s", "s", "10.0.0.0/24", "vpc-1")


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda b: b.create_node(
                NodeSpec("n", THE_SIZE, THE_IMAGE, auth=NodeAuthPassword("hunter2"))
            ),
            UnsupportedOperationError,
            "no passwords",
        ),
        (
            lambda b: b.create_node(NodeSpec("n", THE_SIZE, THE_IMAGE, network=SUBNET)),
            UnsupportedOperationError,
            "no subnets",
        ),
        (
            lambda b: b.create_node(
                NodeSpec("n", THE_SIZE, THE_IMAGE, FRANKFURT, NodeAuthSSHKey("hello"))
            ),
            InvalidRequestError,
            "not a public key",
        ),
        (
            lambda b: b.rebuild_node(Node("1", "n", NodeState.RUNNING, [], [])),
            InvalidRequestError,
            "name another one",
        ),
        (
            lambda b: b.create_node(
                NodeSpec("n", THE_SIZE, THE_IMAGE, FRANKFURT, tags={"a:b": ""})
            ),
            InvalidRequestError,
            "has no colon at this provider: 'a:b'",
        ),
        (lambda b: b.get_node(""), InvalidRequestError, "nothing with the id ''"),
        (lambda b: b.get_image(".."), InvalidRequestError, "nothing with the id '..'"),
        (
            lambda b: b.create_image(THE_NODE, "nightly", "text"),
            UnsupportedOperationError,
            "no description",
        ),
        (
            lambda b: b.copy_image("nyc3", THE_SNAPSHOT_IMAGE, "other", None),
            UnsupportedOperationError,
            "pass name='nightly'",
        ),
        (
            lambda b: b.attach_volume(THE_NODE, THE_VOLUME, "/dev/sdb"),
            UnsupportedOperationError,
            "chooses the device",
        ),
        (
            lambda b: b.attach_volume(
                Node("i-1", "n", NodeState.RUNNING, [], []), THE_VOLUME, None
            ),
            InvalidRequestError,
            "is a number, not 'i-1'",
        ),
        (
            lambda b: b.create_network("n", None, FRANKFURT, {"a": "b"}),
            UnsupportedOperationError,
            "VPCs have no tags",
        ),
        (
            lambda b: b.create_floating_ip(FRANKFURT, {"a": "b"}),
            UnsupportedOperationError,
            "reserved IPs have no tags",
        ),
        (
            lambda b: b.create_security_group("web", "text", None, [HTTPS], {}),
            UnsupportedOperationError,
            "have no description",
        ),
        (
            lambda b: b.create_security_group("web", "", THE_VPC, [HTTPS], {}),
            UnsupportedOperationError,
            "have no network",
        ),
        (
            lambda b: b.create_security_group("web", "", None, [], {}),
            InvalidRequestError,
            "at least one rule",
        ),
        (
            lambda b: b.add_security_group_rule(THE_FIREWALL, TO_ALL),
            UnsupportedOperationError,
            "one rule for each",
        ),
        (
            lambda b: b.add_security_group_rule(THE_FIREWALL, SecurityGroupRule("in", "tcp")),
            InvalidRequestError,
            "direction is 'ingress' or 'egress'",
        ),
        (
            lambda b: b.add_security_group_rule(THE_FIREWALL, SecurityGroupRule("ingress", "tcp")),
            InvalidRequestError,
            "needs cidrs",
        ),
        (
            lambda b: b.add_security_group_rule(
                THE_FIREWALL, SecurityGroupRule("ingress", "tcp", group_ids=("fw-2",))
            ),
            UnsupportedOperationError,
            "no groups",
        ),
    ],
)
def test_what_cannot_be_done_as_asked_is_refused_before_sending(
    call, error, words, backend_of, script
):
    with pytest.raises(error, match=words):
        run(call(backend_of(DigitalOceanCompute)))

    assert script.requests == []


@pytest.mark.parametrize(
    ("call", "send_class"),
    [
        (lambda b: b.create_network("inner", None, FRANKFURT, {}), "ONCE"),
        (lambda b: b.reboot_node(THE_NODE), "ONCE"),
        (lambda b: b.add_security_group_rule(THE_FIREWALL, HTTPS), "REPEATABLE"),
        (lambda b: b.destroy_node(THE_NODE), "REPEATABLE"),
        (lambda b: b.get_node("1"), "SAFE"),
    ],
)
def test_how_often_a_request_may_be_sent(call, send_class, backend_of, script):
    script.answer({**DONE, "droplet": DROPLET, "vpc": VPC})

    run(call(backend_of(DigitalOceanCompute)))

    assert [one.send_class.name for one in script.requests] == [send_class]
