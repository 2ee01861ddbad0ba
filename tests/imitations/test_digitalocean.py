"""The imitation behaves as the vendor's reference says and its answers fit the published schema."""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from tests.imitations.digitalocean import DigitalOceanImitation
from tests.imitations.openapi import document_path

KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ2OfbRNsQ9kWGaS4tb8gXpm7Jn2w9jlzFPyAXAh4wrY me@host"
WEB = {"name": "web-1", "region": "nyc3", "size": "s-1vcpu-1gb", "image": "debian-12-x64"}

needs_document = pytest.mark.skipif(
    not document_path("digitalocean.com").exists(),
    reason=f"no OpenAPI document at {document_path('digitalocean.com')}",
)


class Client:
    """JSON over one kept-alive connection."""

    def __init__(self, cloud, token=None):
        self.cloud = cloud
        self.token = token or cloud.token
        self.connection = http.client.HTTPConnection(urlsplit(cloud.url).netloc, timeout=10)

    def send(self, method, path, body=None):
        headers = {"Authorization": f"Bearer {self.token}"}
        data = None
        if body is not None:
            headers["Content-Type"] = "application/json"
            data = json.dumps(body)
        self.connection.request(method, path, data, headers)
        response = self.connection.getresponse()
        self.headers = response.headers
        text = response.read()
        return response.status, json.loads(text) if text else None

    def get(self, path):
        status, body = self.send("GET", path)
        assert status == 200, (path, status, body)
        return body

    def post(self, path, body, expected=None):
        status, answer = self.send("POST", path, body)
        assert status == expected or (expected is None and status < 300), (path, status, answer)
        return answer

    def delete(self, path, body=None):
        status, answer = self.send("DELETE", path, body)
        assert status == 204, (path, status, answer)


@pytest.fixture
def cloud():
    with DigitalOceanImitation(check_answers=True) as imitation:
        yield imitation


@pytest.fixture
def client(cloud):
    client = Client(cloud)
    yield client
    client.connection.close()


def test_droplet_becomes_active_after_one_look(client):
    created = client.post("/v2/droplets", WEB, 202)
    path = f"/v2/droplets/{created['droplet']['id']}"

    seen = [client.get(path)["droplet"]["status"] for _ in range(2)]

    assert created["droplet"]["status"] == "new"
    assert seen == ["new", "active"]
    addresses = client.get(path)["droplet"]["networks"]["v4"]
    assert [each["type"] for each in addresses] == ["private", "public"]
    action_id = created["links"]["actions"][0]["id"]
    assert client.get(f"/v2/actions/{action_id}")["action"]["status"] == "completed"


def test_many_droplets_are_created_at_once_and_deleted_by_tag(client):
    body = {**WEB, "names": ["a", "b", "c"], "tags": ["web", "env:prod"], "ipv6": True}
    del body["name"]

    created = client.post("/v2/droplets", body, 202)

    assert [each["name"] for each in created["droplets"]] == ["a", "b", "c"]
    assert len(created["links"]["actions"]) == 3
    assert client.get("/v2/droplets?tag_name=web")["meta"] == {"total": 3}
    assert client.get("/v2/droplets?name=b")["meta"] == {"total": 1}
    assert client.get("/v2/tags/web")["tag"]["resources"]["droplets"]["count"] == 3
    client.delete("/v2/droplets?tag_name=web")
    assert client.get("/v2/droplets")["droplets"] == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"size": "huge"}, "You specified an invalid size for Droplet creation."),
        ({"image": "nope"}, "You specified an invalid image for Droplet creation."),
        ({"image": 1}, "You specified an invalid image for Droplet creation."),
        ({"region": "sfo2"}, "You specified an invalid region for Droplet creation."),
        ({"ssh_keys": [7]}, "7 is an invalid key identifier for Droplet creation."),
        ({"size": "gpu-h100x1-80gb", "region": "fra1"}, "Size is not available in this region."),
        (
            {"name": "a b"},
            "Name Only valid hostname characters are allowed. (a-z, A-Z, 0-9, . and -)",
        ),
        ({"volumes": ["x"]}, "Failed to resolve volume"),
    ],
)
def test_invalid_droplets_are_refused(client, change, message):
    status, body = client.send("POST", "/v2/droplets", WEB | change)

    assert (status, body["id"], body["message"]) == (422, "unprocessable_entity", message)
    assert body["request_id"] == client.headers["x-request-id"]


