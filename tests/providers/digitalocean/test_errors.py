"""What goes wrong becomes the right kind of error, which names provider and operation."""

import pytest

from anysky.errors import (
    AlreadyExistsError,
    AuthenticationError,
    CloudError,
    ConflictError,
    InvalidAccountError,
    InvalidRequestError,
    KeyPairAlreadyExistsError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsafeResponseError,
    UnsupportedOperationError,
)
from anysky.providers.digitalocean.compute import DigitalOceanCompute
from anysky.run import run
from anysky.transport.retry import RetryPolicy

LIMIT = "creating this/these droplet(s) will exceed your droplet limit"


@pytest.mark.parametrize(
    ("status", "message", "kind"),
    [
        (401, "Unable to authenticate you", AuthenticationError),
        (403, "You do not have access for the attempted action.", PermissionDeniedError),
        (403, "Can not delete VPC with members", ConflictError),
        (403, "volume/snapshot capacity limit exceeded", QuotaExceededError),
        (404, "The resource you requested could not be found.", NotFoundError),
        (409, "duplicate name", AlreadyExistsError),
        (409, "a volume with that name already exists in this region", AlreadyExistsError),
        (409, "A volume that's attached to a Droplet cannot be deleted.", ConflictError),
        (422, LIMIT, QuotaExceededError),
        (422, "droplet limit exceeded", QuotaExceededError),
        (422, "volume limit (7) has been reached", QuotaExceededError),
        (422, "Droplet already has a pending event.", ConflictError),
        (422, "Droplet is currently on. Please power it off to run this event.", ConflictError),
        (422, "Volume is already attached to a Droplet", ConflictError),
        (422, "VPC name already in use", AlreadyExistsError),
        (422, "Image is already available in this region.", AlreadyExistsError),
        (422, "Name exceeds the limit of 255 characters", InvalidRequestError),
        (422, "User data is too long (maximum is 64 KiB)", InvalidRequestError),
        (422, "You specified an invalid size for Droplet creation.", InvalidRequestError),
        (422, "will exceed your " * 100_000, InvalidRequestError),
        (429, "API Rate limit exceeded.", RateLimitedError),
        (500, "Server was unable to give you a response.", ProviderUnavailableError),
        (503, "droplet limit exceeded", ProviderUnavailableError),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else None,
)
def test_what_a_refusal_means(status, message, kind, backend_of, script):
    body = {"id": "code", "message": message, "request_id": "4d9d8375"}
    script.answer(body, status=status)

    with pytest.raises(CloudError) as caught:
        run(backend_of(DigitalOceanCompute).get_node("1"))

    error = caught.value
    assert type(error) is kind
    assert (error.message, error.status) == (message, status)
    assert (error.code, error.request_id) == ("code", "4d9d8375")


def test_a_key_that_is_there_already(backend_of, script):
    body = {"id": "unprocessable_entity", "message": "SSH Key is already in use on your account"}
    script.answer(body, status=422)

    with pytest.raises(KeyPairAlreadyExistsError):
        run(backend_of(DigitalOceanCompute).import_key_pair("me", "ssh-ed25519 AAAA"))


def test_wrong_token(connect):
    driver = connect("compute", token="dop_v1_wrong")

    with pytest.raises(AuthenticationError, match="digitalocean list_nodes: Unable to") as caught:
        driver.list_nodes()

    assert "dop_v1_wrong" not in repr(caught.value) + str(caught.value.body)


def test_account_at_its_limit(compute, digitalocean):
    digitalocean.droplet_limit = 0

    with pytest.raises(QuotaExceededError, match="digitalocean create_node"):
        compute.create_node("a", compute.list_sizes()[0], compute.get_image("debian-12-x64"))


def test_droplet_that_is_busy(compute, digitalocean):
    digitalocean.polls = 10
    node = compute.get_node(str(digitalocean.add_droplet("web-1")["id"]))
    digitalocean.begin("reboot", ("droplet", int(node.id)), lambda: None, None)

    with pytest.raises(ConflictError, match=r"digitalocean reboot_node: .*pending event"):
        compute.reboot_node(node)


def test_creating_is_sent_once_and_a_lost_answer_is_told(compute, digitalocean):
    fault = digitalocean.fail_next(None, method="POST", path="/v2/vpcs", after_work=True)

    with pytest.raises(OutcomeUnknownError, match="digitalocean create_network"):
        compute.create_network("inner")

    assert (fault.hits, len(digitalocean.vpcs)) == (1, 1)


def test_deleting_again_after_a_lost_answer_is_done(compute, digitalocean):
    node = compute.get_node(str(digitalocean.add_droplet("web-1")["id"]))
    fault = digitalocean.fail_next(None, method="DELETE", after_work=True)

    compute.destroy_node(node)

    assert (fault.hits, digitalocean.droplets) == (1, {})
    with pytest.raises(NotFoundError, match="digitalocean destroy_node"):
        compute.destroy_node(node)


HTML = b"<html><body><h1>502 Bad Gateway</h1></body></html>"


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (500, HTML, ProviderUnavailableError),
        (404, HTML, NotFoundError),
        (403, b'{"id": 7, "message": []}', PermissionDeniedError),
        (200, HTML, MalformedResponseError),
        (200, b"", MalformedResponseError),
        (200, b'{"droplets": [{"id": 1, "na', MalformedResponseError),
        (200, b'{"droplets": null}', MalformedResponseError),
        (200, b'{"droplets": [7]}', MalformedResponseError),
        (200, b'{"droplets": [{"id": "seven", "name": "a"}]}', MalformedResponseError),
        (200, b'{"droplets": [], "links": "next"}', MalformedResponseError),
        (200, b'{"droplets": [], "links": {"pages": {"next": 7}}}', MalformedResponseError),
        (200, b"[" * 100_000, MalformedResponseError),
        (200, b'\xff\xfe{"droplets": []}', MalformedResponseError),
    ],
)
def test_answers_that_are_not_as_promised(connect, digitalocean, status, body, kind):
    digitalocean.fail_next(status, body=body)
    driver = connect("compute", retry=RetryPolicy(attempts=1))

    with pytest.raises(CloudError, match="digitalocean list_nodes") as caught:
        driver.list_nodes()

    assert type(caught.value) is kind


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example/v2/droplets?page=2",
        "//evil.example/v2/droplets?page=2",
        "http://127.0.0.1:1/v2/droplets?page=2",
        "ftp://[",
    ],
)
def test_a_page_link_to_another_place_is_not_followed(compute, digitalocean, link):
    digitalocean.fail_next(200, body={"droplets": [], "links": {"pages": {"next": link}}})

    with pytest.raises(UnsafeResponseError, match="digitalocean list_nodes"):
        compute.list_nodes()

    assert len(digitalocean.requests) == 1


