"""Objects and their versions, as the tables of the cloud hold them.

What an object's name means now is in the table `objects`; older versions and delete markers are in
`versions`. What is stored while its container keeps no versions has the version id ``null``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from anysky.errors import (
    InvalidRequestError,
    ObjectDoesNotExistError,
    ObjectHashMismatchError,
    PreconditionFailedError,
)
from anysky.model.storage import (
    Condition,
    Object,
    ObjectChanges,
    ObjectSpec,
    ObjectVersion,
)
from anysky.paging import Page
from anysky.transfer.digests import checksum

from .state import Blob, State, cut

__all__ = ["CHECKSUMS", "Shelf", "check_condition", "check_content", "check_object_tags", "key_of"]

CHECKSUMS = ("crc32", "sha256", "md5")

_UNVERSIONED = "null"
_DEFAULT_CLASS = "STANDARD"
_LONGEST_NAME = 1024
_MOST_TAGS = 10
_LONGEST_TAG = (128, 256)
_ENDLESS = 10**12


def key_of(container_name: str, object_name: str) -> str:
    """Return the key of an object; no container's name has a slash."""
    return f"{container_name}/{object_name}"


def check_condition(found: Object | None, condition: Condition | None) -> None:
    """See that what is there is what a request depends on.

    Raises:
        PreconditionFailedError: It is not.
    """
    if condition is None:
        return
    etag = None if found is None else found.extra["etag"]
    wanted, unwanted = condition.if_match, condition.if_none_match
    if wanted is not None and (found is None or wanted not in ("*", etag)):
        raise PreconditionFailedError(f"the object has the ETag {etag}, not {wanted}")
    if unwanted is not None and found is not None and unwanted in ("*", etag):
        raise PreconditionFailedError(f"the object is there, with the ETag {etag}")


def check_content(content: bytes, promised: Mapping[str, str]) -> dict[str, str]:
    """Return the MD5 of content, and such digests as were promised and can be checked.

    Raises:
        ObjectHashMismatchError: Other bytes arrived than were promised.
    """
    found: dict[str, str] = {}
    for name in ("md5", *(name for name in CHECKSUMS if name in promised)):
        digest = checksum(name)
        digest.update(content)
        found[name] = digest.hexdigest()
        if promised.get(name, found[name]).lower() != found[name]:
            raise ObjectHashMismatchError(
                f"the {name.upper()} of what arrived is {found[name]}, not {promised[name]}"
            )
    return found


def check_object_tags(tags: Mapping[str, str]) -> dict[str, str]:
    """Return an object's tags as a dict of their own.

    Raises:
        InvalidRequestError: They are too many or too long.
    """
    key_size, value_size = _LONGEST_TAG
    if len(tags) > _MOST_TAGS:
        raise InvalidRequestError(f"an object has {_MOST_TAGS} tags at the most, not {len(tags)}")
    for key, value in tags.items():
        if not 0 < len(key) <= key_size or len(value) > value_size:
            raise InvalidRequestError(
                f"a tag of an object has a key of 1 to {key_size} characters and a value of up "
                f"to {value_size}, not {key[:80]!r}: {value[:80]!r}"
            )
    return dict(tags)


