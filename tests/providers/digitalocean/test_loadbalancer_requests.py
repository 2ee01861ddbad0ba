"""Each operation of load balancers: the exact requests it sends, and the models it makes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anysky.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidAccountError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedOperationError,
)
from anysky.model.compute import Filter, Node, NodeState
from anysky.model.loadbalancer import (
    Algorithm,
    BalancerChanges,
    BalancerSpec,
    LoadBalancer,
    Member,
    State,
)
from anysky.paging import Page
from anysky.providers.digitalocean.loadbalancer import DigitalOceanLoadBalancer
from anysky.run import run

REGION = {"slug": "fra1", "name": "Frankfurt 1", "available": True, "sizes": [], "features": []}
RULE = {
    "entry_protocol": "http",
    "entry_port": 80,
    "target_protocol": "http",
    "target_port": 8080,
    "certificate_id": "",
    "tls_passthrough": False,
}
HEALTH_CHECK = {"protocol": "http", "port": 8080, "path": "/"}
BALANCER = {
    "id": "lb-1",
    "name": "web",
    "ip": "192.0.2.1",
    "status": "active",
    "algorithm": "round_robin",
    "created_at": "2026-01-02T03:04:05Z",
    "region": REGION,
    "forwarding_rules": [RULE],
    "health_check": HEALTH_CHECK,
    "sticky_sessions": {"type": "none"},
    "size": "lb-small",
    "size_unit": 2,
    "redirect_http_to_https": False,
    "vpc_uuid": "vpc-1",
    "tag": "",
    "droplet_ids": [1, 2],
    "project_id": "project-1",
    "network": "EXTERNAL",
}
# What a change repeats.
AS_IT_IS = {
    "name": "web",
    "algorithm": "round_robin",
    "region": "fra1",
    "forwarding_rules": [RULE],
    "health_check": HEALTH_CHECK,
    "sticky_sessions": {"type": "none"},
    "size": "lb-small",
    "size_unit": 2,
    "redirect_http_to_https": False,
    "vpc_uuid": "vpc-1",
    "droplet_ids": [1, 2],
    "project_id": "project-1",
    "network": "EXTERNAL",
}
TAGGED = {**BALANCER, "tag": "web", "droplet_ids": [7]}
TWO_RULES = {**BALANCER, "forwarding_rules": [RULE, {**RULE, "entry_port": 81}]}
BUSY = {
    "id": "forbidden",
    "message": "Load Balancer can't be updated while it processes previous actions",
}

THE_BALANCER = LoadBalancer("lb-1", "web", State.RUNNING, "192.0.2.1", 80)
NODE = Node("3", "n", NodeState.RUNNING, [], [])
GET = ("GET", "/v2/load_balancers/lb-1")
POST_3 = ("POST", "/v2/load_balancers/lb-1/droplets", {"droplet_ids": [3]})
ONE = {"load_balancer": BALANCER}


def spec(port=80, protocol="http", members=(), **options):
    return BalancerSpec("web", port, protocol, None, members, "fra1", {}, options)


def posted(rule, **more):
    plain = {key: value for key, value in rule.items() if value not in ("", False)}
    return (
        "POST",
        "/v2/load_balancers",
        {
            "name": "web",
            "region": "fra1",
            "forwarding_rules": [plain],
            "droplet_ids": [],
            "health_check": {"protocol": "tcp", "port": rule["target_port"]},
            **more,
        },
    )


@dataclass
class Case:
    """What is called, what the provider answers, what was sent and what comes back."""

    name: str
    call: Any
    answers: list[Any]
    sent: list[tuple[Any, ...]]
    result: Any = None


def change(what, answer, sent, **changes):
    options = {key: value for key, value in changes.items() if key.startswith("ex_")}
    given = {key: value for key, value in changes.items() if key not in options}
    return Case(
        f"update_balancer, {what}",
        lambda b: b.update_balancer(THE_BALANCER, BalancerChanges(**given, options=options)),
        [{"load_balancer": answer}, ONE],
        [GET, ("PUT", "/v2/load_balancers/lb-1", sent)],
        THE_BALANCER,
    )


CASES = [
    Case(
        "list_balancers",
        lambda b: b.list_balancers(None, Filter()),
        [{"load_balancers": [BALANCER, {**TWO_RULES, "status": "new", "ip": ""}]}],
        [("GET", "/v2/load_balancers?per_page=200")],
        Page([THE_BALANCER, LoadBalancer("lb-1", "web", State.PENDING, "", None)]),
    ),
    Case("get_balancer", lambda b: b.get_balancer("lb-1"), [ONE], [GET], THE_BALANCER),
    Case(
        "create_balancer",
        lambda b: b.create_balancer(spec(members=[Member("1", "", 8080), Member("2", "", 8080)])),
        [ONE],
        [posted(RULE, droplet_ids=[1, 2], health_check=HEALTH_CHECK)],
        THE_BALANCER,
    ),
    Case(
        "create_balancer, members on its own port",
        lambda b: b.create_balancer(spec(443, "tcp", [Member("1", "", None)])),
        [ONE],
        [
            posted(
                {
                    "entry_protocol": "tcp",
                    "entry_port": 443,
                    "target_protocol": "tcp",
                    "target_port": 443,
                },
                droplet_ids=[1],
            )
        ],
        THE_BALANCER,
    ),
    Case(
        "create_balancer, encrypted up to the members",
        lambda b: b.create_balancer(spec(443, "https", ex_target_port=8443)),
        [ONE],
        [
            posted(
                {
                    "entry_protocol": "https",
                    "entry_port": 443,
                    "target_protocol": "https",
                    "target_port": 8443,
                    "tls_passthrough": True,
                }
            )
        ],
        THE_BALANCER,
    ),
    Case(
        "create_balancer, with everything",
        lambda b: b.create_balancer(
            spec(
                443,
                "http3",
                ex_certificate_id="cert-1",
                ex_tag="web",
                ex_health_check={"protocol": "tcp", "port": 22},
                ex_sticky_sessions={"type": "none"},
                ex_redirect_http_to_https=True,
                ex_proxy_protocol=False,
                ex_backend_keepalive=True,
                ex_idle_timeout=90,
                ex_no_lets_encrypt_records=True,
                ex_firewall={"allow": ["ip:192.0.2.1"], "deny": []},
                ex_size_unit=3,
                ex_project_id="project-1",
                ex_type="REGIONAL",
                ex_network="INTERNAL",
                ex_network_stack="IPV4",
                ex_vpc_uuid="vpc-1",
            )
        ),
        [ONE],
        [
            (
                "POST",
                "/v2/load_balancers",
                {
                    "name": "web",
                    "region": "fra1",
                    "forwarding_rules": [
                        {
                            "entry_protocol": "http3",
                            "entry_port": 443,
                            "target_protocol": "http",
                            "target_port": 443,
                            "certificate_id": "cert-1",
                        }
                    ],
                    "health_check": {"protocol": "tcp", "port": 22},
                    "sticky_sessions": {"type": "none"},
                    "redirect_http_to_https": True,
                    "enable_proxy_protocol": False,
                    "enable_backend_keepalive": True,
                    "http_idle_timeout_seconds": 90,
                    "disable_lets_encrypt_dns_records": True,
                    "firewall": {"allow": ["ip:192.0.2.1"], "deny": []},
                    "size_unit": 3,
                    "project_id": "project-1",
                    "tag": "web",
                    "type": "REGIONAL",
                    "network": "INTERNAL",
                    "network_stack": "IPV4",
                    "vpc_uuid": "vpc-1",
                },
            )
        ],
        THE_BALANCER,
    ),
    change("its name", BALANCER, {**AS_IT_IS, "name": "other"}, name="other"),
    change(
        "its port; that of the members stays",
        BALANCER,
        {**AS_IT_IS, "forwarding_rules": [{**RULE, "entry_port": 81}]},
        port=81,
    ),
    change(
        "what it speaks",
        BALANCER,
        {
            **AS_IT_IS,
            "forwarding_rules": [
                {
                    "entry_protocol": "tcp",
                    "entry_port": 80,
                    "target_protocol": "tcp",
                    "target_port": 8080,
                }
            ],
        },
        protocol="tcp",
    ),
    change(
        "to HTTPS",
        BALANCER,
        {
            **AS_IT_IS,
            "forwarding_rules": [
                {
                    "entry_protocol": "https",
                    "entry_port": 443,
                    "target_protocol": "http",
                    "target_port": 8080,
                    "certificate_id": "cert-1",
                }
            ],
        },
        protocol="https",
        port=443,
        ex_certificate_id="cert-1",
    ),
    change(
        "an option of one whose members have a tag",
        TAGGED,
        {**{k: v for k, v in AS_IT_IS.items() if k != "droplet_ids"}, "tag": "web", "size_unit": 3},
        ex_size_unit=3,
    ),
    change(
        "from a tag to Droplets",
        TAGGED,
        {**AS_IT_IS, "droplet_ids": [7]},
        ex_tag="",
    ),
    change(
        "the name of one with several rules",
        TWO_RULES,
        {
            **AS_IT_IS,
            "forwarding_rules": TWO_RULES["forwarding_rules"],
            "name": "other",
        },
        name="other",
    ),
    Case(
        "destroy_balancer",
        lambda b: b.destroy_balancer(THE_BALANCER),
        [b""],
        [("DELETE", "/v2/load_balancers/lb-1")],
    ),
    Case(
        "list_members",
        lambda b: b.list_members(THE_BALANCER, None),
        [ONE],
        [GET],
        Page([Member("1", "", 8080, THE_BALANCER), Member("2", "", 8080, THE_BALANCER)]),
    ),
    Case(
        "list_members, of several ports",
        lambda b: b.list_members(THE_BALANCER, None),
        [{"load_balancer": {**TWO_RULES, "forwarding_rules": [RULE, {**RULE, "target_port": 1}]}}],
        [GET],
        Page([Member("1", "", None, THE_BALANCER), Member("2", "", None, THE_BALANCER)]),
    ),
    Case(
        "attach_member",
        lambda b: b.attach_member(THE_BALANCER, Member("3", "", 8080)),
        [ONE, b""],
        [GET, POST_3],
        Member("3", "", 8080, THE_BALANCER),
    ),
    Case(
        "attach_member that is one already",
        lambda b: b.attach_member(THE_BALANCER, Member("2", "", None)),
        [ONE],
        [GET],
        Member("2", "", 8080, THE_BALANCER),
    ),
    Case(
        "attach_member while an earlier change is carried out",
        lambda b: b.attach_member(THE_BALANCER, Member("3", "", None)),
        [ONE, (403, BUSY), (403, BUSY), b""],
        [GET, POST_3, POST_3, POST_3],
        Member("3", "", 8080, THE_BALANCER),
    ),
    Case(
        "attach_node",
        lambda b: b.attach_node(THE_BALANCER, NODE),
        [ONE, b""],
        [GET, POST_3],
        Member("3", "", 8080, THE_BALANCER),
    ),
    Case(
        "detach_member",
        lambda b: b.detach_member(THE_BALANCER, Member("2", "", 8080)),
        [ONE, b""],
        [GET, ("DELETE", "/v2/load_balancers/lb-1/droplets", {"droplet_ids": [2]})],
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_requests_and_models(case, backend_of, script):
    script.answer(*case.answers)

    result = run(case.call(backend_of(DigitalOceanLoadBalancer)))

    assert script.sent == case.sent
    assert result == case.result


def test_every_supported_operation_has_a_case():
    tested = {case.name.split(",")[0].split(" ")[0] for case in CASES}

    assert {
        name
        for name in DigitalOceanLoadBalancer.operations()
        if DigitalOceanLoadBalancer.supports(name)
    } == tested


def test_every_option_is_tried():
    tried = Path(__file__).read_text("utf-8")
    known = {one.name for options in DigitalOceanLoadBalancer.options.values() for one in options}

    assert [name for name in sorted(known) if f"{name}=" not in tried] == []


@pytest.mark.parametrize(
    ("answer", "protocol", "algorithm", "state"),
    [
        (BALANCER, "http", Algorithm.ROUND_ROBIN, State.RUNNING),
        (
            {**TWO_RULES, "algorithm": "least_connections"},
            None,
            Algorithm.LEAST_CONNECTIONS,
            State.RUNNING,
        ),
        ({**BALANCER, "algorithm": "magic", "status": "errored"}, "http", None, State.ERROR),
        ({**BALANCER, "algorithm": None, "status": "strange"}, "http", None, State.UNKNOWN),
    ],
)
def test_what_extra_and_state_say(answer, protocol, algorithm, state, backend_of, script):
    script.answer({"load_balancer": answer})

    balancer = run(backend_of(DigitalOceanLoadBalancer).get_balancer("lb-1"))

    assert balancer.state is state
    assert (balancer.extra["protocol"], balancer.extra["algorithm"]) == (protocol, algorithm)
    assert balancer.extra["vpc_uuid"] == "vpc-1"


@pytest.mark.parametrize(
    ("call", "error", "words"),
    [
        (
            lambda b: b.create_balancer(spec(members=[Member(None, "10.0.0.4", 80)])),
            InvalidRequestError,
            "are Droplets: give the id of a node",
        ),
        (
            lambda b: b.create_balancer(spec(members=[Member("i-1", "", 80)])),
            InvalidRequestError,
            "is a number, not 'i-1'",
        ),
        (
            lambda b: b.create_balancer(
                spec(members=[Member("1", "", 80), Member("2", "", 8080), Member("3", "", None)])
            ),
            InvalidRequestError,
            "listen on one port, not on 80, 8080",
        ),
        (
            lambda b: b.create_balancer(spec(members=[Member("1", "", None)], ex_tag="web")),
            InvalidRequestError,
            "either members or ex_tag",
        ),
        (
            lambda b: b.create_balancer(BalancerSpec("web", 80, "http", tags={"a": "b"})),
            UnsupportedOperationError,
            "have no tags",
        ),
        (
            lambda b: b.create_balancer(BalancerSpec("web", 80, "http")),
            InvalidAccountError,
            "needs a region",
        ),
        (lambda b: b.create_balancer(spec(443, "http3")), InvalidRequestError, "http3 needs ex_c"),
        (
            lambda b: b.create_balancer(spec(ex_certificate_id="cert-1")),
            InvalidRequestError,
            "http takes no ex_certificate_id",
        ),
        (lambda b: b.create_balancer(spec(53, "udp")), InvalidRequestError, "need ex_health_check"),
        (
            lambda b: b.attach_member(THE_BALANCER, Member(None, "10.0.0.4", 80)),
            InvalidRequestError,
            "are Droplets",
        ),
        (lambda b: b.get_balancer(".."), InvalidRequestError, "nothing with the id '..'"),
    ],
)
def test_what_cannot_be_done_as_asked_is_refused_before_sending(
    call, error, words, backend_of, script, monkeypatch
):
    monkeypatch.delenv("DIGITALOCEAN_REGION", raising=False)

    with pytest.raises(error, match=words):
        run(call(backend_of(DigitalOceanLoadBalancer)))

    assert script.requests == []


@pytest.mark.parametrize(
    ("call", "answer", "error", "words"),
    [
        (
            lambda b: b.update_balancer(THE_BALANCER, BalancerChanges(port=82)),
            {"load_balancer": TWO_RULES},
            ConflictError,
            "has 2 forwarding rules",
        ),
        (
            lambda b: b.attach_member(THE_BALANCER, Member("3", "", 80)),
            ONE,
            InvalidRequestError,
            "listen on port 8080",
        ),
        (
            lambda b: b.detach_member(THE_BALANCER, Member("3", "", 80)),
            ONE,
            NotFoundError,
            "Droplet 3 is no member",
        ),
    ],
)
def test_what_a_look_shows_to_be_wrong(call, answer, error, words, backend_of, script):
    script.answer(answer)

    with pytest.raises(error, match=words):
        run(call(backend_of(DigitalOceanLoadBalancer)))

    assert script.sent == [GET]


def test_a_name_that_is_taken(backend_of, script):
    script.answer({"id": "unprocessable_entity", "message": "name is not unique"}, status=422)

    with pytest.raises(AlreadyExistsError, match="name is not unique"):
        run(backend_of(DigitalOceanLoadBalancer).create_balancer(spec()))


def test_a_change_is_given_up_after_a_minute(backend_of, script):
    script.answer(ONE)
    script.answer(*[BUSY] * 20, status=403)

    with pytest.raises(ConflictError, match="previous actions"):
        run(backend_of(DigitalOceanLoadBalancer).attach_node(THE_BALANCER, NODE))

    assert script.sent == [GET, *[POST_3] * 10]
