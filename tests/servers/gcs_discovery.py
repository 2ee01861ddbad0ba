"""Compare requests with Google's own description of an API, its discovery document."""

import json
import re
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from tests.support.loopback import Received

_TYPES = {"string": str, "boolean": bool, "integer": int, "object": dict, "array": list}
_SESSION = "upload_id"


def document_path() -> Path:
    """Where the document of Cloud Storage is; google-api-python-client brings it along."""
    folder = files("googleapiclient") / "discovery_cache" / "documents"
    return Path(str(folder / "storage.v1.json"))


class Discovery:
    """One discovery document."""

    def __init__(self, path: Path) -> None:
        self._document = json.loads(path.read_text("utf-8"))
        self._shared = set(self._document["parameters"])
        self._methods = list(self._found(self._document["resources"]))
        self.called: set[str] = set()

    def _found(self, resources: dict[str, Any]) -> Any:
        base = "/" + self._document["servicePath"]
        for resource in resources.values():
            for method in resource.get("methods", {}).values():
                paths = [base + method["path"]]
                if method.get("supportsMediaUpload"):
                    protocols = method["mediaUpload"]["protocols"].values()
                    paths += [each["path"].removeprefix("/resumable") for each in protocols]
                if method.get("useMediaDownloadService"):
                    paths.append("/download" + base + method["path"])
                pattern = "|".join({_pattern(path) for path in paths})
                yield method["httpMethod"], re.compile(pattern), method
            yield from self._found(resource.get("resources", {}))

    def check(self, request: Received) -> list[str]:
        """Return what is wrong with a request."""
        given = dict(request.query)
        if _SESSION in given:  # the rest of an upload goes to an address that the server made
            return []
        for http_method, pattern, method in self._methods:
            if http_method == request.method and pattern.fullmatch(request.path):
                self.called.add(method["id"])
                where = f"{method['id']}: "
                problems = [*self._params(method, given), *self._body(method, request)]
                return [where + problem for problem in problems]
        return [f"no method is {request.method} {unquote(request.path)}"]

    def _params(self, method: dict[str, Any], given: dict[str, str]) -> Any:
        known = {
            name: each
            for name, each in method.get("parameters", {}).items()
            if each["location"] == "query"
        }
        for name, value in given.items():
            if name not in known and name not in self._shared:
                yield f"no parameter {name}"
            elif name in known:
                yield from _value(name, value, known[name])
        for name, each in known.items():
            if each.get("required") and name not in given:
                yield f"the parameter {name} is missing"

    def _body(self, method: dict[str, Any], request: Received) -> Any:
        content_type = request.headers.get("content-type", "")
        body = request.body
        if content_type.startswith("multipart/related"):
            body = body.split(b"\r\n\r\n", 1)[1].split(b"\r\n--", 1)[0]
        if not body:
            return
        if "request" not in method:
            yield "a body, which it has not"
            return
        yield from self._object(json.loads(body), method["request"]["$ref"])

    def _object(self, value: Any, name: str) -> Any:
        properties = self._document["schemas"][name]["properties"]
        for key, item in value.items():
            if key not in properties:
                yield f"{name} has no field {key}"
            elif "$ref" in properties[key]:
                yield from self._object(item, properties[key]["$ref"])
            elif item is not None and not isinstance(item, _TYPES[properties[key]["type"]]):
                yield f"{name}.{key} is {item!r}"


def _pattern(template: str) -> str:
    return "[^/]+".join(map(re.escape, re.split(r"\{\+?\w+\}", template)))


def _value(name: str, value: str, known: dict[str, Any]) -> Any:
    if "enum" in known and value not in known["enum"]:
        yield f"{name} is not one of its values: {value}"
    if known["type"] == "integer" or known.get("format") == "int64":
        if not re.fullmatch("-?[0-9]+", value):
            yield f"{name} is no number: {value}"
    elif known["type"] == "boolean" and value not in ("true", "false"):
        yield f"{name} is neither true nor false: {value}"
