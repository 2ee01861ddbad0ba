"""A driver for an imitation of Cloud Storage, and what the tests of the provider share."""

from __future__ import annotations

import contextlib

from anysky.storage import get_driver
from anysky.transport.base import Body
from anysky.transport.retry import RetryPolicy

QUICK = RetryPolicy(base=0.001, throttled_base=0.001)


@contextlib.contextmanager
def driver_of(google, **settings):
    given = {"credentials": google.key_file, "endpoint": google.url, "rate": 0, "retry": QUICK}
    with get_driver("google_storage")(**{**given, **settings}) as driver:
        yield driver


def body_of(content):
    return Body(lambda: iter((content,)), len(content), replayable=True)


def sent(google, start=0):
    """What was asked for, without tokens."""
    return [
        (request.method, request.path, dict(request.query))
        for request in google.requests[start:]
        if request.path != "/token"
    ]