def test_actions_of_a_droplet(cloud, client):
    droplet_id = cloud.add_droplet("web-1")["id"]
    path = f"/v2/droplets/{droplet_id}"

    def act(**body):
        action = client.post(f"{path}/actions", body, 201)["action"]
        status, answer = client.send("POST", f"{path}/actions", body)
        assert (status, answer["message"]) == (422, "Droplet already has a pending event.")
        for _ in range(2):
            action = client.get(f"{path}/actions/{action['id']}")["action"]
        assert action["status"] == "completed"
        return client.get(path)["droplet"]

    assert act(type="reboot")["status"] == "active"
    assert act(type="power_off")["status"] == "off"
    assert act(type="rename", name="db-1")["name"] == "db-1"
    resized = act(type="resize", size="s-2vcpu-4gb")
    assert (resized["size_slug"], resized["memory"], resized["disk"]) == ("s-2vcpu-4gb", 4096, 25)
    assert act(type="power_on")["status"] == "active"
    assert act(type="rebuild", image="ubuntu-24-04-x64")["image"]["slug"] == "ubuntu-24-04-x64"
    assert act(type="enable_ipv6")["networks"]["v6"][0]["ip_address"] == "2001:db8::30:491c"
    snapshot_id = act(type="snapshot", name="nightly")["snapshot_ids"][0]
    assert client.get(f"{path}/snapshots")["snapshots"][0]["id"] == snapshot_id
    assert client.get(f"{path}/backups")["backups"] == []
    assert client.get(f"{path}/kernels")["meta"] == {"total": 1}
    assert client.get(f"{path}/actions")["meta"] == {"total": 8}
    assert client.get("/v2/actions?per_page=2")["meta"] == {"total": 8}


def test_failing_action_ends_errored(cloud, client):
    droplet_id = cloud.add_droplet("web-1")["id"]
    cloud.failing_actions.add("snapshot")

    action = client.post(f"/v2/droplets/{droplet_id}/actions", {"type": "snapshot"})["action"]

    seen = [client.get(f"/v2/actions/{action['id']}")["action"]["status"] for _ in range(2)]
    assert seen == ["in-progress", "errored"]
    assert client.get(f"/v2/droplets/{droplet_id}")["droplet"]["snapshot_ids"] == []


def test_volume_life(cloud, client):
    droplet_id = cloud.add_droplet("web-1")["id"]
    body = {"name": "data", "region": "nyc3", "size_gigabytes": 10, "tags": ["db"]}
    volume = client.post("/v2/volumes", body, 201)["volume"]
    path = f"/v2/volumes/{volume['id']}"

    def act(target=f"{path}/actions", **body):
        action = client.post(target, {"region": "nyc3", **body}, 202)["action"]
        for _ in range(2):
            action = client.get(f"{path}/actions/{action['id']}")["action"]
        return action["type"], action["status"], client.get(path)["volume"]["droplet_ids"]

    assert client.send("POST", "/v2/volumes", body)[0] == 409
    assert act(type="attach", droplet_id=droplet_id) == ("attach_volume", "completed", [droplet_id])
    assert client.get(f"/v2/droplets/{droplet_id}")["droplet"]["volume_ids"] == [volume["id"]]
    status, refused = client.send("DELETE", path)
    assert (status, refused["id"]) == (409, "conflict")
    by_name = {"type": "detach", "droplet_id": droplet_id, "volume_name": "data"}
    assert act("/v2/volumes/actions", **by_name) == ("detach_volume", "completed", [])
    assert act(type="resize", size_gigabytes=20) == ("resize_volume", "completed", [])
    assert client.get("/v2/volumes?name=data&region=nyc3")["volumes"][0]["size_gigabytes"] == 20
    snapshot = client.post(f"{path}/snapshots", {"name": "before"}, 201)["snapshot"]
    assert client.get(f"{path}/snapshots")["snapshots"] == [snapshot]
    client.delete(path)
    copy = {"name": "copy", "region": "nyc3", "size_gigabytes": 20, "snapshot_id": snapshot["id"]}
    assert client.post("/v2/volumes", copy, 201)["volume"]["size_gigabytes"] == 20
    assert client.get(f"/v2/volumes/snapshots/{snapshot['id']}")["snapshot"] == snapshot
    client.delete(f"/v2/volumes/snapshots/{snapshot['id']}")
    client.delete("/v2/volumes?name=copy&region=nyc3")
    assert client.get("/v2/volumes")["volumes"] == []


