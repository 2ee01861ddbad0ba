"""The life of load balancers against moto, in both APIs, and what is left of half-made ones.

Each request that is sent is checked against botocore's models.
"""

from __future__ import annotations

import asyncio
from urllib.parse import parse_qs

import pytest
from tests.conformance.aws import client
from tests.support.botocore_models import check_request

from anysky import PartialFailureError
from anysky import loadbalancer as blocking
from anysky.aio import loadbalancer as aio
from anysky.errors import CloudError
from anysky.loadbalancer import Algorithm, Member
from anysky.providers.aws.loadbalancer import ELBv2
from anysky.testing.striking import refused, strike
from anysky.testing.trial import finished
from anysky.transport.retry import RetryPolicy
from anysky.transport.tracing import Hooks

pytestmark = pytest.mark.server

MODELS = {"2015-12-01": "elbv2", "2012-06-01": "elb", "2016-11-15": "ec2"}
MEMBERS = [Member(None, "10.0.0.4", 8080), Member(None, "10.0.0.5", 8080)]
MAKING = [
    "DescribeLoadBalancers",
    "DescribeTargetGroups",
    "DescribeSubnets",
    "CreateLoadBalancer",
    "CreateTargetGroup",
    "ModifyTargetGroupAttributes",
    "RegisterTargets",
    "CreateListener",
]


def checked(actions):
    """Hooks that check each request and note its action."""

    def check(sent):
        version = parse_qs(sent.body.decode())["Version"][0]
        operation = check_request(
            MODELS[version], sent.method, "https://h/", sent.headers, sent.body
        )
        actions.append(operation.name)

    return Hooks(request=check)


@pytest.fixture(params=["blocking", "asyncio"])
def play(request, moto):
    """Runs a scenario in one of the APIs and returns the actions that were sent."""

    def run(scenario, name="alb", **settings):
        actions = []
        module = blocking if request.param == "blocking" else aio
        given = {
            "key": "AKIAEXAMPLE",
            "secret": "example-secret",
            "region": "eu-west-1",
            "endpoint": moto,
            "hooks": checked(actions),
            "retry": RetryPolicy(attempts=1),
            **settings,
        }

        async def main():
            cloud = module.get_driver(name)(**given)
            try:
                await scenario(cloud)
            finally:
                await finished(cloud.close())

        asyncio.run(main()) if request.param == "asyncio" else drive(main())
        return actions

    return run


def drive(job):
    """Run a coroutine that never waits."""
    with pytest.raises(StopIteration):
        job.send(None)


def order(cloud):
    return cloud.create_balancer("web", 80, "http", Algorithm.LEAST_CONNECTIONS, MEMBERS)


def inventory(url):
    """What the server holds, told by another client: kinds and names."""
    elb = client("elbv2", url)
    balancers = elb.describe_load_balancers()["LoadBalancers"]
    groups = elb.describe_target_groups()["TargetGroups"]
    ids = [one["LoadBalancerArn"] for one in balancers]
    listeners = [elb.describe_listeners(LoadBalancerArn=id)["Listeners"] for id in ids]
    found = [elb.describe_target_health(TargetGroupArn=one["TargetGroupArn"]) for one in groups]
    return [
        *("balancer" for _ in balancers),
        *("target group" for _ in groups),
        *("target" for one in found for _ in one["TargetHealthDescriptions"]),
        *("listener" for some in listeners for _ in some),
    ]


def test_a_balancer_lives(play, moto):
    async def scenario(cloud):
        made = await finished(order(cloud))
        assert inventory(moto) == ["balancer", "target group", "target", "target", "listener"]
        members = await finished(made.list_members())
        assert [(one.ip, one.port) for one in members] == [("10.0.0.4", 8080), ("10.0.0.5", 8080)]
        await finished(made.destroy())
        assert inventory(moto) == []

    assert play(scenario) == [
        *MAKING,
        "DescribeTargetGroups",
        "DescribeTargetHealth",
        "DescribeTargetGroups",
        "DescribeTags",
        "DescribeLoadBalancers",
        "DeleteLoadBalancer",
        "DeleteTargetGroup",
    ]


@pytest.mark.parametrize(
    ("action", "made"),
    [
        ("CreateLoadBalancer", []),
        ("CreateTargetGroup", ["LoadBalancer"]),
        ("ModifyTargetGroupAttributes", ["LoadBalancer", "TargetGroup"]),
        ("RegisterTargets", ["LoadBalancer", "TargetGroup"]),
        ("CreateListener", ["LoadBalancer", "TargetGroup"]),
    ],
)
def test_what_a_failing_step_leaves_is_told_and_taken_back(play, moto, action, made):
    async def scenario(cloud):
        wire = strike(cloud, pauses=False)
        wire.arm((MAKING.index(action) + 1, refused))
        with pytest.raises(CloudError) as caught:
            await finished(order(cloud))
        error = caught.value
        created = error.created if isinstance(error, PartialFailureError) else []
        assert [type(one).__name__ for one in created] == made

        kinds = {"LoadBalancer": "balancer", "TargetGroup": "target group"}
        there = [one for one in inventory(moto) if one != "target"]
        assert there == [kinds[one] for one in made]

        if created:
            report = await finished(error.rollback())
            assert (report.undone, report.left_behind) == (created[::-1], [])
        assert inventory(moto) == []

    play(scenario)


