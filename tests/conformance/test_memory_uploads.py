"""The cases of failure find uploads that dangle, and moves that lose what they move."""

from __future__ import annotations

from contextlib import suppress

import pytest

from anysky.errors import CloudError
from anysky.model.storage import ObjectSpec
from anysky.providers.memory import Cloud
from anysky.providers.memory.storage import MemoryStorage
from anysky.testing import StorageSetup, cases
from anysky.transfer.sources import memory_body

CASES = {case.name: case for case in cases("storage", "memory")}
COMPLETE, UPLOAD = MemoryStorage.complete_multipart_upload, MemoryStorage.upload_object


@pytest.fixture
def setup():
    settings = {"key": "canary-key-5f0c8e", "secret": "canary/5f0c8e", "cloud": Cloud()}
    return StorageSetup(settings, patience=0.1)


async def ends_nothing(self, upload):
    """Leave an upload as it is."""


async def deletes_first(self, source, container, name):
    stream = await self.open_object(source, None, None)
    content = await stream.read(1 << 20)
    await self.delete_object(source)
    return await UPLOAD(self, container, memory_body([memoryview(content)]), ObjectSpec(name))


async def forgets_a_part(self, upload, parts, spec):
    with suppress(CloudError):
        return await COMPLETE(self, upload, parts[:1], spec)
    return await COMPLETE(self, upload, parts, spec)


@pytest.mark.parametrize(
    ("operation", "broken", "case", "message"),
    [
        (
            "abort_multipart_upload",
            ends_nothing,
            "object_in_parts_fails",
            "MultipartUpload.* came in addition",
        ),
        (
            "move_object",
            deletes_first,
            "a_move_that_fails_loses_nothing",
            "should be somewhere",
        ),
        (
            "complete_multipart_upload",
            forgets_a_part,
            "parts_are_put_together",
            "name and size of the object",
        ),
    ],
)
def test_a_forgetful_driver_fails(monkeypatch, setup, operation, broken, case, message):
    monkeypatch.setattr(broken, "__name__", operation)
    monkeypatch.setattr(MemoryStorage, operation, broken)

    with pytest.raises(AssertionError, match=message):
        CASES[case].run(setup)


def test_what_a_server_lacks_is_left_out():
    left = {case.name for case in cases("storage", "memory", without=["set_versioning"])}

    assert sorted(set(CASES) - left) == [
        "versioning_is_switched",
        "versions_are_deleted",
        "versions_are_kept",
        "versions_are_restored",
        "versions_outlive_their_object",
    ]
