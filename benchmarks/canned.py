"""Canned answers: EC2's DescribeInstances in XML and DigitalOcean's droplets in JSON.

The fields are those of the vendors' references, filled as in an ordinary account:
https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeInstances.html
https://docs.digitalocean.com/reference/api/digitalocean/#tag/Droplets
An instance takes about 4.6 KB, a droplet about 2.5 KB. Ids, names and addresses differ from
one to the next; everything else is as repetitive as it is in life.
"""

from __future__ import annotations

import json

EC2_NAMESPACE = "http://ec2.amazonaws.com/doc/2016-11-15/"
EC2_PAGE = 1000
DROPLET_PAGE = 20

_ZONES = ("us-east-1a", "us-east-1b", "us-east-1c", "us-east-1d")
_TYPES = ("t3.medium", "m7i.large", "c7g.xlarge", "r6i.2xlarge")
_ROLES = ("web", "worker", "database", "cache")
_STAGES = ("production", "staging")


def _words(text: str) -> list[str]:
    return text.split()


_REGIONS = _words("""
ams3 atl1 blr1 fra1 lon1 nyc1 nyc2 nyc3 ric1 sfo2 sfo3 sgp1 syd1 tor1
""")
_SIZES = _words("""
s-1vcpu-512mb-10gb s-1vcpu-1gb s-1vcpu-1gb-amd s-1vcpu-1gb-intel s-1vcpu-2gb s-1vcpu-2gb-amd
s-1vcpu-2gb-intel s-2vcpu-2gb s-2vcpu-2gb-amd s-2vcpu-2gb-intel s-2vcpu-4gb s-2vcpu-4gb-amd
s-2vcpu-4gb-intel s-4vcpu-8gb s-4vcpu-8gb-amd s-4vcpu-8gb-intel c-2 c2-2vcpu-4gb g-2vcpu-8gb
gd-2vcpu-8gb m-2vcpu-16gb c-4 c2-4vcpu-8gb g-4vcpu-16gb gd-4vcpu-16gb m3-2vcpu-16gb
s-8vcpu-16gb s-8vcpu-16gb-amd m-4vcpu-32gb m3-4vcpu-32gb c-8 c2-8vcpu-16gb g-8vcpu-32gb
gd-8vcpu-32gb m-8vcpu-64gb m3-8vcpu-64gb c-16 c2-16vcpu-32gb g-16vcpu-64gb gd-16vcpu-64gb
m-16vcpu-128gb m3-16vcpu-128gb c-32 c2-32vcpu-64gb g-32vcpu-128gb m-32vcpu-256gb c-48
""")

