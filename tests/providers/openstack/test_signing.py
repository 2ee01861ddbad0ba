"""Tokens: got once, renewed when refused or due, sent to the store only, never shown."""

from __future__ import annotations

import contextlib
import json
import threading

import pytest
from tests.providers.aws.storage_support import Asyncio, Blocking
from tests.providers.openstack.cloud import Cloud, Told, endpoints, entry, listing

from anysky.errors import AuthenticationError, InvalidAccountError, UnsafeResponseError
from anysky.providers.openstack import OpenStack
from anysky.providers.openstack.signing import sign_in_version
from anysky.storage import get_driver

PASSWORD = "canary-pass-word-5f0c8e"
BOX = listing(entry("a"))


@pytest.fixture(params=[Blocking, Asyncio])
def api(request):
    with contextlib.closing(request.param()) as made:
        yield made


@pytest.fixture
def cloud():
    with Cloud() as server:
        server.tell("GET", "/box", BOX)
        yield server
        assert server.errors == []


@pytest.fixture
def driver(api, cloud):
    driver = api.get_driver("openstack_swift")(
        "user", PASSWORD, auth_url=cloud.url, project="project"
    )
    yield driver
    api.do(driver.close())


def signed(cloud):
    return [one.headers["x-auth-token"] for one in cloud.seen if "x-auth-token" in one.headers]


def test_one_token_serves_many_requests(api, driver, cloud):
    for _ in range(3):
        api.do(driver.get_container("box"))

    assert cloud.tokens == 1
    assert signed(cloud) == ["token-1"] * 3


def test_making_a_driver_sends_nothing(driver, cloud):
    assert cloud.seen == []
    assert driver.name == "OpenStack"


def test_a_refused_token_is_renewed_once(api, driver, cloud):
    api.do(driver.get_container("box"))
    cloud.refused.add("token-1")

    api.do(driver.get_container("box"))

    assert signed(cloud) == ["token-1", "token-1", "token-2"]


def test_a_second_refusal_is_an_error_without_secrets(api, driver, cloud):
    cloud.refused.update({"token-1", "token-2"})

    with pytest.raises(AuthenticationError) as raised:
        api.do(driver.get_container("box"))

    assert signed(cloud) == ["token-1", "token-2"]
    assert "token-" not in str(raised.value)


def test_a_token_is_renewed_before_its_end(api, driver, cloud):
    cloud.lifetime = ("2026-11-22T20:00:00Z", "2026-11-22T20:00:00Z")

    api.do(driver.get_container("box"))
    api.do(driver.get_container("box"))

    assert signed(cloud) == ["token-1", "token-2"]


def test_wrong_credentials_are_an_error_without_the_password(api, driver, cloud):
    cloud.signs_in = False

    with pytest.raises(AuthenticationError) as raised:
        api.do(driver.get_container("box"))

    assert raised.value.message == (
        "Keystone refuses to sign in: The request requires authentication."
    )
    assert PASSWORD not in f"{raised.value} {raised.value.body!r}"
    assert [one.path for one in cloud.seen] == ["/v3/auth/tokens"]


def test_the_catalogs_store_elsewhere_gets_the_token_and_not_the_password(api, driver, cloud):
    with Cloud() as other:
        other.tell("GET", "/box", BOX)
        cloud.catalog = endpoints(other.store)

        api.do(driver.get_container("box"))

    assert [one.path for one in cloud.seen] == ["/v3/auth/tokens"]
    assert [one.headers["x-auth-token"] for one in other.seen] == ["token-1"]
    assert PASSWORD not in repr(other.seen) + repr([one.headers for one in other.seen])


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/v1", "http://user@127.0.0.1/v1", "//x", ""])
def test_a_hostile_catalog_gets_nothing(api, driver, cloud, url):
    cloud.catalog = endpoints(url)

    with pytest.raises(UnsafeResponseError):
        api.do(driver.get_container("box"))

    assert [one.path for one in cloud.seen] == ["/v3/auth/tokens"]


def test_an_endpoint_takes_the_place_of_the_catalogs(api, cloud):
    cloud.catalog = []
    make = api.get_driver("openstack_swift")
    settings = {"auth_url": cloud.url, "project": "project", "endpoint": cloud.store}
    driver = make("user", PASSWORD, **settings)

    api.do(driver.get_container("box"))
    api.do(driver.close())

    assert signed(cloud) == ["token-1"]