def test_images_and_snapshots(cloud, client):
    droplet_id = cloud.add_droplet("web-1")["id"]
    body = {"type": "snapshot", "name": "nightly"}
    client.post(f"/v2/droplets/{droplet_id}/actions", body)
    for _ in range(2):
        droplet = client.get(f"/v2/droplets/{droplet_id}")["droplet"]
    (image_id,) = droplet["snapshot_ids"]

    def names(query):
        return [each["name"] for each in client.get(f"/v2/images?{query}")["images"]]

    assert names("private=true") == ["nightly"]
    assert names("type=application") == ["Docker on Ubuntu 22.04", "WordPress on Ubuntu 22.04"]
    assert "12 x64" in names("type=distribution")
    assert client.get("/v2/images/debian-12-x64")["image"]["id"] == 129211873
    status, updated = client.send("PUT", f"/v2/images/{image_id}", {"name": "weekly"})
    assert (status, updated["image"]["name"]) == (200, "weekly")
    transfer = {"type": "transfer", "region": "fra1"}
    client.post(f"/v2/images/{image_id}/actions", transfer, 201)
    for _ in range(2):
        image = client.get(f"/v2/images/{image_id}")["image"]
    assert image["regions"] == ["nyc3", "fra1"]
    snapshots = client.get("/v2/snapshots?resource_type=droplet")["snapshots"]
    assert [(s["id"], s["resource_id"]) for s in snapshots] == [(str(image_id), str(droplet_id))]
    client.delete(f"/v2/snapshots/{image_id}")
    assert names("private=true") == []
    assert client.get(f"/v2/droplets/{droplet_id}")["droplet"]["snapshot_ids"] == []


def test_custom_image_is_imported(client):
    body = {"name": "own", "url": "https://example.com/i.qcow2", "region": "nyc3"}

    image = client.post("/v2/images", body | {"distribution": "Debian"}, 202)["image"]

    seen = [client.get(f"/v2/images/{image['id']}")["image"]["status"] for _ in range(2)]
    assert (image["status"], seen) == ("NEW", ["NEW", "available"])
    client.delete(f"/v2/images/{image['id']}")


def test_keys_by_id_and_fingerprint(client):
    key = client.post("/v2/account/keys", {"name": "me", "public_key": KEY}, 201)["ssh_key"]

    assert client.send("POST", "/v2/account/keys", {"name": "x", "public_key": KEY})[0] == 422
    assert client.get(f"/v2/account/keys/{key['fingerprint']}")["ssh_key"] == key
    renamed = client.send("PUT", f"/v2/account/keys/{key['id']}", {"name": "you"})[1]["ssh_key"]
    assert renamed["name"] == "you"
    client.post("/v2/droplets", WEB | {"ssh_keys": [key["id"], key["fingerprint"]]}, 202)
    client.delete(f"/v2/account/keys/{key['id']}")
    assert client.get("/v2/account/keys")["ssh_keys"] == []


