"""Cases of load balancers."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from anysky.errors import (
    AlreadyExistsError,
    InvalidRequestError,
    NotFoundError,
    UnsupportedOperationError,
)
from anysky.model.loadbalancer import Algorithm, State

from .case import case
from .trial import Trial, check, equal, only

__all__: list[str] = []

BALANCERS = ("create_balancer", "list_balancers", "get_balancer", "destroy_balancer")
MEMBERS = (
    *BALANCERS,
    "balancer_list_members",
    "balancer_attach_member",
    "balancer_detach_member",
)
UPDATES = (*BALANCERS, "update_balancer")

_TAGS = {"purpose": "conformance", "team": "anysky"}
_FIELDS = ("name", "algorithm", "port", "protocol")


@case()
async def protocols_and_algorithms(trial: Trial) -> None:
    """What balancers speak and how they choose is told without a request."""
    protocols = trial.driver.list_protocols()
    algorithms = trial.driver.list_supported_algorithms()

    equal(protocols, [one.lower() for one in protocols], "protocols, in lower case")
    equal(len(set(protocols)), len(protocols), "number of different protocols")
    equal(algorithms, [Algorithm(one) for one in algorithms], "algorithms, as `Algorithm`")
    equal(len(set(algorithms)), len(algorithms), "number of different algorithms")
    unknown = sorted(trial.driver.changeable - {*_FIELDS})
    equal(unknown, [], "names in `changeable` that mean nothing")
    equal(trial.requests, [], "requests")
    if trial.driver.supports("create_balancer"):
        check(protocols, "a provider that makes balancers should name their protocols")


@case(*BALANCERS)
async def balancer_life(trial: Trial) -> None:
    """A balancer without members is made, got, listed by id and name, and destroyed."""
    name = trial.name("lb")
    made = await _balancer(trial, name)
    equal((made.name, made.port), (name, trial.setup.port), "name and port of the balancer")
    check(isinstance(made.state, State), f"{made!r} should have a state")

    balancer = await _running(trial, made)
    equal((balancer.id, balancer.name), (made.id, name), "id and name of the balancer")
    equal(balancer.port, trial.setup.port, "port of the balancer")
    check(balancer.ip, f"{balancer!r} should say where it is reached, as it runs")
    _check_extra(trial, balancer)
    lists = trial.driver.list_balancers
    equal(_ids(await trial.do(lists(name=name))), [made.id], "ids of balancers of this name")
    equal(_ids(await trial.do(lists(ids=[made.id]))), [made.id], "ids of balancers of this id")
    equal(await trial.do(lists(name="no-such-balancer")), [], "balancers of another name")
    lazy = _ids(await trial.do(trial.driver.iterate_balancers()))
    check(made.id in lazy, "the balancer should be yielded")

    await trial.drop(balancer)
    await _gone(trial, balancer)


@case(*BALANCERS)
async def two_balancers_are_kept_apart(trial: Trial) -> None:
    """Destroying one balancer leaves the other."""
    first = await _running(trial, await _balancer(trial, trial.name("first")))
    second = await _running(trial, await _balancer(trial, trial.name("second")))
    check(first.id != second.id, "two balancers should have different ids")

    await trial.drop(first)
    await _gone(trial, first)

    equal((await trial.do(trial.driver.get_balancer(second.id))).name, second.name, "the other one")


@case(*BALANCERS)
async def a_name_is_given_twice(trial: Trial) -> None:
    """A second balancer of a name is refused, or is another balancer."""
    first = await _running(trial, await _balancer(trial, trial.name("lb")))
    try:
        second = await _balancer(trial, first.name)
    except AlreadyExistsError as error:
        trial.shown.append(str(error))
    else:
        check(second.id != first.id, "two balancers should have different ids")
    equal((await trial.do(trial.driver.get_balancer(first.id))).id, first.id, "id of the first")


@case(*BALANCERS)
async def balancer_tags(trial: Trial) -> None:
    """Tags come back as they were given and select balancers; without them nothing is sent."""
    if not trial.setup.has_tags:
        call = partial(_order, trial, trial.name("tagged"), tags=_TAGS)
        await trial.silent(UnsupportedOperationError, call, "create_balancer(tags=…)")
        return
    other = await _balancer(trial, trial.name("other"))
    tagged = await _balancer(trial, trial.name("tagged"), tags=_TAGS)
    for one in (other, tagged):
        await _running(trial, one)

    listed = await trial.do(trial.driver.list_balancers(tags=_TAGS))
    balancer = only(listed, f"balancers tagged {_TAGS}")
    equal(balancer.id, tagged.id, "id of the tagged balancer")
    equal({key: balancer.tags.get(key) for key in _TAGS}, _TAGS, "tags of the balancer")
    others = await trial.do(trial.driver.list_balancers(tags={"team": "nobody"}))
    equal(others, [], "balancers of nobody's team")


@case(*BALANCERS)
async def what_cannot_be_sends_nothing(trial: Trial) -> None:
    """A port, protocol, algorithm or member that cannot be is refused before anything is sent."""
    setup, member = trial.setup, trial.module.Member
    wrong: dict[str, dict[str, Any]] = {
        "a port of 0": {"port": 0},
        "a port of 65536": {"port": 65536},
        "a protocol that does not exist": {"protocol": "no-such-protocol"},
        "an algorithm that does not exist": {"algorithm": 99},
        "a member without id and address": {"members": [member(None, "", 80)]},
        "a member with a port of 0": {"members": [member(None, "192.0.2.1", 0)]},
    }
    right: dict[str, Any] = {
        "port": setup.port,
        "protocol": setup.protocol,
        "algorithm": None,
        "members": [],
    }
    for what, change in wrong.items():
        call = partial(trial.driver.create_balancer, trial.name("lb"), **{**right, **change})
        await trial.silent(InvalidRequestError, call, what)


@case(*MEMBERS)
async def members_come_and_go(trial: Trial) -> None:
    """A balancer is made with a member; another is attached, and the first detached."""
    first, second = trial.setup.members()
    balancer = await _running(trial, await _balancer(trial, trial.name("lb"), members=[first]))
    one = only(await trial.do(balancer.list_members()), "members of the new balancer")
    _check_member(one, first, balancer)

    two = await trial.do(balancer.attach_member(second))
    _check_member(two, second, balancer)
    check(one.id != two.id, "two members should have different ids")
    both = await trial.do(balancer.list_members())
    equal(sorted(_ids(both)), sorted([one.id, two.id]), "ids of the members")
    equal(await trial.do(balancer.iterate_members()), both, "members, page by page")

    equal(await trial.do(balancer.detach_member(one)), True, "result of detaching")
    left = await _members_become(trial, balancer, [two.id])
    _check_member(only(left, "members that are left"), second, balancer)
    await trial.fails(NotFoundError, lambda: balancer.detach_member(one))

    again = await trial.do(balancer.attach_member(one))
    equal(again.id, one.id, "id of a member that was detached, and attached as it was listed")
    await _members_become(trial, balancer, [one.id, two.id])


@case(*MEMBERS)
async def a_member_is_attached_twice(trial: Trial) -> None:
    """A member that is there already is refused, or stays the one it is."""
    first, _ = trial.setup.members()
    balancer = await _running(trial, await _balancer(trial, trial.name("lb"), members=[first]))
    member = only(await trial.do(balancer.list_members()), "members of the new balancer")
    try:
        same = await trial.do(balancer.attach_member(first))
    except AlreadyExistsError as error:
        trial.shown.append(str(error))
    else:
        equal(same.id, member.id, "id of the member")
    equal(_ids(await trial.do(balancer.list_members())), [member.id], "ids of the members")


@case(*MEMBERS, "balancer_attach_compute_node")
async def a_node_is_a_member(trial: Trial) -> None:
    """A node is attached as a member, and detached."""
    if trial.setup.node is None:
        return
    node = trial.setup.node()
    balancer = await _running(trial, await _balancer(trial, trial.name("lb")))

    member = await trial.do(balancer.attach_compute_node(node))
    is_its = member.id == node.id or member.ip in (*node.private_ips, *node.public_ips)
    check(is_its, f"{member!r} should have the id or an address of the node")
    await _members_become(trial, balancer, [member.id])

    equal(await trial.do(balancer.detach_member(member)), True, "result of detaching")
    await _members_become(trial, balancer, [])


@case(*UPDATES)
async def what_can_be_changed_is_changed(trial: Trial) -> None:
    """Each thing that the provider can change gets another value; the others stay."""
    balancer = await _running(trial, await _balancer(trial, trial.name("lb")))
    for field, value in _changes(trial, balancer).items():
        if field not in trial.driver.changeable:
            continue
        changed = await trial.do(balancer.update(**{field: value}))
        equal(_value(changed, field), value, f"{field} of the balancer, after it was changed")
        balancer = await _running(trial, balancer)
        equal(_value(balancer, field), value, f"{field} of the balancer, asked for again")


@case(*UPDATES, *MEMBERS)
async def members_stay_when_a_balancer_is_changed(trial: Trial) -> None:
    """A change of the balancer leaves its members."""
    members = trial.setup.members()
    balancer = await _running(trial, await _balancer(trial, trial.name("lb"), members=members))
    before = sorted(_ids(await trial.do(balancer.list_members())))
    for field, value in _changes(trial, balancer).items():
        if field in trial.driver.changeable:
            await trial.do(balancer.update(**{field: value}))
            await _running(trial, balancer)

    await _members_become(trial, balancer, before)


@case(*UPDATES)
async def what_cannot_be_changed_sends_nothing(trial: Trial) -> None:
    """Changes that the provider cannot make are refused before anything is sent."""
    balancer = await _running(trial, await _balancer(trial, trial.name("lb")))
    await trial.silent(InvalidRequestError, balancer.update, "update without a change")
    if "port" in trial.driver.changeable:
        call = partial(balancer.update, port=0)
        await trial.silent(InvalidRequestError, call, "update to a port of 0")
    for field, value in _changes(trial, balancer).items():
        if field not in trial.driver.changeable:
            call = partial(balancer.update, **{field: value})
            await trial.silent(UnsupportedOperationError, call, f"update of {field}")


@case(*MEMBERS)
async def absent_balancers(trial: Trial) -> None:
    """A balancer that is gone is not found, whatever is asked of it."""
    first, _ = trial.setup.members()
    balancer = await _running(trial, await _balancer(trial, trial.name("lb"), members=[first]))
    member = only(await trial.do(balancer.list_members()), "members of the balancer")
    await trial.drop(balancer)
    await _gone(trial, balancer)

    calls: list[Callable[[], Any]] = [
        balancer.list_members,
        partial(balancer.attach_member, first),
        partial(balancer.detach_member, member),
        balancer.destroy,
    ]
    for call in calls:
        await trial.fails(NotFoundError, call)
    if {"name", "port"} & trial.driver.changeable and trial.driver.supports("update_balancer"):
        field = "port" if "port" in trial.driver.changeable else "name"
        change = {field: _changes(trial, balancer)[field]}
        await trial.fails(NotFoundError, partial(balancer.update, **change))


def _order(trial: Trial, name: str, **more: Any) -> Any:
    """Call `create_balancer` with what the setup says."""
    setup = trial.setup
    return trial.driver.create_balancer(
        name,
        setup.port,
        setup.protocol,
        setup.algorithm,
        **{"members": [], "location": setup.location, **setup.options, **more},
    )


async def _balancer(trial: Trial, name: str, **more: Any) -> Any:
    """Make a balancer, which is destroyed when the case is over."""
    return await trial.keep(_order(trial, name, **more))


async def _running(trial: Trial, balancer: Any) -> Any:
    """Wait until a balancer is there for use; return it as it is then."""
    found = await trial.until(
        lambda: trial.driver.get_balancer(balancer.id),
        lambda one: one.state is not State.PENDING,
        "a balancer that runs",
    )
    equal(found.state, State.RUNNING, f"state of {found!r}")
    return found


async def _gone(trial: Trial, balancer: Any) -> None:
    await trial.gone(lambda: trial.driver.get_balancer(balancer.id), "the balancer")
    left = await trial.do(trial.driver.list_balancers(ids=[balancer.id]))
    equal(left, [], "balancers of this id, after it was destroyed")


async def _members_become(trial: Trial, balancer: Any, ids: list[str]) -> Any:
    """Wait until a balancer has just these members; return them."""
    return await trial.until(
        lambda: trial.driver.balancer_list_members(balancer),
        lambda members: sorted(_ids(members)) == sorted(ids),
        f"members {ids}",
    )


def _ids(things: list[Any]) -> list[str]:
    return [thing.id for thing in things]


def _check_member(member: Any, given: Any, balancer: Any) -> None:
    """Check that a member is the one that was given, by its id or address."""
    check(member.id, f"{member!r} should have an id")
    equal(member.balancer and member.balancer.id, balancer.id, f"balancer of {member!r}")
    is_same = member.id == given.id or (given.ip and member.ip == given.ip)
    check(is_same, f"{member!r} should have the id or the address of {given!r}")
    if None not in (member.port, given.port):
        equal(member.port, given.port, f"port of {member!r}")


def _check_extra(trial: Trial, balancer: Any) -> None:
    """Check what `extra` says of the standard things, if it does."""
    protocol, algorithm = (balancer.extra.get(name) for name in ("protocol", "algorithm"))
    if protocol is not None:
        equal(protocol, trial.setup.protocol, "protocol of the balancer")
    if algorithm is not None:
        check(isinstance(algorithm, Algorithm), f"{algorithm!r} should be an `Algorithm`")
    if None not in (algorithm, trial.setup.algorithm):
        equal(algorithm, trial.setup.algorithm, "algorithm of the balancer")


def _changes(trial: Trial, balancer: Any) -> dict[str, Any]:
    """Return another value for each thing that some provider can change."""
    setup = trial.setup
    now = balancer.extra.get("algorithm", setup.algorithm)
    others = [one for one in trial.driver.list_supported_algorithms() if one != now]
    values = {
        "name": trial.name("other"),
        "port": setup.port + 1,
        "algorithm": next(iter(others), None),
        "protocol": setup.other_protocol,
    }
    return {field: value for field, value in values.items() if value is not None}


def _value(balancer: Any, field: str) -> Any:
    return getattr(balancer, field) if field in ("name", "port") else balancer.extra.get(field)
