"""Cases of storage."""

from __future__ import annotations

import hashlib
import io
import tempfile
from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path
from typing import Any

from anysky.errors import (
    ContainerAlreadyExistsError,
    ContainerDoesNotExistError,
    ContainerIsNotEmptyError,
    InvalidRequestError,
    ObjectDoesNotExistError,
)

from .case import case
from .storage_common import (
    CONTAINERS,
    OBJECTS,
    bytes_of,
    content_of,
    new_container,
    new_object,
)
from .trial import Trial, check, equal, only

__all__: list[str] = []

_LARGER = 200_003
_RANGES = (
    (0, 1),
    (0, 999),
    (0, 1000),
    (0, 5000),
    (1, None),
    (10, 20),
    (10, 10),
    (500, None),
    (990, 5000),
    (999, 1000),
    (999, None),
)
_NO_RANGES = ((1000, None), (1000, 1001), (2000, 3000), (20, 10), (-1, 5))


@case(*CONTAINERS)
async def container_life(trial: Trial) -> None:
    """A container is made, got, listed, and deleted."""
    container = await new_container(trial)

    got = await trial.do(trial.driver.get_container(container.name))
    equal(got.name, container.name, "name of the container")
    equal(await trial.do(got.list_objects()), [], "objects of a new container")
    names = [one.name for one in await trial.do(trial.driver.list_containers())]
    equal(names.count(container.name), 1, "containers of this name")

    await trial.drop(container)
    await trial.gone(lambda: trial.driver.get_container(container.name), "the container")


@case(*CONTAINERS)
async def container_errors(trial: Trial) -> None:
    """A name that is taken, and one that is not there, have errors of their own."""
    container = await new_container(trial)
    driver = trial.driver

    await trial.fails(ContainerAlreadyExistsError, lambda: driver.create_container(container.name))
    missing = trial.name("missing")
    await trial.fails(ContainerDoesNotExistError, lambda: driver.get_container(missing))
    other = trial.module.Container(missing, {}, driver)
    await trial.fails(ContainerDoesNotExistError, lambda: driver.list_container_objects(other))
    await trial.fails(ContainerDoesNotExistError, lambda: driver.delete_container(other))


@case(*OBJECTS)
async def container_with_objects_stays(trial: Trial) -> None:
    """A container that holds objects is not deleted."""
    container = await new_container(trial)
    obj = await new_object(trial, container, "kept.txt", b"kept")

    await trial.fails(ContainerIsNotEmptyError, container.delete)

    equal(await content_of(trial, obj), b"kept", "content of the object")


@case(*OBJECTS)
async def object_life(trial: Trial) -> None:
    """An object is stored, got, listed, and deleted."""
    container = await new_container(trial)
    content = b"Hello, sky!"
    obj = await new_object(trial, container, "folder/hello.txt", content)

    got = await trial.do(trial.driver.get_object(container.name, obj.name))
    listed = only(await trial.do(container.list_objects()), "objects")
    for one in (obj, got, listed):
        facts = (one.name, one.size, one.container.name)
        equal(facts, ("folder/hello.txt", len(content), container.name), "name, size, container")
    equal(got.extra.get("content_type", "text/plain"), "text/plain", "type guessed from the name")
    check(got.container.driver is trial.driver, "the object's container should be bound")

    await trial.drop(obj)
    gone = trial.driver.get_object
    await trial.fails(ObjectDoesNotExistError, lambda: gone(container.name, obj.name))
    equal(await trial.do(container.list_objects()), [], "objects after deleting")


@case(*OBJECTS)
async def object_errors(trial: Trial) -> None:
    """An object that is not there has an error of its own, in every way to read it."""
    container = await new_container(trial)
    driver = trial.driver
    missing = trial.module.Object("missing", 1, None, {}, {}, container, driver)

    await trial.fails(ObjectDoesNotExistError, lambda: container.get_object("missing"))
    await trial.fails(ObjectDoesNotExistError, missing.as_stream)
    await trial.fails(ObjectDoesNotExistError, lambda: missing.range_as_stream(0, 1))
    with tempfile.TemporaryDirectory() as folder:
        await trial.fails(ObjectDoesNotExistError, lambda: missing.download(folder))
        equal(list(Path(folder).iterdir()), [], "files after a failed download")
    try:
        equal(await trial.do(missing.delete()), True, "result of deleting what is not there")
    except ObjectDoesNotExistError as error:  # not every provider tells
        trial.shown.append(str(error))


@case(*OBJECTS)
async def sizes_of_objects(trial: Trial) -> None:
    """Objects of 0 bytes, of 1 and of many come back as they were sent."""
    container = await new_container(trial)
    for size in (0, 1, _LARGER):
        content = bytes_of(size)
        obj = await new_object(trial, container, f"{size}.bin", content)
        equal(obj.size, size, "size of the object")
        equal(await content_of(trial, obj), content, f"content of an object of {size} bytes")
        if trial.driver.hash_type == "md5" and obj.hash is not None:
            digest = hashlib.md5(content, usedforsecurity=False).hexdigest()
            equal(obj.hash, digest, "hash of the object")


