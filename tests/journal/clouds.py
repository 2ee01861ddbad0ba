"""Drivers of the memory cloud that the tests of the journal share."""

from __future__ import annotations

from typing import ClassVar

import anysky
import anysky.aio
from anysky.backend.base import Effect
from anysky.model.compute import VolumeSpec
from anysky.providers.memory.compute import MemoryCompute


class StopError(Exception):
    """What ends a block in the tests."""


class TwoVolumes(MemoryCompute):
    """A backend with an operation that makes two things, which are found by nothing."""

    effects: ClassVar = {**MemoryCompute.effects, "create_pair": Effect("destroy_volume")}

    async def create_pair(self, name):
        async with self.ledger("create_pair") as ledger:
            return [
                await ledger.step(
                    f"volume {name}-{number}",
                    self.create_volume(VolumeSpec(size=1, name=f"{name}-{number}")),
                    undo=self.destroy_volume,
                )
                for number in (1, 2)
            ]


def pair_driver(api, cloud, **settings):
    driver = api.driver("compute", cloud=cloud, **settings)
    driver._backend.__class__ = TwoVolumes
    return driver


def journal_of(api, path, **options):
    return (anysky.Journal if api.is_blocking else anysky.aio.Journal)(path, **options)


def names(cloud):
    return [volume.name for volume in cloud.inventory().get("volumes", {}).values()]


def states(entry):
    return [(step.what, step.state) for step in entry.steps]
