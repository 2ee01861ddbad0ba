"""Load balancers.

Vendor's reference: https://docs.digitalocean.com/reference/api/digitalocean/#tag/Load-Balancers
"""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping
from typing import Any, ClassVar, TypeVar

import msgspec

from anysky.backend.base import Option
from anysky.backend.loadbalancer import LoadBalancerBackend
from anysky.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedOperationError,
)
from anysky.model.compute import Filter, Node
from anysky.model.loadbalancer import (
    Algorithm,
    BalancerChanges,
    BalancerSpec,
    LoadBalancer,
    Member,
    State,
)
from anysky.paging import Page
from anysky.wire.rest import segment

from .api import Listing, number_of
from .backend import DigitalOceanBackend
from .forwarding import changed_rule, forwarding_rule, health_check

__all__ = ["DigitalOceanLoadBalancer"]

T = TypeVar("T")

_STATES: Mapping[str, State] = {
    "new": State.PENDING,
    "active": State.RUNNING,
    "errored": State.ERROR,
}
_ALGORITHMS: Mapping[str, Algorithm] = {
    "round_robin": Algorithm.ROUND_ROBIN,
    "least_connections": Algorithm.LEAST_CONNECTIONS,  # of balancers from before 2023
}
_FREE_WITHIN = 60.0  # seconds until an earlier change has been carried out
_FIRST_WAIT, _LONGEST_WAIT = 1.0, 8.0

_CERTIFICATE = Option("ex_certificate_id", "str", "id of a certificate: TLS ends at the balancer")
_TARGET_PORT = Option("ex_target_port", "int", "port of members that have none of their own")
# Options that stand in the request as they are, by the names that they have there.
_SETTINGS: Mapping[str, Option] = {
    "health_check": Option("ex_health_check", "dict[str, Any]", "how members are checked"),
    "sticky_sessions": Option("ex_sticky_sessions", "dict[str, Any]", "cookies that bind a client"),
    "redirect_http_to_https": Option("ex_redirect_http_to_https", "bool", "send port 80 to 443"),
    "enable_proxy_protocol": Option("ex_proxy_protocol", "bool", "tell members by PROXY protocol"),
    "enable_backend_keepalive": Option(
        "ex_backend_keepalive", "bool", "keep connections to members open"
    ),
    "http_idle_timeout_seconds": Option("ex_idle_timeout", "int", "30 to 600 seconds"),
    "disable_lets_encrypt_dns_records": Option(
        "ex_no_lets_encrypt_records", "bool", "make no DNS records for certificates"
    ),
    "firewall": Option("ex_firewall", "dict[str, list[str]]", "who is let in: 'allow', 'deny'"),
    "size_unit": Option("ex_size_unit", "int", "how many nodes it consists of"),
    "project_id": Option("ex_project_id", "str", "id of a project"),
    "tag": Option("ex_tag", "str", "its members are the Droplets with this tag"),
}
_FIXED: Mapping[str, Option] = {
    "type": Option("ex_type", "str", "'REGIONAL' or 'REGIONAL_NETWORK'"),
    "network": Option("ex_network", "str", "'EXTERNAL' or 'INTERNAL'"),
    "network_stack": Option("ex_network_stack", "str", "'IPV4' or 'DUALSTACK'"),
    "vpc_uuid": Option("ex_vpc_uuid", "str", "id of a network to put it in"),
}
# What a change must repeat, since it resets what it does not name.
_REPEATED = (
    "name",
    "algorithm",
    "forwarding_rules",
    "size",
    "glb_settings",
    "domains",
    "target_load_balancer_ids",
    "tls_cipher_policy",
    *_SETTINGS,
    *_FIXED,
)


class _Region(msgspec.Struct):
    slug: str


class _Rule(msgspec.Struct):
    entry_protocol: str
    entry_port: int
    target_protocol: str
    target_port: int


class _Balancer(msgspec.Struct):
    id: str
    name: str
    status: str
    forwarding_rules: list[_Rule] = []
    ip: str | None = None
    algorithm: str | None = None
    region: _Region | None = None
    droplet_ids: list[int] | None = None
    tag: str | None = None


class _Balancers(Listing, kw_only=True):
    load_balancers: list[dict[str, Any]]


class _OneBalancer(msgspec.Struct):
    load_balancer: dict[str, Any]


