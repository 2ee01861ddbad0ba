"""Cases of storage: what objects are called, and how they are listed."""

from __future__ import annotations

from typing import Any

from anysky.errors import InvalidRequestError
from anysky.model.storage import Prefix

from .case import case
from .storage_common import OBJECTS, content_of, new_container, new_object
from .trial import Trial, check, equal

__all__: list[str] = []

_NAMES = ("b/two.txt", "a.txt", "b/one.txt", "b/c/deep.txt", "bb.txt", "b/c/e/deeper.txt")


@case(*OBJECTS)
async def prefixes(trial: Trial) -> None:
    """Objects are listed in the order of their names, and by the beginning of them."""
    container = await new_container(trial)
    for name in ("b/two.txt", "a.txt", "b/one.txt", "bb.txt"):
        await new_object(trial, container, name, b"x")

    async def names(**narrowed: str) -> list[str]:
        return [one.name for one in await trial.do(container.list_objects(**narrowed))]

    equal(await names(), ["a.txt", "b/one.txt", "b/two.txt", "bb.txt"], "names")
    equal(await names(prefix="b/"), ["b/one.txt", "b/two.txt"], "names beginning with b/")
    equal(await names(ex_prefix="bb"), ["bb.txt"], "names beginning with bb")
    equal(await names(prefix="none"), [], "names beginning with none")


@case(*OBJECTS)
async def odd_names(trial: Trial) -> None:
    """Names of any characters come back as they are, and mean different objects."""
    container = await new_container(trial)
    names = trial.setup.odd_names
    for name in names:
        await new_object(trial, container, name, name.encode())

    listed = await trial.do(container.list_objects())
    equal(sorted(one.name for one in listed), sorted(names), "names of the objects")
    for name in names:
        obj = await trial.do(container.get_object(name))
        equal((obj.name, obj.size), (name, len(name.encode())), "name and size of the object")
        equal(await content_of(trial, obj), name.encode(), f"content of {name!r}")
        found = [one.name for one in await trial.do(container.list_objects(prefix=name))]
        check(name in found, f"{name!r} should be among the names that begin so, not only {found}")
        await trial.drop(obj)
    equal(await trial.do(container.list_objects()), [], "objects after deleting")


@case(*OBJECTS)
async def longest_names(trial: Trial) -> None:
    """Names as long as the provider takes them come back; a longer one is refused."""
    longest = trial.setup.longest_name
    if longest is None:
        return
    container = await new_container(trial)
    names = ["n" * longest, "ü" * (longest // 2)]
    for name in names:
        obj = await new_object(trial, container, name, b"x")
        equal(await content_of(trial, obj), b"x", f"content of a name of {longest} bytes")

    listed = await trial.do(container.list_objects())
    equal([one.name for one in listed], names, "names of the objects")
    too_long = "n" * (longest + 1)
    await trial.fails(
        InvalidRequestError, lambda: container.upload_object_via_stream(b"x", too_long)
    )


@case(*OBJECTS, "list_directory")
async def directories(trial: Trial) -> None:
    """Objects are listed one level deep, those below summed up by what they have in common."""
    container = await new_container(trial)
    equal(await trial.do(container.list_directory()), [], "a container without objects")
    for name in _NAMES:
        await new_object(trial, container, name, b"x")

    equal(await _entries(trial, container), ["a.txt", "b//", "bb.txt"], "the first level")
    below = ["b/c//", "b/one.txt", "b/two.txt"]
    equal(await _entries(trial, container, "b/"), below, "below b/")
    equal(await _entries(trial, container, "b"), ["b//", "bb.txt"], "what begins with b")
    equal(await _entries(trial, container, "b/c/"), ["b/c/deep.txt", "b/c/e//"], "below b/c/")
    equal(await _entries(trial, container, "none/"), [], "below none/")


@case(*OBJECTS, "list_directory")
async def directories_are_bound(trial: Trial) -> None:
    """A prefix knows its driver and container, and lists what is below it."""
    container = await new_container(trial)
    for name in _NAMES:
        await new_object(trial, container, name, b"x")

    listed = await trial.do(container.list_directory())
    folder: Any = next(one for one in listed if isinstance(one, Prefix))
    equal((folder.name, folder.container.name), ("b/", container.name), "name and container")
    below = await trial.do(folder.list_directory())
    equal([one.name for one in below], ["b/c/", "b/one.txt", "b/two.txt"], "below the prefix")
    objects = [one.name for one in await trial.do(folder.list_objects())]
    equal(objects, sorted(name for name in _NAMES if name.startswith("b/")), "objects below it")
    lazy = await trial.do(container.iterate_directory())
    equal(lazy, listed, "what the lazy twin yields")


@case(*OBJECTS, "list_directory")
async def delimiters(trial: Trial) -> None:
    """Names are parted by other delimiters as well."""
    container = await new_container(trial)
    for delimiter in trial.setup.delimiters:
        made = [
            await new_object(trial, container, name, b"x")
            for name in (f"a{delimiter}one", f"a{delimiter}two", "b/three", "c")
        ]

        found = await _entries(trial, container, None, delimiter)
        expected = [f"a{delimiter}/", "b/three", "c"]
        equal(found, expected, f"the first level, parted by {delimiter!r}")
        for obj in made:
            await trial.drop(obj)


@case(*OBJECTS, "list_directory")
async def odd_directories(trial: Trial) -> None:
    """Empty parts of names, and objects named like directories, are listed as they are."""
    container = await new_container(trial)
    odd = ("a//x", "a/b", "ü &+%2F/x", "d/")
    names = [name for name in odd if name in trial.setup.odd_names or _is_as_odd(trial, name)]
    for name in names:
        await new_object(trial, container, name, b"x")

    tops = sorted({name[: name.find("/") + 1] for name in names})
    equal(await _entries(trial, container), [f"{top}/" for top in tops], "the first level")
    for top in tops:
        below = [name for name in names if name.startswith(top)]
        found = await _entries(trial, container, top)
        expected = sorted(_below(name, top) for name in below)
        equal(found, expected, f"below {top!r}")


def _is_as_odd(trial: Trial, name: str) -> bool:
    """Whether the provider takes names with the same oddness."""
    known = trial.setup.odd_names
    if "//" in name:
        return any("//" in one for one in known)
    if name.endswith("/"):
        return any(one.endswith("/") for one in known)
    return True


def _below(name: str, prefix: str) -> str:
    end = name.find("/", len(prefix))
    return name if end < 0 else f"{name[: end + 1]}/"


async def _entries(trial: Trial, container: Any, *arguments: Any) -> list[str]:
    """Return the names of what is listed, each prefix with a further slash."""
    entries = await trial.do(container.list_directory(*arguments))
    return [f"{one.name}/" if isinstance(one, Prefix) else one.name for one in entries]
