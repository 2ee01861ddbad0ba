"""Older versions of objects in the memory cloud."""

from __future__ import annotations

import pytest

from anysky.errors import ContainerIsNotEmptyError, ObjectDoesNotExistError


@pytest.fixture
def container(storage):
    return storage.create_container("files")


def versions(storage, container):
    """What a container's versions hold; None for a delete marker, a star for the latest."""
    return [
        (one.name + "*" * one.is_latest, None if one.is_delete_marker else content(one))
        for one in storage.list_object_versions(container)
    ]


def content(obj):
    return b"".join(obj.as_stream())


def test_without_versioning_an_object_is_replaced(storage, container):
    container.upload_object_via_stream(b"first", "name")
    container.upload_object_via_stream(b"second", "name")

    [version] = storage.list_object_versions(container)

    assert (version.version_id, version.is_latest, content(version)) == ("null", True, b"second")


def test_what_was_there_before_versioning_stays_as_null(storage, container):
    container.upload_object_via_stream(b"first", "name")
    storage.set_versioning(container, True)
    new = container.upload_object_via_stream(b"second", "name")

    found = storage.list_object_versions(container)

    assert [one.version_id for one in found] == [new.extra["version_id"], "null"]
    assert versions(storage, container) == [("name*", b"second"), ("name", b"first")]


def test_without_versioning_any_more_only_null_is_replaced(storage, container):
    storage.set_versioning(container, True)
    container.upload_object_via_stream(b"first", "name")
    storage.set_versioning(container, False)
    container.upload_object_via_stream(b"second", "name")
    container.upload_object_via_stream(b"third", "name")

    assert versions(storage, container) == [("name*", b"third"), ("name", b"first")]

    container.get_object("name").delete()

    assert versions(storage, container) == [("name*", None), ("name", b"first")]


def test_versioning_that_was_never_there_leaves_no_markers(storage, container):
    storage.set_versioning(container, False)
    container.upload_object_via_stream(b"x", "name").delete()

    assert versions(storage, container) == []


def test_the_newest_version_comes_back_when_a_newer_one_goes(storage, container):
    storage.set_versioning(container, True)
    for text in (b"first", b"second"):
        container.upload_object_via_stream(text, "name")
    container.get_object("name").delete()

    marker, second, first = storage.list_object_versions(container)
    second.delete()
    marker.delete()

    assert versions(storage, container) == [("name*", b"first")]
    assert content(container.get_object("name")) == b"first"
    first.delete()
    with pytest.raises(ObjectDoesNotExistError):
        container.get_object("name")


def test_a_delete_marker_has_no_content(storage, container):
    storage.set_versioning(container, True)
    container.upload_object_via_stream(b"x", "name").delete()
    marker = storage.list_object_versions(container)[0]

    with pytest.raises(ObjectDoesNotExistError, match="is a deletion"):
        marker.as_stream().__next__()
    got = storage.get_object_version("files", "name", marker.version_id)
    assert (got.is_delete_marker, got.is_latest) == (True, True)


def test_each_version_has_tags_and_metadata_of_its_own(storage, container):
    storage.set_versioning(container, True)
    container.upload_object_via_stream(b"x", "name", tags={"is": "old"})
    container.upload_object_via_stream(b"y", "name", tags={"is": "new"})
    new, old = storage.list_object_versions(container)

    storage.update_object(old, meta_data={"owner": "me"})

    assert [storage.get_object_tags(one) for one in (new, old)] == [{"is": "new"}, {"is": "old"}]
    assert [one.meta_data for one in storage.list_object_versions(container)] == [
        {},
        {"owner": "me"},
    ]


def test_a_container_with_versions_is_not_empty(storage, container):
    storage.set_versioning(container, True)
    container.upload_object_via_stream(b"x", "name").delete()

    with pytest.raises(ContainerIsNotEmptyError):
        container.delete()
    assert storage.delete_objects(storage.list_object_versions(container)).failed == []
    assert container.delete() is True


def test_versions_are_in_the_inventory(cloud, storage, container):
    storage.set_versioning(container, True)
    old = container.upload_object_via_stream(b"x", "name")
    container.upload_object_via_stream(b"y", "name")

    inventory = cloud.inventory()

    assert list(inventory["objects"]) == ["files/name"]
    assert list(inventory["versions"]) == [f"files/name#{old.extra['version_id']}"]


def test_a_move_between_containers_leaves_a_marker_where_versions_are_kept(storage, container):
    storage.set_versioning(container, True)
    other = storage.create_container("other")
    given = {"meta_data": {"owner": "me"}, "content_type": "text/csv"}
    obj = container.upload_object_via_stream(
        b"x", "name", given, tags={"is": "it"}, storage_class="COLD"
    )

    moved = obj.move(other, "moved")

    assert versions(storage, container) == [("name*", None), ("name", b"x")]
    assert (moved.meta_data, moved.extra["storage_class"]) == ({"owner": "me"}, "COLD")
    assert moved.get_tags() == {"is": "it"}
    assert "version_id" not in moved.extra
