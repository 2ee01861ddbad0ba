"""Buckets of AWS in other regions: where requests go then, and how they are signed."""

from __future__ import annotations

import pytest
from tests.wire.s3_support import Script, answer, error

from anysky.backend.base import Connection
from anysky.errors import InvalidRequestError, UnsafeResponseError
from anysky.model.storage import Container
from anysky.providers.aws import AWS
from anysky.providers.aws.storage import S3
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.base import Limits
from anysky.transport.signing import SigningLayer

BOX, DOTTED = Container("box"), Container("box.with.dots")


def backend(*answers, region="us-east-1", **settings):
    """The backend of S3 over a transport that plays a script below the layer that signs."""
    given = {"access_key_id": "AKIAEXAMPLE", "secret_access_key": "secret", "region": region}
    account = AWS.load({**given, **settings}, {})
    script, runtime = Script(list(answers)), BlockingRuntime()
    endpoint = S3.endpoint(account, {})
    plain = Connection(script, script, script, runtime, Limits(), endpoint)
    signer = S3.signer(account, plain)
    signing = SigningLayer(script, signer, endpoint, S3.hosts)
    made = S3(account, Connection(signing, script, script, runtime, Limits(), endpoint, signer))
    return made, script


def sent(script):
    """Where each request went, and the region in its signature."""
    return [
        (one.endpoint + one.path, one.headers["Authorization"].split("/")[2]) for one in script.sent
    ]


def moved(region, status=301):
    """A redirect, as the transport tells of it."""
    return UnsafeResponseError("moved", status=status, headers={"x-amz-bucket-region": region})


@pytest.mark.parametrize(
    "hint",
    [
        moved("eu-west-1"),
        moved("eu-west-1", 307),
        answer(400, x_amz_bucket_region="eu-west-1"),
        error("AuthorizationHeaderMalformed", more="<Region>eu-west-1</Region>"),
    ],
)
def test_a_bucket_is_found_in_its_region(hint):
    s3, script = backend(hint, answer(), answer(204))

    assert run(s3.get_container("box")) == BOX
    run(s3.delete_container(BOX))

    ireland = ("https://box.s3.eu-west-1.amazonaws.com/", "eu-west-1")
    assert sent(script) == [
        ("https://box.s3.us-east-1.amazonaws.com/", "us-east-1"),
        ireland,
        ireland,
    ]


@pytest.mark.parametrize(
    ("settings", "place"),
    [
        ({"addressing": "path"}, "https://s3.eu-west-1.amazonaws.com/box"),
        (
            {"endpoint": "https://s3.dualstack.us-east-1.amazonaws.com"},
            "https://box.s3.dualstack.eu-west-1.amazonaws.com/",
        ),
        (
            {"endpoint": "https://s3-accelerate.amazonaws.com"},
            "https://box.s3.eu-west-1.amazonaws.com/",
        ),
    ],
)
def test_the_kind_of_endpoint_stays_where_it_can(settings, place):
    s3, script = backend(moved("eu-west-1"), answer(), **settings)

    run(s3.get_container("box"))

    assert sent(script)[-1] == (place, "eu-west-1")


@pytest.mark.parametrize(
    "region", ["evil.example/", "cn-north-1", "us-iso-east-1", "EU", "x" * 50, ""]
)
def test_no_request_leaves_the_partition(region):
    s3, script = backend(moved(region))

    with pytest.raises((InvalidRequestError, UnsafeResponseError)):
        run(s3.get_container("box"))
    assert len(script.sent) == 1


def test_another_service_is_not_left_for_aws():
    other = {"endpoint": "https://storage.example.com"}
    s3, script = backend(moved("eu-west-1"), **other)

    with pytest.raises(InvalidRequestError, match="'eu-west-1'"):
        run(s3.get_container("box"))
    assert len(script.sent) == 1

    s3, script = backend(
        error("AuthorizationHeaderMalformed", more="<Region>here</Region>"), answer(), **other
    )
    run(s3.get_container("box"))
    assert sent(script) == [
        ("https://storage.example.com/box", "us-east-1"),
        ("https://storage.example.com/box", "here"),
    ]


def test_a_bucket_is_made_in_the_region_that_is_named():
    s3, script = backend(answer(), answer())

    made = run(s3.create_container("box", "eu-west-1"))
    run(s3.get_container("box"))

    assert made.extra == {"region": "eu-west-1"}
    ireland = ("https://box.s3.eu-west-1.amazonaws.com/", "eu-west-1")
    assert sent(script) == [ireland, ireland]
    assert b"<LocationConstraint>eu-west-1</LocationConstraint>" in script.bodies[0]


def test_a_url_is_for_the_region_of_the_bucket():
    s3, _ = backend(moved("eu-west-1"), answer())
    run(s3.get_container("box"))

    ours, others = run(s3.presign(BOX, "k")).url, run(s3.presign(DOTTED, "k")).url

    assert ours.startswith("https://box.s3.eu-west-1.amazonaws.com/k?")
    assert "%2Feu-west-1%2Fs3%2Faws4_request" in ours
    assert others.startswith("https://s3.us-east-1.amazonaws.com/box.with.dots/k?")


def test_digests_of_all_kinds_are_for_aws_only():
    assert backend()[0].checksums == ("crc32", "sha256", "md5")
    assert backend(endpoint="https://storage.example.com")[0].checksums == ("md5",)
