"""Recovery at imitations of real providers, from what the journal has of their models."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from anysky.compute import get_driver
from anysky.storage import get_driver as get_storage_driver

PROGRAM = """
import os, signal, sys
import anysky
from anysky.compute import get_driver
from anysky.model.compute import SecurityGroupRule
from anysky.dns import get_driver as get_dns_driver
from anysky.storage import get_driver as get_storage_driver

ec2 = get_driver("ec2")(region="eu-west-1")
with anysky.transaction(journal=sys.argv[1]):
    volume = ec2.create_volume(10, "data", location=ec2.list_locations()[0])
    volume.snapshot("daily")
    group = ec2.create_security_group("web", "for the web")
    group.add_rule(SecurityGroupRule("ingress", "tcp", 80, 80, ("0.0.0.0/0",)))
    ec2.create_floating_ip()
    ec2.create_key_pair("mine")
    bucket = get_storage_driver("s3")(region="eu-west-1").create_container("anysky-journal")
    bucket.upload_object_via_stream(iter([b"content"]), "name")
    zone = get_dns_driver("route53")().create_zone("example.org")
    zone.create_record("www", "A", "192.0.2.1")
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def aws(moto, monkeypatch):
    for name, value in {
        "AWS_ENDPOINT_URL": moto,
        "AWS_ACCESS_KEY_ID": "AKIAEXAMPLE",
        "AWS_SECRET_ACCESS_KEY": "example-secret",
    }.items():
        monkeypatch.setenv(name, value)
    return moto


@pytest.mark.server
def test_recovery_at_aws(aws, path, command):
    with get_driver("ec2")(region="eu-west-1") as ec2:
        ec2.create_volume(1, "of others", location=ec2.list_locations()[0])

        killed = subprocess.run([sys.executable, "-c", PROGRAM, str(path)], check=False)
        assert killed.returncode == -signal.SIGKILL
        assert len(ec2.list_volumes()) == 2
        code, text = command("rollback")

        assert code == 0, text
        assert [one.name for one in ec2.list_volumes()] == ["of others"]
        assert [one.name for one in ec2.list_security_groups()] == ["default"]
        assert (ec2.list_floating_ips(), ec2.list_key_pairs()) == ([], [])
        assert [one for one in ec2.list_snapshots() if one.name == "daily"] == []
    with get_storage_driver("s3")(region="eu-west-1") as s3:
        assert s3.list_containers() == []
    assert command("rollback") == (0, "nothing to roll back\n")
