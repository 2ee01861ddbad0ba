"""What is measured, as data: cases, the sides of each, and the goals."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

CALLS = 200
THREADS = 32
LATENCY = 0.05

Job = dict[str, Any]


@dataclass(frozen=True)
class Side:
    """One way to do the work of a case.

    `job` goes to the worker of `environment`. With `code` a fresh interpreter runs that instead,
    and its whole life is measured.
    """

    name: str
    environment: str
    job: Job = field(default_factory=dict)
    code: str | None = None


@dataclass(frozen=True)
class Case:
    """The same work, done by each side in turn, `repeats` times.

    `unit` is that of the report; `compared` says whether every side must have decoded the same
    servers.
    """

    name: str
    title: str
    sides: list[Side]
    repeats: int
    unit: str = "ms"
    compared: bool = True


@dataclass(frozen=True)
class Goal:
    """`metric` of `side` is to be at most `limit` times that of `other`.

    With `over`, the value of that side is first taken off both. Without `other`, `reference` is
    the value to compare with; a `reference` of 1 makes the limit one in plain units.
    """

    case: str
    metric: str
    limit: float
    side: str = "anysky"
    other: str | None = None
    other_metric: str | None = None
    over: str | None = None
    reference: float = 1.0
    note: str = ""


@dataclass(frozen=True)
class Size:
    """How much is measured: everything, or a quick look."""

    counts: tuple[int, ...]
    list_repeats: int
    small_calls: int
    small_repeats: int
    fanout_repeats: int
    startup_repeats: int
    sign_calls: int


FULL = Size((1_000, 10_000), 5, 640, 7, 7, 15, 5_000)
QUICK = Size((1_000,), 3, 160, 3, 3, 5, 1_000)


def all_cases(size: Size, sites: dict[str, str], ca: str) -> list[Case]:
    """Every case, against the server whose sites are given."""
    return [
        *[case for count in size.counts for case in list_cases(size, sites, count)],
        *small_cases(size, sites, ca),
        *fanout_cases(size, sites),
        *startup_cases(size, sites),
        sign_case(size),
    ]


def list_cases(size: Size, sites: dict[str, str], count: int) -> list[Case]:
    """Whole lists. apache-libcloud's EC2 driver reads one page, so it gets all in one."""

    def side(name: str, environment: str, part: str, service: str, **more: Any) -> Side:
        job = {"part": part, "service": service, "endpoint": sites[f"list-{count}"]}
        return Side(name, environment, job | {"warm": sites["one"]} | more)

    def common(service: str) -> list[Side]:
        return [
            side("anysky", "anysky", "list-blocking", service),
            side("anysky, extra read", "anysky", "list-blocking", service, extra=True),
            side("anysky asyncio", "anysky", "list-asyncio", service),
            side("urllib3, not decoded", "bare", "list-blocking", service),
        ]

    whole = {"endpoint": sites[f"whole-{count}"]}
    return [
        Case(
            f"list-ec2-{count}",
            f"List {count:,} EC2 instances (XML)",
            [
                *common("ec2"),
                side("apache-libcloud", "libcloud", "list-blocking", "ec2", **whole),
                side("boto3", "boto3", "list-blocking", "ec2"),
                side("aiobotocore", "aiobotocore", "list-asyncio", "ec2"),
            ],
            size.list_repeats,
        ),
        Case(
            f"list-digitalocean-{count}",
            f"List {count:,} DigitalOcean droplets (JSON)",
            [
                *common("digitalocean"),
                side("apache-libcloud", "libcloud", "list-blocking", "digitalocean"),
            ],
            size.list_repeats,
        ),
    ]


