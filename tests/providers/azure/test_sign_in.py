"""Ways to sign in with Entra, against servers that play Entra, a machine's service, and Azure."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qsl

import pytest
from tests.providers.azure.recorder import ACCOUNT, KEY
from tests.servers.azurite import Azurite, azurite_program
from tests.support.loopback import LoopbackHandler, LoopbackServer

from anysky.aio import storage as aio_storage
from anysky.errors import (
    AuthenticationError,
    CloudError,
    InvalidAccountError,
    InvalidRequestError,
    MalformedResponseError,
)
from anysky.model.storage import Container
from anysky.runtime.blocking import BlockingRuntime
from anysky.storage import get_driver

SECRET = "canary~secret-5f0c8e"
TENANT, CLIENT = "11111111-2222-3333-4444-555555555555", "66666666-7777-8888-9999-000000000000"


class Authority:
    """Entra and the services of a machine in one; notes what it is asked."""

    def __init__(self):
        self.seen = []
        self.lifetime = 3600
        self.status, self.answer = 200, None
        self.pause = 0.0
        self._count = 0

    def token(self):
        """Return a token of which Azurite checks all but the signature."""
        self._count += 1
        now = int(time.time())
        claims = {
            "iss": f"https://sts.windows.net/{TENANT}/",
            "aud": "https://storage.azure.com",
            "nbf": now - 60,
            "iat": now - 60,
            "exp": now + 3600,
            "oid": CLIENT,
            "tid": TENANT,
            "jti": str(self._count),
        }
        parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
        encoded = [base64.urlsafe_b64encode(part).rstrip(b"=").decode() for part in parts]
        return ".".join([*encoded, "c2lnbmF0dXJl"])


@pytest.fixture
def authority():
    made = Authority()

    class Handler(LoopbackHandler):
        def serve(self):
            request = self.received()
            made.seen.append(request)
            time.sleep(made.pause)
            answer = made.answer or {
                "access_token": made.token(),
                "expires_in": str(made.lifetime),
                "token_type": "Bearer",
            }
            body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(made.status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with LoopbackServer(Handler) as server:
        made.url = server.url
        yield made


@pytest.fixture
def settings(recorder, authority):
    return {
        "key": ACCOUNT,
        "tenant_id": TENANT,
        "client_id": CLIENT,
        "client_secret": SECRET,
        "authority": authority.url,
        "endpoint": recorder.url,
    }


def bearers(recorder):
    return [request.headers.get("authorization") for request in recorder.seen]


# -- where tokens come from ----------------------------------------------------------------------


def test_an_application_signs_in_by_its_secret(settings, recorder, authority):
    with get_driver("azure_blobs")(**settings) as driver:
        driver.list_containers()
        driver.list_containers()

    (asked,) = authority.seen
    assert (asked.method, asked.path) == ("POST", f"/{TENANT}/oauth2/v2.0/token")
    assert dict(parse_qsl(asked.body.decode())) == {
        "client_id": CLIENT,
        "client_secret": SECRET,
        "grant_type": "client_credentials",
        "scope": "https://storage.azure.com/.default",
    }
    first, second = bearers(recorder)
    assert first == second
    assert first.startswith("Bearer ey")
    assert "x-ms-date" in recorder.seen[0].headers


def test_a_workload_signs_in_by_the_token_in_a_file(recorder, authority, monkeypatch, tmp_path):
    path = tmp_path / "token"
    path.write_text("federated.token.1\n")
    monkeypatch.setenv("AZURE_FEDERATED_TOKEN_FILE", str(path))
    monkeypatch.setenv("AZURE_TENANT_ID", TENANT)
    monkeypatch.setenv("AZURE_CLIENT_ID", CLIENT)
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", f"{authority.url}/")
    authority.lifetime = 1
    with get_driver("azure_blobs")(ACCOUNT, endpoint=recorder.url) as driver:
        driver.list_containers()
        path.write_text("federated.token.2")
        time.sleep(0.6)
        driver.list_containers()

    forms = [dict(parse_qsl(request.body.decode())) for request in authority.seen]
    assert [form["client_assertion"] for form in forms] == [
        "federated.token.1",
        "federated.token.2",
    ]
    kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    assert {form["client_assertion_type"] for form in forms} == {kind}


def test_a_file_that_is_not_there_is_named(recorder, settings):
    del settings["client_secret"]
    missing = "/no/such/token"
    made = get_driver("azure_blobs")(**settings, federated_token_file=missing)

    with made as driver, pytest.raises(InvalidAccountError, match=missing):
        driver.list_containers()

    assert recorder.seen == []


def test_a_virtual_machine_asks_the_metadata_service(recorder, authority, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", authority.url)
    with get_driver("azure_blobs")(ACCOUNT, endpoint=recorder.url) as driver:
        driver.list_containers()

    (asked,) = authority.seen
    assert (asked.method, asked.path) == ("GET", "/metadata/identity/oauth2/token")
    assert asked.query == (
        ("api-version", "2018-02-01"),
        ("resource", "https://storage.azure.com/"),
    )
    assert asked.headers["metadata"] == "true"


def test_an_app_service_asks_its_own(recorder, authority, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{authority.url}/msi/token/")
    monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
    authority.answer = {"access_token": "ey.token", "expires_on": str(int(time.time()) + 900)}
    given = {"client_id": CLIENT, "auth": "managed_identity"}
    with get_driver("azure_blobs")(ACCOUNT, endpoint=recorder.url, **given) as driver:
        driver.list_containers()

    (asked,) = authority.seen
    assert (asked.method, asked.path) == ("GET", "/msi/token/")
    assert asked.query == (
        ("api-version", "2019-08-01"),
        ("resource", "https://storage.azure.com/"),
        ("client_id", CLIENT),
    )
    assert asked.headers["x-identity-header"] == "canary-header"
    assert bearers(recorder) == ["Bearer ey.token"]


@pytest.mark.parametrize(
    "url", ["http://identity.example.com/msi", "ftp://127.0.0.1/", "http://user@127.0.0.1/", "x"]
)
def test_the_identity_header_goes_to_this_machine_only(recorder, monkeypatch, url):
    monkeypatch.setenv("IDENTITY_ENDPOINT", url)
    monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
    made = get_driver("azure_blobs")(ACCOUNT, endpoint=recorder.url, auth="managed_identity")

    with made as driver, pytest.raises(InvalidAccountError, match="IDENTITY_ENDPOINT"):
        driver.list_containers()


def test_no_identity_is_told_with_the_ways_out(recorder, monkeypatch):
    monkeypatch.setenv("AZURE_POD_IDENTITY_AUTHORITY_HOST", "http://127.0.0.1:9")
    made = get_driver("azure_blobs")(ACCOUNT, endpoint=recorder.url)

    with made as driver, pytest.raises(AuthenticationError, match="give an account key"):
        driver.list_containers()


# -- refusals ------------------------------------------------------------------------------------


def test_a_wrong_secret_is_told_as_entra_tells_it(settings, recorder, authority):
    authority.status = 401
    authority.answer = {
        "error": "invalid_client",
        "error_description": "AADSTS7000215: Invalid client secret provided.\r\nTrace ID: 1",
    }

    made = get_driver("azure_blobs")(**settings)
    with made as driver, pytest.raises(AuthenticationError) as caught:
        driver.list_containers()

    assert caught.value.code == "invalid_client"
    assert "AADSTS7000215: Invalid client secret provided." in str(caught.value)
    assert SECRET not in repr(vars(caught.value))
    assert recorder.seen == []


def test_what_entra_repeats_of_a_token_is_not_shown(settings, authority, tmp_path):
    del settings["client_secret"]
    path = tmp_path / "token"
    path.write_text("canary.federated.token")
    authority.status = 400
    authority.answer = {"error": "x", "error_description": "not canary.federated.token"}

    made = get_driver("azure_blobs")(**settings, federated_token_file=str(path))
    with made as driver, pytest.raises(AuthenticationError, match=r"not \*\*\*"):
        driver.list_containers()


def test_what_a_service_repeats_of_its_header_is_not_shown(recorder, authority, monkeypatch):
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{authority.url}/msi/token/")
    monkeypatch.setenv("IDENTITY_HEADER", "canary-header")
    authority.status = 403
    authority.answer = {"error": "x", "error_description": "not canary-header"}

    made = get_driver("azure_blobs")(ACCOUNT, endpoint=recorder.url)
    with made as driver, pytest.raises(AuthenticationError, match=r"not \*\*\*"):
        driver.list_containers()


@pytest.mark.parametrize(
    "answer",
    [
        b"<html>",
        b"[]",
        {"access_token": "t"},
        {"access_token": "t", "expires_in": "soon"},
        {"access_token": "t", "expires_in": -1},
        {"access_token": "two\nlines", "expires_in": 60},
        {"access_token": 5, "expires_in": 60},
        {"expires_in": 60},
    ],
)
def test_an_answer_that_is_no_token_is_refused(settings, recorder, authority, answer):
    authority.answer = answer

    made = get_driver("azure_blobs")(**settings)
    with made as driver, pytest.raises(MalformedResponseError):
        driver.list_containers()

    assert recorder.seen == []


def test_a_token_that_azure_does_not_take_is_replaced_once(settings, recorder, authority):
    refusal = (401, {"x-ms-error-code": "InvalidAuthenticationInfo"}, "")
    recorder.answers["GET", "list", False] = [refusal]
    with get_driver("azure_blobs")(**settings) as driver:
        driver.list_containers()
        recorder.answers["GET", "list", False] = [refusal, refusal]
        with pytest.raises(AuthenticationError):
            driver.list_containers()

    assert len(authority.seen) == 3
    assert len(set(bearers(recorder))) == 3


# -- keeping tokens ------------------------------------------------------------------------------


def test_threads_wait_for_one_token(settings, recorder, authority):
    authority.pause = 0.2
    with get_driver("azure_blobs")(**settings) as driver, ThreadPoolExecutor(8) as pool:
        for job in [pool.submit(driver.list_containers) for _ in range(8)]:
            job.result()

    assert len(authority.seen) == 1
    assert len(set(bearers(recorder))) == 1


def test_tasks_wait_for_one_token(settings, recorder, authority):
    authority.pause = 0.2

    async def main():
        async with aio_storage.get_driver("azure_blobs")(**settings) as driver:
            await asyncio.gather(*(driver.list_containers() for _ in range(8)))

    asyncio.run(main())

    assert len(authority.seen) == 1


def test_an_old_token_is_used_while_entra_is_down(settings, recorder, authority, caplog):
    authority.lifetime = 2
    with get_driver("azure_blobs")(**settings) as driver:
        driver.list_containers()
        authority.status, authority.answer = 400, {"error": "canary-error"}
        time.sleep(1.1)
        with caplog.at_level(logging.WARNING, "anysky.azure"):
            driver.list_containers()
            driver.list_containers()
        assert "could not be renewed" in caplog.text
        assert len(authority.seen) == 2
        time.sleep(1)
        with pytest.raises(AuthenticationError):
            driver.list_containers()

    assert len(set(bearers(recorder))) == 1


def test_no_secret_shows(settings, recorder, authority, caplog):
    with caplog.at_level(logging.DEBUG), get_driver("azure_blobs")(**settings) as driver:
        driver.list_containers()
        token = bearers(recorder)[0].removeprefix("Bearer ")
        recorder.answers["GET", "list", False] = (
            400,
            {},
            f"<Error><Message>{token}</Message></Error>",
        )
        with pytest.raises(CloudError) as caught:
            driver.list_containers()
        shown = [repr(driver), repr(driver.account), caplog.text, repr(vars(caught.value))]

    for secret in (SECRET, token):
        assert all(secret not in text for text in shown)


# -- the server's clock --------------------------------------------------------------------------


def test_a_wrong_clock_is_corrected_once(recorder, monkeypatch):
    real = time.time
    monkeypatch.setattr(BlockingRuntime, "time", lambda self: real() - 86_400)
    too_old = (403, {"x-ms-error-code": "AuthenticationFailed"}, "")
    recorder.answers["GET", "list", False] = [too_old]
    with get_driver("azure_blobs")(ACCOUNT, KEY, endpoint=recorder.url) as driver:
        driver.list_containers()
        first, second = (request.headers["x-ms-date"] for request in recorder.take())
        url = driver.presign(Container("box"), "name", expires=60)
        recorder.answers["GET", "list", False] = [too_old]
        with pytest.raises(AuthenticationError):
            driver.list_containers()

    assert first != second
    assert abs(url.expires_at.timestamp() - real() - 60) < 30
    assert len(recorder.seen) == 1


# -- Azurite, which takes tokens over HTTPS ------------------------------------------------------


@pytest.fixture(scope="module")
def azurite(certificates):
    certificates.server_context()
    path = certificates._directory / "good.pem"
    with Azurite(path, path) as server:
        yield server


@pytest.mark.server
@pytest.mark.skipif(azurite_program() is None, reason="npm install azurite")
def test_urls_are_signed_by_a_key_for_a_token(settings, azurite, authority, certificates):
    given = {**settings, "key": azurite.account, "endpoint": azurite.url}
    given["verify"] = context = certificates.client_context()
    del given["authority"]
    # Where Azure is https, so is Entra: an authority of this machine alone may be plain.
    with get_driver("azure_blobs")(**given, authority=authority.url) as driver:
        box = driver.create_container("tokens")
        put = driver.presign(box, "a ü.txt", "PUT", 600)
        request = urllib.request.Request(put.url, b"by url", dict(put.headers), method="PUT")
        with urllib.request.urlopen(request, context=context) as answer:
            assert answer.status == 201
        get = driver.presign(box, "a ü.txt")
        with urllib.request.urlopen(get.url, context=context) as answer:
            assert answer.read() == b"by url"
        obj = box.get_object("a ü.txt")
        assert b"".join(obj.copy(box, "copy").as_stream()) == b"by url"
        assert driver.delete_objects(box.list_objects()).failed == []
        with pytest.raises(InvalidRequestError, match="7 days"):
            driver.presign(box, "name", expires=8 * 24 * 3600)

    assert len(authority.seen) == 1
