"""Copies, moves and changes of objects at Cloud Storage.

Vendor's reference: https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anysky.errors import (
    MalformedResponseError,
    ObjectDoesNotExistError,
    PreconditionFailedError,
)
from anysky.model.storage import Container, Object, ObjectChanges, ObjectVersion

from .answers import ObjectResource, Rewrite, object_of
from .api import NO_OBJECT, object_path, version_params
from .objects import GoogleObjects

__all__ = ["GoogleCopies"]

_MOST_CALLS = 100_000
_TRIES = 5


class GoogleCopies(GoogleObjects):
    """What makes an object of another one."""

    async def copy_object(
        self,
        source: Object,
        container: Container,
        name: str,
        changes: ObjectChanges | None = None,
    ) -> Object:
        """Copy an object of any size within Cloud Storage, also into another class or region.

        https://cloud.google.com/storage/docs/json_api/v1/objects/rewrite

        Raises:
            ObjectDoesNotExistError: There is no such object.
            ContainerDoesNotExistError: There is no such bucket.
        """
        body: Mapping[str, Any] = {}
        params = version_params(source, "sourceGeneration")
        if changes is not None and changes != ObjectChanges():
            known = await self._resource(source.container.name, source.name, _version(source))
            body = _changed(known, changes)
            params = [("sourceGeneration", known.generation)]
        return await self._rewrite(source, container, name, body, params)

    async def _rewrite(
        self,
        source: Object,
        container: Container,
        name: str,
        body: Mapping[str, Any],
        params: list[tuple[str, str]],
    ) -> Object:
        target = object_path((container.name, name))
        path = f"{object_path(source)}/rewriteTo{target}"
        token: list[tuple[str, str]] = []
        for _ in range(_MOST_CALLS):
            answer = await self._api.call(
                "POST",
                path,
                Rewrite,
                params=[*params, *token],
                json=body,
                kinds=NO_OBJECT,
                repeatable=True,
            )
            if answer.done and answer.resource is not None:
                return object_of(answer.resource, container)
            if not answer.rewrite_token:
                break
            token = [("rewriteToken", answer.rewrite_token)]
        raise MalformedResponseError("Cloud Storage copies on and on and does not come to an end")

    async def move_object(self, source: Object, container: Container, name: str) -> Object:
        """Give an object another name in one step; into another bucket it is copied and deleted.

        https://cloud.google.com/storage/docs/json_api/v1/objects/move

        Raises:
            ObjectDoesNotExistError: There is no such object.
            PartialFailureError: It was copied, and the source is still there.
        """
        if source.container.name != container.name or isinstance(source, ObjectVersion):
            async with self.ledger("move_object") as ledger:
                copy = self.copy_object(source, container, name)
                what = f"object {name} in container {container.name}"
                moved = await ledger.step(what, copy, undo=self.delete_object)
                await self.delete_object(source)
                ledger.forget(moved)
            return moved
        target = object_path((container.name, name)).rpartition("/")[2]
        path = f"{object_path(source)}/moveTo/o/{target}"
        try:
            item = await self._api.call(
                "POST", path, ObjectResource, kinds=NO_OBJECT, repeatable=True
            )
        except ObjectDoesNotExistError as error:
            if error.attempts == 1:
                raise
            # An earlier try, whose answer was lost, may have moved it.
            item = await self._resource(container.name, name)
        return object_of(item, container)

    async def update_object(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change type, metadata or storage class of an object.

        Another storage class makes a new generation of it, with the same content.

        https://cloud.google.com/storage/docs/json_api/v1/objects/patch

        Raises:
            ObjectDoesNotExistError: There is no such object.
            PreconditionFailedError: Others have changed it, again and again.
        """
        for attempt in range(_TRIES):
            known = await self._resource(obj.container.name, obj.name, _version(obj))
            try:
                return await self._update(obj, known, changes)
            except PreconditionFailedError:
                if attempt == _TRIES - 1:
                    raise
        raise AssertionError("unreachable")

    async def _update(self, obj: Object, known: ObjectResource, changes: ObjectChanges) -> Object:
        now = [("ifMetagenerationMatch", known.metageneration)]
        if changes.storage_class is None:
            params = [("generation", known.generation), *now]
            path, body = object_path(obj), _patch(known, changes)
            item = await self._api.call(
                "PATCH", path, ObjectResource, params=params, json=body, kinds=NO_OBJECT
            )
            return object_of(item, obj.container)
        params = [
            ("sourceGeneration", known.generation),
            ("ifSourceMetagenerationMatch", known.metageneration),
            ("ifGenerationMatch", known.generation),
        ]
        body = _changed(known, changes)
        return await self._rewrite(obj, obj.container, obj.name, body, params)


def _version(obj: Object) -> str:
    return obj.version_id if isinstance(obj, ObjectVersion) else ""


def _patch(known: ObjectResource, changes: ObjectChanges) -> dict[str, Any]:
    """Return what to change; metadata that is not named would stay."""
    body: dict[str, Any] = {}
    if changes.content_type is not None:
        body["contentType"] = changes.content_type
    if changes.meta_data is not None:
        gone = dict.fromkeys((known.metadata or {}).keys() - changes.meta_data.keys())
        body["metadata"] = gone | dict(changes.meta_data)
    return body


def _changed(known: ObjectResource, changes: ObjectChanges) -> dict[str, Any]:
    """Return the fields of a copy; what is not named would not be copied."""
    kept = {
        "cacheControl": known.cache_control,
        "contentDisposition": known.content_disposition,
        "contentEncoding": known.content_encoding,
        "contentLanguage": known.content_language,
        "customTime": known.custom_time,
    }
    meta = known.metadata if changes.meta_data is None else changes.meta_data
    wanted = {
        "contentType": changes.content_type or known.content_type,
        "storageClass": changes.storage_class,
        "metadata": dict(meta or {}),
    }
    return {name: value for name, value in {**kept, **wanted}.items() if value is not None}