class DigitalOceanLoadBalancer(DigitalOceanBackend, LoadBalancerBackend):
    """Balancers of one region, whose members are Droplets of it, known by their ids.

    A balancer sends all connections of a port to one port, which is the same for all members. Its
    name is its own in the account, and tags of its own it has none.
    """

    protocols: ClassVar[tuple[str, ...]] = ("http", "https", "http2", "http3", "tcp", "udp")
    # DigitalOcean takes no other one any more.
    algorithms: ClassVar[Mapping[Algorithm, str]] = {Algorithm.ROUND_ROBIN: "round_robin"}
    changeable: ClassVar[frozenset[str]] = frozenset({"name", "port", "protocol"})
    options: ClassVar[Mapping[str, tuple[Option, ...]]] = {
        "create_balancer": (
            _CERTIFICATE,
            _TARGET_PORT,
            *_SETTINGS.values(),
            *_FIXED.values(),
        ),
        "update_balancer": (_CERTIFICATE, *_SETTINGS.values()),
    }

    async def list_balancers(
        self,
        cursor: str | None,
        filter: Filter,  # noqa: ARG002 - the API cannot filter them
    ) -> Page[LoadBalancer]:
        """List balancers: GET /v2/load_balancers."""
        answer = await self.api.page(cursor, "/load_balancers", _Balancers)
        return Page([_balancer(known) for known in answer.load_balancers], answer.next)

    async def get_balancer(self, balancer_id: str) -> LoadBalancer:
        """Fetch a balancer: GET /v2/load_balancers/{id}."""
        return _balancer(await self._get(balancer_id))

    async def create_balancer(self, spec: BalancerSpec) -> LoadBalancer:
        """Create a balancer with its members: POST /v2/load_balancers.

        Members are checked on their port, unless `ex_health_check` says otherwise.

        Raises:
            InvalidRequestError: Members have different ports, or are no Droplets; a protocol
                needs a certificate or a health check that is not given.
        """
        if spec.tags:
            raise UnsupportedOperationError("DigitalOcean's load balancers have no tags")
        given = _settings(spec.options, {**_SETTINGS, **_FIXED})
        certificate = spec.options.get(_CERTIFICATE.name)
        rule = forwarding_rule(spec.protocol, spec.port, _target_port(spec), certificate)
        body = {
            "name": spec.name,
            "region": spec.location or self.region_of(None),
            "forwarding_rules": [rule],
            **_members_of(spec),
            **given,
        }
        if "health_check" not in body:
            body["health_check"] = health_check(rule)
        answer = await self.api.call("POST", "/load_balancers", _OneBalancer, json=body)
        return _balancer(answer.load_balancer)

    async def update_balancer(
        self, balancer: LoadBalancer, changes: BalancerChanges
    ) -> LoadBalancer:
        """Change a balancer: GET and PUT /v2/load_balancers/{id}.

        The request says everything anew, so that a change which somebody else makes at the same
        moment may be lost.

        Raises:
            ConflictError: It has several forwarding rules, so that it is not clear which is meant.
        """
        body = {
            **_as_it_is(await self._get(balancer.id)),
            **_settings(changes.options, _SETTINGS),
        }
        if changes.name is not None:
            body["name"] = changes.name
        certificate = changes.options.get(_CERTIFICATE.name)
        if (changes.port, changes.protocol, certificate) != (None, None, None):
            rules = body["forwarding_rules"]
            if len(rules) != 1:
                raise ConflictError(f"the balancer {balancer.id} has {len(rules)} forwarding rules")
            body["forwarding_rules"] = [
                changed_rule(rules[0], changes.port, changes.protocol, certificate)
            ]
        body.pop("droplet_ids" if body.get("tag") else "tag", None)
        path = _path(balancer.id)
        answer = await self._when_free(lambda: self.api.call("PUT", path, _OneBalancer, json=body))
        return _balancer(answer.load_balancer)

    async def destroy_balancer(self, balancer: LoadBalancer) -> None:
        """Destroy a balancer: DELETE /v2/load_balancers/{id}."""
        await self.api.send("DELETE", _path(balancer.id))

    async def list_members(self, balancer: LoadBalancer, cursor: str | None) -> Page[Member]:  # noqa: ARG002 - they come in one page
        """List a balancer's members, those by its tag too: GET /v2/load_balancers/{id}."""
        data = _read(await self._get(balancer.id))
        return Page([_member(balancer, number, data) for number in data.droplet_ids or ()])

    async def attach_member(self, balancer: LoadBalancer, member: Member) -> Member:
        """Add a Droplet: GET /v2/load_balancers/{id} and POST /v2/load_balancers/{id}/droplets.

        One that is a member already stays one.

        Raises:
            InvalidRequestError: The member is no Droplet, or its port is another one than that of
                the balancer's members; the balancer's members are those with a tag.
        """
        number = _droplet(member)
        data = _read(await self._get(balancer.id))
        made = _member(balancer, number, data)
        if None not in (member.port, made.port) and member.port != made.port:
            raise InvalidRequestError(
                f"all members of the balancer {data.name} listen on port {made.port}"
            )
        if number not in (data.droplet_ids or ()):
            await self._change_droplets("POST", balancer.id, number)
        return made

    async def attach_node(self, balancer: LoadBalancer, node: Node) -> Member:
        """Add a Droplet: GET /v2/load_balancers/{id} and POST /v2/load_balancers/{id}/droplets."""
        return await self.attach_member(balancer, Member(node.id, "", None))

    async def detach_member(self, balancer: LoadBalancer, member: Member) -> None:
        """Remove a Droplet: GET /v2/load_balancers/{id} and DELETE …/{id}/droplets."""
        number = _droplet(member)
        data = _read(await self._get(balancer.id))
        if number not in (data.droplet_ids or ()):
            raise NotFoundError(f"the Droplet {number} is no member of the balancer {data.name}")
        await self._change_droplets("DELETE", balancer.id, number)

    async def _get(self, balancer_id: str) -> dict[str, Any]:
        return (await self.api.call("GET", _path(balancer_id), _OneBalancer)).load_balancer

    async def _change_droplets(self, method: str, balancer_id: str, number: int) -> None:
        path = f"{_path(balancer_id)}/droplets"
        body = {"droplet_ids": [number]}
        await self._when_free(lambda: self.api.send(method, path, json=body, repeatable=True))

    async def _when_free(self, send: Callable[[], Coroutine[Any, Any, T]]) -> T:
        """Send a change again and again while an earlier one is not carried out yet."""
        end, wait = self.runtime.now() + _FREE_WITHIN, _FIRST_WAIT
        while True:
            try:
                return await send()
            except ConflictError:
                if self.runtime.now() + wait > end:
                    raise
            await self.runtime.sleep(wait)
            wait = min(wait * 2, _LONGEST_WAIT)


