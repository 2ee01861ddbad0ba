"""Signing in at Keystone, as data: what is sent, what is read, which URL is chosen."""

from __future__ import annotations

import json

import pytest

from anysky.errors import (
    AuthenticationError,
    InvalidAccountError,
    MalformedResponseError,
    UnsafeResponseError,
)
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.secret import Secret
from anysky.transport.base import Response
from anysky.wire.openstack_auth import (
    Endpoint,
    OpenStackCredentials,
    SignIn,
    keystone_body,
    keystone_session,
    service_url,
    v1_session,
)

URL = "https://keystone.example.com:5000"


class Answering:
    """A transport that gives one answer again and again, and keeps what it is sent."""

    def __init__(self, response):
        self.response = response
        self.sent = []

    async def send(self, request):
        self.sent.append(request)
        return self.response

    async def close(self):
        pass


def token(catalog=(), headers=None, **more):
    body = {"token": {"catalog": list(catalog), **more}}
    return Response(
        201,
        {"x-subject-token": "t0ken"} if headers is None else headers,
        json.dumps(body).encode(),
    )


def service(*endpoints, type="object-store"):
    return {"type": type, "endpoints": list(endpoints)}


def at(url, interface="public", region="one"):
    return {"url": url, "interface": interface, "region_id": region}


def url_of(catalog, region=None, interface="public", *, encrypted=True):
    session = keystone_session(token(catalog))
    return service_url(session, ("object-store",), region, interface, encrypted=encrypted)


def test_a_password_is_sent_with_names_and_domains():
    credentials = OpenStackCredentials(URL, username="u", password=Secret("pässword"), project="x")

    assert keystone_body(credentials) == {
        "auth": {
            "identity": {
                "methods": ["password"],
                "password": {
                    "user": {"name": "u", "domain": {"name": "Default"}, "password": "pässword"}
                },
            },
            "scope": {"project": {"name": "x", "domain": {"name": "Default"}}},
        }
    }


def test_ids_take_the_place_of_names():
    credentials = OpenStackCredentials(
        URL, user_id="u1", password=Secret("p"), project_id="x1", username="u", project="x"
    )

    assert keystone_body(credentials)["auth"] == {
        "identity": {"methods": ["password"], "password": {"user": {"id": "u1", "password": "p"}}},
        "scope": {"project": {"id": "x1"}},
    }


def test_a_project_is_in_its_own_domain_if_that_is_named():
    credentials = OpenStackCredentials(
        URL, token=Secret("t"), project="x", user_domain_id="d1", project_domain="other"
    )

    assert keystone_body(credentials)["auth"] == {
        "identity": {"methods": ["token"], "token": {"id": "t"}},
        "scope": {"project": {"name": "x", "domain": {"name": "other"}}},
    }


@pytest.mark.parametrize(
    ("given", "sent"),
    [
        ({"application_id": "a1"}, {"id": "a1", "secret": "s"}),
        (
            {"application_name": "mine", "username": "u", "user_domain_id": "d1"},
            {"name": "mine", "user": {"name": "u", "domain": {"id": "d1"}}, "secret": "s"},
        ),
    ],
)
def test_an_application_credential_has_its_project_already(given, sent):
    body = keystone_body(
        OpenStackCredentials(URL, application_secret=Secret("s"), project="x", **given)
    )

    assert body == {
        "auth": {
            "identity": {"methods": ["application_credential"], "application_credential": sent}
        }
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "OpenStack needs a password, a token or an application credential to sign in"),
        (
            {"password": Secret("p"), "project": "x"},
            "OpenStack needs a user: username= or user_id=",
        ),
        (
            {"password": Secret("p"), "username": "u"},
            "OpenStack needs a project: project= or project_id=",
        ),
        (
            {"application_id": "a1"},
            "an application credential has a secret: application_secret=",
        ),
    ],
)
def test_what_is_missing_is_said(given, said):
    with pytest.raises(InvalidAccountError) as raised:
        keystone_body(OpenStackCredentials(URL, **given))

    assert raised.value.message == said


def test_a_session_lives_as_long_as_the_server_says_by_its_own_clock():
    answer = token(
        [service(at("https://a.example.com/v1/AUTH_p"))],
        issued_at="2001-01-01T00:00:00.000000Z",
        expires_at="2001-01-01T01:00:00.000000Z",
        project={"id": "p"},
    )

    session = keystone_session(answer)

    assert session.token == Secret("t0ken")
    assert session.lifetime == 3600.0
    assert session.project_id == "p"
    assert session.endpoints == (
        Endpoint("object-store", "public", "one", "https://a.example.com/v1/AUTH_p"),
    )
    assert "t0ken" not in repr(session)


@pytest.mark.parametrize(
    "answer",
    [
        token(headers={}),
        token(headers={"x-subject-token": "two\nlines"}),
        token(expires_at="soon", issued_at="now"),
        Response(201, {"x-subject-token": "t"}, b"<html>"),
        Response(201, {"x-subject-token": "t"}, b"[" * 100_000),
    ],
    ids=["no token", "odd token", "no date", "no JSON", "deep"],
)
def test_what_is_no_token_is_malformed(answer):
    with pytest.raises(MalformedResponseError):
        keystone_session(answer)


