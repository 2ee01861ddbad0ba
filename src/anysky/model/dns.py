"""Models of the DNS service."""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum
from typing import Any

from .base import model

__all__ = ["Record", "RecordType", "Zone"]


class RecordType(StrEnum):
    """Types of DNS records; each is equal to its name."""

    A = "A"
    AAAA = "AAAA"
    AFSDB = "AFSDB"
    ALIAS = "ALIAS"
    CAA = "CAA"
    CERT = "CERT"
    CNAME = "CNAME"
    DNAME = "DNAME"
    DNSKEY = "DNSKEY"
    DS = "DS"
    GEO = "GEO"
    HINFO = "HINFO"
    HTTPS = "HTTPS"
    KEY = "KEY"
    LOC = "LOC"
    MX = "MX"
    NAPTR = "NAPTR"
    NS = "NS"
    NSEC = "NSEC"
    OPENPGPKEY = "OPENPGPKEY"
    PTR = "PTR"
    REDIRECT = "REDIRECT"
    RP = "RP"
    RRSIG = "RRSIG"
    SOA = "SOA"
    SPF = "SPF"
    SRV = "SRV"
    SSHFP = "SSHFP"
    SVCB = "SVCB"
    TLSA = "TLSA"
    TXT = "TXT"
    URL = "URL"
    WKS = "WKS"


@model
class Zone:
    """A DNS zone.

    Attributes:
        id: The provider's id.
        domain: Its name, without the dot at the end.
        type: ``"master"`` or ``"slave"``.
        ttl: Seconds that its records may be cached if they say nothing else, or None.
        extra: Everything else that the provider says.
    """

    id: str
    domain: str
    type: str
    ttl: int | None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)


@model
class Record:
    r"""A DNS record.

    Attributes:
        id: The provider's id, or one that anysky makes where records have none.
        name: Its name below the zone, None or empty for the zone itself; special characters as in a
            zone file, ``\.`` for a dot within a label.
        type: Its type.
        data: Its value, as in a zone file but for three things. Priority, weight and port are in
            `extra` as ``priority``, ``weight`` and ``port``. A text is plain, however long, unless
            it begins with a quote: then it is a row of quoted strings. The name of a host may lack
            the dot at its end.
        zone: The zone it is in.
        ttl: Seconds that it may be cached, or None for the zone's default.
        extra: Everything else that the provider says. ``alias_target`` is in it if the provider
            takes its answers from another name, which is then in `data`.
    """

    id: str
    name: str | None
    type: RecordType
    data: str
    zone: Zone
    ttl: int | None = None
    extra: dict[str, Any] = field(default_factory=dict[str, Any], repr=False, compare=False)
