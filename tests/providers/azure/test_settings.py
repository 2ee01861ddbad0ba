"""Settings of a storage account: where it is, and how it signs in."""

from __future__ import annotations

import pytest

from anysky.errors import InvalidAccountError, InvalidContainerNameError, InvalidRequestError
from anysky.storage import get_driver
from anysky.wire.azure_signers import AnonymousSigner, KeySigner, SASSigner, TokenSigner

KEY, OTHER = "Y2FuYXJ5LWtleS01ZjBjOGU=", "b3RoZXI="
SAS = "sv=2022-11-02&sp=rl&sig=canary%2Fsignature%3D"
DEVELOPMENT = "http://127.0.0.1:10000/devstoreaccount1"
ENTRA = {"tenant_id": "t", "client_id": "c"}


def make(*arguments, **settings):
    return get_driver("azure_blobs")(*arguments, **settings)


def endpoint(driver):
    return driver._backend.connection.endpoint


def signer(driver):
    return type(driver._backend.connection.signer)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({}, "https://acc.blob.core.windows.net"),
        ({"cloud": "china"}, "https://acc.blob.core.chinacloudapi.cn"),
        ({"cloud": "usgovernment"}, "https://acc.blob.core.usgovcloudapi.net"),
        ({"cloud": "AzureUSGovernment"}, "https://acc.blob.core.usgovcloudapi.net"),
        ({"cloud_environment": "default"}, "https://acc.blob.core.windows.net"),
        ({"endpoint": "https://data.example.com/"}, "https://data.example.com"),
        ({"endpoint": "http://127.0.0.1:10000/acc"}, "http://127.0.0.1:10000/acc"),
        ({"endpoint": "http://127.0.0.1:10000"}, "http://127.0.0.1:10000/acc"),
        ({"host": "localhost", "port": 10000, "secure": False}, "http://localhost:10000/acc"),
    ],
)
def test_where_an_account_is(settings, expected):
    assert endpoint(make("acc", KEY, **settings)) == expected


@pytest.mark.parametrize(
    ("string", "expected"),
    [
        (f"AccountName=acc;AccountKey={KEY}", "https://acc.blob.core.windows.net"),
        (
            f"AccountName=acc;AccountKey={KEY};EndpointSuffix=core.chinacloudapi.cn",
            "https://acc.blob.core.chinacloudapi.cn",
        ),
        (
            f"BlobEndpoint=https://acc.blob.core.windows.net/;SharedAccessSignature={SAS};",
            "https://acc.blob.core.windows.net",
        ),
        ("UseDevelopmentStorage=true", DEVELOPMENT),
    ],
)
def test_where_a_connection_string_leads(string, expected):
    assert endpoint(make(connection_string=string)) == expected


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"secret": KEY}, KeySigner),
        ({"sas_token": SAS}, SASSigner),
        ({"sas_token": f"?{SAS}", "auth": "sas"}, SASSigner),
        ({"connection_string": f"AccountName=acc;AccountKey={KEY}"}, KeySigner),
        ({"connection_string": f"AccountName=acc;SharedAccessSignature={SAS}"}, SASSigner),
        ({**ENTRA, "client_secret": "s"}, TokenSigner),
        ({**ENTRA, "federated_token_file": "/token"}, TokenSigner),
        ({}, TokenSigner),
        ({"auth": "anonymous"}, AnonymousSigner),
        ({"secret": KEY, "auth": "anonymous"}, AnonymousSigner),
        ({"secret": KEY, "auth_type": "sharedKey"}, KeySigner),
    ],
)
def test_how_an_account_signs_in(settings, expected):
    assert signer(make("acc", **settings)) is expected


def test_libclouds_names_of_settings_are_taken():
    account = make(
        "acc",
        "application's secret",
        auth_type="azureAd",
        tenant_id="t",
        identity="c",
        cloud_environment="AzureChinaCloud",
    ).account

    assert account.client_secret.reveal() == "application's secret"
    assert (account.client_id, account.tenant_id, account.account_key) == ("c", "t", None)