@dataclass(frozen=True, slots=True)
class Shelf:
    """What can be done with objects; only within the work of a call.

    Attributes:
        state: The cloud's tables.
    """

    state: State

    def current(self, key: str) -> Object | None:
        """Return what a name means now."""
        return self.state.objects.get(key) if key in self.state.objects else None

    def find(self, obj: Object) -> tuple[Object, Blob]:
        """Return what an object or a version is at this moment, with its content.

        Raises:
            ObjectDoesNotExistError: It is gone, or stands for the object's having been deleted.
        """
        key = key_of(obj.container.name, obj.name)
        found = self._found(key, obj)
        if isinstance(found, ObjectVersion) and found.is_delete_marker:
            raise ObjectDoesNotExistError(
                f"the version {found.version_id} of {key!r} is a deletion"
            )
        return found, self.state.blobs[key][_id_of(found)]

    def store(
        self, container_name: str, spec: ObjectSpec, content: bytes, etag: str | None = None
    ) -> Object:
        """Keep content as what a name means from now on.

        Args:
            container_name: Where.
            spec: What it shall be.
            content: The bytes.
            etag: Another ETag than the MD5.

        Raises:
            ContainerDoesNotExistError: There is no such container.
            InvalidRequestError: The name, the tags or the storage class cannot be.
            ObjectHashMismatchError: Other bytes arrived than the spec says.
            PreconditionFailedError: What is there is not what the condition asks for.
        """
        container = self.state.containers.get(container_name)
        _check_name(spec.name)
        tags = check_object_tags(spec.tags)
        check_condition(self.current(key_of(container_name, spec.name)), spec.condition)
        promised = {**({} if spec.md5 is None else {"md5": spec.md5}), **spec.checksums}
        checksums = check_content(content, promised)
        extra = {
            "last_modified": self.state.date,
            "content_type": spec.content_type,
            "acl": spec.acl,
            "etag": etag or checksums["md5"],
            "storage_class": _storage_class(spec.storage_class),
            "checksums": checksums,
        }
        made = Object(
            spec.name, len(content), checksums["md5"], extra, dict(spec.meta_data), container
        )
        return self.put(made, content, tags)

    def put(self, obj: Object, content: bytes, tags: Mapping[str, str]) -> Object:
        """Let a name mean an object from now on; what it meant becomes an older version."""
        key = key_of(obj.container.name, obj.name)
        made, is_new = self._identified(obj), key not in self.state.objects
        self.state.objects.check_room(int(is_new))
        self._make_room(key, _id_of(made))
        if is_new:
            self.state.objects.add(key, made)
        else:
            self.state.objects.put(key, made)
        self._fill(key, made, content, tags)
        return made

    def copy(
        self, source: Object, container_name: str, name: str, changes: ObjectChanges | None
    ) -> Object:
        """Make a copy with the source's type, metadata and tags, but for what shall differ."""
        found, blob = self.find(source)
        changes = changes or ObjectChanges()
        meta_data = found.meta_data if changes.meta_data is None else changes.meta_data
        spec = ObjectSpec(
            name,
            changes.content_type or found.extra["content_type"],
            meta_data,
            storage_class=changes.storage_class,
            tags=blob.tags,
        )
        return self.store(container_name, spec, blob.content)

    def move(self, source: Object, container_name: str, name: str) -> Object:
        """Give an object another name.

        Raises:
            InvalidRequestError: It has this name.
        """
        found, blob = self.find(source)
        container = self.state.containers.get(container_name)
        _check_name(name)
        if key_of(container_name, name) == key_of(found.container.name, found.name):
            raise InvalidRequestError(f"the object {name!r} is there already")
        extra = {key: value for key, value in found.extra.items() if key != "version_id"}
        meta_data = dict(found.meta_data)
        made = Object(name, found.size, found.hash, extra, meta_data, container)
        moved = self.put(made, blob.content, blob.tags)
        self.remove(source)
        return moved

    def update(self, obj: Object, changes: ObjectChanges) -> Object:
        """Change what an object's content is not."""
        found, _ = self.find(obj)
        extra = {**found.extra, "last_modified": self.state.date}
        if changes.content_type is not None:
            extra["content_type"] = changes.content_type
        if changes.storage_class is not None:
            extra["storage_class"] = _storage_class(changes.storage_class)
        meta_data = found.meta_data if changes.meta_data is None else dict(changes.meta_data)
        changed = replace(found, extra=extra, meta_data=meta_data)
        key = key_of(found.container.name, found.name)
        if isinstance(changed, ObjectVersion):
            self.state.versions.put(_version_key(key, changed.version_id), changed)
            return _plain(changed)
        return self.state.objects.put(key, changed)

    def remove(self, obj: Object) -> None:
        """Delete a version for good, or an object: where versions are kept by a delete marker.

        Raises:
            ObjectDoesNotExistError: It is not there.
        """
        key = key_of(obj.container.name, obj.name)
        found = self._found(key, obj)
        if isinstance(obj, ObjectVersion):
            self._drop(key, found)
            self._revive(key)
        elif obj.container.name not in self.state.versioning:
            self._drop(key, found)
        else:
            self._mark_deleted(key, found)

    # -- versions --------------------------------------------------------------------------------

    def version(self, container_name: str, object_name: str, version_id: str) -> ObjectVersion:
        """Return one version for somebody who asks for it.

        Raises:
            ObjectDoesNotExistError: There is none.
        """
        key, state = key_of(container_name, object_name), self.state
        now = self.current(key)
        if now is not None and _id_of(now) == version_id:
            return _version(state.objects.look_up(key), is_latest=True)
        found = state.versions.look_up(_version_key(key, version_id))
        return replace(found, is_latest=self._is_latest(key, found))

    def versions_page(
        self, container_name: str, prefix: str, cursor: str | None
    ) -> Page[ObjectVersion]:
        """Return a page of versions by name, the latest of each first."""

        def is_wanted(one: Object) -> bool:
            return one.container.name == container_name and one.name.startswith(prefix)

        state = self.state
        current = state.objects.listed(cursor, is_wanted, self._order)
        older = state.versions.listed(cursor, is_wanted, self._order)
        pairs = [(order, _version(one, is_latest=True)) for order, one in current]
        for order, one in older:
            key = key_of(container_name, one.name)
            pairs.append((order, replace(one, is_latest=self._is_latest(key, one))))
        return cut(pairs, cursor, state.behaviour.page_size)

    def has_objects(self, container_name: str) -> bool:
        """Whether a container holds any object, older version or delete marker."""
        everything = (*self.state.objects.items(), *self.state.versions.items())
        return any(one.container.name == container_name for one in everything)

    def _found(self, key: str, obj: Object) -> Object:
        """Return what is kept of a version, or of an object as it is now."""
        now = self.current(key)
        if isinstance(obj, ObjectVersion) and (now is None or _id_of(now) != obj.version_id):
            return self.state.versions.get(_version_key(key, obj.version_id))
        return self.state.objects.get(key)

    def _identified(self, obj: Object) -> Object:
        if not self.state.versioning.get(obj.container.name):
            return obj
        return replace(obj, extra={**obj.extra, "version_id": self.state.new_id("v-")})

    def _make_room(self, key: str, version_id: str) -> None:
        """See that a new version of this id can be there, as the latest one."""
        now = self.current(key)
        if now is not None and _id_of(now) != version_id:
            self._keep(key, now)
        old = _version_key(key, version_id)
        if old in self.state.versions:
            self._drop(key, self.state.versions.get(old))

    def _keep(self, key: str, now: Object) -> None:
        """Make an older version of what a name means now."""
        kept = _version(now, is_latest=False)
        self.state.versions.add(_version_key(key, kept.version_id), kept)

    def _mark_deleted(self, key: str, now: Object) -> None:
        state = self.state
        extra: dict[str, Any] = {"last_modified": state.date}
        marker = self._identified(Object(now.name, 0, None, extra, {}, now.container))
        state.versions.check_room(2)
        self._make_room(key, _id_of(marker))
        state.objects.remove(key)
        made = replace(_version(marker, is_latest=False), is_delete_marker=True)
        state.versions.add(_version_key(key, made.version_id), made)
        self._fill(key, made, b"", {})

    def _fill(self, key: str, made: Object, content: bytes, tags: Mapping[str, str]) -> None:
        blob = Blob(self.state.count("versions"), content, dict(tags))
        self.state.blobs.setdefault(key, {})[_id_of(made)] = blob

    def _drop(self, key: str, found: Object) -> None:
        blobs = self.state.blobs[key]
        del blobs[_id_of(found)]
        if not blobs:
            del self.state.blobs[key]
        if isinstance(found, ObjectVersion):
            self.state.versions.remove(_version_key(key, found.version_id))
        else:
            self.state.objects.remove(key)

    def _revive(self, key: str) -> None:
        """Let a name mean its newest version again, unless that is a delete marker."""
        if key in self.state.objects:
            return
        newest = self._newest(key)
        if newest is not None and not newest.is_delete_marker:
            self.state.versions.remove(_version_key(key, newest.version_id))
            self.state.objects.add(key, _plain(newest))

    def _is_latest(self, key: str, version: ObjectVersion) -> bool:
        return key not in self.state.objects and self._newest(key) == version

    def _newest(self, key: str) -> ObjectVersion | None:
        """Return the newest version of what a name does not mean now; None if there is none."""
        blobs = self.state.blobs.get(key)
        if not blobs:
            return None
        newest = max(blobs, key=lambda version_id: blobs[version_id].number)
        return self.state.versions.get(_version_key(key, newest))

    def _order(self, one: Object) -> str:
        blobs = self.state.blobs[key_of(one.container.name, one.name)]
        return f"{one.name}\0{_ENDLESS - blobs[_id_of(one)].number:012}"


def _id_of(obj: Object) -> str:
    if isinstance(obj, ObjectVersion):
        return obj.version_id
    return str(obj.extra.get("version_id", _UNVERSIONED))


def _version_key(key: str, version_id: str) -> str:
    return f"{key}#{version_id}"


def _version(obj: Object, *, is_latest: bool) -> ObjectVersion:
    return ObjectVersion(
        obj.name,
        obj.size,
        obj.hash,
        obj.extra,
        obj.meta_data,
        obj.container,
        _id_of(obj),
        is_latest,
    )


def _plain(version: ObjectVersion) -> Object:
    return Object(
        version.name,
        version.size,
        version.hash,
        version.extra,
        version.meta_data,
        version.container,
    )


def _check_name(name: str) -> None:
    if not 0 < len(name.encode("utf-8", "surrogatepass")) <= _LONGEST_NAME:
        raise InvalidRequestError(f"an object's name has 1 to {_LONGEST_NAME} bytes")


def _storage_class(name: str | None) -> str:
    if name is not None and not name.strip():
        raise InvalidRequestError("the name of a storage class is not empty")
    return name or _DEFAULT_CLASS