def test_the_parts_live(play, moto):
    async def scenario(cloud):
        async def call(operation, *args, **kwargs):
            return await finished(cloud.call(operation, *args, **kwargs))

        balancer = await call(ELBv2.create_load_balancer, "shop", tags={"env": "prod"})
        vpc = balancer.extra["vpc"]
        web = await call(ELBv2.create_target_group, "web", 80, "http", vpc, target_type="ip")
        images = await call(ELBv2.create_target_group, "img", 80, "http", vpc, target_type="ip")
        await call(ELBv2.register_targets, web, MEMBERS)
        await call(ELBv2.register_targets, web, MEMBERS)
        await call(ELBv2.deregister_targets, web, MEMBERS[:1])
        assert [one.ip for one in await call(ELBv2.list_targets, web)] == ["10.0.0.5"]

        listener = await call(ELBv2.create_listener, balancer, 80, "http", web)
        more = {"condition_field": "path-pattern", "condition_value": "/img/*"}
        rule = await call(ELBv2.create_listener_rule, listener, 10, images, **more)
        assert await call(ELBv2.get_listener, listener.id) == listener
        assert await call(ELBv2.get_rule, rule.id) == rule
        rules = await call(ELBv2.list_rules, listener)
        assert [one.priority for one in rules] == ["10", "default"]
        assert {one.name for one in await call(ELBv2.list_target_groups, balancer)} == {
            "web",
            "img",
        }

        await call(ELBv2.modify_target_group_attributes, web, {"stickiness.enabled": "true"})
        found = await call(ELBv2.describe_target_group_attributes, web)
        assert found["stickiness.enabled"] == "true"
        await call(ELBv2.add_tags, balancer, {"team": "shop"})
        await call(ELBv2.remove_tags, balancer, ["env", "anysky-op"])
        assert await call(ELBv2.describe_tags, balancer) == {"team": "shop"}

        await call(ELBv2.delete_rule, rule)
        await call(ELBv2.delete_listener, listener)
        await finished(balancer.destroy())
        assert inventory(moto) == ["target group", "target group", "target"]
        await call(ELBv2.delete_target_group, web)
        await call(ELBv2.delete_target_group, images)
        assert inventory(moto) == []

    play(scenario)


def test_lists_are_complete(play, moto):
    elb, ec2 = client("elbv2", moto), client("ec2", moto)
    subnets = [one["SubnetId"] for one in ec2.describe_subnets()["Subnets"]]
    names = [f"web-{number:02}" for number in range(51)]
    for name in names:
        elb.create_load_balancer(Name=name, Subnets=subnets)

    async def scenario(cloud):
        assert [one.name for one in await finished(cloud.list_balancers())] == names
        assert [one.name for one in await finished(cloud.iterate_balancers())] == names

    actions = play(scenario)
    assert actions.count("DescribeLoadBalancers") == 4
    assert actions.count("DescribeTags") == 8  # 20, 20 and 10 of the first page, 1 of the second


def test_classic_balancers(play, moto):
    elb, ec2 = client("elb", moto), client("ec2", moto)
    listener = {"Protocol": "HTTP", "LoadBalancerPort": 80, "InstancePort": 8080}
    for name in ("old", "older"):
        elb.create_load_balancer(
            LoadBalancerName=name,
            Listeners=[listener],
            AvailabilityZones=["eu-west-1a"],
            Tags=[{"Key": "name", "Value": name}],
        )
    image = {"ImageId": "ami-1e749f67", "MinCount": 1, "MaxCount": 1}
    [node] = [one["InstanceId"] for one in ec2.run_instances(**image)["Instances"]]
    elb.register_instances_with_load_balancer(
        LoadBalancerName="old", Instances=[{"InstanceId": node}]
    )

    async def scenario(cloud):
        [old] = await finished(cloud.list_balancers(tags={"name": "old"}))
        assert (old.id, old.port, old.extra["protocol"]) == ("old", 80, "http")
        [member] = await finished(old.list_members())
        assert (member.id, member.port) == (node, 8080)
        assert await finished(old.destroy()) is True
        assert [one.name for one in await finished(cloud.list_balancers())] == ["older"]

    play(scenario, "elb")


def test_signatures_are_good_for_both_services(moto_auth):
    settings = {"key": moto_auth.access_key, "secret": moto_auth.secret_key}
    cloud = blocking.get_driver("alb")(
        **settings, region="us-east-1", endpoint=moto_auth.url, retry=RetryPolicy(attempts=1)
    )
    with cloud:
        balancer = cloud.create_balancer("web", 80, "tcp", None, [])
        assert (balancer.name, balancer.port) == ("web", 80)
        balancer.destroy()
