"""Checks captured AWS requests against the service models that botocore ships.

`check_request` finds the operation that a request calls, decodes its parameters by the rules of the
service's protocol (ec2, query, rest-xml) and compares them with the model: unknown names, types,
ranges, enumerations, required parameters, namespaces. It fits where requests are recorded::

    operation = check_request("ec2", "POST", url, headers, body)
    assert operation.name == "RunInstances"
"""

import base64
import binascii
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit
from xml.etree import ElementTree as ET

import botocore.session
from botocore.model import ListShape, OperationModel, ServiceModel, Shape, StringShape
from botocore.validate import ParamValidator

# Enumerations that grow faster than anyone updates botocore.
OPEN_ENUMS = frozenset({"InstanceType", "BucketLocationConstraint", "VPCRegion"})

_FORM = "application/x-www-form-urlencoded"
# Headers that signing, streaming and the SDKs add to any operation.
_COMMON_HEADERS = frozenset(
    {
        "x-amz-date", "x-amz-content-sha256", "x-amz-security-token", "x-amz-user-agent",
        "x-amz-decoded-content-length", "x-amz-trailer", "x-amz-sdk-checksum-algorithm",
    }
)  # fmt: skip
# Query parameters of presigned URLs.
_PRESIGNED = frozenset(
    {
        "x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-expires",
        "x-amz-signedheaders", "x-amz-signature", "x-amz-security-token", "x-id",
    }
)  # fmt: skip
_XSI = "{http://www.w3.org/2001/XMLSchema-instance}"
_S3_HOST = re.compile(r"(?P<bucket>.+)\.s3[.-][a-z0-9.-]*amazonaws\.com(\.cn)?")


@dataclass(frozen=True, slots=True)
class Operation:
    """The operation that a request calls, with its decoded parameters."""

    service: str
    name: str
    params: Mapping[str, Any]


@dataclass(slots=True)
class _Attempt:
    """A request read as one operation, and what is wrong with it then."""

    operation: OperationModel
    params: dict[str, Any] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    matched: int = 0


def check_request(
    service: str, method: str, url: str, headers: Mapping[str, str], body: bytes | str | None
) -> Operation:
    """The operation that a request calls.

    Args:
        service: botocore's name: "ec2", "route53", "s3", "sts" …
        method: of the request.
        url: with its query; the host matters only for S3's virtual-hosted buckets.
        headers: in any case.
        body: as it was sent.

    Raises:
        AssertionError: naming everything in which the request differs from the model.
    """
    model = _model(service)
    data = body.encode() if isinstance(body, str) else body or b""
    lower = {name.lower(): value for name, value in headers.items()}
    if model.metadata["protocol"] in {"ec2", "query"}:
        attempt = _read_query(model, method, url, lower, data)
    else:
        attempt = _read_rest(model, method, url, lower, data)
    shape = attempt.operation.input_shape
    if shape is not None:
        attempt.problems += _invalid(attempt.params, shape)
    name = attempt.operation.name
    if attempt.problems:
        details = "\n  ".join(attempt.problems)
        raise AssertionError(f"{service} {name} differs from botocore's model:\n  {details}")
    return Operation(service, name, attempt.params)


@cache
def _model(service: str) -> ServiceModel:
    return botocore.session.Session().get_service_model(service)


def _invalid(params: dict[str, Any], shape: Shape) -> list[str]:
    report = ParamValidator().validate(params, shape).generate_report()
    return [*(line for line in report.split("\n") if line), *_bad_enums(params, shape, "")]


def _bad_enums(value: Any, shape: Shape, place: str) -> Iterator[str]:
    if shape.type_name == "structure" and isinstance(value, dict):
        for name, each in value.items():
            if name in shape.members:
                yield from _bad_enums(each, shape.members[name], f"{place}.{name}".strip("."))
    elif shape.type_name == "list" and isinstance(value, list):
        for number, each in enumerate(value):
            yield from _bad_enums(each, shape.member, f"{place}[{number}]")
    elif _is_closed_enum(shape) and value not in shape.enum:
        yield f"{place}: {value!r} is none of {shape.name}'s values {', '.join(shape.enum)}"


def _is_closed_enum(shape: Shape) -> bool:
    return isinstance(shape, StringShape) and bool(shape.enum) and shape.name not in OPEN_ENUMS


# --- values ------------------------------------------------------------------------------------


