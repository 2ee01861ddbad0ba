"""Acme's servers, as https://acme.example/api describes them."""

import msgspec

from anysky.backend.base import Option
from anysky.backend.compute import ComputeBackend
from anysky.ledger import mark_tag
from anysky.model.compute import Node, NodeState
from anysky.paging import Page
from anysky.transport.base import quote
from anysky.transport.signing import BearerSigner
from anysky.wire.rest import RestAPI

STATES = {"booting": NodeState.PENDING, "on": NodeState.RUNNING, "off": NodeState.STOPPED}
OPTIONS = {"create_node": (Option("ex_rack", "str", "rack to put the server in"),)}


class Server(msgspec.Struct):
    id: str
    name: str
    state: str
    ip: str
    labels: dict[str, str] = {}
    rack: str = ""


class Servers(msgspec.Struct):
    servers: list[Server]
    next: str | None = None


class AcmeCompute(ComputeBackend):
    options = OPTIONS
    marked = frozenset({"create_node"})

    def __init__(self, account, connection):
        super().__init__(account, connection)
        self.api = RestAPI(connection.transport, connection.endpoint)

    @classmethod
    def signer(cls, account, connection):
        return BearerSigner(account.token.reveal())

    async def list_nodes(self, cursor, filter):
        answer = await self.api.follow(cursor or f"{self.connection.endpoint}/servers", Servers)
        return Page([node(server) for server in answer.servers], answer.next)

    async def create_node(self, spec):
        body = {"name": spec.name, "plan": spec.size.id, "image": spec.image.id}
        body |= {"labels": {**spec.tags, **mark_tag()}, "rack": spec.options.get("ex_rack", "any")}
        return node(await self.api.call("POST", "/servers", Server, json=body))

    async def destroy_node(self, node):
        await self.api.send("DELETE", f"/servers/{quote(node.id)}")

    async def blink(self, node: Node, seconds: int = 10) -> str:
        """Let the lamp of a server's rack blink; returns the rack."""
        path, body = f"/servers/{quote(node.id)}/blink", {"seconds": seconds}
        return await self.api.call("POST", path, str, json=body)


def node(one):
    state = STATES.get(one.state, NodeState.UNKNOWN)
    return Node(one.id, one.name, state, [one.ip], [], extra={"rack": one.rack}, tags=one.labels)