def small_cases(size: Size, sites: dict[str, str], ca: str) -> list[Case]:
    """Describe the one server of an account, over kept connections."""

    def case(service: str, scheme: str, part: str, peers: dict[str, str]) -> Case:
        job: Job = {"part": part, "service": service, "calls": size.small_calls}
        job["endpoint"] = sites["one-tls" if scheme == "https" else "one"]
        if scheme == "https":
            job["ca"] = ca
        if part == "small-asyncio":
            job["concurrency"] = THREADS
        how = f"asyncio, {THREADS} at a time" if part == "small-asyncio" else "blocking"
        return Case(
            f"{part}-{service}-{scheme}",
            f"Describe one server, {service}, {scheme}, {how}: per call",
            [Side(name, environment, job) for name, environment in peers.items()],
            size.small_repeats,
            unit="µs",
        )

    blocking = {"anysky": "anysky", "urllib3": "bare", "apache-libcloud": "libcloud"}
    asynchronous = {"anysky": "anysky", "aiohttp": "bare"}
    amazon = asynchronous | {"aiobotocore": "aiobotocore"}
    return [
        case("ec2", "http", "small-blocking", blocking | {"boto3": "boto3"}),
        case("ec2", "https", "small-blocking", blocking | {"boto3": "boto3"}),
        case("ec2", "http", "small-asyncio", amazon),
        case("ec2", "https", "small-asyncio", amazon),
        case("digitalocean", "http", "small-blocking", blocking),
        case("digitalocean", "http", "small-asyncio", asynchronous),
    ]


def fanout_cases(size: Size, sites: dict[str, str]) -> list[Case]:
    """Many calls to a slow service at once."""
    job = {"service": "ec2", "endpoint": sites["slow"], "calls": CALLS, "concurrency": THREADS}
    on_loop, in_threads = job | {"part": "fanout-asyncio"}, job | {"part": "fanout-blocking"}
    what = f"{CALLS} calls of {LATENCY * 1000:.0f} ms"
    return [
        Case(
            "fanout-asyncio",
            f"{what}, asyncio, all at once",
            [
                Side("anysky", "anysky", on_loop | {"connections": CALLS}),
                Side("anysky, default pool", "anysky", on_loop),
                Side("aiohttp", "bare", on_loop),
                Side("aiobotocore", "aiobotocore", on_loop),
            ],
            size.fanout_repeats,
        ),
        Case(
            "fanout-blocking",
            f"{what}, blocking, {THREADS} threads",
            [
                Side("anysky", "anysky", in_threads),
                Side("urllib3", "bare", in_threads),
                Side("apache-libcloud", "libcloud", in_threads),
                Side("boto3", "boto3", in_threads),
            ],
            size.fanout_repeats,
        ),
    ]


_ANYSKY = "driver = get_driver('ec2')('AKID', 'secret', region='us-east-1', endpoint=URL)"
_MADE = {
    "anysky": f"from anysky.compute import get_driver\n{_ANYSKY}",
    "anysky asyncio": (
        "import asyncio\nfrom anysky.aio.compute import get_driver\n"
        "async def main():\n"
        f"    {_ANYSKY}\n"
        "    async with driver:\n"
        "        CALL\n"
        "asyncio.run(main())"
    ),
    "apache-libcloud": (
        "from libcloud.compute.types import Provider\n"
        "from libcloud.compute.providers import get_driver\n"
        "driver = get_driver(Provider.EC2)('AKID', 'secret', region='us-east-1',\n"
        "    signature_version='4', host='127.0.0.1', port=int(URL.split(':')[2]), secure=False)"
    ),
    "boto3": (
        "import boto3\n"
        "client = boto3.client('ec2', region_name='us-east-1', endpoint_url=URL,\n"
        "    aws_access_key_id='AKID', aws_secret_access_key='secret')"
    ),
    "aiobotocore": (
        "import asyncio\nfrom aiobotocore.session import get_session\n"
        "async def main():\n"
        "    async with get_session().create_client('ec2', region_name='us-east-1',\n"
        "            endpoint_url=URL, aws_access_key_id='AKID',\n"
        "            aws_secret_access_key='secret') as client:\n"
        "        CALL\n"
        "asyncio.run(main())"
    ),
}
_CALLS = {
    "anysky": "\ndriver.list_nodes()",
    "anysky asyncio": "await driver.list_nodes()",
    "apache-libcloud": "\ndriver.list_nodes()",
    "boto3": "\nclient.describe_instances()",
    "aiobotocore": "await client.describe_instances()",
}
_ENVIRONMENTS = {"apache-libcloud": "libcloud", "anysky asyncio": "anysky"}