def _path(balancer_id: str) -> str:
    return f"/load_balancers/{segment(balancer_id)}"


def _droplet(member: Member) -> int:
    if not member.id:
        raise InvalidRequestError(
            "members of DigitalOcean's load balancers are Droplets: give the id of a node, "
            "not an address"
        )
    return number_of(member.id, "Droplet")


def _target_port(spec: BalancerSpec) -> int:
    """Return the port of the members, which is one for all."""
    default = spec.options.get(_TARGET_PORT.name) or spec.port
    ports = sorted({member.port or default for member in spec.members}) or [default]
    if len(ports) > 1:
        raise InvalidRequestError(
            "all members of a load balancer at DigitalOcean listen on one port, not on "
            f"{', '.join(map(str, ports))}"
        )
    return int(ports[0])


def _members_of(spec: BalancerSpec) -> dict[str, Any]:
    if "ex_tag" not in spec.options:
        return {"droplet_ids": [_droplet(member) for member in spec.members]}
    if spec.members:
        raise InvalidRequestError("give either members or ex_tag")
    return {}


def _settings(options: Mapping[str, Any], known: Mapping[str, Option]) -> dict[str, Any]:
    """Write options by the names that they have in a request."""
    given = {field: options.get(option.name) for field, option in known.items()}
    return {field: value for field, value in given.items() if value is not None}


def _read(known: Mapping[str, Any]) -> _Balancer:
    return msgspec.convert(known, _Balancer)


def _as_it_is(known: Mapping[str, Any]) -> dict[str, Any]:
    """Make the request that leaves a balancer as it is."""
    data = _read(known)
    body = {field: known[field] for field in _REPEATED if known.get(field) not in (None, "")}
    if data.region is not None:
        body["region"] = data.region.slug
    return {**body, "droplet_ids": data.droplet_ids or []}


def _balancer(known: Mapping[str, Any]) -> LoadBalancer:
    data = _read(known)
    rule = data.forwarding_rules[0] if len(data.forwarding_rules) == 1 else None
    return LoadBalancer(
        id=data.id,
        name=data.name,
        state=_STATES.get(data.status, State.UNKNOWN),
        ip=data.ip or "",
        port=rule.entry_port if rule else None,
        extra={
            **known,
            "protocol": rule.entry_protocol if rule else None,
            "algorithm": _ALGORITHMS.get(data.algorithm or ""),
        },
    )


def _member(balancer: LoadBalancer, number: int, data: _Balancer) -> Member:
    ports = {rule.target_port for rule in data.forwarding_rules}
    return Member(str(number), "", ports.pop() if len(ports) == 1 else None, balancer)
