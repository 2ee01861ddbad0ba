"""The cases of failure find what is wrong: a driver that forgets, swallows or resends fails."""

from __future__ import annotations

import asyncio

import pytest

from anysky.backend.base import Effect
from anysky.errors import OutcomeUnknownError, PermissionDeniedError
from anysky.journal import JournalFile
from anysky.matching import EVERYTHING
from anysky.model.compute import VolumeSpec
from anysky.providers.memory import Cloud
from anysky.providers.memory.compute import MemoryCompute
from anysky.testing import ComputeSetup, failure_cases

CASES = {case.name: case for case in failure_cases("compute", "memory")}
MAKE_NODE, MAKE_VOLUME = MemoryCompute.create_node, MemoryCompute.create_volume
DATA = VolumeSpec(1, "data")


@pytest.fixture
def put(monkeypatch):
    """Puts another operation in place of one; operations are known by the names of functions."""

    def put(operation, broken):
        monkeypatch.setattr(broken, "__name__", operation)
        monkeypatch.setattr(MemoryCompute, operation, broken, raising=False)

    return put


@pytest.fixture
def setup():
    settings = {"key": "canary-key-5f0c8e", "secret": "canary/5f0c8e", "cloud": Cloud()}
    return ComputeSetup(settings, size="small", image="debian-12", patience=0.1)


async def makes_a_disk_first(self, spec):
    await self.create_volume(DATA)
    return await MAKE_NODE(self, spec)


async def makes_a_disk_and_tells_only_the_node(self, spec):
    async with self.ledger("create_node") as ledger:
        await self.create_volume(DATA)
        return await ledger.step("node", MAKE_NODE(self, spec), undo=self.destroy_node)


async def makes_a_disk_and_tells(self, spec):
    async with self.ledger("create_node") as ledger:
        await ledger.step("disk", self.create_volume(DATA), undo=self.destroy_volume)
        return await MAKE_NODE(self, spec)


async def sends_again(self, spec):
    try:
        return await MAKE_VOLUME(self, spec)
    except OutcomeUnknownError:
        return await MAKE_VOLUME(self, spec)


async def swallows_a_cancellation(self, spec):
    volume = await MAKE_VOLUME(self, spec)
    try:
        return await self.get_volume(volume.id)
    except asyncio.CancelledError:
        return volume


async def goes_on_after_a_cancellation(self, spec):
    volume = await MAKE_VOLUME(self, spec)
    try:
        return await self.get_volume(volume.id)
    except asyncio.CancelledError:
        await asyncio.sleep(1.1)
        raise


async def swallows_an_interruption(self, spec):
    try:
        return await MAKE_VOLUME(self, spec)
    except KeyboardInterrupt:
        raise OutcomeUnknownError("interrupted") from None


async def raises_what_is_not_ours(self, spec):
    try:
        return await MAKE_VOLUME(self, spec)
    except PermissionDeniedError:
        raise RuntimeError("may not") from None


async def leaves_it(self, volume):
    """Remove nothing."""


async def takes_all_for_its_own(self, operation, mark, named):
    return (await self.list_volumes(None, EVERYTHING)).items


@pytest.mark.parametrize(
    ("operation", "broken", "case", "message"),
    [
        ("create_node", makes_a_disk_first, "node_fails", "StorageVolume.* came in addition"),
        (
            "create_node",
            makes_a_disk_and_tells_only_the_node,
            "node_fails",
            "StorageVolume.* came in addition",
        ),
        ("create_volume", sends_again, "volume_fails", "there should be what is made without"),
        ("create_volume", raises_what_is_not_ours, "volume_fails", "should be a CloudError"),
        ("create_volume", swallows_a_cancellation, "volume_is_interrupted", "CancelledError"),
        ("create_volume", goes_on_after_a_cancellation, "volume_is_interrupted", "within 1 s"),
        ("create_volume", swallows_an_interruption, "volume_is_interrupted", "Ctrl-C should come"),
        (
            "_find_created",
            takes_all_for_its_own,
            "volume_from_snapshot_is_interrupted",
            "is gone",
        ),
    ],
)
def test_a_driver_that_forgets_fails(put, setup, operation, broken, case, message):
    put(operation, broken)

    with pytest.raises(AssertionError, match=message):
        CASES[case].run(setup)


def test_a_driver_that_tells_passes(put, setup):
    put("create_node", makes_a_disk_and_tells)

    CASES["node_fails"].run(setup)


def test_a_rollback_that_removes_nothing_fails(put, monkeypatch, setup):
    put("leaves_it", leaves_it)
    effects = {**MemoryCompute.effects, "create_volume": Effect("leaves_it")}
    monkeypatch.setattr(MemoryCompute, "effects", effects)

    with pytest.raises(AssertionError, match="what was there at the start, after the rollback"):
        CASES["volume_is_interrupted"].run(setup)


def test_a_journal_that_forgets_fails(monkeypatch, setup):
    monkeypatch.setattr(JournalFile, "intend", lambda self, ledger, step: None)

    with pytest.raises(AssertionError, match="number of entries of the journal"):
        CASES["volume_fails_with_a_journal"].run(setup)


def test_a_failure_tells_when_and_where(put, setup):
    put("create_volume", sends_again)

    with pytest.raises(AssertionError) as caught:
        CASES["volume_fails"].run(setup)

    assert caught.value.__notes__ == [
        "when this happens to request 1: its answer is lost",
        "in the blocking API of memory",
    ]
