"""How connections are made: time limits, proxies, TLS."""

from __future__ import annotations

import base64
import functools
import logging
import os
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeAlias

from anysky.errors import InvalidAccountError
from anysky.secret import Secret

if TYPE_CHECKING:
    import ssl

__all__ = ["TLS", "HTTPSettings", "Proxy", "Verify", "env_proxies"]

Verify: TypeAlias = "bool | str | os.PathLike[str] | ssl.SSLContext"

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
_PORTS = {"http": 80, "https": 443}
_log = logging.getLogger("anysky.http")


@dataclass(frozen=True, slots=True)
class Proxy:
    """A proxy.

    Attributes:
        url: Its URL, without user and password.
        authorization: What the field ``Proxy-Authorization`` says, or None.
    """

    url: str
    authorization: Secret | None = None

    @classmethod
    def parse(cls, url: Secret) -> Proxy:
        """Read the URL of a proxy.

        Raises:
            InvalidAccountError: It is no URL of an HTTP proxy.
        """
        proxy = _read_proxy(url.reveal())
        if proxy is None:
            raise InvalidAccountError(
                "the URL of the proxy is not like http://host:port; other kinds than HTTP "
                "proxies are not supported"
            )
        return proxy

    def headers(self) -> dict[str, str]:
        """Return the header fields that only the proxy gets."""
        if self.authorization is None:
            return {}
        return {"Proxy-Authorization": self.authorization.reveal()}


def _read_proxy(url: str) -> Proxy | None:
    try:
        parts = urllib.parse.urlsplit(url if "://" in url else f"http://{url}")
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return None
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    plain = f"{parts.scheme}://{host}" + ("" if port is None else f":{port}")
    return Proxy(plain, None if parts.username is None else _basic(parts))


def _basic(parts: urllib.parse.SplitResult) -> Secret:
    user, password = (urllib.parse.unquote(text or "") for text in (parts.username, parts.password))
    return Secret("Basic " + base64.b64encode(f"{user}:{password}".encode()).decode())


@dataclass(frozen=True, slots=True)
class HTTPSettings:
    """How a transport connects.

    Attributes:
        connect_timeout: Seconds to make a connection, TLS included.
        read_timeout: Seconds to wait for the next bytes of an answer.
        pool_timeout: Seconds to wait for a free connection.
        pool_size: Connections to one host at the most.
        proxy: URL of a proxy; None takes it from the environment, ``""`` uses none.
        verify: True for the system's certificate authorities, a file or folder of others, an
            `ssl.SSLContext`, or False to accept any certificate (logged as a warning).
    """

    connect_timeout: float = 10.0
    read_timeout: float = 60.0
    pool_timeout: float = 60.0
    pool_size: int = 256
    proxy: str | Secret | None = field(default=None, repr=False)
    verify: Verify = True

    def proxy_for(self, endpoint: str) -> Proxy | None:
        """Return the proxy for an endpoint's URL, or None to connect directly.

        Raises:
            InvalidAccountError: What is named as proxy is none.
        """
        proxy = self.proxy
        if proxy is None:
            parts = urllib.parse.urlsplit(endpoint)
            proxy = env_proxies(parts.scheme, parts.hostname or "", parts.port, os.environ)
        if not proxy:
            return None
        return Proxy.parse(proxy if isinstance(proxy, Secret) else Secret(proxy))


def env_proxies(scheme: str, host: str, port: int | None, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` name.

    Lower-case names win over capitals, even when they are empty; ``no_proxy`` holds host names,
    which also match their subdomains, ``host:port``, ``*``, addresses, and networks such as
    ``10.0.0.0/8``. Under CGI, ``HTTP_PROXY`` is a header field that a client sent: it is ignored.
    """
    names = [f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY"]
    if "REQUEST_METHOD" in environ:
        names = [name for name in names if name != "HTTP_PROXY"]
    proxy = next((environ[name] for name in names if _says_something(name, environ)), "")
    excluded = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if not proxy or _is_excluded(host.lower(), port or _PORTS.get(scheme), excluded):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _says_something(name: str, environ: Mapping[str, str]) -> bool:
    return name in environ and (bool(environ[name]) or name.islower())


def _is_excluded(host: str, port: int | None, excluded: str) -> bool:
    for entry in filter(None, (part.strip().lower() for part in excluded.split(","))):
        if entry == "*" or _in_network(host, entry):
            return True
        name, entry_port = _host_and_port(entry)
        if entry_port and entry_port != str(port):
            continue
        name = name.removeprefix("*").lstrip(".")
        if host == name or host.endswith(f".{name}"):
            return True
    return False


def _host_and_port(entry: str) -> tuple[str, str]:
    if entry.startswith("["):
        address, _, port = entry[1:].partition("]")
        return address, port.lstrip(":")
    if entry.count(":") > 1:
        return entry, ""
    name, _, port = entry.partition(":")
    return name, port


def _in_network(host: str, entry: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


class TLS:
    """The TLS context of one client, made when the first connection needs it.

    Contexts are shared between all clients with the same setting: making one takes milliseconds.
    """

    def __init__(self, verify: Verify) -> None:
        self._verify = verify
        self._warned = False

    def context(self) -> ssl.SSLContext:
        """Return the context.

        Raises:
            InvalidAccountError: The file or folder of certificates cannot be read.
        """
        import ssl

        verify = self._verify
        if isinstance(verify, ssl.SSLContext):
            return verify
        if verify is False and not self._warned:
            self._warned = True
            _log.warning("TLS certificates are not verified for this client")
        if verify is True:
            verify = next((os.environ[key] for key in _CA_VARIABLES if os.environ.get(key)), True)
        try:
            return _make_context(verify if isinstance(verify, bool) else os.fspath(verify))
        except OSError as error:
            raise InvalidAccountError(
                f"cannot read certificate authorities from {str(verify)!r}: "
                f"{error.strerror or error}"
            ) from error


@functools.lru_cache(maxsize=8)
def _make_context(verify: bool | str) -> ssl.SSLContext:
    import ssl

    if verify is True:
        return ssl.create_default_context()
    if verify is False:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        return context
    if os.path.isdir(verify):  # noqa: PTH112 - no pathlib in the import path of a first call
        return ssl.create_default_context(capath=verify)
    return ssl.create_default_context(cafile=verify)