def test_tags_are_put_on_resources(cloud, client):
    droplet_id = cloud.add_droplet("web-1")["id"]
    resources = {"resources": [{"resource_id": str(droplet_id), "resource_type": "droplet"}]}
    client.post("/v2/tags", {"name": "a-tag"}, 201)

    client.post("/v2/tags/a-tag/resources", resources, 204)
    tagged = client.get(f"/v2/droplets/{droplet_id}")["droplet"]["tags"]
    client.delete("/v2/tags/a-tag/resources", resources)

    assert tagged == ["a-tag"]
    assert client.get("/v2/tags/a-tag")["tag"]["resources"]["count"] == 0
    client.delete("/v2/tags/a-tag")
    assert client.get("/v2/tags")["tags"] == []


def test_domain_comes_with_its_soa_and_name_servers(client):
    created = client.post("/v2/domains", {"name": "example.com", "ip_address": "192.0.2.1"}, 201)

    records = client.get("/v2/domains/example.com/records")["domain_records"]

    assert created["domain"] == {"name": "example.com", "ttl": 1800, "zone_file": None}
    assert [(r["type"], r["name"], r["data"], r["ttl"]) for r in records] == [
        ("SOA", "@", "1800", 1800),
        ("NS", "@", "ns1.digitalocean.com", 1800),
        ("NS", "@", "ns2.digitalocean.com", 1800),
        ("NS", "@", "ns3.digitalocean.com", 1800),
        ("A", "@", "192.0.2.1", 1800),
    ]
    zone_file = client.get("/v2/domains/example.com")["domain"]["zone_file"]
    assert "example.com. 1800 IN A 192.0.2.1\n" in zone_file
    client.delete("/v2/domains/example.com")
    assert client.get("/v2/domains")["domains"] == []


def test_records(client):
    client.post("/v2/domains", {"name": "example.com"})
    path = "/v2/domains/example.com/records"

    def create(**body):
        return client.post(path, body, 201)["domain_record"]

    def refusal(**body):
        status, answer = client.send("POST", path, body)
        return status, answer["message"]

    record = create(type="A", name="www", data="192.0.2.1", ttl=60)
    create(type="MX", name="@", data="mail.example.com.", priority=10)
    create(type="CAA", name="@", data="letsencrypt.org", flags=0, tag="issue")
    create(type="SRV", name="_sip._tcp", data="sip.example.com.", priority=1, port=5060, weight=5)

    assert client.get(f"{path}?name=www.example.com&type=A")["domain_records"] == [record]
    patched = client.send("PATCH", f"{path}/{record['id']}", {"type": "A", "data": "192.0.2.2"})[1]
    assert patched == {"domain_record": record | {"data": "192.0.2.2"}}
    assert client.get(f"{path}?type=MX")["domain_records"][0]["data"] == "mail.example.com"
    assert refusal(type="CNAME", name="x", data="example.com") == (
        422,
        "Data needs to end with a dot (.)",
    )
    assert refusal(type="A", name="x", data="nope") == (
        422,
        "IP address did not match IPv4 format (e.g. 127.0.0.1).",
    )
    assert refusal(type="MX", name="@", data="a.") == (422, "Priority can't be blank")
    assert refusal(type="CNAME", name="www", data="example.com.")[0] == 422
    client.delete(f"{path}/{record['id']}")
    assert client.send("GET", f"{path}/{record['id']}")[0] == 404


def test_vpcs(cloud, client):
    cloud.add_droplet("web-1")
    (default,) = client.get("/v2/vpcs")["vpcs"]
    body = {"name": "private", "region": "nyc3", "ip_range": "10.10.10.0/24"}

    vpc = client.post("/v2/vpcs", body, 201)["vpc"]

    path = f"/v2/vpcs/{vpc['id']}"
    assert (default["name"], default["default"], vpc["default"]) == ("default-nyc3", True, False)
    assert (
        client.send("PUT", path, {"name": "other", "description": "x"})[1]["vpc"]["name"] == "other"
    )
    assert client.send("PATCH", path, {"description": "y"})[1]["vpc"]["description"] == "y"
    members = client.get(f"/v2/vpcs/{default['id']}/members")["members"]
    assert [each["name"] for each in members] == ["web-1"]
    assert client.send("DELETE", f"/v2/vpcs/{default['id']}")[0] == 403
    client.delete(path)


