"""An imitation of Google Cloud Storage, for what gcp-storage-emulator lacks.

It has pages, generations and versions, conditions, moves, sessions of resumable uploads that answer
308, tokens, signed URLs, and compares each request with Google's discovery document::

    with GoogleImitation() as google:
        ...                     # talk to google.url with the credentials in google.key_file
"""

import base64
import hashlib
import json
import re
import time
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, unquote

import google_crc32c
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.imitations.base import Answer, Imitation, RefusedError, route
from tests.servers.gcs_discovery import Discovery, document_path
from tests.support.loopback import Received

EMAIL = "tester@anysky-test.iam.gserviceaccount.com"
PROJECT = "anysky-test"
_B, _O = "/storage/v1/b/{bucket}", "/storage/v1/b/{bucket}/o/{object}"
_UNIT = 256 * 1024
_WRITABLE = (
    "cacheControl",
    "contentDisposition",
    "contentEncoding",
    "contentLanguage",
    "contentType",
    "customTime",
    "metadata",
    "storageClass",
)
_NUMBERS = iter(range(1_700_000_000_000_000, 1_800_000_000_000_000, 7))
_KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)


class GoogleImitation(Imitation):
    """Cloud Storage, a token endpoint, and nothing else.

    Args:
        anonymous: Take requests without a token.
        page_size: Entries of a page at the most.
        rewrite_calls: Calls that a copy takes.
    """

    def __init__(
        self, *, anonymous: bool = False, page_size: int = 1000, rewrite_calls: int = 1
    ) -> None:
        self.discovery = Discovery(document_path())
        self.anonymous = anonymous
        self.page_size = page_size
        self.rewrite_calls = rewrite_calls
        super().__init__()

    @property
    def key_file(self) -> str:
        """Credentials of a service account, as JSON."""
        pem = _KEY.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": PROJECT,
                "private_key_id": "0f1e2d",
                "private_key": pem.decode(),
                "client_email": EMAIL,
                "token_uri": f"{self.url}/token",
            }
        )

    def clear(self) -> None:
        super().clear()
        self.buckets: dict[str, dict[str, Any]] = {}
        self.versions: dict[str, list[dict[str, Any]]] = {}
        self.contents: dict[str, bytes] = {}
        self.sessions: dict[str, dict[str, Any]] = {}
        self.policies: dict[str, Any] = {}
        self.tokens: set[str] = set()
        self.public: list[tuple[str, str, str]] = []

    def error_body(self, request: Received, refusal: RefusedError) -> Any:
        reason = {"domain": "global", "reason": refusal.code, "message": refusal.message}
        return {"error": {"code": refusal.status, "message": refusal.message, "errors": [reason]}}

    def authorize(self, request: Received) -> None:
        if self.anonymous or not _is_api(request.path):
            return
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            raise RefusedError(401, "authError", "Invalid Credentials")

    def _check(self, request: Received) -> list[str]:
        is_checked = _is_api(request.path) and not request.path.startswith("/batch/")
        return self.discovery.check(request) if is_checked else []

    def _dispatch(self, request: Received) -> Answer:
        if not _is_api(request.path) and request.path.count("/") > 1:
            return self._signed(request)
        try:
            return super()._dispatch(request)
        except RefusedError as refusal:
            if refusal.status != 304:
                raise
            return Answer(304)

    # -- tokens and signed URLs ------------------------------------------------------------------

    @route("POST", "/token")
    def give_token(self, request: Received) -> Any:
        form = parse_qs(request.body.decode())
        head, claims, signature = form["assertion"][0].split(".")
        _verify(_decoded(signature), f"{head}.{claims}".encode())
        told = json.loads(_decoded(claims))
        if told["iss"] != EMAIL or told["aud"] != f"{self.url}/token":
            raise RefusedError(400, "invalid_grant", "wrong claims")
        if abs(told["iat"] - time.time()) > 300:
            return Answer(400, {"error": "invalid_grant", "error_description": "check iat"})
        token = f"ya29.canary-{len(self.tokens)}-{next(_NUMBERS)}"
        self.tokens.add(token)
        return {"access_token": token, "expires_in": 3600, "token_type": "Bearer"}

    def _signed(self, request: Received) -> Answer:
        query, _, signature = request.target.partition("?")[2].rpartition("&X-Goog-Signature=")
        given = dict(request.query)
        if not query:
            raise RefusedError(403, "forbidden", "Access denied.")
        host = f"host:{request.headers['host']}"
        lines = (request.method, request.path, query, host, "", "host", "UNSIGNED-PAYLOAD")
        digest = hashlib.sha256("\n".join(lines).encode()).hexdigest()
        scope = given["X-Goog-Credential"].removeprefix(f"{EMAIL}/")
        text = "\n".join(("GOOG4-RSA-SHA256", given["X-Goog-Date"], scope, digest))
        _verify(bytes.fromhex(signature), text.encode())
        bucket, name = map(unquote, request.path[1:].split("/", 1))
        if request.method == "PUT":
            self._store(bucket, {"name": name}, request.body, {})
            return Answer(200)
        return Answer(200, self.contents[self._live(bucket, name)["generation"]])

    # -- buckets ---------------------------------------------------------------------------------

    @route("GET", "/storage/v1/b")
    def list_buckets(self, request: Received) -> Any:
        if request.arg("project") != PROJECT:
            raise RefusedError(400, "required", "Required parameter: project")
        return self._page(request, "items", [self.buckets[name] for name in sorted(self.buckets)])

    @route("POST", "/storage/v1/b")
    def create_bucket(self, request: Received) -> Any:
        name = request.json["name"]
        if name in self.buckets:
            raise RefusedError(409, "conflict", "You already own this bucket.")
        now = _now()
        self.buckets[name] = {
            "name": name,
            "location": request.json.get("location", "US").upper(),
            "storageClass": "STANDARD",
            "timeCreated": now,
            "updated": now,
            "metageneration": "1",
        }
        self.versions[name] = []
        return self.buckets[name]

    @route("GET", _B)
    def get_bucket(self, request: Received, bucket: str) -> Any:
        return self._bucket(bucket)

    @route("PATCH", _B)
    def patch_bucket(self, request: Received, bucket: str) -> Any:
        self._bucket(bucket).update(request.json)
        return self.buckets[bucket]

    @route("DELETE", _B)
    def delete_bucket(self, request: Received, bucket: str) -> None:
        self._bucket(bucket)
        if self.versions[bucket]:
            raise RefusedError(409, "conflict", "The bucket you tried to delete is not empty.")
        del self.buckets[bucket], self.versions[bucket]

    @route("GET", f"{_B}/iam")
    def get_policy(self, request: Received, bucket: str) -> Any:
        return self.policies.get(bucket, {"etag": "CAE=", "version": 1, "bindings": []})

    @route("PUT", f"{_B}/iam")
    def set_policy(self, request: Received, bucket: str) -> Any:
        self.policies[bucket] = request.json
        return request.json

    # -- objects ---------------------------------------------------------------------------------

    @route("GET", f"{_B}/o")
    def list_objects(self, request: Received, bucket: str) -> Any:
        self._bucket(bucket)
        prefix, delimiter = request.arg("prefix", ""), request.arg("delimiter")
        every = request.arg("versions") == "true"
        start = request.arg("startOffset", "").encode()
        entries: dict[tuple[bytes, int], dict[str, Any] | str] = {}
        for item in self.versions[bucket]:
            name = item["name"]
            if not name.startswith(prefix) or not (every or "timeDeleted" not in item):
                continue
            head, found, _ = name[len(prefix) :].partition(delimiter or "\0none")
            entry: Any = prefix + head + delimiter if found else item
            key = (entry if found else name).encode()
            if key >= start:
                entries[key, 0 if found else int(item["generation"])] = entry
        page = self._page(request, "all", [entries[key] for key in sorted(entries)])
        found = page.pop("all")
        page["items"] = [entry for entry in found if isinstance(entry, dict)]
        page["prefixes"] = [entry for entry in found if isinstance(entry, str)]
        return page

    @route("POST", f"/upload{_B}/o")
    def insert(self, request: Received, bucket: str) -> Any:
        self._bucket(bucket)
        if request.arg("uploadType") == "resumable":
            return self._begin(request, bucket)
        boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        _, resource, content, _ = re.split(rb"(?:^|\r\n)--" + boundary, request.body)
        meta = json.loads(resource.partition(b"\r\n\r\n")[2])
        return self._store(bucket, meta, content.partition(b"\r\n\r\n")[2], dict(request.query))

    @route("GET", _O)
    def get_object(self, request: Received, bucket: str, name: str) -> Any:
        return self._wanted(request, bucket, name)

    @route("GET", f"/download{_O}")
    def read_object(self, request: Received, bucket: str, name: str) -> Any:
        item = self._wanted(request, bucket, name)
        content = self.contents[item["generation"]]
        headers = {"X-Goog-Hash": f"crc32c={item['crc32c']},md5={item['md5Hash']}"}
        headers["Content-Type"] = item["contentType"]
        headers["X-Goog-Stored-Content-Encoding"] = item.get("contentEncoding", "identity")
        if "contentEncoding" in item:
            headers["Content-Encoding"] = item["contentEncoding"]
        span = re.fullmatch(r"bytes=(\d+)-(\d*)", request.headers.get("range", ""))
        if span is None:
            return Answer(200, content, headers)
        start, end = int(span[1]), int(span[2] or len(content))
        if start >= len(content):
            raise RefusedError(416, "requestedRangeNotSatisfiable", "Request range not satisfiable")
        part = content[start : end + 1]
        headers["Content-Range"] = f"bytes {start}-{start + len(part) - 1}/{len(content)}"
        return Answer(206, part, headers)

    @route("PATCH", _O)
    def patch_object(self, request: Received, bucket: str, name: str) -> Any:
        item = self._wanted(request, bucket, name)
        body = dict(request.json)
        if "metadata" in body:
            merged = {**item.get("metadata", {}), **body.pop("metadata")}
            item["metadata"] = {key: text for key, text in merged.items() if text is not None}
        item.update(body)
        item["metageneration"] = str(int(item["metageneration"]) + 1)
        return item

    @route("DELETE", _O)
    def delete_object(self, request: Received, bucket: str, name: str) -> None:
        item = self._wanted(request, bucket, name)
        if request.arg("generation"):
            self.versions[bucket].remove(item)
        else:
            self._retire(bucket, item)

    @route("POST", "/batch/storage/v1")
    def batch(self, request: Received) -> Answer:
        boundary = request.headers["content-type"].partition("boundary=")[2].strip('"').encode()
        answers = b""
        for part in request.body.split(b"--" + boundary)[1:-1]:
            line = re.search(rb"DELETE (\S+) HTTP/1.1", part)
            assert line is not None
            answer = self._inner(line[1].decode())
            head = f"HTTP/1.1 {answer.status} Whatever\r\nContent-Type: application/json"
            answers += b"--inner\r\nContent-Type: application/http\r\n\r\n" + head.encode()
            answers += b"\r\n\r\n" + (answer.body or b"") + b"\r\n"
        headers = {"Content-Type": "multipart/mixed; boundary=inner"}
        return Answer(200, answers + b"--inner--", headers)

    def _inner(self, target: str) -> Answer:
        path, _, query = target.partition("?")
        inner = Received("DELETE", target, path, tuple(parse_qsl(query)), {}, b"")
        self.violations += self.discovery.check(inner)
        try:
            return super()._dispatch(inner).encoded()
        except RefusedError as refusal:
            return Answer(refusal.status, self.error_body(inner, refusal)).encoded()

    @route("POST", f"{_O}/rewriteTo/b/{{bucket}}/o/{{object}}")
    def rewrite(self, request: Received, bucket: str, name: str, to: str, new: str) -> Any:
        item = self._wanted(request, bucket, name, "sourceGeneration", "ifSource")
        done = int(request.arg("rewriteToken", "0")) + 1
        if done < self.rewrite_calls:
            return {"done": False, "rewriteToken": str(done)}
        self._bucket(to)
        kept = {key: item[key] for key in _WRITABLE if key in item}
        meta = dict(request.json) or kept
        content = self.contents[item["generation"]]
        made = self._store(to, {**meta, "name": new}, content, dict(request.query))
        return {"done": True, "resource": made}

    @route("POST", f"{_O}/moveTo/o/{{object}}")
    def move(self, request: Received, bucket: str, name: str, new: str) -> Any:
        item = self._wanted(request, bucket, name)
        kept = {key: item[key] for key in _WRITABLE if key in item}
        content = self.contents[item["generation"]]
        made = self._store(bucket, {**kept, "name": new}, content, dict(request.query))
        self._retire(bucket, item)
        return made

    @route("POST", f"{_O}/acl")
    def grant(self, request: Received, bucket: str, name: str) -> Any:
        self._wanted(request, bucket, name)
        self.public.append((bucket, name, request.json["entity"]))
        return request.json

    # -- sessions --------------------------------------------------------------------------------

    def _begin(self, request: Received, bucket: str) -> Answer:
        session = f"AB-{next(_NUMBERS)}"
        query = dict(request.query)
        self.sessions[session] = {
            "bucket": bucket,
            "meta": request.json,
            "query": query,
            "content": b"",
            "made": None,
        }
        name = quote(query["name"], safe="")
        place = f"{self.url}{request.path}?uploadType=resumable&name={name}&upload_id={session}"
        return Answer(200, headers={"Location": place})

    @route("PUT", f"/upload{_B}/o")
    def go_on(self, request: Received, bucket: str) -> Any:
        session = self._session(request)
        span = re.fullmatch(r"bytes (?:(\d+)-(\d+)|\*)/(\d+|\*)", request.headers["content-range"])
        assert span is not None
        if session["made"] is None and span[1]:
            at = int(span[1])
            if at <= len(session["content"]):
                known = session["content"]
                session["content"] = known + request.body[len(known) - at :]
        total = None if span[3] == "*" else int(span[3])
        if session["made"] is None and total == len(session["content"]):
            session["made"] = self._store(
                bucket, session["meta"], session["content"], session["query"]
            )
        if session["made"] is not None:
            return session["made"]
        kept = len(session["content"]) // _UNIT * _UNIT
        session["content"] = session["content"][:kept]
        headers = {"Range": f"bytes=0-{kept - 1}"} if kept else {}
        if request.headers.get("x-guploader-no-308"):
            return Answer(200, headers={**headers, "X-HTTP-Status-Code-Override": "308"})
        return Answer(308, headers=headers)

    @route("DELETE", f"/upload{_B}/o")
    def cancel(self, request: Received, bucket: str) -> Answer:
        if self._session(request)["made"] is not None:
            raise RefusedError(404, "notFound", "Not Found")
        del self.sessions[str(request.arg("upload_id"))]
        return Answer(499)

    def _session(self, request: Received) -> dict[str, Any]:
        found = self.sessions.get(str(request.arg("upload_id")))
        if found is None:
            raise RefusedError(404, "notFound", "Not Found")
        return found

    # -- state -----------------------------------------------------------------------------------

    def _page(self, request: Received, name: str, entries: list[Any]) -> dict[str, Any]:
        size = min(self.page_size, int(request.arg("maxResults", "1000")))
        start = int(request.arg("pageToken", "0"))
        page = {name: entries[start : start + size]}
        return page | ({"nextPageToken": str(start + size)} if entries[start + size :] else {})

    def _bucket(self, name: str) -> dict[str, Any]:
        if name not in self.buckets:
            raise RefusedError(404, "notFound", "The specified bucket does not exist.")
        return self.buckets[name]

    def _live(self, bucket: str, name: str) -> dict[str, Any]:
        self._bucket(bucket)
        for item in self.versions[bucket]:
            if item["name"] == name and "timeDeleted" not in item:
                return item
        raise RefusedError(404, "notFound", f"No such object: {bucket}/{name}")

    def _wanted(
        self,
        request: Received,
        bucket: str,
        name: str,
        version: str = "generation",
        condition: str = "if",
    ) -> dict[str, Any]:
        self._bucket(bucket)
        generation = request.arg(version)
        if generation is None:
            item = self._live(bucket, name)
        else:
            same = (each for each in self.versions[bucket] if each["generation"] == generation)
            item = next((each for each in same if each["name"] == name), None)
            if item is None:
                raise RefusedError(404, "notFound", f"No such object: {bucket}/{name}")
        _check_conditions(dict(request.query), condition, item, reads=request.method == "GET")
        return item

    def _retire(self, bucket: str, item: dict[str, Any]) -> None:
        if self.buckets[bucket].get("versioning", {}).get("enabled"):
            item["timeDeleted"] = _now()
        else:
            self.versions[bucket].remove(item)

    def _store(
        self, bucket: str, meta: dict[str, Any], content: bytes, query: dict[str, str]
    ) -> dict[str, Any]:
        name = query.get("name", meta["name"]) if "uploadType" in query else meta["name"]
        try:
            there = self._live(bucket, name)
        except RefusedError:
            there = None
        _check_conditions(query, "if", there)
        digests = {
            "md5Hash": base64.b64encode(hashlib.md5(content).digest()).decode(),
            "crc32c": base64.b64encode(google_crc32c.Checksum(content).digest()).decode(),
        }
        for field, digest in digests.items():
            if meta.get(field, digest) != digest:
                message = f"Provided {field} doesn't match calculated {field}"
                raise RefusedError(400, "invalid", message)
        now, generation = _now(), str(next(_NUMBERS))
        item = {
            "contentType": "application/octet-stream",
            "storageClass": "STANDARD",
            **{key: value for key, value in meta.items() if key in _WRITABLE},
            **digests,
            "name": name,
            "bucket": bucket,
            "size": str(len(content)),
            "generation": generation,
            "metageneration": "1",
            "timeCreated": now,
            "updated": now,
        }
        if there is not None:
            self._retire(bucket, there)
        self.versions[bucket].append(item)
        self.contents[generation] = content
        return item


