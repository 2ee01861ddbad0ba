"""What the load balancers of the memory cloud do, and what they refuse."""

from __future__ import annotations

import asyncio

import pytest

import anysky
from anysky import (
    AlreadyExistsError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    QuotaExceededError,
)
from anysky.loadbalancer import Algorithm, Member, MemberCondition, State, get_driver

FIRST, SECOND = Member(None, "10.1.0.4", 8080), Member(None, "2001:db8::5", 8080)


@pytest.fixture
def balancer(balancers):
    made = balancers.create_balancer("web", 80, "http", Algorithm.ROUND_ROBIN, [FIRST, SECOND])
    return balancers.get_balancer(made.id)


def with_id(member, id):
    return Member(id, member.ip, member.port)


def ids(things):
    return [thing.id for thing in things]


def test_a_balancer_is_pending_and_has_no_address_until_it_runs(cloud, balancers):
    cloud.boot_seconds = 30

    made = balancers.create_balancer("web", 443, "HTTPS", None, None, tags={"role": "front"})
    found = balancers.get_balancer(made.id)
    assert (found.state, found.ip) == (State.PENDING, "")

    cloud.advance(30)
    found = balancers.get_balancer(made.id)
    assert (found.state, found.ip) == (State.RUNNING, "198.18.0.4")
    assert (found.name, found.port, found.tags) == ("web", 443, {"role": "front"})
    created_at = found.extra.pop("created_at")
    assert created_at.tzinfo is not None
    assert found.extra == {
        "protocol": "https",
        "algorithm": Algorithm.ROUND_ROBIN,
        "location": "eu-north",
    }


def test_members_are_known_by_address_and_port(balancer):
    assert [(one.id, one.ip, one.port) for one in balancer.list_members()] == [
        ("10.1.0.4:8080", "10.1.0.4", 8080),
        ("[2001:db8::5]:8080", "2001:db8::5", 8080),
    ]
    for again in (FIRST, with_id(FIRST, "any-id")):
        with pytest.raises(AlreadyExistsError, match=r"10\.1\.0\.4:8080"):
            balancer.attach_member(again)

    other = balancer.attach_member(Member(None, "10.1.0.4", None))
    assert (other.id, other.port, other.balancer) == ("10.1.0.4:80", 80, balancer)
    assert other.extra == {"balancer_id": balancer.id, "condition": MemberCondition.ENABLED}

    assert balancer.detach_member(Member(None, "10.1.0.4", None))
    assert balancer.detach_member(FIRST)
    assert ids(balancer.list_members()) == ["[2001:db8::5]:8080"]
    with pytest.raises(NotFoundError, match=r"no member '10\.1\.0\.4'"):
        balancer.detach_member(FIRST)


def test_nodes_are_members_by_their_private_address(balancer, make_node):
    node = make_node()
    [address] = node.private_ips

    member = balancer.attach_compute_node(node)
    assert (member.id, member.extra["node_id"]) == (f"{address}:80", node.id)
    with pytest.raises(AlreadyExistsError):
        balancer.attach_member(Member(None, address, 80))

    second = balancer.attach_member(Member(node.id, "", 8080))
    assert second.id == f"{address}:8080"
    assert balancer.detach_member(Member(node.id, "", 8080))
    assert balancer.detach_member(Member(node.id, "", None))
    with pytest.raises(NotFoundError):
        balancer.detach_member(Member(node.id, "", None))
    assert len(balancer.list_members()) == 2


def test_a_node_that_is_gone_is_no_member(balancer, make_node):
    node = make_node()
    node.destroy()

    with pytest.raises(NotFoundError, match="no node"):
        balancer.attach_compute_node(node)
    with pytest.raises(NotFoundError, match="no node"):
        balancer.attach_member(Member("i-0", "", 80))


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": ""}, InvalidRequestError),
        ({"name": "two\nlines"}, InvalidRequestError),
        ({"name": "web"}, AlreadyExistsError),
        ({"location": "mars"}, NotFoundError),
        ({"members": [FIRST, FIRST]}, AlreadyExistsError),
        ({"members": [Member(None, "web.example", 80)]}, InvalidRequestError),
        ({"members": [FIRST, Member("i-0", "", 80)]}, NotFoundError),
        ({"tags": {"": "x"}}, InvalidRequestError),
    ],
)
def test_wrong_balancers_are_refused_and_leave_nothing(cloud, balancers, balancer, change, error):
    before = cloud.inventory()
    right = {"name": "api", "port": 80, "protocol": "tcp", "algorithm": None, "members": [FIRST]}

    with pytest.raises(error):
        balancers.create_balancer(**{**right, **change})
    assert cloud.inventory() == before