def _scalar(text: str, shape: Shape, place: str, problems: list[str]) -> Any:
    """A value from its text; text that does not fit is a problem and stays text."""
    if shape.type_name == "boolean":
        if text in {"true", "false"}:
            return text == "true"
        problems.append(f"{place}: {text!r} is neither true nor false")
    try:
        if shape.type_name in {"integer", "long"}:
            return int(text)
        if shape.type_name in {"float", "double"}:
            return float(text)
        if shape.type_name == "blob":
            return base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        problems.append(f"{place}: {text!r} is no {shape.type_name}")
    return text


# --- ec2 and query: names with dots in a form ----------------------------------------------------

_Tree = dict[str, Any]


def _read_query(
    model: ServiceModel, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> _Attempt:
    text = body.decode() if method == "POST" else urlsplit(url).query
    pairs = parse_qsl(text, keep_blank_values=True, strict_parsing=bool(text))
    form = dict(pairs)
    action = form.pop("Action", None)
    if action not in model.operation_names:
        raise AssertionError(f"{model.service_name} has no operation {action!r}")
    attempt = _Attempt(model.operation_model(action))
    if len(form) + 1 != len(pairs):
        attempt.problems.append("a parameter is given twice")
    if method == "POST" and headers.get("content-type", "").split(";")[0] != _FORM:
        attempt.problems.append(f"Content-Type is {headers.get('content-type')!r}, not {_FORM}")
    if (version := form.pop("Version", None)) != model.api_version:
        attempt.problems.append(f"Version is {version!r}, not {model.api_version}")
    tree = _tree(form, attempt.problems)
    if attempt.operation.input_shape is None:
        attempt.problems += [f"unknown parameter {name}" for name in tree]
        return attempt
    reader = _QueryReader(model.metadata["protocol"], attempt.problems)
    attempt.params = reader.read(tree, attempt.operation.input_shape, "")
    return attempt


def _tree(form: Mapping[str, str], problems: list[str]) -> _Tree:
    """`{"A.1.B": "x"}` as `{"A": {"1": {"B": "x"}}}`."""
    root: _Tree = {}
    for name, value in form.items():
        *parents, last = name.split(".")
        node = root
        for part in parents:
            node = node.setdefault(part, {})
            if not isinstance(node, dict):
                break
        if not isinstance(node, dict) or last in node:
            problems.append(f"{name} contradicts another parameter")
            continue
        node[last] = value
    return root


class _QueryReader:
    def __init__(self, protocol: str, problems: list[str]) -> None:
        self._ec2 = protocol == "ec2"
        self._problems = problems

    def read(self, node: Any, shape: Shape, place: str) -> Any:
        if shape.type_name not in {"structure", "list"}:
            if isinstance(node, dict):
                self._problems.append(f"{place} is a {shape.type_name}, without further parts")
                return ""
            return _scalar(node, shape, place, self._problems)
        if not isinstance(node, dict):
            self._problems.append(f"{place} is a {shape.type_name}, not a plain value")
            return {} if shape.type_name == "structure" else []
        if shape.type_name == "structure":
            return self._structure(node, shape, place)
        return self._list(node, shape, place)

    def _structure(self, node: _Tree, shape: Shape, place: str) -> dict[str, Any]:
        members = {self._wire_name(name, each): name for name, each in shape.members.items()}
        result: dict[str, Any] = {}
        for wire, child in node.items():
            here = f"{place}.{wire}".strip(".")
            if wire not in members:
                self._problems.append(f"unknown parameter {here}")
                continue
            name = members[wire]
            result[name] = self.read(child, shape.members[name], here)
        return result

    def _wire_name(self, name: str, shape: Shape) -> str:
        if not self._ec2:
            return shape.serialization.get("name", name)
        if "queryName" in shape.serialization:
            return shape.serialization["queryName"]
        wire = shape.serialization.get("name", name)
        return wire[:1].upper() + wire[1:]

    def _list(self, node: _Tree, shape: Shape, place: str) -> list[Any]:
        assert isinstance(shape, ListShape)
        if not self._ec2 and not shape.serialization.get("flattened"):
            wrapper = shape.member.serialization.get("name", "member")
            if list(node) != [wrapper] or not isinstance(node[wrapper], dict):
                self._problems.append(f"{place} needs the form {place}.{wrapper}.N")
                return []
            node, place = node[wrapper], f"{place}.{wrapper}"
        wanted = [str(number) for number in range(1, len(node) + 1)]
        if sorted(node) != sorted(wanted):
            self._problems.append(f"{place} is numbered {', '.join(node)}, not from 1 without gaps")
            return []
        return [self.read(node[n], shape.member, f"{place}.{n}") for n in wanted]


# --- rest-xml ------------------------------------------------------------------------------------


def _read_rest(
    model: ServiceModel, method: str, url: str, headers: Mapping[str, str], body: bytes
) -> _Attempt:
    parts = urlsplit(url)
    path = parts.path or "/"
    if model.service_name == "s3" and (host := _S3_HOST.fullmatch(parts.hostname or "")):
        path = f"/{host['bucket']}{path}"
    query = parse_qsl(parts.query, keep_blank_values=True)
    attempts = [
        _read_as(operation, values, query, headers, body)
        for operation, values in _candidates(model, method, path)
    ]
    if not attempts:
        raise AssertionError(f"{model.service_name} has no operation {method} {path}")
    # Several operations share a path; the one meant leaves the least unexplained and, among
    # equals, explains the most.
    return min(attempts, key=lambda each: (_badness(each), -each.matched))


def _badness(attempt: _Attempt) -> int:
    shape = attempt.operation.input_shape
    required = shape.required_members if shape is not None else []
    missing = sum(name not in attempt.params for name in required)
    return len(attempt.problems) + missing


def _candidates(
    model: ServiceModel, method: str, path: str
) -> Iterator[tuple[OperationModel, dict[str, str]]]:
    for name in model.operation_names:
        operation = model.operation_model(name)
        if operation.http["method"] == method:
            match = _path_pattern(operation.http["requestUri"]).fullmatch(path)
            if match:
                yield operation, {key: unquote(value) for key, value in match.groupdict().items()}


@cache
def _path_pattern(template: str) -> re.Pattern[str]:
    """`/{Bucket}/{Key+}?tagging` as a regular expression; a final slash is free."""
    path = template.partition("?")[0].rstrip("/")
    pieces = re.split(r"(\{\w+\+?\})", path)
    patterns = [
        f"(?P<{piece.strip('{+}')}>{'.+' if piece.endswith('+}') else '[^/]+'})"
        if piece.startswith("{")
        else re.escape(piece)
        for piece in pieces
    ]
    return re.compile("".join(patterns) + "/?", re.DOTALL)


def _read_as(
    operation: OperationModel,
    path_values: Mapping[str, str],
    query: Sequence[tuple[str, str]],
    headers: Mapping[str, str],
    body: bytes,
) -> _Attempt:
    attempt = _Attempt(operation)
    shape = operation.input_shape
    members = dict(shape.members) if shape is not None else {}
    placed = {name: m.serialization.get("location") for name, m in members.items()}
    for name, member in members.items():
        if placed[name] == "uri":
            wire = member.serialization.get("name", name)
            attempt.params[name] = _scalar(path_values[wire], member, name, attempt.problems)
    _read_query_members(attempt, members, query)
    _read_headers(attempt, members, headers)
    rest = {name: m for name, m in members.items() if placed[name] is None}
    _read_body(attempt, rest, body)
    _check_digest(attempt, headers)
    return attempt


def _located(members: Mapping[str, Shape], location: str) -> dict[str, str]:
    """Names of members by their names on the wire."""
    return {
        member.serialization.get("name", name): name
        for name, member in members.items()
        if member.serialization.get("location") == location
    }


def _read_query_members(
    attempt: _Attempt, members: Mapping[str, Shape], query: Sequence[tuple[str, str]]
) -> None:
    literals = parse_qsl(
        attempt.operation.http["requestUri"].partition("?")[2], keep_blank_values=True
    )
    names = _located(members, "querystring")
    for pair in literals:
        if pair not in query:
            attempt.problems.append(f"query parameter {pair[0]!r} is missing")
        attempt.matched += 1
    for wire, text in query:
        if (wire, text) in literals or wire.lower() in _PRESIGNED:
            continue
        if wire not in names:
            attempt.problems.append(f"unknown query parameter {wire!r}")
            continue
        name = names[wire]
        attempt.matched += 1
        _put(attempt, name, members[name], text)


def _put(attempt: _Attempt, name: str, shape: Shape, text: str) -> None:
    if isinstance(shape, ListShape):
        value = _scalar(text, shape.member, name, attempt.problems)
        attempt.params.setdefault(name, []).append(value)
    elif name in attempt.params:
        attempt.problems.append(f"{name} is given twice")
    else:
        attempt.params[name] = _scalar(text, shape, name, attempt.problems)


def _read_headers(
    attempt: _Attempt, members: Mapping[str, Shape], headers: Mapping[str, str]
) -> None:
    names = {wire.lower(): name for wire, name in _located(members, "header").items()}
    prefixes = {wire.lower(): name for wire, name in _located(members, "headers").items()}
    for wire, text in headers.items():
        prefix = next((each for each in prefixes if wire.startswith(each)), None)
        if wire in names:
            attempt.matched += 1
            _put_header(attempt, names[wire], members[names[wire]], text)
        elif prefix is not None:
            attempt.params.setdefault(prefixes[prefix], {})[wire.removeprefix(prefix)] = text
        elif wire.startswith("x-amz-") and wire not in _COMMON_HEADERS:
            attempt.problems.append(f"unknown header {wire!r}")


def _put_header(attempt: _Attempt, name: str, shape: Shape, text: str) -> None:
    if isinstance(shape, ListShape):
        for each in text.split(","):
            _put(attempt, name, shape, each.strip())
    else:
        _put(attempt, name, shape, text)


def _read_body(attempt: _Attempt, members: Mapping[str, Shape], body: bytes) -> None:
    shape = attempt.operation.input_shape
    payload = shape.serialization.get("payload") if shape is not None else None
    if not members:
        if body:
            attempt.problems.append("a body was sent and the model has none")
        return
    if payload is None:
        if body or any(name in shape.required_members for name in members):
            attempt.params |= _read_xml(attempt, shape, shape.name, body)
    elif members[payload].type_name in {"blob", "string"}:
        attempt.params[payload] = body
    elif body:
        member = members[payload]
        attempt.params[payload] = _read_xml(attempt, member, member.name, body)


def _read_xml(attempt: _Attempt, shape: Shape, default: str, body: bytes) -> dict[str, Any]:
    try:
        root = ET.fromstring(body)
    except ET.ParseError as error:
        attempt.problems.append(f"the body is not XML: {error}")
        return {}
    space = shape.serialization.get("xmlNamespace", {}).get("uri")
    wanted = _tag(space, shape.serialization.get("name", default))
    if root.tag != wanted:
        attempt.problems.append(f"the root element is {root.tag}, not {wanted}")
        return {}
    return _XmlReader(space, attempt.problems).read(root, shape, root.tag.rpartition("}")[2])


def _tag(space: str | None, name: str) -> str:
    return f"{{{space}}}{name}" if space else name


class _XmlReader:
    def __init__(self, space: str | None, problems: list[str]) -> None:
        self._space = space
        self._problems = problems

    def read(self, element: ET.Element, shape: Shape, place: str) -> Any:
        if shape.type_name == "structure":
            return self._structure(element, shape, place)
        if isinstance(shape, ListShape):
            wanted = _tag(self._space, shape.member.serialization.get("name", "member"))
            strangers = [child.tag for child in element if child.tag != wanted]
            self._problems += [f"unknown element {tag} in {place}" for tag in strangers]
            items = enumerate(child for child in element if child.tag == wanted)
            return [self.read(each, shape.member, f"{place}[{n}]") for n, each in items]
        self._problems += [f"unknown element {child.tag} in {place}" for child in element]
        return _scalar(element.text or "", shape, place, self._problems)

    def _structure(self, element: ET.Element, shape: Shape, place: str) -> dict[str, Any]:
        names = {
            _tag(self._space, each.serialization.get("name", name)): name
            for name, each in shape.members.items()
        }
        result = self._attributes(element, shape, place)
        for child in element:
            name = names.get(child.tag)
            if name is None:
                self._problems.append(f"unknown element {child.tag} in {place}")
                continue
            member, here = shape.members[name], f"{place}.{name}"
            if isinstance(member, ListShape) and member.serialization.get("flattened"):
                result.setdefault(name, []).append(self.read(child, member.member, here))
            elif name in result:
                self._problems.append(f"{here} is given twice")
            else:
                result[name] = self.read(child, member, here)
        return result

    def _attributes(self, element: ET.Element, shape: Shape, place: str) -> dict[str, Any]:
        names = {
            each.serialization.get("name", name).replace("xsi:", _XSI): name
            for name, each in shape.members.items()
            if each.serialization.get("xmlAttribute")
        }
        strangers = [key for key in element.attrib if key not in names]
        self._problems += [f"unknown attribute {key} in {place}" for key in strangers]
        return {names[key]: text for key, text in element.attrib.items() if key in names}


def _check_digest(attempt: _Attempt, headers: Mapping[str, str]) -> None:
    checksum = attempt.operation.http_checksum or {}
    required = attempt.operation.http_checksum_required or checksum.get("requestChecksumRequired")
    given = any(name == "content-md5" or name.startswith("x-amz-checksum-") for name in headers)
    if required and not given:
        attempt.problems.append("a checksum is required: Content-MD5 or x-amz-checksum-…")