def test_firewalls(cloud, client):
    droplet_id = cloud.add_droplet("web-1", tags=["web"])["id"]
    ssh = {"protocol": "tcp", "ports": "22", "sources": {"addresses": ["0.0.0.0/0"]}}
    out = {"protocol": "tcp", "ports": "all", "destinations": {"addresses": ["0.0.0.0/0"]}}
    body = {"name": "web", "inbound_rules": [ssh], "outbound_rules": [out]}

    firewall = client.post("/v2/firewalls", body, 202)["firewall"]

    path = f"/v2/firewalls/{firewall['id']}"
    assert (firewall["status"], firewall["outbound_rules"]) == ("waiting", [out | {"ports": "0"}])
    client.post(f"{path}/droplets", {"droplet_ids": [droplet_id]}, 204)
    client.post(f"{path}/tags", {"tags": ["web"]}, 204)
    web = ssh | {"ports": "80"}
    client.post(f"{path}/rules", {"inbound_rules": [web]}, 204)
    client.delete(f"{path}/rules", {"inbound_rules": [ssh]})
    seen = client.get(path)["firewall"]
    assert (seen["inbound_rules"], seen["droplet_ids"], seen["tags"], seen["status"]) == (
        [web],
        [droplet_id],
        ["web"],
        "succeeded",
    )
    listed = client.get(f"/v2/droplets/{droplet_id}/firewalls")["firewalls"]
    assert [each["name"] for each in listed] == ["web"]
    client.delete(f"{path}/tags", {"tags": ["web"]})
    client.delete(f"{path}/droplets", {"droplet_ids": [droplet_id]})
    assert client.send("PUT", path, body | {"name": "web2"})[1]["firewall"]["droplet_ids"] == []
    client.delete(path)
    assert client.get("/v2/firewalls")["firewalls"] == []


def test_reserved_ips(cloud, client):
    droplet_id = cloud.add_droplet("web-1")["id"]
    address = client.post("/v2/reserved_ips", {"region": "nyc3"}, 202)["reserved_ip"]
    path = f"/v2/reserved_ips/{address['ip']}"

    def act(**body):
        action = client.post(f"{path}/actions", body, 201)["action"]
        for _ in range(2):
            action = client.get(f"{path}/actions/{action['id']}")["action"]
        droplet = client.get(path)["reserved_ip"]["droplet"]
        return action["type"], action["status"], droplet["id"] if droplet else None

    assert act(type="assign", droplet_id=droplet_id) == ("assign_ip", "completed", droplet_id)
    assert act(type="unassign") == ("unassign_ip", "completed", None)
    client.delete(path)
    bound = client.post("/v2/reserved_ips", {"droplet_id": droplet_id}, 202)
    assert [each["rel"] for each in bound["links"]["actions"]] == ["assign_ip"]
    for _ in range(2):
        (listed,) = client.get("/v2/reserved_ips")["reserved_ips"]
    assert (listed["droplet"]["id"], listed["locked"]) == (droplet_id, False)