def test_the_environment_names_all(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT", "acc")
    monkeypatch.setenv("AZURE_STORAGE_KEY", KEY)

    driver = make()

    assert (endpoint(driver), signer(driver)) == ("https://acc.blob.core.windows.net", KeySigner)


def test_an_argument_puts_the_environments_other_ways_aside(monkeypatch):
    monkeypatch.setenv("AZURE_STORAGE_SAS_TOKEN", SAS)
    monkeypatch.setenv("AZURE_STORAGE_CONNECTION_STRING", f"AccountName=b;AccountKey={OTHER}")

    driver = make("acc", KEY)

    assert signer(driver) is KeySigner
    assert driver._backend.connection.signer.secrets() == [KEY]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"secret": KEY}, "AZURE_STORAGE_ACCOUNT"),
        ({"key": "Not-An-Account", "secret": KEY}, "3 to 24 lower-case"),
        ({"key": "acc/../x", "secret": KEY}, "3 to 24 lower-case"),
        ({"key": "acc", "secret": "not base64!"}, "not base64"),
        ({"key": "acc", "sas_token": "sp=r"}, "sv= and sig="),
        ({"key": "acc", "secret": KEY, "cloud": "moon"}, "cloud is one of"),
        ({"key": "acc", "secret": KEY, "auth": "magic"}, "auth is one of"),
        ({"key": "acc", "auth": "sas"}, "needs sas_token"),
        ({"key": "acc", "client_secret": "s"}, "needs tenant_id and client_id"),
        ({"key": "acc", "federated_token_file": "/x"}, "needs tenant_id and client_id"),
        ({"connection_string": "canary"}, "AccountName="),
        ({"connection_string": "AccountKey=canary"}, "AZURE_STORAGE_ACCOUNT"),
        ({"key": "one", "connection_string": f"AccountName=two;AccountKey={KEY}"}, "another"),
        ({"connection_string": "AccountName=acc;AccountKey=eA==;EndpointSuffix=a/b"}, "amiss"),
        ({"connection_string": "AccountKey=eA==;BlobEndpoint=https://u:p@h"}, "no http or https"),
        ({"connection_string": "AccountKey=eA==;BlobEndpoint=file:///x"}, "no http or https"),
    ],
)
def test_settings_that_cannot_be_right(settings, problem):
    with pytest.raises(InvalidAccountError, match=problem) as caught:
        make(**settings)

    assert "canary" not in str(caught.value)


@pytest.mark.parametrize(
    "url", ["http://login.example.com", "https://u@login.example.com", "ftp://x"]
)
def test_secrets_go_to_entra_encrypted(url):
    with pytest.raises(InvalidAccountError, match="https"):
        make("acc", **ENTRA, client_secret="s", authority=url)


def test_no_secret_shows():
    driver = make("acc", connection_string=f"AccountName=acc;AccountKey={KEY}", sas_token=SAS)

    assert KEY not in repr(driver.account)
    assert "canary" not in repr(driver.account)
    assert "canary/signature=" in driver._backend.secrets()


# -- names ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        "ends.",
        "a./b",
        "../a",
        "a/..",
        "dots...",
        "back\\slash",
        "line\nbreak",
        "nul\0",
        "x" * 1025,
        "/".join(["x"] * 255),
        "\udcff",
        "\uffff",
    ],
)
def test_names_that_azure_would_change_are_refused(recorder, name):
    made = make("anyskytest", KEY, endpoint=recorder.url)
    with made as driver, pytest.raises(InvalidRequestError):
        driver.get_object("box", name)

    assert recorder.seen == []


@pytest.mark.parametrize("name", ["a//b", "/a", "a/", "ü" * 1024, ".a", "a.b/.c", "%2F+ ?#", "~"])
def test_names_are_sent_as_they_are(recorder, name):
    from urllib.parse import unquote

    with make("anyskytest", KEY, endpoint=recorder.url) as driver:
        assert driver.get_object("box", name).name == name

    assert unquote(recorder.seen[0].path) == f"/anyskytest/box/{name}"


@pytest.mark.parametrize("name", ["ab", "Upper", "-a-b", "a--b", "a_b", "a.b", "x" * 64, "ü-box"])
def test_names_that_no_container_can_have(recorder, name):
    made = make("anyskytest", KEY, endpoint=recorder.url)
    with made as driver, pytest.raises(InvalidContainerNameError):
        driver.create_container(name)

    assert recorder.seen == []
