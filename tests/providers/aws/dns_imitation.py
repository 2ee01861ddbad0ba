"""Route 53 on a loopback port, as strict as its reference: for what moto does not look at.

A batch is carried out as a whole or not at all, a set is deleted only if it is exactly what the
batch says, names are normalised and escaped in octal, lists go on at name, type and identifier.
Every request is checked against botocore's model of the service; a violation fails the test.
"""

# ruff: noqa: N802, N803 - methods and arguments have the names that Route 53 gives them

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Self
from xml.sax.saxutils import escape

from tests.support.botocore_models import check_request
from tests.support.loopback import LoopbackHandler, LoopbackServer, Received

NAMESPACE = "https://route53.amazonaws.com/doc/2013-04-01/"
_SERVERS = ["ns-1.awsdns-01.org", "ns-2.awsdns-02.com"]

Answer = tuple[int, str]
Sets = dict[tuple[str, ...], dict[str, Any]]


@dataclass
class HostedZone:
    id: str
    name: str
    reference: str
    comment: str | None
    sets: Sets = field(default_factory=dict)


class RefusalError(Exception):
    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.answer = (status, error_xml(code, message))


class _Handler(LoopbackHandler):
    server: Route53Imitation

    def serve(self) -> None:
        status, body = self.server.answer(self.received())
        if status == 0:  # carried out, and the answer is lost
            self.close_connection = True
            return
        data = f'<?xml version="1.0"?>\n{body}'.encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/xml")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


class Route53Imitation(LoopbackServer):
    """The imitation.

    Attributes:
        requests: Name of the operation and decoded parameters of each request.
        before: Called with the name of an operation before it is carried out, from the server's
            thread: to change something in between, or to return an answer in its place.
        after: Called after it was carried out: to return an answer in place of the right one.
        pending: How often a change is PENDING before it is INSYNC.
    """

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.zones: dict[str, HostedZone] = {}
        self.requests: list[tuple[str, dict[str, Any]]] = []
        self.before: Callable[[str], Answer | None] = lambda name: None
        self.after: Callable[[str], Answer | None] = lambda name: None
        self.pending = 0
        self.page = 300
        self.violations: list[str] = []
        self._lock = threading.RLock()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, kind: object, *exc_info: object) -> None:
        self.stop()
        if kind is None:
            assert self.violations == []

    def names(self) -> list[str]:
        """Return the names of the operations that were called."""
        return [name for name, _ in self.requests]

    def answer(self, request: Received) -> Answer:
        try:
            called = check_request(
                "route53", request.method, request.target, request.headers, request.body
            )
        except AssertionError as error:
            self.violations.append(str(error))
            return 400, error_xml("InvalidInput", str(error))
        self.requests.append((called.name, dict(called.params)))
        early = self.before(called.name)
        if early is not None:
            return early
        with self._lock:
            try:
                done = getattr(self, f"_{called.name}")(**called.params)
            except RefusalError as refusal:
                done = refusal.answer
        return self.after(called.name) or done

    def _CreateHostedZone(self, Name, CallerReference, HostedZoneConfig=None, **_):
        if any(zone.reference == CallerReference for zone in self.zones.values()):
            raise RefusalError(
                409, "HostedZoneAlreadyExists", "A hosted zone has already been created"
            )
        zone_id = f"Z{len(self.zones):06}"
        comment = (HostedZoneConfig or {}).get("Comment")
        zone = HostedZone(zone_id, normal(Name), CallerReference, comment)
        self.zones[zone_id] = zone
        for type, values in {"NS": _SERVERS, "SOA": ["ns-1 host 1 7200 900 1209600 86400"]}.items():
            records = [{"Value": value} for value in values]
            zone.sets[zone.name, type, ""] = {
                "Name": zone.name, "Type": type, "TTL": 900, "ResourceRecords": records,
            }  # fmt: skip
        inner = zone_xml(zone) + change_xml() + servers_xml()
        return 201, document("CreateHostedZoneResponse", inner)

    def _ListHostedZones(self, MaxItems, Marker=""):
        ids = sorted(id for id in self.zones if id >= Marker)
        page, rest = ids[: int(MaxItems)], ids[int(MaxItems) :]
        inner = f"<HostedZones>{''.join(zone_xml(self.zones[id]) for id in page)}</HostedZones>"
        inner += f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>"
        inner += f"<NextMarker>{rest[0]}</NextMarker>" if rest else ""
        return 200, document("ListHostedZonesResponse", f"{inner}<MaxItems>{MaxItems}</MaxItems>")

    def _ListHostedZonesByName(self, DNSName, MaxItems):
        found = "".join(zone_xml(zone) for zone in self.zones.values() if zone.name >= DNSName)
        return 200, document("ListHostedZonesByNameResponse", f"<HostedZones>{found}</HostedZones>")

    def _GetHostedZone(self, Id):
        return 200, document("GetHostedZoneResponse", zone_xml(self._zone(Id)) + servers_xml())

    def _UpdateHostedZoneComment(self, Id, Comment=None):
        zone = self._zone(Id)
        zone.comment = Comment
        return 200, document("UpdateHostedZoneCommentResponse", zone_xml(zone))

    def _DeleteHostedZone(self, Id):
        zone = self._zone(Id)
        if any(key[1] not in ("NS", "SOA") for key in zone.sets):
            raise RefusalError(
                400, "HostedZoneNotEmpty", "The hosted zone contains resource records"
            )
        del self.zones[Id]
        return 200, document("DeleteHostedZoneResponse", change_xml())

    def _GetChange(self, Id):
        self.pending -= 1
        status = "PENDING" if self.pending >= 0 else "INSYNC"
        return 200, document("GetChangeResponse", change_xml(status))

    def _ListResourceRecordSets(
        self, HostedZoneId, MaxItems, StartRecordName="", StartRecordType="",
        StartRecordIdentifier="",
    ):  # fmt: skip
        start = (normal(StartRecordName), StartRecordType, StartRecordIdentifier)
        sets = self._zone(HostedZoneId).sets
        keys = sorted((key for key in sets if order(key) >= order(start)), key=order)
        count = min(int(MaxItems), self.page)
        page, rest = keys[:count], keys[count:]
        inner = "".join(element("ResourceRecordSet", sets[key]) for key in page)
        inner = f"<ResourceRecordSets>{inner}</ResourceRecordSets>"
        inner += f"<IsTruncated>{str(bool(rest)).lower()}</IsTruncated>"
        for tag, value in zip(
            ("Name", "Type", "Identifier"), rest[0] if rest else (), strict=False
        ):
            inner += f"<NextRecord{tag}>{escape(value)}</NextRecord{tag}>" if value else ""
        inner += f"<MaxItems>{MaxItems}</MaxItems>"
        return 200, document("ListResourceRecordSetsResponse", inner)

    def _ChangeResourceRecordSets(self, HostedZoneId, ChangeBatch):
        zone = self._zone(HostedZoneId)
        sets, wrong = dict(zone.sets), []
        for change in ChangeBatch["Changes"]:
            wanted = {**change["ResourceRecordSet"]}
            wanted["Name"] = normal(wanted["Name"])
            key = (wanted["Name"], wanted["Type"], wanted.get("SetIdentifier", ""))
            place = f"resource record set [name='{key[0]}', type='{key[1]}']"
            if change["Action"] == "DELETE" and key not in sets:
                wrong.append(f"Tried to delete {place} but it was not found")
            elif change["Action"] == "DELETE" and comparable(sets[key]) != comparable(wanted):
                wrong.append(
                    f"Tried to delete {place} but the values provided do not match the current "
                    "values"
                )
            elif change["Action"] == "DELETE":
                del sets[key]
            elif change["Action"] == "CREATE" and key in sets:
                wrong.append(f"Tried to create {place} but it already exists")
            else:
                sets[key] = wanted
        if wrong:
            raise RefusalError(400, "InvalidChangeBatch", f"[{', '.join(wrong)}]")
        zone.sets = sets
        return 200, document("ChangeResourceRecordSetsResponse", change_xml())

    def _zone(self, id: str) -> HostedZone:
        if id not in self.zones:
            raise RefusalError(404, "NoSuchHostedZone", f"No hosted zone found with ID: {id}")
        return self.zones[id]