def test_load_balancers(cloud, client):
    first, second = (cloud.add_droplet(name)["id"] for name in ("web-1", "web-2"))
    rule = {
        "entry_protocol": "http",
        "entry_port": 80,
        "target_protocol": "http",
        "target_port": 8080,
    }
    body = {"name": "web", "region": "nyc3", "forwarding_rules": [rule], "droplet_ids": [first]}

    balancer = client.post("/v2/load_balancers", body | {"size_unit": 2}, 202)["load_balancer"]

    path = f"/v2/load_balancers/{balancer['id']}"
    assert (balancer["status"], balancer["ip"], balancer["size_unit"]) == ("new", "", 2)
    busy = (403, "Load Balancer can't be updated while it processes previous actions")
    status, answer = client.send("POST", f"{path}/droplets", {"droplet_ids": [second]})
    assert (status, answer["message"]) == busy
    seen = client.get(path)["load_balancer"]
    assert (seen["status"], seen["ip"]) == ("active", "192.0.2.1")
    client.post(f"{path}/droplets", {"droplet_ids": [second]}, 204)
    for _ in range(2):
        seen = client.get(path)["load_balancer"]
    assert seen["droplet_ids"] == [first, second]
    changed = client.send("PUT", path, body | {"name": "web2"})[1]["load_balancer"]
    assert (changed["name"], changed["droplet_ids"], changed["size_unit"]) == ("web2", [first], 1)
    status, answer = client.send("POST", "/v2/load_balancers", body | {"name": "web2"})
    assert (status, answer["message"]) == (422, "name is not unique")
    client.delete(f"/v2/droplets/{first}")
    assert client.get("/v2/load_balancers")["load_balancers"][0]["droplet_ids"] == []
    client.delete(path)
    assert client.get("/v2/load_balancers")["load_balancers"] == []


def test_load_balancer_for_a_tag(cloud, client):
    cloud.polls = 0
    number = cloud.add_droplet("web-1", tags=["web"])["id"]
    rule = {
        "entry_protocol": "https",
        "entry_port": 443,
        "target_protocol": "https",
        "target_port": 443,
        "tls_passthrough": True,
    }
    body = {"name": "web", "region": "nyc3", "forwarding_rules": [rule], "tag": "web"}

    balancer = client.post("/v2/load_balancers", body, 202)["load_balancer"]

    path = f"/v2/load_balancers/{balancer['id']}"
    assert (balancer["tag"], balancer["droplet_ids"]) == ("web", [number])
    status, _ = client.send("POST", f"{path}/droplets", {"droplet_ids": [number]})
    assert status == 422
    more = rule | {"entry_port": 8443}
    client.post(f"{path}/forwarding_rules", {"forwarding_rules": [more]}, 204)
    client.delete(f"{path}/forwarding_rules", {"forwarding_rules": [rule]})
    (left,) = client.get(path)["load_balancer"]["forwarding_rules"]
    assert left["entry_port"] == 8443


@pytest.mark.parametrize(
    "change",
    [
        {"droplet_ids": [7]},
        {"name": "a b"},
        {"forwarding_rules": []},
        {"tag": "web", "droplet_ids": [1]},
    ],
)
def test_invalid_load_balancers_are_refused(client, cloud, change):
    rule = {
        "entry_protocol": "udp",
        "entry_port": 53,
        "target_protocol": "udp",
        "target_port": 53,
    }
    check = {"protocol": "tcp", "port": 53}
    body = {
        "name": "dns",
        "region": "nyc3",
        "forwarding_rules": [rule],
        "droplet_ids": [],
        "health_check": check,
    }

    status, _ = client.send("POST", "/v2/load_balancers", body | change)

    assert status in (404, 422)
    assert cloud.balancers == {}
    cloud.violations.clear()  # some of these bodies break the document as well


def test_pages_link_to_each_other(cloud, client):
    for number in range(25):
        cloud.add_droplet(f"web-{number}", tags=["x"])

    first = client.get("/v2/droplets?tag_name=x")
    second = client.get("/v2/droplets?page=2&per_page=10")

    assert (len(first["droplets"]), first["meta"]) == (20, {"total": 25})
    following = f"{cloud.url}/v2/droplets?page=2&tag_name=x"
    assert first["links"] == {"pages": {"next": following, "last": following}}
    numbers = {name: url.partition("page=")[2] for name, url in second["links"]["pages"].items()}
    assert numbers == {
        "first": "1&per_page=10",
        "prev": "1&per_page=10",
        "next": "3&per_page=10",
        "last": "3&per_page=10",
    }
    assert [each["name"] for each in second["droplets"]] == [f"web-{n}" for n in range(10, 20)]