_INSTANCE = """\
    <item>
      <reservationId>r-{hex17}</reservationId>
      <ownerId>123456789012</ownerId>
      <groupSet/>
      <instancesSet>
        <item>
          <instanceId>i-{hex17}</instanceId>
          <imageId>ami-0abcdef1234567890</imageId>
          <instanceState>
            <code>16</code>
            <name>running</name>
          </instanceState>
          <privateDnsName>ip-{dashed}.ec2.internal</privateDnsName>
          <dnsName>ec2-{public_dashed}.compute-1.amazonaws.com</dnsName>
          <reason/>
          <keyName>operations</keyName>
          <amiLaunchIndex>0</amiLaunchIndex>
          <productCodes/>
          <instanceType>{type}</instanceType>
          <launchTime>2026-0{month}-{day:02}T08:{minute:02}:12.000Z</launchTime>
          <placement>
            <availabilityZone>{zone}</availabilityZone>
            <groupName/>
            <tenancy>default</tenancy>
          </placement>
          <monitoring>
            <state>disabled</state>
          </monitoring>
          <subnetId>subnet-0fedcba987654321{nibble}</subnetId>
          <vpcId>vpc-0a1b2c3d4e5f60718</vpcId>
          <privateIpAddress>{private}</privateIpAddress>
          <ipAddress>{public}</ipAddress>
          <sourceDestCheck>true</sourceDestCheck>
          <groupSet>
            <item>
              <groupId>sg-0123456789abcdef0</groupId>
              <groupName>{role}</groupName>
            </item>
          </groupSet>
          <architecture>x86_64</architecture>
          <rootDeviceType>ebs</rootDeviceType>
          <rootDeviceName>/dev/xvda</rootDeviceName>
          <blockDeviceMapping>
            <item>
              <deviceName>/dev/xvda</deviceName>
              <ebs>
                <volumeId>vol-{hex17}</volumeId>
                <status>attached</status>
                <attachTime>2026-0{month}-{day:02}T08:{minute:02}:13.000Z</attachTime>
                <deleteOnTermination>true</deleteOnTermination>
              </ebs>
            </item>
          </blockDeviceMapping>
          <virtualizationType>hvm</virtualizationType>
          <clientToken>{hex17}-token</clientToken>
          <tagSet>
            <item>
              <key>Name</key>
              <value>{name}</value>
            </item>
            <item>
              <key>Environment</key>
              <value>{stage}</value>
            </item>
          </tagSet>
          <hypervisor>xen</hypervisor>
          <networkInterfaceSet>
            <item>
              <networkInterfaceId>eni-{hex17}</networkInterfaceId>
              <subnetId>subnet-0fedcba987654321{nibble}</subnetId>
              <vpcId>vpc-0a1b2c3d4e5f60718</vpcId>
              <ownerId>123456789012</ownerId>
              <status>in-use</status>
              <macAddress>0e:a1:{mac}</macAddress>
              <privateIpAddress>{private}</privateIpAddress>
              <sourceDestCheck>true</sourceDestCheck>
              <groupSet>
                <item>
                  <groupId>sg-0123456789abcdef0</groupId>
                  <groupName>{role}</groupName>
                </item>
              </groupSet>
              <attachment>
                <attachmentId>eni-attach-{hex17}</attachmentId>
                <deviceIndex>0</deviceIndex>
                <status>attached</status>
                <attachTime>2026-0{month}-{day:02}T08:{minute:02}:12.000Z</attachTime>
                <deleteOnTermination>true</deleteOnTermination>
              </attachment>
              <association>
                <publicIp>{public}</publicIp>
                <publicDnsName>ec2-{public_dashed}.compute-1.amazonaws.com</publicDnsName>
                <ipOwnerId>amazon</ipOwnerId>
              </association>
              <privateIpAddressesSet>
                <item>
                  <privateIpAddress>{private}</privateIpAddress>
                  <primary>true</primary>
                </item>
              </privateIpAddressesSet>
              <interfaceType>interface</interfaceType>
            </item>
          </networkInterfaceSet>
          <ebsOptimized>true</ebsOptimized>
          <enaSupport>true</enaSupport>
          <cpuOptions>
            <coreCount>1</coreCount>
            <threadsPerCore>2</threadsPerCore>
          </cpuOptions>
          <metadataOptions>
            <state>applied</state>
            <httpTokens>required</httpTokens>
            <httpEndpoint>enabled</httpEndpoint>
          </metadataOptions>
          <platformDetails>Linux/UNIX</platformDetails>
          <usageOperation>RunInstances</usageOperation>
        </item>
      </instancesSet>
    </item>
"""


def _hex17(index: int) -> str:
    """An id that looks random and differs for each index (Knuth's multiplicative hash)."""
    return f"0{index * 2654435761 % 2**64:016x}"


def _private(index: int) -> str:
    return f"10.{index >> 14 & 255}.{index >> 7 & 127}.{(index & 127) + 10}"


def _public(index: int) -> str:
    return f"198.{18 + (index >> 14 & 1)}.{index >> 7 & 127}.{(index & 127) + 10}"


def _name(index: int) -> str:
    return f"{_ROLES[index % 4]}-{index:05}.example.com"


def instance(index: int) -> str:
    """One reservation with one instance, as EC2 writes it."""
    private, public = _private(index), _public(index)
    return _INSTANCE.format(
        hex17=_hex17(index),
        private=private,
        public=public,
        dashed=private.replace(".", "-"),
        public_dashed=public.replace(".", "-"),
        mac=f"{index >> 16 & 255:02x}:{index >> 8 & 255:02x}:{index & 255:02x}:7f",
        nibble=f"{index % 4:x}",
        name=_name(index),
        role=_ROLES[index % 4],
        stage=_STAGES[index % 2],
        type=_TYPES[index % 4],
        zone=_ZONES[index % 4],
        month=index % 9 + 1,
        day=index % 28 + 1,
        minute=index % 60,
    )