@case(*OBJECTS)
async def streams_are_stored(trial: Trial) -> None:
    """Bytes, files, iterators and, on asyncio, async iterators can be stored."""
    container = await new_container(trial)
    content = bytes_of(_LARGER)
    sources: dict[str, Any] = {
        "bytes": content,
        "file": io.BytesIO(content),
        "iterator": _pieces(content),
        "async iterator": _later(content) if trial.api == "asyncio" else _pieces(content),
    }

    for name, source in sources.items():
        obj = await trial.keep(container.upload_object_via_stream(source, name))
        equal(obj.size, len(content), f"size of the object stored from {name}")
        equal(await content_of(trial, obj), content, f"content of the object stored from {name}")


@case(*OBJECTS)
async def files_go_up_and_down(trial: Trial) -> None:
    """A file is stored and saved again; a file that is there is kept unless it may be replaced."""
    container = await new_container(trial)
    content = bytes_of(_LARGER)
    with tempfile.TemporaryDirectory() as folder:
        source, target = Path(folder, "source.txt"), Path(folder, "target.txt")
        source.write_bytes(content)
        obj = await trial.keep(container.upload_object(source, "stored.txt"))
        equal((obj.name, obj.size), ("stored.txt", len(content)), "name and size of the object")

        target.write_bytes(b"precious")
        await trial.silent(InvalidRequestError, lambda: obj.download(target), "download")
        equal(target.read_bytes(), b"precious", "the file that was there")
        done = await trial.do(obj.download(target, overwrite_existing=True))
        equal((done, target.read_bytes()), (True, content), "result and content")
        equal(await trial.do(obj.download(folder)), True, "result of saving into a folder")
        names = sorted(path.name for path in Path(folder).iterdir())
        equal(names, ["source.txt", "stored.txt", "target.txt"], "files in the folder")


@case(*OBJECTS)
async def ranges(trial: Trial) -> None:
    """Parts of an object are read from the first byte up to but without the last."""
    container = await new_container(trial)
    content = bytes_of(1000)
    obj = await new_object(trial, container, "whole.bin", content)

    for start, end in _RANGES:
        pieces = await trial.do(obj.range_as_stream(start, end))
        equal(b"".join(pieces), content[start:end], f"bytes from {start} to {end}")
    for start, end in _NO_RANGES:
        beyond = partial(obj.range_as_stream, start, end)
        await trial.fails(InvalidRequestError, beyond)
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder, "part.bin")
        equal(await trial.do(obj.download_range(target, 100, 200)), True, "result of saving")
        equal(target.read_bytes(), content[100:200], "content of the file")


@case(*OBJECTS)
async def objects_are_read_in_pieces(trial: Trial) -> None:
    """No piece of a stream is larger than asked for; a stream may be left before its end."""
    container = await new_container(trial)
    content = bytes_of(_LARGER)
    obj = await new_object(trial, container, "large.bin", content)

    pieces = await trial.do(obj.as_stream(chunk_size=1000))
    check(max(map(len, pieces)) <= 1000, "pieces should have 1000 bytes at the most")  # noqa: PLR2004
    equal(b"".join(pieces), content, "content of the object")
    first = await trial.first(obj.as_stream(chunk_size=1000))
    equal(first, content[: len(first)], "first piece of the object")
    equal(await content_of(trial, obj), content, "content, after a stream was left")


@case(*OBJECTS)
async def objects_are_replaced(trial: Trial) -> None:
    """An object stored under the name of another takes its place."""
    container = await new_container(trial)
    await new_object(trial, container, "name.txt", b"first", {"meta_data": {"version": "one"}})
    second = await trial.do(container.upload_object_via_stream(b"second!", "name.txt"))

    equal(await content_of(trial, second), b"second!", "content of the object")
    listed = only(await trial.do(container.list_objects()), "objects")
    equal(listed.size, len(b"second!"), "size of the object")
    got = await trial.do(container.get_object("name.txt"))
    equal(dict(got.meta_data), {}, "metadata of the object")


@case(*OBJECTS)
async def metadata(trial: Trial) -> None:
    """Metadata and type of an object come back as they were given."""
    container = await new_container(trial)
    given = {"meta_data": {"owner": "anysky", "colour": "sky blue"}, "content_type": "text/csv"}
    await new_object(trial, container, "table.bin", b"a,b\n", given)

    got = await trial.do(container.get_object("table.bin"))
    equal(dict(got.meta_data), given["meta_data"], "metadata of the object")
    equal(got.extra.get("content_type", "text/csv"), "text/csv", "type of the object")
    wrong = {"meta-data": {"a": "b"}}
    await trial.silent(
        InvalidRequestError,
        lambda: container.upload_object_via_stream(b"", "wrong", extra=wrong),
        "an upload with an unknown key in extra",
    )


def _pieces(content: bytes) -> Iterator[bytes]:
    for start in range(0, len(content), 7919):
        yield content[start : start + 7919]


async def _later(content: bytes) -> AsyncIterator[bytes]:
    for piece in _pieces(content):
        yield piece
