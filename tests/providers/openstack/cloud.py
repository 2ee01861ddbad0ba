"""A cloud that answers as it is told: a Keystone, a v1 sign-in, and a store that checks tokens."""

import json
from dataclasses import dataclass, field

from tests.support.loopback import LoopbackHandler, LoopbackServer, Received

DATE = "Sun, 22 Nov 2026 21:00:00 GMT"


@dataclass
class Told:
    """An answer of the store."""

    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None  # what it announces, if not the truth


class Handler(LoopbackHandler):
    """One connection."""

    server: "Cloud"

    def serve(self) -> None:
        request = self.received()
        self.server.seen.append(request)
        told = self.server.answer(request)
        self.send_response_only(told.status)
        for name, value in told.headers.items():
            self.send_header(name, value)
        length = len(told.body) if told.length is None else told.length
        if told.status not in (204, 304):
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if request.method != "HEAD" and told.status not in (204, 304):
            self.wfile.write(told.body)
        if told.length is not None:
            self.close_connection = True


class Cloud(LoopbackServer):
    """Keystone and Swift on one port.

    Attributes:
        seen: What arrived.
        script: Answers of the store, by method and path below ``/v1/AUTH_p``, in their order.
        catalog: What Keystone's catalog holds; None for a store here.
        lifetime: Dates of the tokens: issued and ending.
        refused: Tokens that are refused.
        signs_in: Whether user and password are right.
    """

    def __init__(self) -> None:
        super().__init__(Handler)
        self.seen: list[Received] = []
        self.script: dict[tuple[str, str], list[Told]] = {}
        self.catalog: list[dict] | None = None
        self.lifetime = ("2026-11-22T20:00:00.000000Z", "2026-11-22T21:00:00.000000Z")
        self.refused: set[str] = set()
        self.signs_in = True
        self.info: dict = {"swift": {"max_object_name_length": 1024}}
        self.tokens = 0

    @property
    def store(self) -> str:
        return f"{self.url}/v1/AUTH_p"

    def tell(self, method: str, path: str, *answers: Told) -> None:
        self.script.setdefault((method, path), []).extend(answers)

    def sent(self, method: str, path: str) -> list[Received]:
        """What arrived of one kind at the store."""
        whole = f"/v1/AUTH_p{path}"
        return [one for one in self.seen if (one.method, one.path) == (method, whole)]

    def answer(self, request: Received) -> Told:
        if request.path == "/v3/auth/tokens":
            return self._token(request)
        if request.path == "/auth/v1.0":
            return self._v1(request)
        if request.path == "/info":
            return Told(200, json.dumps(self.info).encode(), {"Content-Type": "application/json"})
        if request.headers.get("x-auth-token") in {None, *self.refused}:
            return Told(401, b"<html><h1>Unauthorized</h1><p>Not signed in.</p></html>")
        key = (request.method, request.path.removeprefix("/v1/AUTH_p"))
        answers = self.script.get(key)
        if not answers:
            return Told(404, b"<html><h1>Not Found</h1><p>There is nothing.</p></html>")
        return answers.pop(0) if len(answers) > 1 else answers[0]

    def _token(self, request: Received) -> Told:
        if not self.signs_in:
            error = {"error": {"code": 401, "message": "The request requires authentication."}}
            return Told(401, json.dumps(error).encode())
        self.tokens += 1
        issued, ends = self.lifetime
        body = {
            "token": {
                "issued_at": issued,
                "expires_at": ends,
                "catalog": endpoints(self.store) if self.catalog is None else self.catalog,
                "project": {"id": "p", "name": "project"},
            }
        }
        headers = {"X-Subject-Token": f"token-{self.tokens}", "Content-Type": "application/json"}
        return Told(201, json.dumps(body).encode(), headers)

    def _v1(self, request: Received) -> Told:
        if not self.signs_in:
            return Told(401)
        self.tokens += 1
        headers = {"X-Auth-Token": f"token-{self.tokens}", "X-Storage-Url": self.store}
        return Told(200, b"", headers)


def endpoints(url, region="RegionOne", interface="public", service="object-store"):
    """A catalog with one service."""
    one = {"url": url, "interface": interface, "region_id": region, "region": region, "id": "e"}
    return [{"type": service, "name": "swift", "id": "s", "endpoints": [one]}]


def entry(name, size=1, digest="9dd4e461268c8034f5c8564e155c67a6", **more):
    """An object in a list."""
    return {
        "name": name,
        "bytes": size,
        "hash": digest,
        "content_type": "text/plain",
        "last_modified": "2026-11-22T21:00:00.123450",
        **more,
    }


def listing(*entries):
    """An answer with a list."""
    return Told(200, json.dumps(entries).encode(), {"Content-Type": "application/json"})