def ec2_page(items: list[str], next_token: str | None) -> bytes:
    """A whole answer to DescribeInstances."""
    token = f"  <nextToken>{next_token}</nextToken>\n" if next_token else ""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<DescribeInstancesResponse xmlns="{EC2_NAMESPACE}">\n'
        "  <requestId>8f7724cf-496f-496e-8fe3-example01234</requestId>\n"
        f"  <reservationSet>\n{''.join(items)}  </reservationSet>\n"
        f"{token}</DescribeInstancesResponse>"
    ).encode()


def ec2_addresses() -> bytes:
    """An answer to DescribeAddresses without any address."""
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<DescribeAddressesResponse xmlns="{EC2_NAMESPACE}">\n'
        "  <requestId>f7de5e98-491a-4c19-a92d-example01234</requestId>\n"
        "  <addressesSet/>\n</DescribeAddressesResponse>"
    ).encode()


def droplet(index: int) -> dict[str, object]:
    """One droplet, as DigitalOcean writes it."""
    created = f"2026-0{index % 9 + 1}-{index % 28 + 1:02}T08:{index % 60:02}:12Z"
    public = _public(index)
    return {
        "id": 300_000_000 + index,
        "name": _name(index),
        "memory": 2048,
        "vcpus": 1,
        "disk": 50,
        "disk_info": [{"type": "local", "size": {"amount": 50, "unit": "gib"}}],
        "locked": False,
        "status": "active",
        "kernel": None,
        "created_at": created,
        "features": ["backups", "monitoring", "ipv6", "private_networking"],
        "backup_ids": [400_000_000 + index],
        "next_backup_window": {"start": "2026-11-22T00:00:00Z", "end": "2026-11-22T23:00:00Z"},
        "snapshot_ids": [],
        "image": {
            "id": 155_133_621,
            "name": "24.04 (LTS) x64",
            "distribution": "Ubuntu",
            "slug": "ubuntu-24-04-x64",
            "public": True,
            "regions": _REGIONS,
            "created_at": "2026-05-10T19:20:03Z",
            "min_disk_size": 10,
            "type": "base",
            "size_gigabytes": 0.6,
            "description": "Ubuntu 24.04 (LTS) x64",
            "tags": [],
            "status": "available",
        },
        "volume_ids": [],
        "size": {
            "slug": "s-1vcpu-2gb",
            "memory": 2048,
            "vcpus": 1,
            "disk": 50,
            "transfer": 2.0,
            "price_monthly": 12.0,
            "price_hourly": 0.01786,
            "regions": _REGIONS,
            "available": True,
            "description": "Basic",
        },
        "size_slug": "s-1vcpu-2gb",
        "networks": {
            "v4": [
                {
                    "ip_address": _private(index),
                    "netmask": "255.255.0.0",
                    "gateway": "10.0.0.1",
                    "type": "private",
                },
                {
                    "ip_address": public,
                    "netmask": "255.255.255.0",
                    "gateway": public.rsplit(".", 1)[0] + ".1",
                    "type": "public",
                },
            ],
            "v6": [
                {
                    "ip_address": f"2001:db8:0:1010::{index:x}",
                    "netmask": 64,
                    "gateway": "2001:db8:0:1010::1",
                    "type": "public",
                }
            ],
        },
        "region": {
            "name": "New York 3",
            "slug": "nyc3",
            "features": ["backups", "ipv6", "metadata", "install_agent", "storage"],
            "available": True,
            "sizes": _SIZES,
        },
        "tags": [_ROLES[index % 4], _STAGES[index % 2]],
        "vpc_uuid": "760e09ef-dc84-11e8-981e-3cfdfeaae000",
    }


def droplet_page(items: list[str], links: dict[str, str], total: int) -> bytes:
    """A whole answer to the list of droplets; `items` are encoded already."""
    rest = json.dumps({"links": {"pages": links}, "meta": {"total": total}}, separators=(",", ":"))
    return f'{{"droplets":[{",".join(items)}],{rest[1:]}'.encode()
