"""Proxies and certificate authorities, by argument and by environment."""

import logging
import subprocess
import sys

import pytest

from anysky.errors import InvalidAccountError
from anysky.secret import Secret
from anysky.transport.settings import TLS, HTTPSettings, Proxy, env_proxies
from tests.support import faults as f
from tests.transport.runners import get, plain


@pytest.mark.parametrize(
    ("environ", "http", "https"),
    [
        ({}, None, None),
        ({"http_proxy": "http://p:1"}, "http://p:1", None),
        ({"https_proxy": "http://p:1"}, None, "http://p:1"),
        ({"HTTPS_PROXY": "http://p:1"}, None, "http://p:1"),
        ({"all_proxy": "p:1"}, "http://p:1", "http://p:1"),
        ({"ALL_PROXY": "http://p:1", "http_proxy": "http://q:2"}, "http://q:2", "http://p:1"),
        ({"http_proxy": "http://p:1", "HTTP_PROXY": "http://q:2"}, "http://p:1", None),
        ({"http_proxy": "", "HTTP_PROXY": "http://q:2"}, None, None),
        ({"HTTP_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None, None),
        ({"http_proxy": "http://p:1", "REQUEST_METHOD": "GET"}, "http://p:1", None),
        ({"HTTPS_PROXY": "http://p:1", "REQUEST_METHOD": "GET"}, None, "http://p:1"),
    ],
)
def test_proxies_of_the_environment(environ, http, https):
    assert env_proxies("http", "api.example.com", None, environ) == http
    assert env_proxies("https", "api.example.com", None, environ) == https


@pytest.mark.parametrize(
    ("excluded", "host", "port", "direct"),
    [
        ("*", "a.com", None, True),
        ("a.com", "a.com", None, True),
        ("a.com", "A.com", None, True),
        ("a.com", "x.a.com", None, True),
        (".a.com", "x.a.com", None, True),
        ("*.a.com", "x.a.com", None, True),
        ("a.com", "evila.com", None, False),
        ("a.com", "a.com.evil.org", None, False),
        (" b.com , a.com ", "a.com", None, True),
        ("a.com:8443", "a.com", 8443, True),
        ("a.com:8443", "a.com", 443, False),
        ("a.com:443", "a.com", None, True),
        ("10.0.0.0/8", "10.1.2.3", None, True),
        ("10.0.0.0/8", "11.1.2.3", None, False),
        ("10.0.0.1", "10.0.0.1", None, True),
        ("::1", "::1", None, True),
        ("[::1]:8443", "::1", 8443, True),
        ("[::1]:8443", "::1", 443, False),
        ("fd00::/8", "fd00::5", None, True),
        (",,", "a.com", None, False),
    ],
)
def test_no_proxy(excluded, host, port, direct):
    for name in ("no_proxy", "NO_PROXY"):
        found = env_proxies("https", host, port, {"https_proxy": "http://p:1", name: excluded})
        assert (found is None) == direct


def test_argument_wins_over_environment(monkeypatch):
    monkeypatch.setenv("https_proxy", "http://p:1")

    assert HTTPSettings().proxy_for("https://a.com") == Proxy("http://p:1")
    assert HTTPSettings(proxy="http://q:2").proxy_for("https://a.com") == Proxy("http://q:2")
    assert HTTPSettings(proxy="").proxy_for("https://a.com") is None


def test_credentials_of_a_proxy_are_hidden():
    proxy = HTTPSettings(proxy=Secret("http://us%3Aer:pa%40ss@p:1")).proxy_for("http://a.com")

    assert proxy == Proxy("http://p:1", Secret("Basic dXM6ZXI6cGFAc3M="))
    assert "dXM6" not in repr(proxy)
    assert "ss@p" not in repr(HTTPSettings(proxy="http://us:pa@ss@p:1"))


@pytest.mark.parametrize("url", ["socks5://h:1", "ftp://h", "http://", "http://h:port", "://"])
def test_what_is_no_http_proxy(url):
    with pytest.raises(InvalidAccountError, match="the URL of the proxy"):
        HTTPSettings(proxy=url).proxy_for("https://a.com")


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"])
def test_certificate_authorities_by_environment(api, certificates, monkeypatch, variable):
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, str(certificates.ca_file))
    with api.serving(f.FaultServer(tls=certificates.server_context())) as server:
        assert plain(api.run(api.transport(server.url).send(get()))) == (200, b"{}")


def test_ssl_cert_file(certificates):
    """OpenSSL reads it itself, once in a process."""
    program = (
        "from anysky.transport.settings import TLS; print(len(TLS(True).context().get_ca_certs()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"SSL_CERT_FILE": str(certificates.ca_file), "SSL_CERT_DIR": "/nowhere"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "1\n"


def test_folder_file_and_context(api, certificates):
    with api.serving(f.FaultServer(tls=certificates.server_context())) as server:
        for verify in (
            certificates.ca_file,
            str(certificates.ca_file),
            certificates.client_context(),
        ):
            assert plain(api.run(api.transport(server.url, verify=verify).send(get())))[0] == 200


@pytest.mark.parametrize("content", [None, "no certificate"])
def test_unreadable_authorities(api, tmp_path, content):
    file = tmp_path / "ca.pem"
    if content is not None:
        file.write_text(content)

    with pytest.raises(
        InvalidAccountError, match=r"cannot read certificate authorities from .*ca\.pem"
    ):
        api.run(api.transport("https://127.0.0.1:9", verify=str(file)).send(get()))


def test_verify_false_is_for_one_client_and_warns_once(api, certificates, caplog):
    caplog.set_level(logging.WARNING, "anysky.http")
    with api.serving(f.FaultServer(tls=certificates.server_context("self-signed"))) as server:
        transport = api.transport(server.url, verify=False)
        for path in ("", "/a", "/b"):
            assert plain(api.run(transport.send(get("/x", endpoint=server.url + path))))[0] == 200
        assert [r.getMessage() for r in caplog.records] == [
            "TLS certificates are not verified for this client"
        ]
        with pytest.raises(ConnectionError):
            api.run(api.transport(server.url).send(get()))


def test_contexts_are_shared():
    assert TLS(True).context() is TLS(True).context()
    assert TLS(False).context() is not TLS(True).context()
