"""Tags of what ELBv2 has.

Vendor's reference: https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_DescribeTags.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from anysky.errors import MalformedResponseError, NotFoundError
from anysky.ledger import mark_tag
from anysky.steps import MARK_TAG

from .ec2 import id_of
from .elb_answers import TagDescriptions
from .elb_api import ELBBackend, batches

__all__ = ["ELBv2Tags", "first", "made", "pairs", "tag_list"]

T = TypeVar("T")


class ELBv2Tags(ELBBackend):
    """What all parts of ELBv2 share: the version of the API, and tags."""

    version = "2015-12-01"
    endpoint_setting = "ELASTIC_LOAD_BALANCING_V2"

    async def describe_tags(self, resource: Any) -> dict[str, str]:
        """Return the tags of a balancer, target group, listener or rule: DescribeTags."""
        wanted = {"ResourceArns": [id_of(resource)]}
        answer = await self._call("DescribeTags", wanted, TagDescriptions)
        return first(answer.things, id_of(resource)).tags

    async def add_tags(self, resource: Any, tags: Mapping[str, str]) -> None:
        """Set tags of a balancer, target group, listener or rule: AddTags."""
        if tags:
            await self._act("AddTags", {"ResourceArns": [id_of(resource)], "Tags": pairs(tags)})

    async def remove_tags(self, resource: Any, names: Sequence[str]) -> None:
        """Take tags away: RemoveTags."""
        if names:
            parameters = {"ResourceArns": [id_of(resource)], "TagKeys": list(names)}
            await self._act("RemoveTags", parameters)

    async def _marked(self, ids: Sequence[str], mark: str) -> set[str]:
        """Return which things carry a mark."""
        tags = await self._tags(ids)
        return {id for id in ids if tags.get(id, {}).get(MARK_TAG) == mark}

    async def _tags(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        """Return the tags of many things by their ids; those that are gone are left out."""
        jobs = [self._some_tags(batch) for batch in batches(ids)]
        found = await self.runtime.gather(jobs)
        return {id: tags for some in found for id, tags in some.items()}

    async def _some_tags(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        try:
            parameters = {"ResourceArns": list(ids)}
            answer = await self._call("DescribeTags", parameters, TagDescriptions)
        except NotFoundError:  # one of them is gone
            if len(ids) == 1:
                return {}
            return await self._tags_one_by_one(ids)
        return {one.id: one.tags for one in answer.things}

    async def _tags_one_by_one(self, ids: Sequence[str]) -> dict[str, dict[str, str]]:
        found = await self.runtime.gather([self._some_tags([id]) for id in ids])
        return {id: tags for some in found for id, tags in some.items()}


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]] | None:
    """Make the parameter ``Tags``, with the mark of the running step among them."""
    return pairs({**tags, **mark_tag()}) or None


def pairs(values: Mapping[str, str]) -> list[dict[str, str]]:
    """Write tags or attributes as parameters."""
    return [{"Key": key, "Value": value} for key, value in values.items()]


def first(found: Sequence[T], id: str) -> T:
    """Return what was found by its id.

    Raises:
        NotFoundError: It was not found.
    """
    if not found:
        raise NotFoundError(f"there is no {id}")
    return found[0]


def made(things: Sequence[T], what: str) -> T:
    """Return what was made.

    Raises:
        MalformedResponseError: The answer does not tell.
    """
    if not things:
        raise MalformedResponseError(f"AWS made a {what} and did not tell which")
    return things[0]
