"""A cloud that is served: several processes share it, and it fails as one in this process does."""

from __future__ import annotations

import http.client
import io
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import anysky
from anysky import (
    AlreadyExistsError,
    ConnectionFailedError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    OutcomeUnknownError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.aio.compute import get_driver as get_asyncio_driver
from anysky.compute import get_driver
from anysky.model.compute import NodeImage
from anysky.providers.memory import Cloud
from anysky.providers.memory.messages import (
    ANSWER,
    MEDIA_TYPE,
    Question,
    answer,
    read_answer,
    refusal,
)
from anysky.providers.memory.serving import serve
from anysky.steps import MARK_TAG
from anysky.storage import get_driver as get_storage_driver
from anysky.transport.base import Body, Response
from anysky.transport.retry import RetryPolicy

ONCE = RetryPolicy(attempts=1)


@pytest.fixture
def served():
    with serve(Cloud()) as server:
        yield server


@pytest.fixture
def driver(served):
    with get_driver("memory")(endpoint=served.url, retry=ONCE) as made:
        yield made


def ask(served, body, path="/compute/list_volumes", method="GET", **headers):
    """Send a request that no driver would send; return status and body."""
    line = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=10)
    try:
        line.request(method, path, body, {"Content-Type": MEDIA_TYPE, **headers})
        with line.getresponse() as response:
            return response.status, response.read()
    finally:
        line.close()


def run_program(text, url):
    program = [sys.executable, "-W", "error", "-c", text, url]
    return subprocess.run(program, capture_output=True, check=False, text=True, timeout=60)


# --- What it is for ---


def test_processes_share_a_cloud(served, driver):
    text = "\n".join(
        [
            "import sys",
            "from anysky.compute import get_driver",
            "with get_driver('memory')(endpoint=sys.argv[1]) as driver:",
            "    print(driver.get_volume(driver.create_volume(10, 'data').id).name)",
        ]
    )

    ended = run_program(text, served.url)

    assert (ended.stdout, ended.stderr) == ("data\n", "")
    assert [volume.name for volume in driver.list_volumes()] == ["data"]
    assert [volume.id for volume in driver.list_volumes()] == [*served.cloud.inventory()["volumes"]]


def test_what_a_killed_process_made_stays(served):
    text = "\n".join(
        [
            "import os, signal, sys",
            "from anysky.compute import get_driver",
            "driver = get_driver('memory')(endpoint=sys.argv[1])",
            "driver.create_volume(10, 'data')",
            "os.kill(os.getpid(), signal.SIGKILL)",
        ]
    )

    ended = run_program(text, served.url)

    assert ended.returncode == -signal.SIGKILL
    assert [one.name for one in served.cloud.inventory()["volumes"].values()] == ["data"]


async def make_and_list(url):
    async with get_asyncio_driver("memory")(endpoint=url) as driver:
        await driver.create_volume(10, "data")
        return [volume.name for volume in await driver.list_volumes()]


def test_asyncio(served):
    import asyncio

    assert asyncio.run(make_and_list(served.url)) == ["data"]


def test_a_cloud_may_be_served_and_used_here(served, driver):
    here = get_driver("memory")(cloud=served.cloud)

    volume = here.create_volume(10, "data")

    assert driver.get_volume(volume.id) == anysky.compute.StorageVolume(
        volume.id, "data", 10, driver, volume.state, volume.extra
    )
    assert driver.get_volume(volume.id).extra == volume.extra


def test_threads_share_a_driver(served, driver):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda n: driver.create_volume(1, f"volume-{n}"), range(64)))

    assert {one.name for one in driver.list_volumes()} == {f"volume-{n}" for n in range(64)}


def test_the_account_of_the_driver_counts(served):
    with get_driver("memory")(endpoint=served.url, region="us-east") as driver:
        assert driver.create_volume(1, "data").extra["location"] == "us-east"


def test_secrets_arrive(served, driver):
    image, size = driver.get_image("debian-12"), driver.list_sizes()[0]

    driver.create_node("web", size, image, user_data="#cloud-config canary")

    [node] = served.cloud.inventory()["nodes"].values()
    assert node.extra["user_data"] == "#cloud-config canary"
    assert "canary" not in repr(served.cloud.calls)