def _is_api(path: str) -> bool:
    return bool(re.match(r"/(upload/|download/|batch/)?storage/v1", path))


def _check_conditions(
    query: dict[str, str], prefix: str, item: dict[str, Any] | None, *, reads: bool = False
) -> None:
    for kind in ("Generation", "Metageneration"):
        known = "0" if item is None else item[kind.lower()]
        wanted = query.get(f"{prefix}{kind}Match")
        refused = query.get(f"{prefix}{kind}NotMatch")
        if wanted is not None and wanted != known:
            raise RefusedError(412, "conditionNotMet", "At least one condition did not hold.")
        if refused is not None and refused == known:
            status = 304 if reads else 412
            raise RefusedError(status, "conditionNotMet", "At least one condition did not hold.")


def _now() -> str:
    seconds = time.time()
    whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{whole}.{int(seconds % 1 * 1000):03}Z"


def _decoded(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _verify(signature: bytes, message: bytes) -> None:
    """Raise `RefusedError` unless the service account's key has signed it."""
    from cryptography.exceptions import InvalidSignature

    try:
        _KEY.public_key().verify(signature, message, padding.PKCS1v15(), hashes.SHA256())
    except InvalidSignature:
        raise RefusedError(403, "SignatureDoesNotMatch", "Access denied.") from None
