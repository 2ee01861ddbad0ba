"""EC2 drivers over canned answers, whose requests are checked against botocore's model."""

import asyncio
import copy
from urllib.parse import parse_qsl

from tests.support.botocore_models import check_request

from anysky import compute
from anysky.aio import compute as aio_compute
from anysky.run import run
from anysky.transport.base import Response
from anysky.transport.retry import RetryPolicy

MARK = "0123456789abcdef0123456789abcdef"
AT_ONCE = RetryPolicy(base=0, throttled_base=0)


class Answers:
    """A transport that gives canned answers in turn and keeps what was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.endpoints = []

    async def send(self, request):
        if request.operation != "credentials":
            check_request("ec2", request.method, "https://h/", request.headers, request.body)
        self.requests.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise copy.copy(answer)
        return answer if isinstance(answer, Response) else Response(200, {}, answer)

    async def close(self):
        assert self.answers == [], "more was to be sent"

    @property
    def sent(self):
        """Actions and parameters, without the API's version."""
        forms = [dict(parse_qsl(r.body.decode(), keep_blank_values=True)) for r in self.requests]
        return [
            (form.pop("Action"), {k: v for k, v in form.items() if k != "Version"})
            for form in forms
        ]


def tagged(kind, *tags, number=1):
    """The parameters that tag what is made: with its mark and other tags before that."""
    start = f"TagSpecification.{number}"
    parameters = {f"{start}.ResourceType": kind}
    for n, (key, value) in enumerate((*tags, ("anysky-op", MARK)), 1):
        parameters |= {f"{start}.Tag.{n}.Key": key, f"{start}.Tag.{n}.Value": value}
    return parameters


def driver(*answers, **settings):
    """A blocking driver over canned answers, and those; lists are up to date at once."""
    canned = Answers(*answers)

    class Canned(compute.get_driver("ec2")):
        def _make_transport(self, endpoint, *_):
            canned.endpoints.append(endpoint)
            return canned

    given = {"key": "AKIAEXAMPLE", "secret": "example-secret", "region": "eu-west-1", **settings}
    cloud = Canned(retry=AT_ONCE, **given)
    cloud._backend.list_lag = 0.0
    return cloud, canned


def answer(action, inside="<return>true</return>", status=200):
    """A good answer to an action."""
    body = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response '
        f'xmlns="http://ec2.amazonaws.com/doc/2016-11-15/"><requestId>id</requestId>{inside}'
        f"</{action}Response>"
    )
    return Response(status, {"content-type": "text/xml"}, body.encode())


def fault(code, message="why", status=400):
    """An answer that is an error."""
    body = (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error>"
        "</Errors><RequestID>id</RequestID></Response>"
    )
    return Response(status, {"content-type": "text/xml"}, body.encode())


class _Awaitable:
    """A blocking driver whose methods are coroutine functions."""

    def __init__(self, blocking):
        self._blocking = blocking

    def __getattr__(self, name):
        method = getattr(self._blocking, name)

        async def call(*args, **kwargs):
            return method(*args, **kwargs)

        return call


def play_blocking(scenario, **settings):
    """Run a coroutine function over a blocking driver."""
    with compute.get_driver("ec2")(**settings) as cloud:
        return run(scenario(_Awaitable(cloud)))


def play_asyncio(scenario, **settings):
    """Run a coroutine function over an asyncio driver."""

    async def main():
        async with aio_compute.get_driver("ec2")(**settings) as cloud:
            return await scenario(cloud)

    return asyncio.run(main())
