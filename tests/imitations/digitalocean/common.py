"""Sign-in, errors, paging, identifiers and actions: what all parts of DigitalOcean's API share.

Written from https://docs.digitalocean.com/reference/api/; where the reference is silent, from the
answers that users report.
"""

import hmac
import itertools
import time
import uuid
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from tests.imitations.base import Imitation, Received, RefusedError, route
from tests.imitations.digitalocean import amendments, catalogue

DEFAULT_REGION = "nyc3"
_NAMESPACE = uuid.UUID("5ba4518b-3b2f-4c06-9a5d-2f1f5d1c0f55")
_FIRST_IDS = {
    "action": 36804636, "droplet": 3164444, "image": 6372321, "key": 512189, "record": 28448429,
}  # fmt: skip


@dataclass(slots=True)
class Task:
    """An action under way: it completes once it was read `polls` times and `ready` has come."""

    action: dict[str, Any]
    resource: tuple[str, object]
    effect: Callable[[], None]
    polls: int
    ready: float


class Common(Imitation):
    """The base of the parts.

    Args:
        token: the only API token that is accepted.
        polls: how many times an action is seen in progress before it completes.
        seconds: how long an action takes at least.
        droplet_limit: how many droplets the account may have.
        check_answers: check the imitation's own answers against the OpenAPI document, too.
        latency: seconds to wait before each answer.
    """

    def __init__(
        self,
        token: str = "dop_v1_imitation",
        *,
        polls: int = 1,
        seconds: float = 0.0,
        droplet_limit: int = 1000,
        check_answers: bool = False,
        latency: float = 0.0,
    ) -> None:
        self.token = token
        self.polls = polls
        self.seconds = seconds
        self.droplet_limit = droplet_limit
        super().__init__(amendments.document(), check_answers=check_answers, latency=latency)

    def clear(self) -> None:
        super().clear()
        self._counters: dict[str, itertools.count[int]] = {}
        self.rate_limit = 5000
        self.rate_remaining = 5000
        self.actions: dict[int, Task] = {}
        self.failing_actions: set[str] = set()
        self.regions = catalogue.regions()
        self.sizes = catalogue.sizes()

    def authorize(self, request: Received) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(
            token.encode(), self.token.encode()
        ):
            raise RefusedError(401, "unauthorized", "Unable to authenticate you")
        if self.rate_remaining <= 0:
            raise RefusedError(429, "too_many_requests", "API Rate limit exceeded.")
        self.rate_remaining -= 1

    def error_body(self, request: Received, refusal: RefusedError) -> Any:
        return {
            "id": refusal.code,
            "message": refusal.message,
            "request_id": self.uuid(f"request-{len(self.requests)}"),
        }

    def extra_headers(self, request: Received) -> dict[str, str]:
        return {
            "ratelimit-limit": str(self.rate_limit),
            "ratelimit-remaining": str(max(self.rate_remaining, 0)),
            "ratelimit-reset": str(int(time.time()) + 3600),
            "x-request-id": self.uuid(f"request-{len(self.requests)}"),
        }

    def next_id(self, kind: str) -> int:
        counter = self._counters.setdefault(kind, itertools.count(_FIRST_IDS.get(kind, 1)))
        return next(counter)

    def uuid(self, name: str) -> str:
        """An identifier that is the same in every run."""
        return str(uuid.uuid5(_NAMESPACE, name))

    def next_uuid(self, kind: str) -> str:
        return self.uuid(f"{kind}-{self.next_id(kind)}")

    def page(self, request: Received, key: str, items: Iterable[Any]) -> dict[str, Any]:
        """One page of a list with its links and its total."""
        everything = list(items)
        number = _positive(request, "page", 1)
        size = min(_positive(request, "per_page", 20), 200)
        last = max(1, -(-len(everything) // size))
        return {
            key: everything[(number - 1) * size : number * size],
            "links": self._links(request, number, last),
            "meta": {"total": len(everything)},
        }

    def _links(self, request: Received, number: int, last: int) -> dict[str, Any]:
        if last == 1:
            return {}
        targets: dict[str, int] = {}
        if number > 1:
            targets |= {"first": 1, "prev": number - 1}
        if number < last:
            targets |= {"next": number + 1, "last": last}
        others = [pair for pair in request.query if pair[0] != "page"]
        return {
            "pages": {
                name: f"{self.url}{request.path}?{urlencode([('page', n), *others])}"
                for name, n in targets.items()
            }
        }

    def find(self, table: dict[Any, Any], key: object) -> Any:
        """The entry of a table, or the error 404; keys that are numbers come as text."""
        if isinstance(key, str) and key.isdecimal() and int(key) in table:
            return table[int(key)]
        if key not in table:
            raise not_found()
        return table[key]

    def region(self, slug: object, what: str) -> dict[str, Any]:
        """An open region by its slug, or the error 422."""
        region = self.regions.get(str(slug))
        if region is None or not region["available"]:
            raise invalid(f"You specified an invalid region for {what}.")
        return region

    def begin(
        self,
        kind: str,
        resource: tuple[str, object],
        effect: Callable[[], None],
        region: dict[str, Any] | None,
    ) -> dict[str, Any]:
        """Start an action on a resource (type, id); its effect comes when it completes."""
        number = resource[1] if isinstance(resource[1], int) else None
        action = {
            "id": self.next_id("action"),
            "status": "in-progress",
            "type": kind,
            "started_at": now(),
            "completed_at": None,
            "resource_id": number,
            "resource_type": resource[0],
            "region": region,
            "region_slug": region["slug"] if region else None,
        }
        task = Task(action, resource, effect, self.polls, time.monotonic() + self.seconds)
        self.actions[action["id"]] = task
        return dict(action)

    def settle(self, resource: tuple[str, object]) -> None:
        """Count one look at a resource: its actions come nearer to their end."""
        for task in list(self.actions.values()):
            if task.resource == resource:
                self._look(task)

    def pending(self, resource: tuple[str, object]) -> bool:
        return any(
            task.resource == resource and task.action["status"] == "in-progress"
            for task in self.actions.values()
        )

    def actions_of(self, resource: tuple[str, object]) -> list[dict[str, Any]]:
        """Actions of a resource, newest first."""
        self.settle(resource)
        return [t.action for t in reversed(self.actions.values()) if t.resource == resource]

    def action_of(self, resource: tuple[str, object], action_id: str) -> dict[str, Any]:
        task: Task = self.find(self.actions, action_id)
        if task.resource != resource:
            raise not_found()
        self._look(task)
        return task.action

    @route("GET", "/v2/actions")
    def list_actions(self, request: Received) -> Any:
        for task in list(self.actions.values()):
            self._look(task)
        newest_first = reversed(self.actions.values())
        return self.page(request, "actions", (task.action for task in newest_first))

    @route("GET", "/v2/actions/{action_id}")
    def get_action(self, request: Received, action_id: str) -> Any:
        task: Task = self.find(self.actions, action_id)
        self._look(task)
        return {"action": task.action}

    def _look(self, task: Task) -> None:
        if task.action["status"] != "in-progress":
            return
        if task.polls > 0 or time.monotonic() < task.ready:
            task.polls -= 1
            return
        failed = task.action["type"] in self.failing_actions
        task.action |= {"status": "errored" if failed else "completed", "completed_at": now()}
        if not failed:
            task.effect()


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def not_found() -> RefusedError:
    return RefusedError(404, "not_found", "The resource you requested could not be found.")


def invalid(message: str) -> RefusedError:
    return RefusedError(422, "unprocessable_entity", message)


def conflict(message: str) -> RefusedError:
    return RefusedError(409, "conflict", message)


def body_of(request: Received, *required: str) -> dict[str, Any]:
    """The JSON object in a request; 400 for anything else, 422 for missing fields."""
    try:
        body = request.json
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise RefusedError(400, "bad_request", "error parsing request body")
    for name in required:
        if body.get(name) in (None, ""):
            raise invalid(f"{name.replace('_', ' ').capitalize()} can't be blank")
    return body


def without_none(values: Sequence[Any] | None) -> list[Any]:
    """A list that the API accepts as null, too."""
    return list(values or ())


def _positive(request: Received, name: str, default: int) -> int:
    text = request.arg(name)
    return int(text) if text is not None and text.isdecimal() and int(text) > 0 else default
