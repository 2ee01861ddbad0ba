"""gcp-storage-emulator with what it lacks: `python gcs_emulator.py PORT`.

It gets any name of an object, ends of ranges, ends of uploads, moves, and copies and changes that
do with metadata what Google does. It still has no versions, conditions, pages and credentials.
"""

import hashlib
import logging
import re
import sys
from http import HTTPStatus

from gcp_storage_emulator import server
from gcp_storage_emulator.exceptions import NotFound
from gcp_storage_emulator.handlers import objects
from gcp_storage_emulator.storage import Storage

_OBJECT = r"^/storage/v1/b/(?P<bucket_name>[-.\w]+)/o/(?P<object_id>[^/]+)"
_RANGE = re.compile(r"bytes=(\d+)-")
_download, _rewrite, _patch = objects.download, objects.rewrite, objects._patch_object


class Cancelled:
    """The status by which Google says that an upload is over."""

    value, phrase = 499, "Client Closed Request"


def path_of(storage, bucket_name, file_name):
    """A path for any name: no dots, slashes or anything else that means something."""
    return f"{bucket_name}/{hashlib.sha256(file_name.encode()).hexdigest()}"


def download(request, response, storage):
    start = _RANGE.match(request.get_header("range", ""))
    names = request.params["bucket_name"], request.params["object_id"]
    try:
        size = len(storage.get_file(*names, False))
    except NotFound:
        size = sys.maxsize
    if start and int(start[1]) >= size:
        response.status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
    else:
        _download(request, response, storage)


def rewrite(request, response, storage):
    _rewrite(request, response, storage)
    if request.data and response.status == HTTPStatus.OK:
        names = request.params["dest_bucket_name"], request.params["dest_object_id"]
        made = storage.get_file_obj(*names) | request.data
        storage.patch_object(*names, made)
        response.json({"done": True, "resource": made})


def move(request, response, storage):
    request.params["dest_bucket_name"] = request.params["bucket_name"]
    _rewrite(request, response, storage)
    if response.status == HTTPStatus.OK:
        objects.delete(request, response, storage)
        names = request.params["bucket_name"], request.params["dest_object_id"]
        response.json(storage.get_file_obj(*names))


def patch_object(obj, metadata):
    if metadata and "metadata" in metadata:
        merged = {**(obj.get("metadata") or {}), **metadata["metadata"]}
        kept = {key: text for key, text in merged.items() if text is not None}
        metadata = {**metadata, "metadata": kept}
    return _patch(obj, metadata)


def cancel(request, response, storage):
    try:
        storage.delete_resumable_file_obj(request.query["upload_id"][0])
    except NotFound:
        response.status = HTTPStatus.NOT_FOUND
    else:
        response.status = Cancelled


def handlers():
    """The emulator's own, after those that take their place."""
    yield f"{_OBJECT}/moveTo/o/(?P<dest_object_id>[^/]+)$", {"POST": move}
    for pattern, methods in server.HANDLERS:
        replaced = {objects.download: download, objects.rewrite: rewrite}
        found = {method: replaced.get(handler, handler) for method, handler in methods.items()}
        if objects.upload_partial in methods.values():
            found["DELETE"] = cancel
        yield pattern, found


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    Storage._object_path = path_of
    objects._patch_object = patch_object
    server.HANDLERS = tuple(handlers())
    server.create_server("127.0.0.1", int(sys.argv[1]), in_memory=True).run()
