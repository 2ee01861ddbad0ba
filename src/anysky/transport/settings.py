"""How connections are made: time limits, proxies, TLS."""

from __future__ import annotations

import functools
import logging
import os
import ssl
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from anysky.errors import InvalidAccountError

__all__ = ["HTTPSettings", "Verify", "env_proxies", "tls_context"]

Verify = bool | str | ssl.SSLContext

_CA_VARIABLES = ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "AWS_CA_BUNDLE")
_log = logging.getLogger("anysky.http")


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
    pool_size: int = 64
    proxy: str | None = None
    verify: Verify = True

    def proxy_for(self, endpoint: str) -> str | None:
        """Return the proxy for an endpoint's URL, or None to connect directly."""
        if self.proxy is not None:
            return self.proxy or None
        parts = urllib.parse.urlsplit(endpoint)
        return env_proxies(parts.scheme, parts.hostname or "", parts.port, os.environ)


def env_proxies(scheme: str, host: str, port: int | None, environ: Mapping[str, str]) -> str | None:
    """Return the proxy that ``http_proxy``, ``https_proxy``, ``all_proxy`` and ``no_proxy`` name.

    Lower-case names win over capitals; ``no_proxy`` holds host names, which also match their
    subdomains, ``host:port``, ``*``, addresses, and networks such as ``10.0.0.0/8``.
    """
    names: tuple[str, ...] = (
        f"{scheme}_proxy",
        f"{scheme.upper()}_PROXY",
        "all_proxy",
        "ALL_PROXY",
    )
    if "REQUEST_METHOD" in environ:  # under CGI, HTTP_PROXY is a header that a client sent
        names = tuple(name for name in names if name != "HTTP_PROXY")
    proxy = next((environ[name] for name in names if environ.get(name)), None)
    excluded = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if proxy is None or _is_excluded(host.lower(), port, excluded):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def _is_excluded(host: str, port: int | None, excluded: str) -> bool:
    for entry in filter(None, (part.strip().lower() for part in excluded.split(","))):
        if entry == "*" or _in_network(host, entry):
            return True
        name, _, entry_port = entry.partition(":") if entry.count(":") == 1 else (entry, "", "")
        if entry_port and entry_port != str(port):
            continue
        name = name.lstrip(".")
        if host == name or host.endswith(f".{name}"):
            return True
    return False


def _in_network(host: str, entry: str) -> bool:
    import ipaddress

    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False


def tls_context(verify: Verify) -> ssl.SSLContext:
    """Return the context for TLS, shared between all transports with the same setting.

    Raises:
        InvalidAccountError: The file or folder of certificates cannot be read.
    """
    if isinstance(verify, ssl.SSLContext):
        return verify
    if verify is True:
        verify = next((os.environ[name] for name in _CA_VARIABLES if os.environ.get(name)), True)
    if verify is False:
        _log.warning("TLS certificates are not verified for this client")
    try:
        return _make_context(verify)
    except OSError as error:
        raise InvalidAccountError(
            f"cannot read certificate authorities from {verify!r}: {error.strerror or error}"
        ) from error


@functools.lru_cache(maxsize=8)
def _make_context(verify: bool | str) -> ssl.SSLContext:
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