def test_what_is_made_has_the_mark_of_the_step(served, driver):
    made = driver.create_volume(1, "data", tags={"env": "test"})

    [kept] = served.cloud.inventory()["volumes"].values()
    assert made.tags == {"env": "test"}
    assert kept.tags.keys() == {"env", MARK_TAG}


def test_an_operation_is_sent_as_one_of_its_kind(served, driver):
    volume = driver.create_volume(1, "data")
    question = Question({"volume_id": volume.id}).write()

    status, body = ask(served, question, "/compute/get_volume", "POST")

    assert (status, b"get_volume is sent by GET" in body) == (500, True)
    assert ask(served, question, "/compute/get_volume", "GET")[0] == 200


# --- Objects ---


@pytest.mark.parametrize("size", [0, 1, 64 * 1024 + 1, 20_000_000], ids=str)
def test_objects_arrive_whole(served, tmp_path, size):
    content = os.urandom(size)
    (tmp_path / "up").write_bytes(content)
    with get_storage_driver("memory")(endpoint=served.url) as driver:
        container = driver.create_container("photos")

        by_file = container.upload_object(tmp_path / "up", "one")
        by_stream = container.upload_object_via_stream(io.BytesIO(content), "two")
        by_file.download(tmp_path / "down")

        assert (tmp_path / "down").read_bytes() == content
        assert b"".join(by_stream.as_stream()) == content
        assert (by_file.hash, by_file.size) == (by_stream.hash, size)


def test_what_holds_lines_arrives_whole(served):
    content = b'\n{"value":1}\n\r\n\x00'
    with get_storage_driver("memory")(endpoint=served.url) as driver:
        obj = driver.create_container("photos").upload_object_via_stream([content], "one")

        assert b"".join(obj.as_stream()) == content
        assert b"".join(driver.download_object_range_as_stream(obj, 1, 3)) == content[1:3]


# --- Faults ---


@pytest.fixture(params=["here", "served"])
def pair(request, served):
    """A cloud and a driver on it, in this process and over HTTP."""
    place = {"cloud": served.cloud} if request.param == "here" else {"endpoint": served.url}
    with get_driver("memory")(**place, retry=ONCE) as driver:
        yield served.cloud, driver


FAULTS = [
    (ProviderUnavailableError("maintenance", status=503, code="down", request_id="r-1"), None),
    (QuotaExceededError("no more", status=403, body=b"\xff", headers={"x": "y"}), None),
    (RateLimitedError("slowly", retry_at=17.5), None),
    (ConnectionFailedError("no route"), None),
    (Response(404, {"x-request-id": "r-2"}, b"gone"), NotFoundError),
    (Response(429, {"retry-after": "0"}), RateLimitedError),
    (Response(503, {}), ProviderUnavailableError),
    (Response(204, {}), InvalidRequestError),
]


@pytest.mark.parametrize(("outcome", "kind"), FAULTS, ids=repr)
def test_faults_are_the_same_in_both(pair, outcome, kind):
    cloud, driver = pair
    fault = cloud.fail("list_volumes", with_=outcome)

    with pytest.raises(kind or type(outcome)) as caught:
        driver.list_volumes()

    error, told = caught.value, outcome if kind is None else None
    assert (type(error), fault.hits) == (kind or type(outcome), 1)
    if told is not None:
        wanted = (told.message, told.status, told.code, told.request_id, told.body, told.headers)
        found = (error.message, error.status, error.code, error.request_id, error.body)
        assert (*found, error.headers) == wanted
    if isinstance(outcome, RateLimitedError):
        assert error.retry_at == 17.5
    if isinstance(outcome, Response):
        assert (error.status, error.body) == (outcome.status, outcome.body)
        assert outcome.headers.items() <= error.headers.items()
    assert driver.list_volumes() == []


def test_refusals_are_the_same_in_both(pair):
    cloud, driver = pair
    cloud.quota("volumes", 0)
    driver.create_network("office", "10.0.0.0/16")

    with pytest.raises(QuotaExceededError, match="the quota of 0 volumes is reached"):
        driver.create_volume(1, "data")
    with pytest.raises(anysky.KeyPairDoesNotExistError, match="there is no key pair 'none'"):
        driver.get_key_pair("none")


def test_a_lost_answer_is_a_line_that_is_closed(served, driver):
    fault = served.cloud.lose_answer("stop_node")
    node = driver.create_node("web", driver.list_sizes()[0], driver.get_image("debian-12"))
    driver.list_nodes()

    with pytest.raises(OutcomeUnknownError, match="no answer came"):
        driver.ex_stop_node(node)

    assert fault.hits == 1
    assert driver.list_nodes()[0].state == "stopped"