def startup_cases(size: Size, sites: dict[str, str]) -> list[Case]:
    """A fresh process that imports and makes a driver; and one that also makes a call."""

    def side(name: str, call: str) -> Side:
        code = _MADE[name] + ("" if "CALL" in _MADE[name] else call)
        code = f"URL = {json.dumps(sites['one'])}\n" + code.replace("CALL", call or "pass")
        return Side(name, _ENVIRONMENTS.get(name, name), code=code)

    python = Side("bare Python", "bare", code="pass")
    return [
        Case(
            "startup-driver",
            "Fresh process: import and one driver made",
            [
                python,
                Side("import anysky", "anysky", code="import anysky"),
                *[side(name, "") for name in _MADE],
            ],
            size.startup_repeats,
            compared=False,
        ),
        Case(
            "startup-call",
            "Fresh process: import, one driver made and one small call",
            [python, *[side(name, _CALLS[name]) for name in _MADE]],
            size.startup_repeats,
            compared=False,
        ),
    ]


def sign_case(size: Size) -> Case:
    """One Signature Version 4."""
    job = {
        "part": "sign",
        "calls": size.sign_calls,
        "host": "ec2.us-east-1.amazonaws.com",
        "content_type": "application/x-www-form-urlencoded; charset=utf-8",
        "body": "Action=DescribeInstances&Version=2016-11-15",
    }
    peers = {"anysky": "anysky", "floor": "bare", "apache-libcloud": "libcloud", "boto3": "boto3"}
    return Case(
        "sign",
        "Sign one request (Signature Version 4)",
        [Side(name, environment, job) for name, environment in peers.items()],
        size.small_repeats,
        unit="µs",
        compared=False,
    )


LIBCLOUD, BOTO3, AIOBOTOCORE = "apache-libcloud", "boto3", "aiobotocore"


def goals(size: Size) -> list[Goal]:
    """What is to be reached; of the lists, the longest counts."""
    xml, droplets = f"list-ec2-{size.counts[-1]}", f"list-digitalocean-{size.counts[-1]}"
    return [
        Goal(xml, "cpu", 0.36, other=LIBCLOUD, note="0.28 would be better still"),
        Goal(xml, "cpu", 1 / 6, other=BOTO3),
        Goal(xml, "cpu", 1 / 6, side="anysky asyncio", other=AIOBOTOCORE),
        Goal(xml, "peak", 1 / 3, other=LIBCLOUD),
        Goal(xml, "peak", 1 / 3, other=BOTO3),
        Goal(droplets, "cpu", 1 / 5, other=LIBCLOUD),
        *[
            Goal(f"small-blocking-ec2-{scheme}", "cpu", limit, other=other)
            for scheme in ("http", "https")
            for other, limit in (("urllib3", 1.6), (LIBCLOUD, 0.5), (BOTO3, 0.5))
        ],
        *[
            Goal(f"small-asyncio-ec2-{scheme}", "cpu", limit, other=other)
            for scheme in ("http", "https")
            for other, limit in (("aiohttp", 1.6), (AIOBOTOCORE, 0.5))
        ],
        Goal("small-blocking-digitalocean-http", "cpu", 1.6, other="urllib3"),
        Goal("small-blocking-digitalocean-http", "cpu", 0.5, other=LIBCLOUD),
        Goal("small-asyncio-digitalocean-http", "cpu", 1.6, other="aiohttp"),
        Goal("fanout-asyncio", "wall", 1.3, other="aiohttp", other_metric="slowest"),
        Goal("fanout-asyncio", "cpu", 0.6, other=AIOBOTOCORE),
        Goal(
            "fanout-blocking",
            "wall",
            1.5,
            reference=CALLS / THREADS * LATENCY,
            note="of calls / threads x latency",
        ),
        Goal(
            "startup-driver",
            "wall",
            0.05,
            side="import anysky",
            over="bare Python",
            note="seconds over bare Python",
        ),
        *[
            Goal(case, "wall", limit, other=other, over="bare Python")
            for case in ("startup-driver", "startup-call")
            for other, limit in ((LIBCLOUD, 0.75), (BOTO3, 0.3))
        ],
        *[Goal(case, "peak", 1.0, other=LIBCLOUD) for case in ("startup-driver", "startup-call")],
        Goal("sign", "cpu", 2.0, other="floor"),
        Goal("sign", "cpu", 12 / 46, other=LIBCLOUD),
        Goal("sign", "cpu", 12 / 68, other=BOTO3),
    ]