def test_the_v1_sign_in_gives_the_store_itself():
    headers = {
        "x-auth-token": "t",
        "x-storage-url": "https://s.example.com/v1/AUTH_p",
        "x-auth-token-expires": "86399",
    }

    session = v1_session(Response(200, headers))

    assert (session.token, session.lifetime) == (Secret("t"), 86399.0)
    assert session.endpoints == (
        Endpoint("object-store", "", "", "https://s.example.com/v1/AUTH_p"),
    )


@pytest.mark.parametrize(
    "headers", [{"x-auth-token": "t"}, {"x-storage-url": "https://s.example.com"}]
)
def test_a_v1_answer_without_token_or_store_is_malformed(headers):
    with pytest.raises(MalformedResponseError):
        v1_session(Response(200, headers))


CATALOG = [
    service(at("https://compute.example.com"), type="compute"),
    service(
        at("https://one.example.com/v1/AUTH_p/"),
        at("https://inside.one.example.com/v1/AUTH_p", "internal"),
        at("https://two.example.com/v1/AUTH_p", region="two"),
    ),
]


@pytest.mark.parametrize(
    ("region", "interface", "url"),
    [
        ("one", "public", "https://one.example.com/v1/AUTH_p"),
        ("two", "publicURL", "https://two.example.com/v1/AUTH_p"),
        (None, "internal", "https://inside.one.example.com/v1/AUTH_p"),
    ],
)
def test_region_and_interface_choose_the_url(region, interface, url):
    assert url_of(CATALOG, region, interface) == url


@pytest.mark.parametrize(
    ("catalog", "region", "interface", "said"),
    [
        (CATALOG, None, "public", "several regions: name one of one, two as region="),
        (CATALOG, "three", "public", "not in the region 'three', but in one, two"),
        (CATALOG, "one", "admin", "the catalog has no admin endpoint for 'object-store'"),
        (CATALOG, "one", "secret", "interface is one of public, internal, admin, not 'secret'"),
        (CATALOG[:1], None, "public", "no service 'object-store' for this project; it has compute"),
        ([], None, "public", "no service 'object-store' for this project; it has none"),
    ],
)
def test_what_cannot_be_chosen_is_said(catalog, region, interface, said):
    with pytest.raises(InvalidAccountError) as raised:
        url_of(catalog, region, interface)

    assert said in raised.value.message


@pytest.mark.parametrize(
    "url",
    [
        "http://s.example.com/v1/AUTH_p",
        "ftp://s.example.com/v1",
        "https://user@s.example.com/v1",
        "https://s.example.com/v1?x=1",
        "https://s.example.com/v1#x",
        "https:///v1",
        "https://s.example.com/v 1",
        "https://s.example.com\\@evil.example.com/v1",
        "https://[::1/v1",
        "file:///etc/passwd",
        "",
    ],
)
def test_a_token_goes_to_no_odd_url_and_never_from_https_to_http(url):
    with pytest.raises(UnsafeResponseError):
        url_of([service(at(url))])


def test_http_leads_to_http():
    url = "http://127.0.0.1:8080/v1/AUTH_p"

    assert url_of([service(at(url))], encrypted=False) == url


@pytest.mark.parametrize(
    "auth_url",
    [
        URL,
        f"{URL}/",
        f"{URL}/v3",
        f"{URL}/v3/",
        f"{URL}/v2.0/",
        f"{URL}/v3/auth/tokens",
        f"{URL}/v2.0/tokens",
    ],
)
def test_the_version_in_the_url_does_not_matter(auth_url):
    transport = Answering(token())
    credentials = OpenStackCredentials(auth_url, username="u", password=Secret("p"), project="x")

    run(SignIn(credentials, transport, BlockingRuntime()).session())

    (request,) = transport.sent
    assert (request.endpoint, request.path) == (URL, "/v3/auth/tokens")


def test_a_path_before_the_version_is_kept():
    transport = Answering(token())
    credentials = OpenStackCredentials(
        "https://cloud.example.com/identity/v3", token=Secret("t"), project="x"
    )

    run(SignIn(credentials, transport, BlockingRuntime()).session())

    assert transport.sent[0].endpoint == "https://cloud.example.com/identity"


@pytest.mark.parametrize(
    ("status", "body", "kind", "said"),
    [
        (401, b'{"error": {"message": "No."}}', AuthenticationError, "refuses to sign in: No."),
        (403, b"", AuthenticationError, "refuses to sign in: status 403"),
        (404, b"<html>", InvalidAccountError, "check auth_url= and auth_version="),
    ],
)
def test_a_refusal_is_told(status, body, kind, said):
    transport = Answering(Response(status, {}, body))
    credentials = OpenStackCredentials(URL, username="u", password=Secret("p"), project="x")

    with pytest.raises(kind) as raised:
        run(SignIn(credentials, transport, BlockingRuntime()).session())

    assert said in raised.value.message