@pytest.mark.parametrize(("kind", "most"), [("balancers", 1), ("members", 3)])
def test_quotas_leave_nothing_half_made(cloud, balancers, balancer, kind, most):
    cloud.quota(kind, most)
    before = cloud.inventory()

    with pytest.raises(QuotaExceededError, match=f"quota of {most} {kind}"):
        balancers.create_balancer("api", 80, "tcp", None, [FIRST, SECOND])
    assert cloud.inventory() == before


def test_a_balancer_is_changed(balancers, balancer):
    changed = balancer.update(name="api", port=8443, protocol="TLS", algorithm=2)

    assert (changed.id, changed.name, changed.port) == (balancer.id, "api", 8443)
    assert (changed.state, changed.ip) == (State.RUNNING, balancer.ip)
    assert changed.extra["protocol"] == "tls"
    assert changed.extra["algorithm"] is Algorithm.LEAST_CONNECTIONS
    assert changed.update(name="api") == changed
    assert len(changed.list_members()) == 2

    other = balancers.create_balancer("other", 80, "tcp", None, [])
    with pytest.raises(AlreadyExistsError, match="balancer 'api' already"):
        other.update(name="api")


def test_destroying_a_balancer_takes_its_members_and_leaves_nodes(cloud, balancer, make_node):
    node = make_node()
    balancer.attach_compute_node(node)

    assert balancer.destroy()

    assert list(cloud.inventory()) == ["nodes"]
    with pytest.raises(NotFoundError):
        balancer.destroy()


def test_members_of_two_balancers_are_kept_apart(balancers, balancer):
    other = balancers.create_balancer("api", 80, "tcp", None, [FIRST])

    assert other.detach_member(FIRST)

    assert len(balancer.list_members()) == 2


def test_a_new_balancer_is_listed_late_and_can_be_used(cloud, balancers):
    cloud.list_lag = 5

    made = balancers.create_balancer("web", 80, "http", None, [])

    assert balancers.list_balancers() == []
    assert balancers.get_balancer(made.id).state is State.RUNNING
    cloud.advance(5)
    assert ids(balancers.list_balancers()) == [made.id]


def test_a_balancer_whose_answer_was_lost_is_found_by_its_mark(cloud, balancers):
    cloud.lose_answer("create_balancer")

    made = balancers.create_balancer("web", 80, "http", None, [FIRST])

    assert ids(balancers.list_balancers()) == [made.id]
    assert [call.operation for call in cloud.calls].count("create_balancer") == 1


def test_a_balancer_whose_answer_was_lost_is_found_in_the_asyncio_api(anysky):
    anysky.cloud.lose_answer("create_balancer")
    driver = anysky.aio.loadbalancer

    async def main():
        made = await driver.create_balancer("web", 80, "http", None, [])
        return [made.id], ids(await driver.list_balancers())

    made, listed = asyncio.run(main())
    assert made == listed


def test_a_member_whose_answer_was_lost_is_looked_for_if_it_was_not_there_before(cloud, balancer):
    driver = get_driver("memory")(cloud=cloud, on_partial_failure="rollback")
    cloud.lose_answer("attach_member", times=2)

    with pytest.raises(OutcomeUnknownError):
        balancer.attach_member(Member(None, "10.1.0.6", 80))
    member = driver.get_balancer(balancer.id).attach_member(Member(None, "10.1.0.7", 80))

    assert member.id == "10.1.0.7:80"
    assert len(balancer.list_members()) == 4


@pytest.mark.parametrize("is_node", [False, True])
def test_what_was_attached_is_detached_when_a_transaction_fails(
    cloud, balancer, make_node, is_node
):
    node = make_node()
    before = cloud.inventory()

    def program():
        with anysky.transaction() as tx:
            if is_node:
                balancer.attach_compute_node(node)
            else:
                balancer.attach_member(Member(None, "10.1.0.6", 80))
            assert len(tx.created) == 1
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        program()
    assert cloud.inventory() == before


def test_a_balancer_is_destroyed_when_a_transaction_fails(cloud, balancers):
    def program():
        with anysky.transaction():
            balancers.create_balancer("web", 80, "http", None, [FIRST, SECOND])
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError, match="stopped"):
        program()
    assert cloud.inventory() == {}