def test_account_sizes_and_regions(client):
    account = client.get("/v2/account")["account"]
    sizes = {each["slug"]: each["price_monthly"] for each in client.get("/v2/sizes")["sizes"]}
    regions = {each["slug"]: each["available"] for each in client.get("/v2/regions")["regions"]}

    assert (account["email"], sizes["s-1vcpu-1gb"]) == ("sammy@example.com", 6.0)
    assert (regions["nyc3"], regions["sfo2"]) == (True, False)


def test_sign_in_rate_limit_and_errors(cloud, client):
    client.get("/v2/account")
    assert (client.headers["ratelimit-limit"], client.headers["ratelimit-remaining"]) == (
        "5000",
        "4999",
    )
    stranger = Client(cloud, token="wrong")
    status, body = stranger.send("GET", "/v2/account")
    stranger.connection.close()
    assert (status, body["id"], body["message"]) == (
        401,
        "unauthorized",
        "Unable to authenticate you",
    )
    assert client.send("GET", "/v2/droplets/1")[1]["id"] == "not_found"
    cloud.rate_remaining = 0
    assert client.send("GET", "/v2/account")[1]["id"] == "too_many_requests"


def test_faults_on_demand(cloud, client):
    lost = cloud.fail_next(None, method="POST", path="/v2/droplets", after_work=True)
    limited = cloud.fail_next(429, times=2, path="/v2/account", headers={"Retry-After": "3"})

    with pytest.raises(http.client.RemoteDisconnected):
        client.post("/v2/droplets", WEB)
    seen = [client.send("GET", "/v2/account")[0] for _ in range(3)]

    assert client.get("/v2/droplets")["meta"] == {"total": 1}
    assert (lost.hits, limited.hits, seen) == (1, 2, [429, 429, 200])


def test_fault_that_never_strikes_fails_the_test():
    with pytest.raises(AssertionError, match="never hit"), DigitalOceanImitation() as cloud:
        cloud.fail_next(500)


@needs_document
@pytest.mark.parametrize(
    ("method", "path", "body", "violation"),
    [
        ("GET", "/v2/nodes", None, "no such operation is documented"),
        ("GET", "/v2/droplets?per_page=201", None, "201 is greater than the maximum of 200"),
        ("GET", "/v2/droplets?tag=web", None, "unknown query parameter 'tag'"),
        ("DELETE", "/v2/droplets", None, "query parameter 'tag_name' is missing"),
        ("GET", "/v2/volumes/no-uuid", None, "'no-uuid' is not a 'uuid'"),
        ("POST", "/v2/droplets", WEB | {"sshkeys": []}, "'sshkeys' was unexpected"),
        ("POST", "/v2/droplets", WEB | {"names": ["a"]}, "body:"),
        ("POST", "/v2/droplets", WEB | {"ipv6": "yes"}, "body:"),
        ("POST", "/v2/tags", {"name": "x", "resources": {}}, "body: resources:"),
        ("POST", "/v2/droplets/1/actions", {"type": "explode"}, "body:"),
    ],
)
def test_requests_that_break_the_document_are_recorded(method, path, body, violation):
    with DigitalOceanImitation() as cloud:
        client = Client(cloud)
        client.send(method, path, body)
        client.connection.close()
        violations = list(cloud.violations)
        cloud.violations.clear()

    assert len(violations) == 1, violations
    assert violation in violations[0]


def test_runs_as_a_script():
    root = Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.imitations.digitalocean", "token"]
    with subprocess.Popen(command, cwd=root, stdout=subprocess.PIPE, text=True) as process:
        url = process.stdout.readline().strip()
        with pytest.raises(OSError, match="401"):
            urlopen(f"{url}/v2/account", timeout=10)
        process.terminate()


def test_parts_do_not_override_each_other():
    parts = DigitalOceanImitation.__bases__
    names = [name for part in parts for name in vars(part) if not name.startswith("__")]

    assert {name for name in names if names.count(name) > 1} == {"clear"}
