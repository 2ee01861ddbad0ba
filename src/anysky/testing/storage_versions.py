"""Cases of storage: older versions of objects."""

from __future__ import annotations

from typing import Any

from anysky.errors import ObjectDoesNotExistError

from .case import case
from .storage_common import OBJECTS, content_of, new_container
from .trial import Trial, check, equal

__all__: list[str] = []

_VERSIONS = (
    *OBJECTS,
    "get_versioning",
    "set_versioning",
    "list_object_versions",
    "get_object_version",
)


@case(*_VERSIONS)
async def versioning_is_switched(trial: Trial) -> None:
    """A container keeps no older versions, then it does, then it does no longer."""
    container, driver = await new_container(trial, is_emptied=True), trial.driver

    equal(await trial.do(driver.get_versioning(container)), False, "versioning at first")
    for enabled in (True, False):
        done = await trial.do(driver.set_versioning(container, enabled))
        equal(done, True, "result of switching")
        await trial.until(
            lambda: driver.get_versioning(container),
            enabled.__eq__,
            f"versioning {enabled}",
        )


@case(*_VERSIONS)
async def versions_are_kept(trial: Trial) -> None:
    """What an object was before is listed, got and read."""
    container = await _versioned(trial)
    await _store(trial, container, "other", b"of another")
    await _store(trial, container, "ü +&.txt", b"first")
    await _store(trial, container, "ü +&.txt", b"second!")

    new, old = await _versions(trial, container, "ü +&.txt")
    equal((new.size, new.is_latest, new.is_delete_marker), (7, True, False), "the latest version")
    equal((old.size, old.is_latest, old.is_delete_marker), (5, False, False), "the older version")
    equal(await content_of(trial, new), b"second!", "content of the latest version")
    equal(await content_of(trial, old), b"first", "content of the older version")
    names = [one.name for one in await trial.do(trial.driver.list_object_versions(container))]
    equal(names, ["other", "ü +&.txt", "ü +&.txt"], "names of all versions")

    get = trial.driver.get_object_version
    for version in (new, old):
        got = await trial.do(get(container.name, version.name, version.version_id))
        found = (got.version_id, got.size, got.is_latest)
        equal(found, (version.version_id, version.size, version.is_latest), "id, size, is_latest")
    part = b"".join(await trial.do(trial.driver.download_object_range_as_stream(old, 1, 3)))
    equal(part, b"ir", "a part of the older version")


@case(*_VERSIONS)
async def versions_outlive_their_object(trial: Trial) -> None:
    """A deleted object's versions are there; without its delete marker, so is the object."""
    container = await _versioned(trial)
    obj = await _store(trial, container, "name", b"first")
    await _store(trial, container, "name", b"second!")

    await trial.do(obj.delete())

    await trial.fails(ObjectDoesNotExistError, lambda: container.get_object("name"))
    equal(await trial.do(container.list_objects()), [], "objects after deleting")
    found = await _versions(trial, container, "name")
    markers = [one for one in found if one.is_delete_marker]
    contents = [await content_of(trial, one) for one in found if not one.is_delete_marker]
    equal(contents, [b"second!", b"first"], "contents of the versions")
    latest = [one for one in found if one.is_latest]
    equal(latest, markers[:1], "what the name means now: the delete marker, if there is one")
    for marker in markers:  # not every provider has them
        equal((marker, marker.size), (found[0], 0), "the marker, and its size")
        equal(await trial.do(marker.delete()), True, "result of deleting the marker")
        back = await trial.do(container.get_object("name"))
        equal(await content_of(trial, back), b"second!", "content of the object that is back")


@case(*_VERSIONS)
async def versions_are_deleted(trial: Trial) -> None:
    """One version is deleted for good; the others, and the object, stay."""
    container = await _versioned(trial)
    for content in (b"first", b"second!", b"the third"):
        await _store(trial, container, "name", content)
    _, middle, oldest = await _versions(trial, container, "name")

    equal(await trial.do(middle.delete()), True, "result of deleting a version")

    left = await _versions(trial, container, "name")
    equal([one.size for one in left], [9, 5], "sizes of the versions that are left")
    await trial.fails(
        ObjectDoesNotExistError,
        lambda: trial.driver.get_object_version(container.name, "name", middle.version_id),
    )
    await trial.fails(ObjectDoesNotExistError, middle.as_stream)
    equal(await content_of(trial, oldest), b"first", "content of the oldest version")
    obj = await trial.do(container.get_object("name"))
    equal(await content_of(trial, obj), b"the third", "content of the object")


@case(*_VERSIONS, "copy_object")
async def versions_are_restored(trial: Trial) -> None:
    """A copy of an older version over the object makes it what it was."""
    container = await _versioned(trial)
    await _store(trial, container, "name", b"first")
    await _store(trial, container, "name", b"second!")
    _, old = await _versions(trial, container, "name")

    restored = await trial.do(trial.driver.copy_object(old, container, "name"))

    equal(await content_of(trial, restored), b"first", "content of the object")
    equal(len(await _versions(trial, container, "name")), 3, "number of versions")


async def _versioned(trial: Trial) -> Any:
    """Make a container that keeps versions."""
    container = await new_container(trial, is_emptied=True)
    await trial.do(trial.driver.set_versioning(container, True))
    await trial.until(
        lambda: trial.driver.get_versioning(container), bool, "versioning of the container"
    )
    return container


async def _store(trial: Trial, container: Any, name: str, content: bytes) -> Any:
    return await trial.do(container.upload_object_via_stream(content, name))


async def _versions(trial: Trial, container: Any, prefix: str) -> list[Any]:
    found = await trial.do(trial.driver.list_object_versions(container, prefix))
    lazy = await trial.do(trial.driver.iterate_object_versions(container, prefix))
    check(lazy == found, "the lazy twin should yield the same versions")
    return list(found)