def test_what_may_be_repeated_is_sent_again(served):
    with get_driver("memory")(endpoint=served.url) as driver:
        volume = driver.create_volume(1, "data")
        for operation in ("list_volumes", "destroy_volume"):
            served.cloud.lose_answer(operation)

        assert [one.id for one in driver.list_volumes()] == [volume.id]
        assert volume.destroy()

    called = [call.operation for call in served.cloud.calls]
    assert called == ["create_volume", *["list_volumes"] * 2, *["destroy_volume"] * 2]


def test_retries_meet_faults(served):
    served.cloud.fail("list_volumes", times=2, with_=ConnectionFailedError("no route"))
    with get_driver("memory")(endpoint=served.url) as driver:
        assert driver.list_volumes() == []

    assert len(served.cloud.calls) == 3


def test_latency_and_lag(served, driver):
    served.cloud.latency = {"list_volumes": 0.2}
    served.cloud.list_lag_looks = 1
    driver.create_volume(1, "data")
    began = time.monotonic()

    seen = [len(driver.list_volumes()) for _ in range(2)]

    assert seen == [0, 1]
    assert time.monotonic() - began >= 0.4


class Stopped(BaseException):
    """What a test stops its program with."""


@pytest.mark.parametrize("kind", [Stopped, SystemExit, KeyError])
def test_what_a_hook_raises_after_the_work_closes_the_line(served, driver, kind):
    def stop(call):
        raise kind(call.operation)

    served.cloud.after = stop

    with pytest.raises(OutcomeUnknownError):
        driver.import_key_pair_from_string("key", "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA")

    assert list(served.cloud.inventory()) == ["key_pairs"]


def test_what_a_hook_raises_before_the_work(served, driver):
    outcomes = iter([AlreadyExistsError("told so"), KeyError("mistake"), Stopped()])

    def stop(call):
        raise next(outcomes)

    served.cloud.before = stop

    with pytest.raises(AlreadyExistsError, match="told so"):
        driver.list_volumes()
    with pytest.raises(InvalidRequestError, match="the cloud did nothing: KeyError: 'mistake'"):
        driver.list_volumes()
    with pytest.raises(ConnectionFailedError):
        driver.list_volumes()


def test_a_hook_that_does_not_wait_may_be_a_coroutine_function(served, driver):
    seen = []

    async def note(call):
        seen.append(call.operation)

    served.cloud.before = note
    driver.list_volumes()

    assert seen == ["list_volumes"]


def test_what_cannot_be_sent_is_an_error():
    cloud = Cloud(images=[NodeImage("odd", "Odd", {"set": {1, 2}})])
    with (
        serve(cloud) as served,
        get_driver("memory")(endpoint=served.url) as driver,
        pytest.raises(MalformedResponseError, match="a set cannot be written as text"),
    ):
        driver.list_images()


# --- Bad input ---