def test_v1_sends_user_and_key_as_header_fields(api, cloud):
    driver = api.get_driver("openstack_swift")(
        "account:user", PASSWORD, auth_url=f"{cloud.url}/auth/v1.0"
    )

    api.do(driver.get_container("box"))
    api.do(driver.close())

    first = cloud.seen[0]
    assert (first.path, first.headers["x-auth-user"]) == ("/auth/v1.0", "account:user")
    assert first.headers["x-auth-key"] == PASSWORD
    assert signed(cloud) == ["token-1"]


def test_redirects_of_the_sign_in_are_not_followed(api, driver, cloud):
    cloud.answer = lambda request: Told(302, b"", {"Location": "http://127.0.0.1:9/v3"})

    with pytest.raises(UnsafeResponseError):
        api.do(driver.get_container("box"))

    assert len(cloud.seen) == 1


def test_threads_wait_for_one_sign_in(cloud):
    with get_driver("openstack_swift")(
        "user", PASSWORD, auth_url=cloud.url, project="project"
    ) as driver:
        threads = [threading.Thread(target=driver.get_container, args=("box",)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert cloud.tokens == 1
    assert len(signed(cloud)) == 8


def test_without_an_address_nothing_can_be_done():
    with pytest.raises(InvalidAccountError) as raised:
        get_driver("openstack_swift")("user", PASSWORD, project="x")

    assert "OS_AUTH_URL" in raised.value.message


def test_the_environment_gives_what_openstacks_own_tools_read():
    environ = {
        "OS_AUTH_URL": "https://k.example.com:5000/v3",
        "OS_APPLICATION_CREDENTIAL_ID": "a1",
        "OS_APPLICATION_CREDENTIAL_SECRET": "s",
        "OS_REGION_NAME": "one",
        "OS_INTERFACE": "internal",
    }

    account = OpenStack.load({}, environ)

    assert account.application_credential_id == "a1"
    assert (account.region, account.interface) == ("one", "internal")
    assert account.secrets() == ["s"]


def test_arguments_put_the_environments_other_ways_aside():
    environ = {
        "OS_APPLICATION_CREDENTIAL_ID": "a1",
        "OS_APPLICATION_CREDENTIAL_SECRET": "s",
        "OS_PROJECT_NAME": "x",
    }

    account = OpenStack.load({"username": "u", "password": "p"}, environ)

    assert account.application_credential_id is None
    assert account.secrets() == ["p"]
    assert account.project == "x"


def test_libclouds_names_of_settings_are_taken():
    account = OpenStack.load(
        {
            "username": "u",
            "password": "p",
            "ex_force_auth_url": "https://k.example.com:5000",
            "ex_force_auth_version": "3.x_password",
            "ex_tenant_name": "x",
            "ex_domain_name": "d",
            "ex_force_service_region": "one",
        },
        {},
    )

    assert account.auth_url == "https://k.example.com:5000"
    assert (account.project, account.user_domain, account.region) == ("x", "d", "one")
    assert sign_in_version(account) == 3


@pytest.mark.parametrize(
    ("auth_url", "given", "version"),
    [
        ("https://k.example.com:5000/v3", None, 3),
        ("https://k.example.com:5000", None, 3),
        ("https://s.example.com/auth/v1.0", None, 1),
        ("https://ceph.example.com/auth/1.0", None, 1),
        ("https://s.example.com/auth/v1.0", "3", 3),
        ("https://s.example.com", "1.0", 1),
        ("https://s.example.com", "v3", 3),
    ],
)
def test_the_version_is_told_or_seen_in_the_address(auth_url, given, version):
    account = OpenStack.load({"auth_url": auth_url, "auth_version": given}, {})

    assert sign_in_version(account) == version


@pytest.mark.parametrize("version", ["2.0", "2.0_password", "4", "x"])
def test_there_is_no_other_version(version):
    account = OpenStack.load({"auth_url": "https://k.example.com", "auth_version": version}, {})

    with pytest.raises(InvalidAccountError):
        sign_in_version(account)


def test_the_body_of_the_sign_in_is_what_keystone_wants(api, driver, cloud):
    api.do(driver.get_container("box"))

    assert json.loads(cloud.seen[0].body)["auth"]["scope"] == {
        "project": {"name": "project", "domain": {"name": "Default"}}
    }
