"""Cases of lists that come in pages."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from anysky.errors import CloudError, MalformedResponseError, UnsafeResponseError

from .trial import Trial, check, equal, finished

__all__ = ["complete_at_page_borders", "list_of", "refuses_foreign_links"]

_OUTER = {
    "list_records": "list_zones",
    "list_container_objects": "list_containers",
    "list_directory": "list_containers",
    "list_object_versions": "list_containers",
    "balancer_list_members": "list_balancers",
}
_ELSEWHERE = "http://elsewhere.invalid/v2/page?page=2"


def list_of(
    trial: Trial, operation: str, prefix: str = "list_", arguments: Sequence[Any] = ()
) -> Any:
    """Call a list, or with the prefix ``iterate_`` its lazy twin."""
    return getattr(trial.driver, operation.replace("list_", prefix, 1))(*arguments)


async def _place(trial: Trial, operation: str) -> list[Any]:
    """Return the first zone, container or balancer there is, for lists of what is in one."""
    outer = _OUTER.get(operation)
    return [] if outer is None else (await finished(list_of(trial, outer)))[:1]


async def complete_at_page_borders(operation: str, size: int, trial: Trial) -> None:
    """A list of exactly one page, and of one item more, is complete; its twin fetches as needed."""
    fill = trial.setup.fill
    fill(operation, 0)
    place = await _place(trial, operation)
    there = len(await finished(list_of(trial, operation, arguments=place)))
    fill(operation, size - there)
    await _check_complete(trial, operation, size, place)
    fill(operation, 1)
    requests = await _check_complete(trial, operation, size + 1, place)
    check(requests > 1, f"{operation} should take more than one page of {size} for {size + 1}")
    before = len(trial.requests)
    await trial.first(list_of(trial, operation, "iterate_", place))
    sent = len(trial.requests) - before
    equal(sent, 1, f"requests for the first item of the lazy twin of {operation}")


async def _check_complete(trial: Trial, operation: str, count: int, place: Sequence[Any]) -> int:
    """Check that both forms of a list give so many items; return how many requests one takes."""
    before = len(trial.requests)
    items = await finished(list_of(trial, operation, arguments=place))
    sent = len(trial.requests) - before
    keys = {item.id if hasattr(item, "id") else item.name for item in items}
    equal((len(items), len(keys)), (count, count), f"items and different ones of {operation}")
    lazy = await finished(list_of(trial, operation, "iterate_", place))
    check(lazy == items, f"the lazy twin of {operation} should yield the same {count} items")
    return sent


async def refuses_foreign_links(operation: str, trial: Trial) -> None:
    """A link to the next page that leads to another host is refused and not followed."""
    if trial.setup.fill is not None:
        trial.setup.fill(operation, 0)
    place = await _place(trial, operation)
    for prefix in ("list_", "iterate_"):
        trial.setup.link(operation, _ELSEWHERE)
        before = len(trial.requests)
        call = partial(list_of, trial, operation, prefix, place)
        error = await trial.fails(CloudError, call)
        refused = isinstance(error, UnsafeResponseError | MalformedResponseError)
        check(refused, f"{operation} should refuse the link, not fail with {error!r}")
        equal(len(trial.requests) - before, 1, f"requests of {operation} with a foreign link")