REQUESTS = {
    "no such service": {"path": "/rockets/launch"},
    "no such operation": {"path": "/compute/launch"},
    "operation that the cloud has not": {"path": "/compute/get_object"},
    "private method": {"path": "/compute/_end"},
    "method that is none": {"path": "/compute/secrets"},
    "attribute": {"path": "/compute/effects"},
    "dunder": {"path": "/compute/__init__"},
    "deeper path": {"path": "/compute/list_volumes/x"},
    "root": {"path": "/"},
    "query": {"path": "/compute/list_volumes?cursor="},
    "no question": {"body": b""},
    "not JSON": {"body": b"{"},
    "not ASCII": {"body": '{"arguments":"é"}'.encode()},
    "wrong question": {"body": b'{"arguments":1,"bodies":[],"region":null,"mark":""}'},
    "argument twice": {"body": b'{"arguments":{"a":1},"bodies":["a"],"region":null,"mark":""}'},
    "wrong arguments": {"body": Question({"volume": 1}).write()},
    "arguments of wrong types": {"body": Question({"cursor": 1, "filter": 2}).write()},
    "self": {"body": Question({"self": 1}).write()},
}


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=list(REQUESTS))
def test_bad_requests_are_refused(served, driver, request_):
    driver.create_volume(1, "data")
    before = served.cloud.inventory()

    status, body = ask(served, request_.pop("body", Question({}).write()), **request_)

    with pytest.raises((InvalidRequestError, MalformedResponseError)):
        read_answer(Response(status, {ANSWER: "error"}, body))
    assert served.cloud.inventory() == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Content-Type": "text/plain"}, 415),
        ({"Content-Length": str(2**26 + 1)}, 413),
        ({"Content-Length": "9" * 5000}, 413),
        ({"Content-Length": "-1"}, 411),
        ({"Content-Length": "²"}, 411),
        ({"Transfer-Encoding": "chunked"}, 411),
    ],
    ids=str,
)
def test_what_no_driver_sends_is_not_read(served, headers, status):
    line = http.client.HTTPConnection(served.url.removeprefix("http://"), timeout=10)
    line.putrequest("GET", "/compute/list_volumes")
    for name, value in {"Content-Type": MEDIA_TYPE, **headers}.items():
        line.putheader(name, value.encode("latin-1"))
    line.endheaders()

    with line.getresponse() as response:
        found = (response.status, response.read().startswith(b'{"kind":"InvalidRequestError"'))

    line.close()
    assert found == (status, True)
    assert served.cloud.calls == []


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "localhost", "::1", ""])
def test_only_loopback_is_served(host):
    with pytest.raises(InvalidRequestError):
        serve(Cloud(), host)


def test_a_port_that_is_taken(served):
    with pytest.raises(InvalidRequestError, match="cannot be served there"):
        serve(Cloud(), port=int(served.url.rpartition(":")[2]))
    with pytest.raises(InvalidRequestError, match="cannot be served there"):
        serve(Cloud(), port=70_000)


def test_nothing_stays_when_it_is_closed():
    before = threading.active_count()
    server = serve(Cloud())
    with get_driver("memory")(endpoint=server.url, retry=ONCE) as driver:
        driver.create_volume(1, "data")

        server.close()

        assert threading.active_count() == before
        with pytest.raises(ConnectionFailedError):
            driver.list_volumes()
    assert list(server.cloud.inventory()) == ["volumes"]


# --- Messages ---


def test_a_question_is_read_as_it_was_written():
    body = Body(lambda: iter([b"x"]), 1)
    asked = Question({"name": "one", "body": body}, b"\ncontent", "fra1", "mark")

    read = Question.read(asked.write())

    assert (read.content, read.region, read.mark) == (b"\ncontent", "fra1", "mark")
    assert read.arguments["name"] == "one"
    assert (b"".join(read.arguments["body"].open()), read.arguments["body"].length) == (
        b"\ncontent",
        8,
    )


def test_an_error_of_somebody_else_is_sent_as_that_which_it_extends():
    class OwnError(AlreadyExistsError):
        pass

    with pytest.raises(AlreadyExistsError, match="taken") as caught:
        read_answer(refusal(OwnError("taken", code="c")))

    assert (type(caught.value), caught.value.code) == (AlreadyExistsError, "c")


@given(
    form=st.sampled_from(["value", "page", "error", "content", "other"]),
    body=st.binary()
    | st.sampled_from(
        [
            b'{"items":1,"cursor":null}',
            b'{"items":[],"cursor":1}',
            b'{"kind":"CloudError","message":1,"details":{}}',
            b'{"kind":"os","message":"","details":{}}',
            b'{"kind":"__all__","message":"","details":{}}',
            b'{"kind":"Rollback","message":"","details":{}}',
            b'{"kind":"CloudError","message":"","details":{"other":1}}',
            b'{"kind":"CloudError","message":"","details":{"body":1}}',
            answer([1]).body,
        ]
    ),
)
@settings(deadline=None)
def test_any_answer_is_read_or_an_error(form, body):
    with suppress(anysky.CloudError):
        read_answer(Response(200, {ANSWER: form}, body))


# --- The command ---


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_command_serves_until_it_is_stopped(number):
    program = [sys.executable, "-W", "error", "-m", "anysky.providers.memory", "--port", "0"]
    with subprocess.Popen(program, stdout=subprocess.PIPE, text=True) as process:
        try:
            url = process.stdout.readline().strip()
            with get_driver("memory")(endpoint=url) as driver:
                driver.create_volume(1, "data")
                assert len(driver.list_volumes()) == 1
        finally:
            process.send_signal(number)
            assert process.wait(20) == 0
