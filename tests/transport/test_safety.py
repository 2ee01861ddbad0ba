"""Links, hosts and pages that a hostile server would like us to follow."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anysky.errors import (
    ConnectionFailedError,
    MalformedResponseError,
    OutcomeUnknownError,
    UnsafeResponseError,
)
from anysky.paging import Page, PageGuard
from anysky.run import run
from anysky.transport.base import Limits, Request, Response
from anysky.transport.safety import local_link
from anysky.transport.signing import BearerSigner, SigningLayer

ENDPOINT = "https://api.example.com/base"


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("https://api.example.com/base/v2/x?page=2", ("/v2/x", [("page", "2")])),
        ("https://API.example.com:443/base/v2/x", ("/v2/x", [])),
        ("/base/v2/x?a=1&a=2&b=", ("/v2/x", [("a", "1"), ("a", "2"), ("b", "")])),
        ("/base/v2/a%2Fb#top", ("/v2/a%2Fb", [])),
    ],
)
def test_links_within_the_api(link, expected):
    assert local_link(link, ENDPOINT) == expected


@pytest.mark.parametrize(
    "link",
    [
        "https://evil.example.org/base/x",
        "https://api.example.com:8443/base/x",
        "http://api.example.com/base/x",
        "//evil.example.org/base/x",
        "https://user@api.example.com/base/x",
        "https://api.example.com@evil.org/base/x",
        "https:\\\\evil.org/base/x",
        "/\\evil.org/base/x",
        "/base/\\..\\x",
        "https://api.example.com.evil.org/base/x",
        "https://api.example.com:x/base/x",
        "https://[api.example.com/base/x",
        "/other/x",
        "/base",
        "/basement/x",
        "/base/../admin/x",
        "/base/%2e%2e/admin",
        "/base/..%2fadmin",
        "/base/%5c..%5cadmin",
        "/base/x y",
        "/base/\x00",
        "/base/ä",
        "?page=2",
        "",
        "javascript:alert(1)",
        "file:///base/x",
        "/base/x?" + "&".join(["a=1"] * 101),
        "/base/x?a=%ff",
    ],
)
def test_links_that_lead_away(link):
    with pytest.raises(UnsafeResponseError):
        local_link(link, ENDPOINT)


@given(st.text(alphabet="/\\.:@%25ehtpsa[]?#& \u00e4", max_size=30))
def test_any_link_stays_with_us_or_is_refused(text):
    try:
        path, _ = local_link(text, "https://api.example.com")
    except UnsafeResponseError:
        return
    assert path.startswith("/")
    assert not path.startswith("//")
    assert "\\" not in path


def pages(guard, *cursors):
    for cursor in cursors:
        guard.check(Page([1], cursor))


@pytest.mark.parametrize("cursors", [("a", "a"), ("a", "b", "a"), ("", "")])
def test_same_cursor_twice(cursors):
    with pytest.raises(MalformedResponseError):
        pages(PageGuard(Limits()), *cursors)


def test_endless_pages_and_items():
    with pytest.raises(UnsafeResponseError):
        pages(PageGuard(Limits(max_pages=10)), *map(str, range(12)))
    with pytest.raises(UnsafeResponseError):
        pages(PageGuard(Limits(max_items=10)), *map(str, range(12)))
    pages(PageGuard(Limits(max_pages=10, max_items=10)), *map(str, range(9)), None)


class Recorder:
    def __init__(self, *statuses):
        self.statuses = [*statuses, 200]
        self.sent = []

    async def send(self, request):
        self.sent.append(request)
        return Response(self.statuses[min(len(self.sent), len(self.statuses)) - 1], {})

    async def close(self):
        pass


def send_to(endpoint, account="https://ec2.eu-west-1.amazonaws.com", hosts=("amazonaws.com",)):
    below = Recorder()
    run(
        SigningLayer(below, BearerSigner("t0ken"), account, hosts).send(
            Request("GET", "/", endpoint=endpoint)
        )
    )
    return below.sent[0].headers


@pytest.mark.parametrize(
    "endpoint",
    [
        "",
        "https://ec2.eu-west-1.amazonaws.com",
        "https://bucket.s3.amazonaws.com/x",
        "https://S3.AmazonAWS.com",
    ],
)
def test_credentials_go_to_the_hosts_of_the_account(endpoint):
    assert send_to(endpoint) == {"Authorization": "Bearer t0ken"}


@pytest.mark.parametrize(
    "endpoint",
    [
        "https://evilamazonaws.com",
        "https://amazonaws.com.evil.org",
        "https://user@s3.amazonaws.com",
        "https://evil.org@s3.amazonaws.com",
        "https://evil.org\\.amazonaws.com",
        "https://evil.org%2f.amazonaws.com",
        "https://evil.org#.amazonaws.com",
        "https://evil.org?.amazonaws.com",
        "https://s3.amazonaws.com:8443",
        "http://s3.amazonaws.com",
        "ftp://s3.amazonaws.com",
        "//s3.amazonaws.com",
        "https://",
        "https://s3.amazonaws.com.",
    ],
)
def test_credentials_go_nowhere_else(endpoint):
    with pytest.raises(UnsafeResponseError):
        send_to(endpoint)


def test_plain_http_only_where_the_account_says_so():
    assert send_to("http://b.localhost:5000", "http://localhost:5000", ()) != {}
    with pytest.raises(UnsafeResponseError):
        send_to("http://b.localhost:5000", "https://localhost:5000", ())


class Signer:
    def __init__(self, better):
        self.better, self.asked = better, 0

    async def sign(self, request, endpoint):
        return request

    async def refused(self, request, response):
        self.asked += 1
        return self.better


@pytest.mark.parametrize(("better", "sent"), [(True, 2), (False, 1)])
def test_refusal_is_met_once_with_better_credentials(better, sent):
    below, signer = Recorder(401, 401, 401), Signer(better)

    run(SigningLayer(below, signer, ENDPOINT).send(Request("POST", "/")))

    assert (len(below.sent), signer.asked) == (sent, 1)


def test_lost_answer_to_a_request_for_credentials_is_not_that_of_the_request():
    class Losing(Signer):
        async def sign(self, request, endpoint):
            lost = OutcomeUnknownError("the token's answer was lost")
            lost.attempts = 4
            raise lost

    below = Recorder()
    with pytest.raises(
        ConnectionFailedError, match="no credentials: the token's answer was lost"
    ) as caught:
        run(SigningLayer(below, Losing(False), ENDPOINT).send(Request("POST", "/")))
    assert (below.sent, caught.value.attempts) == ([], 4)
