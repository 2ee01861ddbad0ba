"""A server that stands in for Acme's cloud."""

import itertools
import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

PAGE = 3
SAMPLE = {"name": "", "state": "on", "ip": "192.0.2.7", "labels": {}}


class AcmeServer:
    """Keeps servers in a dict; `with AcmeServer("token") as acme:` serves them at `acme.url`."""

    def __init__(self, token):
        self.token = token
        self.servers = {}
        self.foreign_link = None
        self._ids = itertools.count(1)
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler_for(self))
        self.url = f"http://127.0.0.1:{self._http.server_port}"

    def __enter__(self):
        threading.Thread(target=self._http.serve_forever, args=(0.01,)).start()
        return self

    def __exit__(self, *exc_info):
        self._http.shutdown()
        self._http.server_close()

    def add(self, fields):
        id = f"server-{next(self._ids):08}"
        self.servers[id] = {**SAMPLE, **fields, "id": id}
        return self.servers[id]

    def answer(self, method, target, body):
        """Return status and JSON for a request."""
        parts = urlsplit(target)
        match method, parts.path.strip("/").split("/"):
            case "GET", ["servers"]:
                return 200, self.page(int(parse_qs(parts.query).get("from", ["0"])[0]))
            case "POST", ["servers"]:
                fields = {name: value for name, value in body.items() if value is not None}
                return 201, self.add(fields)
            case "DELETE", ["servers", id] if id in self.servers:
                return 200, self.servers.pop(id)
            case "POST", ["servers", id, "blink"] if id in self.servers:
                return 200, self.servers[id].get("rack", "rack-1")
        return 404, {"error": "there is none"}

    def page(self, start):
        found = list(self.servers.values())
        more = f"/servers?from={start + PAGE}" if len(found) > start + PAGE else None
        link, self.foreign_link = self.foreign_link, None
        return {"servers": found[start : start + PAGE], "next": link or more}


def handler_for(acme):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def handle_request(self):
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if self.headers.get("Authorization") == f"Bearer {acme.token}":
                self.reply(*acme.answer(self.command, self.path, json.loads(body or b"{}")))
            else:
                self.reply(401, {"error": "who is that?"})

        do_GET = do_POST = do_DELETE = handle_request  # noqa: N815 - the library's names

        def reply(self, status, answer):
            content = json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.send_header("Connection", "close")
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, format, *args):
            pass

    return Handler