def normal(name: str) -> str:
    """Return a name as Route 53 gives it back."""
    plain = re.sub(
        r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), name.replace("\\056", "\0")
    )
    written = re.sub(r"[^a-z0-9_.\0-]", lambda found: f"\\{ord(found[0]):03o}", plain.lower())
    written = written.replace("\0", "\\056")
    return written if written.endswith(".") or not written else f"{written}."


def order(key: tuple[str, ...]) -> tuple[object, ...]:
    """Sort as Route 53 does: by labels from the right."""
    return (key[0].rstrip(".").split(".")[::-1], *key[1:])


def comparable(found: dict[str, Any]) -> dict[str, Any]:
    values = sorted(one["Value"] for one in found.get("ResourceRecords", ()))
    return {**found, "ResourceRecords": values}


def element(tag: str, value: Any) -> str:
    if isinstance(value, dict):
        inner = "".join(element(name, one) for name, one in value.items())
    elif isinstance(value, list):
        inner = "".join(element("ResourceRecord", one) for one in value)
    else:
        inner = escape(str(value).lower() if isinstance(value, bool) else str(value))
    return f"<{tag}>{inner}</{tag}>"


def document(root: str, inner: str) -> str:
    return f'<{root} xmlns="{NAMESPACE}">{inner}</{root}>'


def error_xml(code: str, message: str) -> str:
    inner = f"<Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
    return document("ErrorResponse", f"<Error>{inner}</Error><RequestId>r-1</RequestId>")


def change_xml(status: str = "PENDING") -> str:
    return (
        f"<ChangeInfo><Id>/change/C1</Id><Status>{status}</Status>"
        "<SubmittedAt>2026-11-22T15:00:00Z</SubmittedAt></ChangeInfo>"
    )


def servers_xml() -> str:
    inner = "".join(element("NameServer", one) for one in _SERVERS)
    return f"<DelegationSet><NameServers>{inner}</NameServers></DelegationSet>"


def zone_xml(zone: HostedZone) -> str:
    comment = "" if zone.comment is None else element("Comment", zone.comment)
    return (
        f"<HostedZone><Id>/hostedzone/{zone.id}</Id>{element('Name', zone.name)}"
        f"<CallerReference>{zone.reference}</CallerReference>"
        f"<Config>{comment}<PrivateZone>false</PrivateZone></Config>"
        f"<ResourceRecordSetCount>{len(zone.sets)}</ResourceRecordSetCount></HostedZone>"
    )