def test_a_page_link_that_comes_again_ends_the_list(compute, digitalocean):
    link = f"{digitalocean.url}/v2/droplets?page=2"
    digitalocean.fail_next(200, times=2, body={"droplets": [], "links": {"pages": {"next": link}}})

    with pytest.raises(MalformedResponseError, match="the same page link twice"):
        compute.list_nodes()


def test_no_region(connect, monkeypatch, digitalocean):
    monkeypatch.delenv("DIGITALOCEAN_REGION", raising=False)
    driver = connect("compute", region=None)

    with pytest.raises(InvalidAccountError, match="pass location=, or region=") as caught:
        driver.create_volume(10, "data")

    assert str(caught.value).startswith("digitalocean create_volume: ")
    assert digitalocean.requests == []


def test_unknown_option(compute, digitalocean):
    with pytest.raises(UnsupportedOperationError, match="did you mean 'ex_tag_name'"):
        compute.list_nodes(ex_tagname="web")

    assert digitalocean.requests == []


def test_extra_that_is_unreadable_is_told_when_it_is_read(backend_of, script):
    script.answer(b'{"image": {"id": 1, "description": "\xff"}}')
    image = run(backend_of(DigitalOceanCompute).get_image("1"))

    with pytest.raises(MalformedResponseError, match="not readable"):
        _ = image.extra
