"""Cases of storage: objects are copied, moved, changed, tagged and deleted by the dozen."""

from __future__ import annotations

from typing import Any

from anysky.errors import InvalidRequestError, ObjectDoesNotExistError

from .case import case
from .storage_common import OBJECTS, content_of, new_container, new_object
from .trial import Trial, check, equal

__all__: list[str] = []

_GIVEN = {"meta_data": {"owner": "anysky", "colour": "sky blue"}, "content_type": "text/csv"}
_OTHER = {"content_type": "text/plain", "meta_data": {"owner": "nobody"}}


@case(*OBJECTS, "copy_object")
async def objects_are_copied(trial: Trial) -> None:
    """An object is copied to another name and container by the provider."""
    container, other = await new_container(trial), await new_container(trial)
    source = await new_object(trial, container, "umlaut ü/source.txt", b"the same", _GIVEN)

    copied = await trial.keep(trial.driver.copy_object(source, other, "copy of ü.txt"))

    equal((copied.name, copied.container.name), ("copy of ü.txt", other.name), "name, container")
    equal(await content_of(trial, copied), b"the same", "content of the copy")
    equal(await content_of(trial, source), b"the same", "content of the source")
    await _check_facts(trial, copied, _GIVEN)


@case(*OBJECTS, "copy_object")
async def copies_are_changed(trial: Trial) -> None:
    """A copy has another type and other metadata if it is told so, and takes another's place."""
    container = await new_container(trial)
    source = await new_object(trial, container, "source.csv", b"a,b\n", _GIVEN)
    await new_object(trial, container, "copy.txt", b"what was there")

    copied = await trial.do(source.copy(container, "copy.txt", **_OTHER))

    equal(await content_of(trial, copied), b"a,b\n", "content of the copy")
    await _check_facts(trial, copied, _OTHER)
    await _check_facts(trial, source, _GIVEN)
    bare = await trial.keep(source.copy(container, "bare.csv", meta_data={}))
    await _check_facts(trial, bare, {**_GIVEN, "meta_data": {}})


@case(*OBJECTS, "copy_object")
async def odd_names_are_copied(trial: Trial) -> None:
    """Copies come from and go to names of any characters."""
    container = await new_container(trial)
    names = trial.setup.odd_names
    first = await new_object(trial, container, "first", b"content")

    for name in names:
        there = await trial.do(first.copy(container, name))
        back = await trial.keep(there.copy(container, "back"))
        equal(await content_of(trial, back), b"content", f"content by way of {name!r}")
        await trial.drop(there)
        await trial.drop(back)


@case(*OBJECTS, "copy_object")
async def copies_of_nothing(trial: Trial) -> None:
    """What is not there cannot be copied, and leaves what is."""
    container = await new_container(trial)
    kept = await new_object(trial, container, "kept", b"kept")
    missing = trial.module.Object("missing", 1, None, {}, {}, container, trial.driver)

    await trial.fails(ObjectDoesNotExistError, lambda: missing.copy(container, "kept"))

    equal(await content_of(trial, kept), b"kept", "content of the object")


@case(*OBJECTS, "copy_object")
async def objects_are_moved(trial: Trial) -> None:
    """An object gets another name, then another container, and is there once."""
    container, other = await new_container(trial), await new_container(trial)
    source = await trial.do(
        container.upload_object_via_stream(b"the same", "ü/old +%.txt", extra=_GIVEN)
    )

    renamed = await trial.do(source.move(container, "new & odd.txt"))
    listed = [one.name for one in await trial.do(container.list_objects())]
    equal(listed, ["new & odd.txt"], "names after a move")
    moved = await trial.keep(renamed.move(other, "elsewhere.txt"))

    equal(await trial.do(container.list_objects()), [], "objects where it was")
    equal((moved.name, moved.container.name), ("elsewhere.txt", other.name), "name, container")
    equal(await content_of(trial, moved), b"the same", "content of the object")
    await _check_facts(trial, moved, _GIVEN)


@case(*OBJECTS, "copy_object")
async def moves_that_cannot_be(trial: Trial) -> None:
    """A move onto itself is refused before anything is sent; one of nothing leaves what is."""
    container = await new_container(trial)
    kept = await new_object(trial, container, "kept", b"kept")
    missing = trial.module.Object("missing", 1, None, {}, {}, container, trial.driver)

    await trial.silent(InvalidRequestError, lambda: kept.move(container, "kept"), "a move")
    await trial.fails(ObjectDoesNotExistError, lambda: missing.move(container, "kept"))

    equal(await content_of(trial, kept), b"kept", "content of the object")


