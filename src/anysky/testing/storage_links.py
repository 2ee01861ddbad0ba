"""Cases of storage: addresses with which anybody may do one thing with one object."""

from __future__ import annotations

import http.client
import ssl
import urllib.parse
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from anysky.errors import InvalidRequestError
from anysky.model.storage import PresignedURL

from .case import case
from .storage_common import OBJECTS, content_of, new_container, new_object
from .trial import Trial, check, equal

__all__: list[str] = []

_NAME = "a folder/ü + & %2F?#.txt"
_SECONDS = 600
_TIMEOUT = 30.0
_OK, _MOVED, _REFUSED, _FAILED = 200, 300, 400, 500


@case(*OBJECTS, "presign")
async def anybody_reads_by_a_link(trial: Trial) -> None:
    """A presigned address gives an object's content to whoever has it."""
    container = await new_container(trial)
    await new_object(trial, container, _NAME, b"for anybody")

    before = datetime.now(UTC)
    link = await trial.do(trial.driver.presign(container, _NAME, expires=_SECONDS))

    equal(link.method, "GET", "method of the address")
    late = abs(link.expires_at - before - timedelta(seconds=_SECONDS))
    check(late < timedelta(minutes=1), f"it should end in {_SECONDS} s, not {late} off that")
    check(link.url not in repr(link), "the address should not show: it is a secret")
    status, content = _fetch(link)
    equal((status, content), (_OK, b"for anybody"), "what the address gives")


@case(*OBJECTS, "presign")
async def anybody_stores_by_a_link(trial: Trial) -> None:
    """A presigned address takes the content of an object from whoever has it."""
    container = await new_container(trial, is_emptied=True)
    link = await trial.do(trial.driver.presign(container, _NAME, "PUT", expires=_SECONDS))

    status, answer = _fetch(link, b"of anybody")

    check(_OK <= status < _MOVED, f"it should be taken, not answered {status}: {answer!r}")
    obj = await trial.do(container.get_object(_NAME))
    equal(await content_of(trial, obj), b"of anybody", "content of the object")


@case(*OBJECTS, "presign")
async def links_are_good_for_one_thing(trial: Trial) -> None:
    """A presigned address is refused for another object, another method or a longer time."""
    if not trial.setup.checks_signatures:
        return
    container = await new_container(trial)
    await new_object(trial, container, "shared", b"shared")
    await new_object(trial, container, "secret", b"secret")
    link = await trial.do(trial.driver.presign(container, "shared", expires=_SECONDS))

    for what, changed in _tampered(link).items():
        status, content = _fetch(changed, b"evil" if changed.method == "PUT" else None)
        refused = _REFUSED <= status < _FAILED
        check(refused, f"it should be refused with {what}, not answered {status}: {content!r}")
    names = {one.name: one for one in await trial.do(container.list_objects())}
    equal(await content_of(trial, names["shared"]), b"shared", "content of the object")


@case(*OBJECTS, "presign")
async def links_that_cannot_be(trial: Trial) -> None:
    """A time that is none is refused before anything is sent."""
    container = trial.module.Container(trial.name("container"), {}, trial.driver)
    for expires in (0, -1):
        presign = partial(trial.driver.presign, container, "name", expires=expires)
        await trial.silent(InvalidRequestError, presign, f"a link that is good for {expires} s")


def _tampered(link: PresignedURL) -> dict[str, PresignedURL]:
    """Return what somebody might make of an address."""
    parts = urllib.parse.urlsplit(link.url)
    other = parts._replace(path=parts.path.removesuffix("shared") + "secret")
    bare = parts._replace(query="")
    return {
        "another object": _like(link, other.geturl()),
        "another method": _like(link, link.url, "PUT"),
        "no signature": _like(link, bare.geturl()),
    }


def _like(link: PresignedURL, url: str, method: str = "GET") -> PresignedURL:
    return PresignedURL(url, method, link.headers, link.expires_at)


def _fetch(link: PresignedURL, content: bytes | None = None) -> tuple[int, bytes]:
    """Use an address as anybody might, without anysky."""
    parts = urllib.parse.urlsplit(link.url)
    connection: Any
    if parts.scheme == "https":
        context = ssl.create_default_context()
        connection = http.client.HTTPSConnection(parts.netloc, timeout=_TIMEOUT, context=context)
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT)
    try:
        target = urllib.parse.urlunsplit(("", "", parts.path, parts.query, ""))
        connection.request(link.method, target, content, dict(link.headers))
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()
