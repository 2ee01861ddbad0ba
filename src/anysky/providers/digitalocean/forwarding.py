"""Forwarding rules of load balancers: what comes in, and how it goes on.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Load-Balancers
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anysky.errors import InvalidRequestError

__all__ = ["changed_rule", "forwarding_rule", "health_check"]

_PLAIN = frozenset({"http", "tcp", "udp"})
_PASSED_THROUGH = frozenset({"https", "http2"})


def forwarding_rule(
    protocol: str, port: int, target_port: int, certificate: str | None
) -> dict[str, Any]:
    """Make a rule; without a certificate, what is encrypted is passed on as it is.

    Raises:
        InvalidRequestError: The protocol cannot be spoken without a certificate, or with one.
    """
    rule: dict[str, Any] = {
        "entry_protocol": protocol,
        "entry_port": port,
        "target_protocol": protocol,
        "target_port": target_port,
    }
    if certificate is None:
        if protocol not in _PLAIN | _PASSED_THROUGH:
            raise InvalidRequestError(f"{protocol} needs ex_certificate_id")
        return rule if protocol in _PLAIN else {**rule, "tls_passthrough": True}
    if protocol in _PLAIN:
        raise InvalidRequestError(f"{protocol} takes no ex_certificate_id")
    return {**rule, "target_protocol": "http", "certificate_id": certificate}


def changed_rule(
    rule: Mapping[str, Any], port: int | None, protocol: str | None, certificate: str | None
) -> dict[str, Any]:
    """Change what is given of a rule; the port of the members stays.

    Raises:
        InvalidRequestError: As for `forwarding_rule`.
    """
    entry_port = rule["entry_port"] if port is None else port
    if protocol is None and certificate is None:
        return {**rule, "entry_port": entry_port}
    speaks = protocol or str(rule["entry_protocol"])
    if certificate is None and speaks not in _PLAIN:
        certificate = rule.get("certificate_id") or None
    return forwarding_rule(speaks, entry_port, rule["target_port"], certificate)


def health_check(rule: Mapping[str, Any]) -> dict[str, Any]:
    """Make the check that goes with a rule: a request for ``/``, or else a connection.

    Raises:
        InvalidRequestError: A rule for UDP tells no port that answers a check.
    """
    protocol = rule["target_protocol"]
    if protocol == "udp":
        raise InvalidRequestError(
            "members that speak UDP need ex_health_check with a port that answers TCP or HTTP"
        )
    if protocol == "http":
        return {"protocol": "http", "port": rule["target_port"], "path": "/"}
    return {"protocol": "tcp", "port": rule["target_port"]}