@case(*OBJECTS, "update_object")
async def objects_are_updated(trial: Trial) -> None:
    """Type and metadata of an object are changed, one without the other; its content stays."""
    container = await new_container(trial)
    obj = await new_object(trial, container, "ü table.csv", b"a,b\n", _GIVEN)

    updated = await trial.do(obj.update(content_type="text/plain"))
    equal((updated.name, updated.size), (obj.name, obj.size), "name and size of the object")
    await _check_facts(trial, obj, {**_GIVEN, "content_type": "text/plain"})
    await trial.do(obj.update(meta_data={"owner": "nobody"}))
    await _check_facts(trial, obj, _OTHER)
    await trial.do(obj.update(meta_data={}))
    await _check_facts(trial, obj, {**_OTHER, "meta_data": {}})
    equal(await content_of(trial, obj), b"a,b\n", "content of the object")

    missing = trial.module.Object("missing", 1, None, {}, {}, container, trial.driver)
    await trial.fails(ObjectDoesNotExistError, lambda: missing.update(content_type="text/plain"))


@case(*OBJECTS)
async def storage_classes(trial: Trial) -> None:
    """An object is stored in a storage class; a copy and an object are put into it."""
    wanted, driver = trial.setup.storage_class, trial.driver
    if wanted is None:
        return
    container = await new_container(trial)

    await new_object(trial, container, "stored", b"cold", storage_class=wanted)
    plain = await new_object(trial, container, "plain", b"cold")
    names = ["stored"]
    if driver.supports("copy_object"):
        await trial.keep(plain.copy(container, "copied", storage_class=wanted))
        names.append("copied")
    if driver.supports("update_object"):
        await trial.do(plain.update(storage_class=wanted))
        names.append("plain")

    for name in names:
        obj = await trial.do(container.get_object(name))
        equal(obj.extra.get("storage_class"), wanted, f"storage class of the object {name}")


@case(*OBJECTS, "get_object_tags", "set_object_tags")
async def tags(trial: Trial) -> None:
    """Tags are given with an object, read, replaced and taken away."""
    container = await new_container(trial)
    given = {"team": "sky", "cost centre": "a+b=c/1"}
    obj = await new_object(trial, container, "ü tagged", b"x", tags=given)
    bare = await new_object(trial, container, "bare", b"x")

    equal(await trial.do(obj.get_tags()), given, "tags of the object")
    equal(await trial.do(bare.get_tags()), {}, "tags of an object without")
    equal(await trial.do(obj.set_tags({"team": "sea"})), True, "result of tagging")
    equal(await trial.do(obj.get_tags()), {"team": "sea"}, "tags after replacing them")
    await trial.do(obj.set_tags({}))
    equal(await trial.do(obj.get_tags()), {}, "tags after taking them away")
    equal(await content_of(trial, obj), b"x", "content of the object")


@case(*OBJECTS)
async def objects_are_deleted_together(trial: Trial) -> None:
    """Several objects are deleted, some of which are not there; the others stay."""
    container = await new_container(trial, is_emptied=True)
    names = ("kept", *(f"{number}.txt" for number in range(5)), *trial.setup.odd_names)
    made = [await trial.do(container.upload_object_via_stream(b"x", name)) for name in names]
    missing = [
        trial.module.Object(name, 1, None, {}, {}, container, trial.driver)
        for name in ("missing", "missing & ü")
    ]

    objects = [missing[0], *made[1:], missing[1]]
    outcomes = await trial.do(trial.driver.delete_objects(objects, limit=1))

    _check_outcomes(outcomes, made[1:], missing)
    kept = await trial.do(container.list_objects())
    equal([one.name for one in kept], ["kept"], "names of what stays")
    nothing: list[Any] = []
    none = await trial.do(trial.driver.delete_objects(nothing))
    tried = [*none.done, *none.failed, *none.not_tried]
    equal(tried, nothing, "outcomes for no objects")
    await trial.do(kept[0].delete())


def _check_outcomes(outcomes: Any, there: list[Any], missing: list[Any]) -> None:
    """Check what became of objects; not every provider tells that one was not there."""
    done = [one.name for one in outcomes.done]
    told = {failure.item.name: failure.error for failure in outcomes.failed}
    for name, error in told.items():
        check(isinstance(error, ObjectDoesNotExistError), f"{name!r} failed with {error!r}")
    equal(sorted([*done, *told]), sorted(one.name for one in [*there, *missing]), "what was tried")
    gone = {one.name for one in missing}
    check(set(told) <= gone, f"only {sorted(gone)} should fail, not {sorted(told)}")
    equal(outcomes.not_tried, [], "what was not tried")


async def _check_facts(trial: Trial, obj: Any, expected: Any) -> None:
    """Check type and metadata of an object as the provider has them."""
    got = await trial.do(obj.container.get_object(obj.name))
    facts = {"meta_data": dict(got.meta_data)}
    facts["content_type"] = got.extra.get("content_type", expected["content_type"])
    equal(facts, dict(expected), f"type and metadata of {obj.name!r}")
