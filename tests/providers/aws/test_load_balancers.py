"""Load balancers of AWS: requests as data, answers as data, and what is refused unsent."""

import pytest
from tests.providers.aws.load_balancer_support import (
    BALANCER,
    GROUP,
    LISTENER,
    NETWORK_BALANCER,
    RULE,
    answer,
    attributes,
    balancer,
    balancers,
    driver,
    fault,
    group,
    groups,
    listener,
    listeners,
    subnets,
    tags,
    targets,
)

from anysky.errors import (
    AlreadyExistsError,
    CloudError,
    ConflictError,
    InvalidRequestError,
    NotFoundError,
    OutcomeUnknownError,
    PartialFailureError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
    UnsupportedOperationError,
)
from anysky.loadbalancer import Algorithm, Member, MemberCondition, Provider, State, get_driver
from anysky.model.compute import Node, NodeState, SecurityGroup, Subnet
from anysky.model.elb import Listener, Rule, TargetGroup
from anysky.model.loadbalancer import LoadBalancer
from anysky.providers.aws.elb_classic import ELB
from anysky.providers.aws.loadbalancer import ELBv2

MARK = "0123456789abcdef0123456789abcdef"
WEB = LoadBalancer(BALANCER, "web", State.RUNNING, "web-1.eu-west-1.elb.amazonaws.com", 80)
NETWORK = LoadBalancer(NETWORK_BALANCER, "web", State.RUNNING, "", 80)
NODE = Node("i-1", "web-1", NodeState.RUNNING, [], ["10.0.0.4"])
TARGET_GROUP = TargetGroup(GROUP, "web", "http", 80, "vpc-1", "instance", (BALANCER,))
CERTIFICATE = "arn:aws:acm:eu-west-1:123456789012:certificate/0b5d0b5d"
ABSENT = fault("LoadBalancerNotFound")
NO_GROUP = fault("TargetGroupNotFound")
FREE = (ABSENT, NO_GROUP)
LOST = OutcomeUnknownError("the connection broke")


@pytest.fixture(autouse=True)
def pinned_mark(monkeypatch):
    """Every step has the same mark."""
    monkeypatch.setattr("anysky.ledger.fresh_mark", lambda: MARK)


def marked(*more):
    """The parameters of tags, with the step's mark as the last."""
    named = [*more, ("anysky-op", MARK)]
    return {
        f"Tags.member.{number}.{part}": text
        for number, pair in enumerate(named, 1)
        for part, text in zip(("Key", "Value"), pair, strict=True)
    }


def created(state="provisioning", id=BALANCER):
    return balancers(balancer(id, state=state), action="CreateLoadBalancer")


def parts():
    """Answers to the creation of a balancer's parts, without targets."""
    return (
        created(),
        groups(group(), action="CreateTargetGroup"),
        listeners(listener(), action="CreateListener"),
    )


class TestNames:
    def test_both_are_found_by_the_names_of_libcloud(self):
        assert (Provider.ALB, Provider.ELB, Provider.AWS) == ("alb", "elb", "aws")
        assert get_driver(Provider.ALB)._backend_class is ELBv2
        assert get_driver(Provider.AWS)._backend_class is ELBv2
        assert get_driver(Provider.ELB)._backend_class is ELB
        assert [get_driver(name).api_name for name in ("alb", "aws", "elb")] == [
            "alb",
            "alb",
            "elb",
        ]

    def test_protocols_and_algorithms(self):
        alb, elb = get_driver("alb"), get_driver("elb")

        assert alb.protocols == ("http", "https", "tcp", "tls", "udp", "tcp_udp")
        assert list(alb.algorithms) == [
            Algorithm.ROUND_ROBIN,
            Algorithm.LEAST_CONNECTIONS,
            Algorithm.RANDOM,
        ]
        assert alb.changeable == {"algorithm", "port", "protocol"}
        assert (elb.protocols, elb.algorithms) == (("tcp", "ssl", "http", "https"), {})


class TestEndpoints:
    @pytest.mark.parametrize(
        ("region", "endpoint"),
        [
            ("eu-west-1", "https://elasticloadbalancing.eu-west-1.amazonaws.com"),
            ("cn-north-1", "https://elasticloadbalancing.cn-north-1.amazonaws.com.cn"),
            ("us-gov-west-1", "https://elasticloadbalancing.us-gov-west-1.amazonaws.com"),
        ],
    )
    @pytest.mark.parametrize("name", ["alb", "elb"])
    def test_follow_from_the_region(self, name, region, endpoint):
        cloud, _ = driver(name=name, region=region)

        assert cloud._backend.connection.endpoint == endpoint

    @pytest.mark.parametrize(
        ("name", "variable"),
        [
            ("alb", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING_V2"),
            ("elb", "AWS_ENDPOINT_URL_ELASTIC_LOAD_BALANCING"),
        ],
    )
    def test_are_configured_as_for_the_vendors_tools(self, name, variable, monkeypatch):
        monkeypatch.setenv(variable, "http://127.0.0.1:5000")
        cloud, _ = driver(name=name)

        assert cloud._backend.connection.endpoint == "http://127.0.0.1:5000"

    def test_subnets_are_asked_of_ec2_and_signed_for_it(self):
        cloud, canned = driver(*FREE, subnets("subnet-1", "subnet-2"), *parts())
        cloud.create_balancer("web", 80, "http", None, [])

        asked = next(one for one in canned.requests if one.operation == "DescribeSubnets")
        made = next(one for one in canned.requests if one.operation == "CreateLoadBalancer")
        assert asked.endpoint == "https://ec2.eu-west-1.amazonaws.com"
        assert "/eu-west-1/ec2/aws4_request" in asked.headers["Authorization"]
        assert made.endpoint == ""
        assert "/eu-west-1/elasticloadbalancing/aws4_request" in made.headers["Authorization"]

    def test_a_server_of_ones_own_is_asked_for_subnets_as_well(self):
        answers = (*FREE, subnets("subnet-1"), *parts())
        cloud, canned = driver(*answers, endpoint="http://127.0.0.1:5000")
        cloud.create_balancer("web", 80, "http", None, [])

        assert {one.endpoint for one in canned.requests} == {""}


async def in_turn(jobs, limit=8):
    return [await job for job in jobs]


class TestReading:
    def test_a_balancer(self):
        cloud, canned = driver(
            balancers(balancer()),
            tags(**{BALANCER: {"env": "prod"}}),
            listeners(listener()),
            attributes(**{"load_balancing.algorithm.type": "least_outstanding_requests"}),
        )
        found = cloud.get_balancer(BALANCER)

        assert (found.id, found.name, found.state) == (BALANCER, "web", State.RUNNING)
        assert (found.ip, found.port) == ("web-1.eu-west-1.elb.amazonaws.com", 80)
        assert found.tags == {"env": "prod"}
        assert found.extra["vpc"] == "vpc-1"
        assert found.extra["protocol"] == "http"
        assert found.extra["algorithm"] is Algorithm.LEAST_CONNECTIONS
        assert found.extra["listeners"] == [
            Listener(LISTENER, BALANCER, "http", 80, "forward", (GROUP,))
        ]
        assert found.extra["AvailabilityZones"] == [{"SubnetId": "subnet-1"}]
        assert canned.sent == [
            ("DescribeLoadBalancers", {"LoadBalancerArns.member.1": BALANCER}),
            ("DescribeTags", {"ResourceArns.member.1": BALANCER}),
            ("DescribeListeners", {"LoadBalancerArn": BALANCER}),
            ("DescribeTargetGroupAttributes", {"TargetGroupArn": GROUP}),
        ]

    @pytest.mark.parametrize(
        ("word", "state"),
        [
            ("provisioning", State.PENDING),
            ("active", State.RUNNING),
            ("active_impaired", State.RUNNING),
            ("failed", State.ERROR),
            ("new-word", State.UNKNOWN),
        ],
    )
    def test_states(self, word, state):
        cloud, _ = driver(balancers(balancer(state=word)), tags(), listeners())

        assert cloud.get_balancer(BALANCER).state is state

    @pytest.mark.parametrize(
        "found", [(), (listener(80), listener(443, "HTTPS", id=f"{LISTENER}0"))]
    )
    def test_without_a_single_listener_there_is_no_port(self, found):
        cloud, _ = driver(balancers(balancer()), tags(), listeners(*found))
        [one] = cloud.list_balancers()

        assert (one.port, one.extra["protocol"]) == (None, None)
        assert len(one.extra["listeners"]) == len(found)

    def test_a_list_comes_in_pages(self):
        other = BALANCER.replace("/web/", "/db/")
        cloud, canned = driver(
            balancers(balancer(), marker="next"),
            tags(),
            listeners(listener()),
            balancers(balancer(other, "db")),
            tags(),
            listeners(),
        )

        assert [one.name for one in cloud.list_balancers()] == ["web", "db"]
        assert [sent for sent in canned.sent if sent[0] == "DescribeLoadBalancers"] == [
            ("DescribeLoadBalancers", {}),
            ("DescribeLoadBalancers", {"Marker": "next"}),
        ]

    def test_twenty_balancers_are_asked_for_tags_at_once(self):
        ids = [BALANCER.replace("50dc", f"{number:04}") for number in range(21)]
        cloud, canned = driver(
            balancers(*(balancer(id, f"web-{number}") for number, id in enumerate(ids))),
            tags(**{ids[0]: {"env": "test"}}),
            tags(**{ids[20]: {"env": "prod"}}),
            listeners(listener()),
        )
        [found] = cloud.list_balancers(tags={"env": "prod"})

        assert found.id == ids[20]
        asked = [len(parameters) for action, parameters in canned.sent if action == "DescribeTags"]
        assert asked == [20, 1]

    def test_a_balancer_that_goes_while_others_are_listed_is_left_out(self):
        other = BALANCER.replace("/web/", "/db/")
        cloud, _ = driver(
            balancers(balancer(), balancer(other, "db")),
            ABSENT,  # of the tags of both, then of each
            tags(**{BALANCER: {"env": "prod"}}),
            ABSENT,
            listeners(listener()),
            ABSENT,
        )
        cloud._backend.runtime.gather = in_turn  # the answers above come in this order
        [found] = cloud.list_balancers()

        assert (found.name, found.tags) == ("web", {"env": "prod"})

    @pytest.mark.parametrize(
        ("wanted", "asked"),
        [
            ({"name": "web"}, {"Names.member.1": "web"}),
            ({"ids": [BALANCER]}, {"LoadBalancerArns.member.1": BALANCER}),
            ({"name": "no name of AWS"}, {}),
            ({"ids": ["no id of AWS"]}, {}),
            ({"ids": [BALANCER, NETWORK_BALANCER]}, {}),
        ],
    )
    def test_what_aws_can_be_asked_for(self, wanted, asked):
        cloud, canned = driver(ABSENT)

        assert cloud.list_balancers(**wanted) == []
        assert canned.sent == [("DescribeLoadBalancers", asked)]

    def test_members(self):
        found = targets(
            ("i-1", 80, "healthy"),
            ("i-2", 80, "unhealthy"),
            ("i-3", 80, "draining"),
            ("i-4", 80, "unavailable"),
        )
        cloud, _ = driver(groups(group()), found)
        members = cloud.balancer_list_members(WEB)

        assert [(one.id, one.ip, one.port) for one in members] == [
            ("i-1", "", 80),
            ("i-2", "", 80),
            ("i-3", "", 80),
            ("i-4", "", 80),
        ]
        assert [one.extra["condition"] for one in members] == [
            MemberCondition.ENABLED,
            MemberCondition.DISABLED,
            MemberCondition.DRAINING,
            MemberCondition.ENABLED,
        ]
        assert members[1].extra["health"] == "unhealthy"
        assert {one.extra["target_group"] for one in members} == {GROUP}

    def test_members_that_are_addresses(self):
        cloud, _ = driver(groups(group(target_type="ip")), targets(("10.0.0.4", 80, "healthy")))
        [member] = cloud.balancer_list_members(WEB)

        assert (member.id, member.ip, member.port) == ("10.0.0.4", "10.0.0.4", 80)

    def test_a_balancer_without_target_groups_has_no_members(self):
        cloud, _ = driver(NO_GROUP)

        assert cloud.balancer_list_members(WEB) == []


class TestMaking:
    def test_an_application_balancer(self):
        cloud, canned = driver(
            *FREE,
            subnets("subnet-1", "subnet-2"),
            created(),
            groups(group(), action="CreateTargetGroup"),
            answer("ModifyTargetGroupAttributes"),
            answer("RegisterTargets"),
            listeners(listener(), action="CreateListener"),
        )
        members = [Member("i-1", "", 8080), Member("i-2", "10.0.0.5", None)]
        made = cloud.create_balancer(
            "web", 80, "http", Algorithm.LEAST_CONNECTIONS, members, tags={"env": "prod"}
        )

        assert (made.id, made.name, made.state) == (BALANCER, "web", State.PENDING)
        assert (made.port, made.tags) == (80, {"env": "prod"})
        assert made.extra["algorithm"] is Algorithm.LEAST_CONNECTIONS
        assert made.extra["listeners"][0].id == LISTENER
        env = ("env", "prod")
        assert canned.sent == [
            ("DescribeLoadBalancers", {"Names.member.1": "web"}),
            ("DescribeTargetGroups", {"Names.member.1": "web"}),
            (
                "DescribeSubnets",
                {
                    "Filter.1.Name": "default-for-az",
                    "Filter.1.Value.1": "true",
                    "Filter.2.Name": "state",
                    "Filter.2.Value.1": "available",
                },
            ),
            (
                "CreateLoadBalancer",
                {
                    "Name": "web",
                    "Type": "application",
                    "Subnets.member.1": "subnet-1",
                    "Subnets.member.2": "subnet-2",
                    **marked(env),
                },
            ),
            (
                "CreateTargetGroup",
                {
                    "Name": "web",
                    "Protocol": "HTTP",
                    "Port": "80",
                    "TargetType": "instance",
                    "VpcId": "vpc-1",
                    **marked(env, ("anysky-balancer", BALANCER)),
                },
            ),
            (
                "ModifyTargetGroupAttributes",
                {
                    "TargetGroupArn": GROUP,
                    "Attributes.member.1.Key": "load_balancing.algorithm.type",
                    "Attributes.member.1.Value": "least_outstanding_requests",
                },
            ),
            (
                "RegisterTargets",
                {
                    "TargetGroupArn": GROUP,
                    "Targets.member.1.Id": "i-1",
                    "Targets.member.1.Port": "8080",
                    "Targets.member.2.Id": "i-2",
                    "Targets.member.2.Port": "80",
                },
            ),
            (
                "CreateListener",
                {
                    "Port": "80",
                    "Protocol": "HTTP",
                    "LoadBalancerArn": BALANCER,
                    "DefaultActions.member.1.Type": "forward",
                    "DefaultActions.member.1.TargetGroupArn": GROUP,
                    **marked(env),
                },
            ),
        ]

    def test_a_network_balancer_with_everything_that_can_be_said(self):
        cloud, canned = driver(
            *FREE,
            created(id=NETWORK_BALANCER),
            groups(group(target_type="ip"), action="CreateTargetGroup"),
            answer("RegisterTargets"),
            listeners(listener(443, "TLS"), action="CreateListener"),
        )
        made = cloud.create_balancer(
            "web",
            443,
            "tls",
            None,
            [Member(None, "10.0.0.4", 8080)],
            location="eu-west-1",
            ex_subnets=[Subnet("subnet-7", "front", "10.0.1.0/24", "vpc-1"), "subnet-8"],
            ex_scheme="internal",
            ex_security_groups=[SecurityGroup("sg-1", "web", ""), "sg-2"],
            ex_ip_address_type="dualstack",
            ex_ssl_cert_arn=CERTIFICATE,
            ex_ssl_policy="ELBSecurityPolicy-TLS13-1-2-2021-06",
            ex_target_protocol="tcp",
            ex_health_check={"HealthCheckProtocol": "HTTP", "Matcher": {"HttpCode": "200-299"}},
            ex_tags={"team": "shop"},
        )

        assert (made.port, made.extra["protocol"]) == (443, "tls")
        assert "algorithm" not in made.extra
        team = ("team", "shop")
        assert canned.sent[2:] == [
            (
                "CreateLoadBalancer",
                {
                    "Name": "web",
                    "Type": "network",
                    "Scheme": "internal",
                    "SecurityGroups.member.1": "sg-1",
                    "SecurityGroups.member.2": "sg-2",
                    "IpAddressType": "dualstack",
                    "Subnets.member.1": "subnet-7",
                    "Subnets.member.2": "subnet-8",
                    **marked(team),
                },
            ),
            (
                "CreateTargetGroup",
                {
                    "Name": "web",
                    "Protocol": "TCP",
                    "Port": "443",
                    "TargetType": "ip",
                    "HealthCheckProtocol": "HTTP",
                    "Matcher.HttpCode": "200-299",
                    "VpcId": "vpc-1",
                    **marked(team, ("anysky-balancer", NETWORK_BALANCER)),
                },
            ),
            (
                "RegisterTargets",
                {
                    "TargetGroupArn": GROUP,
                    "Targets.member.1.Id": "10.0.0.4",
                    "Targets.member.1.Port": "8080",
                },
            ),
            (
                "CreateListener",
                {
                    "Port": "443",
                    "Protocol": "TLS",
                    "Certificates.member.1.CertificateArn": CERTIFICATE,
                    "SslPolicy": "ELBSecurityPolicy-TLS13-1-2-2021-06",
                    "LoadBalancerArn": NETWORK_BALANCER,
                    "DefaultActions.member.1.Type": "forward",
                    "DefaultActions.member.1.TargetGroupArn": GROUP,
                    **marked(team),
                },
            ),
        ]

    @pytest.mark.parametrize(
        ("change", "text"),
        [
            ({"protocol": "https"}, "https needs a certificate"),
            ({"protocol": "tls"}, "tls needs a certificate"),
            ({"ex_ssl_cert_arn": CERTIFICATE}, "http takes no certificate"),
            ({"ex_ssl_policy": "ELBSecurityPolicy-2016-08"}, "http takes no certificate"),
            ({"protocol": "tcp", "algorithm": Algorithm.ROUND_ROBIN}, "give no algorithm"),
            ({"ex_target_type": "lambda"}, "ex_target_type is 'instance' or 'ip'"),
            ({"ex_health_check": {"Path": "/"}}, "not Path"),
            ({"members": [Member("i-1", "", 80), Member(None, "10.0.0.4", 80)]}, "all nodes"),
            (
                {"members": [Member("i-1", "", 80)], "ex_target_type": "ip"},
                "an address is needed of 'i-1'",
            ),
            (
                {"members": [Member(None, "10.0.0.4", 80)], "ex_target_type": "instance"},
                "the id of a node is needed of '10.0.0.4'",
            ),
            ({"location": "us-east-1"}, "this driver is for the region eu-west-1"),
        ],
    )
    def test_what_cannot_be_is_refused_before_anything_is_sent(self, change, text):
        cloud, canned = driver()
        right = {"protocol": "http", "algorithm": None, "members": []}

        with pytest.raises(InvalidRequestError, match=text):
            cloud.create_balancer("web", 80, **{**right, **change})
        assert canned.sent == []

    def test_listed_addresses_may_be_members_of_another_balancer(self):
        cloud, canned = driver(*FREE, *parts()[:2], answer("RegisterTargets"), *parts()[2:])
        listed = Member("10.0.0.4", "10.0.0.4", 80)
        cloud.create_balancer("web", 80, "http", None, [listed], ex_subnets=["subnet-1"])

        assert canned.sent[3][1]["TargetType"] == "ip"
        assert canned.sent[4][1]["Targets.member.1.Id"] == "10.0.0.4"

    @pytest.mark.parametrize(
        ("answers", "text"),
        [
            ([balancers(balancer())], "a balancer 'web' already"),
            ([ABSENT, groups(group())], "a target group 'web' already"),
        ],
    )
    def test_names_are_looked_up_as_aws_takes_what_is_there_for_the_new_one(self, answers, text):
        cloud, canned = driver(*answers)

        with pytest.raises(AlreadyExistsError, match=text):
            cloud.create_balancer("web", 80, "http", None, [])
        assert not any(action.startswith("Create") for action in canned.actions)

    def test_without_a_default_vpc_subnets_must_be_given(self):
        cloud, _ = driver(*FREE, subnets())

        with pytest.raises(InvalidRequestError, match=r"no default VPC .* pass ex_subnets"):
            cloud.create_balancer("web", 80, "http", None, [])


class TestHalfWay:
    def test_what_was_made_is_told_and_taken_back(self):
        cloud, canned = driver(
            *FREE,
            *parts()[:2],
            answer("RegisterTargets"),
            fault("TooManyListeners", "enough"),
            # the rollback
            targets(("i-1", 80, "initial")),
            answer("DeregisterTargets"),
            answer("DeleteTargetGroup"),
            NO_GROUP,
            balancers(balancer()),
            answer("DeleteLoadBalancer"),
        )
        with pytest.raises(
            PartialFailureError, match="listener on port 80 failed: enough"
        ) as caught:
            cloud.create_balancer(
                "web", 80, "http", None, [Member("i-1", "", 80)], ex_subnets=["subnet-1"]
            )
        error = caught.value

        assert isinstance(error.__cause__, QuotaExceededError)
        assert [one.id for one in error.created] == [BALANCER, GROUP]
        assert error.created[0].driver is cloud
        assert (error.failed_step, error.code) == ("listener on port 80", "TooManyListeners")
        report = error.rollback()
        assert [one.id for one in report.undone] == [GROUP, BALANCER]
        assert report.left_behind == []
        assert canned.actions[-6:] == [
            "DescribeTargetHealth",
            "DeregisterTargets",
            "DeleteTargetGroup",
            "DescribeTargetGroups",
            "DescribeLoadBalancers",
            "DeleteLoadBalancer",
        ]

    def test_a_balancer_whose_answer_is_lost_is_found_by_its_mark(self):
        cloud, canned = driver(
            *FREE,
            LOST,
            balancers(balancer()),
            tags(**{BALANCER: {"anysky-op": MARK}}),
            *parts()[1:],
        )
        made = cloud.create_balancer("web", 80, "http", None, [], ex_subnets=["subnet-1"])

        assert (made.id, made.port) == (BALANCER, 80)
        assert canned.actions.count("CreateLoadBalancer") == 1

    def test_registering_is_sent_again_as_it_has_the_same_effect_twice(self):
        cloud, canned = driver(*FREE, *parts()[:2], LOST, answer("RegisterTargets"), *parts()[2:])
        members = [Member("i-1", "", 80)]
        cloud.create_balancer("web", 80, "http", None, members, ex_subnets=["subnet-1"])

        assert canned.actions.count("RegisterTargets") == 2


class TestChanging:
    def test_port_and_protocol(self):
        cloud, canned = driver(
            listeners(listener()),
            listeners(listener(8443, "HTTPS"), action="ModifyListener"),
            balancers(balancer()),
            tags(),
            listeners(listener(8443, "HTTPS")),
            attributes(**{"load_balancing.algorithm.type": "round_robin"}),
        )
        changed = cloud.update_balancer(
            WEB, port=8443, protocol="https", ex_ssl_cert_arn=CERTIFICATE
        )

        assert (changed.port, changed.extra["protocol"]) == (8443, "https")
        assert canned.sent[1] == (
            "ModifyListener",
            {
                "ListenerArn": LISTENER,
                "Port": "8443",
                "Protocol": "HTTPS",
                "Certificates.member.1.CertificateArn": CERTIFICATE,
            },
        )

    def test_the_algorithm(self):
        cloud, canned = driver(
            listeners(listener()),
            answer("ModifyTargetGroupAttributes"),
            balancers(balancer()),
            tags(),
            listeners(listener()),
            attributes(**{"load_balancing.algorithm.type": "weighted_random"}),
        )
        changed = cloud.update_balancer(WEB, algorithm=Algorithm.RANDOM)

        assert changed.extra["algorithm"] is Algorithm.RANDOM
        assert canned.actions[:2] == ["DescribeListeners", "ModifyTargetGroupAttributes"]

    @pytest.mark.parametrize(
        ("balancer", "change", "text"),
        [
            (WEB, {"protocol": "tcp"}, "the type 'application' has no tcp"),
            (NETWORK, {"protocol": "http"}, "the type 'network' has no http"),
            (NETWORK, {"algorithm": Algorithm.ROUND_ROBIN}, "give no algorithm"),
        ],
    )
    def test_what_a_type_has_not(self, balancer, change, text):
        cloud, canned = driver()

        with pytest.raises(InvalidRequestError, match=text):
            cloud.update_balancer(balancer, **change)
        assert canned.sent == []

    def test_the_name_stays(self):
        cloud, _ = driver()

        with pytest.raises(UnsupportedOperationError, match="cannot change the name"):
            cloud.update_balancer(WEB, name="db")

    @pytest.mark.parametrize("found", [(), (listener(80), listener(81, id=f"{LISTENER}0"))])
    def test_one_of_several_listeners_is_not_chosen(self, found):
        cloud, _ = driver(listeners(*found))

        with pytest.raises(ConflictError, match=f"has {len(found)} listeners"):
            cloud.update_balancer(WEB, port=81)


class TestDestroying:
    OWN = tags(**{GROUP: {"anysky-balancer": BALANCER}})

    def test_the_target_group_goes_as_well(self):
        cloud, canned = driver(
            groups(group()),
            self.OWN,
            balancers(balancer()),
            answer("DeleteLoadBalancer"),
            answer("DeleteTargetGroup"),
        )

        assert cloud.destroy_balancer(WEB) is True
        assert canned.sent == [
            ("DescribeTargetGroups", {"Names.member.1": "web"}),
            ("DescribeTags", {"ResourceArns.member.1": GROUP}),
            ("DescribeLoadBalancers", {"LoadBalancerArns.member.1": BALANCER}),
            ("DeleteLoadBalancer", {"LoadBalancerArn": BALANCER}),
            ("DeleteTargetGroup", {"TargetGroupArn": GROUP}),
        ]

    @pytest.mark.parametrize(
        "answers",
        [
            [NO_GROUP],
            [groups(group(balancer_ids=(BALANCER, NETWORK_BALANCER)))],
            [groups(group()), tags(**{GROUP: {}})],
            [groups(group()), tags(**{GROUP: {"anysky-balancer": NETWORK_BALANCER}})],
        ],
        ids=["none", "used by another balancer", "not ours", "of another balancer"],
    )
    def test_other_target_groups_stay(self, answers):
        cloud, canned = driver(*answers, balancers(balancer()), answer("DeleteLoadBalancer"))

        assert cloud.destroy_balancer(WEB) is True
        assert canned.actions[-1] == "DeleteLoadBalancer"

    def test_it_waits_until_the_target_group_is_released(self, monkeypatch):
        monkeypatch.setattr("anysky.providers.aws.loadbalancer._FIRST_WAIT", 0.001)
        cloud, canned = driver(
            groups(group()),
            self.OWN,
            balancers(balancer()),
            answer("DeleteLoadBalancer"),
            fault("ResourceInUse"),
            fault("ResourceInUse"),
            answer("DeleteTargetGroup"),
        )

        assert cloud.destroy_balancer(WEB) is True
        assert canned.actions.count("DeleteTargetGroup") == 3

    def test_a_target_group_that_is_not_released_is_left(self, monkeypatch):
        monkeypatch.setattr("anysky.providers.aws.loadbalancer._RELEASED_WITHIN", 0.0)
        cloud, _ = driver(
            groups(group()),
            self.OWN,
            balancers(balancer()),
            answer("DeleteLoadBalancer"),
            fault("ResourceInUse"),
        )

        with pytest.raises(ConflictError):
            cloud.destroy_balancer(WEB)

    def test_the_second_try_deletes_what_the_first_has_left(self):
        cloud, canned = driver(groups(group()), self.OWN, ABSENT, answer("DeleteTargetGroup"))

        assert cloud.destroy_balancer(WEB) is True
        assert canned.actions[-1] == "DeleteTargetGroup"

    def test_a_balancer_that_is_gone(self):
        cloud, _ = driver(NO_GROUP, ABSENT)

        with pytest.raises(NotFoundError):
            cloud.destroy_balancer(WEB)


class TestMembers:
    def test_a_node_by_its_id(self):
        cloud, canned = driver(groups(group()), answer("RegisterTargets"))
        member = cloud.balancer_attach_compute_node(WEB, NODE)

        assert (member.id, member.ip, member.port) == ("i-1", "", 80)
        assert (member.balancer.id, member.extra) == (BALANCER, {"target_group": GROUP})
        assert canned.sent[1] == (
            "RegisterTargets",
            {"TargetGroupArn": GROUP, "Targets.member.1.Id": "i-1", "Targets.member.1.Port": "80"},
        )

    def test_a_node_by_its_address(self):
        cloud, canned = driver(groups(group(target_type="ip")), answer("RegisterTargets"))
        member = cloud.balancer_attach_compute_node(WEB, NODE)

        assert (member.id, member.ip) == ("10.0.0.4", "10.0.0.4")
        assert canned.sent[1][1]["Targets.member.1.Id"] == "10.0.0.4"

    @pytest.mark.parametrize("count", [0, 2])
    def test_one_of_several_target_groups_is_not_chosen(self, count):
        cloud, _ = driver(groups(*(group(f"{GROUP}{number}") for number in range(count))))

        with pytest.raises(ConflictError, match=f"has {count} target groups"):
            cloud.balancer_attach_member(WEB, Member("i-1", "", 80))

    def test_detaching_names_the_port_without_which_aws_does_nothing(self):
        cloud, canned = driver(
            groups(group(), group(f"{GROUP}0")),
            targets(("i-1", 8080, "healthy"), ("i-1", 8081, "healthy"), ("i-2", 80, "healthy")),
            answer("DeregisterTargets"),
            targets(("i-3", 80, "healthy")),
        )

        assert cloud.balancer_detach_member(WEB, Member("i-1", "", None)) is True
        assert canned.sent[2] == (
            "DeregisterTargets",
            {
                "TargetGroupArn": GROUP,
                "Targets.member.1.Id": "i-1",
                "Targets.member.1.Port": "8080",
                "Targets.member.2.Id": "i-1",
                "Targets.member.2.Port": "8081",
            },
        )

    def test_a_member_is_detached_from_one_port(self):
        cloud, canned = driver(
            groups(group()),
            targets(("i-1", 8080, "healthy"), ("i-1", 8081, "healthy")),
            answer("DeregisterTargets"),
        )
        cloud.balancer_detach_member(WEB, Member("i-1", "", 8081))

        assert canned.sent[2][1] == {
            "TargetGroupArn": GROUP,
            "Targets.member.1.Id": "i-1",
            "Targets.member.1.Port": "8081",
        }

    @pytest.mark.parametrize("found", [targets(), targets(("i-1", 80, "draining"))])
    def test_what_is_no_member_any_more_cannot_be_detached(self, found):
        cloud, _ = driver(groups(group()), found)

        with pytest.raises(NotFoundError, match="'web' has no member 'i-1'"):
            cloud.balancer_detach_member(WEB, Member("i-1", "", 80))


class TestParts:
    def test_target_groups(self):
        cloud, canned = driver(groups(group()), groups(group()), groups(group()))

        assert cloud.call(ELBv2.list_target_groups) == [TARGET_GROUP]
        assert cloud.ex_list_target_groups(WEB) == [TARGET_GROUP]
        found = cloud.ex_get_target_group(GROUP)
        assert (found, found.extra["HealthCheckPath"]) == (TARGET_GROUP, "/")
        assert [parameters for _, parameters in canned.sent] == [
            {},
            {"LoadBalancerArn": BALANCER},
            {"TargetGroupArns.member.1": GROUP},
        ]

    def test_a_target_group_by_the_arguments_of_libcloud(self):
        cloud, canned = driver(NO_GROUP, groups(group(), action="CreateTargetGroup"))
        made = cloud.ex_create_target_group(
            "web",
            80,
            "HTTP",
            "vpc-1",
            health_check_interval=30,
            health_check_path="/",
            health_check_port="traffic-port",
            health_check_proto="HTTP",
            health_check_timeout=5,
            health_check_matcher="200",
            healthy_threshold=5,
            unhealthy_threshold=2,
        )

        assert made == TARGET_GROUP
        assert canned.sent[1] == (
            "CreateTargetGroup",
            {
                "Name": "web",
                "Port": "80",
                "Protocol": "HTTP",
                "VpcId": "vpc-1",
                "TargetType": "instance",
                "HealthCheckIntervalSeconds": "30",
                "HealthCheckPath": "/",
                "HealthCheckPort": "traffic-port",
                "HealthCheckProtocol": "HTTP",
                "HealthCheckTimeoutSeconds": "5",
                "Matcher.HttpCode": "200",
                "HealthyThresholdCount": "5",
                "UnhealthyThresholdCount": "2",
                **marked(),
            },
        )

    def test_registering_leaves_alone_what_is_registered(self):
        cloud, canned = driver(
            targets(("i-1", 80, "healthy"), ("i-2", 80, "draining")), answer("RegisterTargets")
        )
        members = [Member("i-1", "", None), Member("i-2", "", None), Member("i-1", "", 81)]
        cloud.ex_register_targets(TARGET_GROUP, members)

        assert canned.sent[1][1] == {
            "TargetGroupArn": GROUP,
            "Targets.member.1.Id": "i-2",
            "Targets.member.1.Port": "80",
            "Targets.member.2.Id": "i-1",
            "Targets.member.2.Port": "81",
        }

    def test_registering_nothing_sends_nothing(self):
        cloud, canned = driver()
        cloud.ex_register_targets(TARGET_GROUP)

        assert canned.sent == []

    def test_targets_of_a_group(self):
        cloud, canned = driver(
            groups(group()),
            targets(("i-1", 80, "healthy")),
            targets(("i-1", 80, "healthy")),
            answer("DeregisterTargets"),
        )
        [member] = cloud.ex_list_targets(GROUP)
        cloud.ex_deregister_targets(TARGET_GROUP, [member])

        assert (member.id, member.port, member.balancer) == ("i-1", 80, None)
        assert canned.actions[-1] == "DeregisterTargets"

    def test_a_listener_by_the_arguments_of_libcloud(self):
        cloud, canned = driver(
            listeners(listener()), listeners(listener(443, "HTTPS"), action="CreateListener")
        )
        made = cloud.ex_create_listener(
            WEB, 443, "HTTPS", TARGET_GROUP, ssl_cert_arn=CERTIFICATE, ssl_policy="strict"
        )

        assert made == Listener(LISTENER, BALANCER, "https", 443, "forward", (GROUP,))
        assert canned.sent[1] == (
            "CreateListener",
            {
                "Port": "443",
                "Protocol": "HTTPS",
                "Certificates.member.1.CertificateArn": CERTIFICATE,
                "SslPolicy": "strict",
                "LoadBalancerArn": BALANCER,
                "DefaultActions.member.1.Type": "forward",
                "DefaultActions.member.1.TargetGroupArn": GROUP,
                **marked(),
            },
        )

    def test_a_second_listener_on_a_port(self):
        cloud, _ = driver(listeners(listener()))

        with pytest.raises(AlreadyExistsError, match="listens on port 80 already"):
            cloud.ex_create_listener(WEB, 80, "HTTP", TARGET_GROUP)

    def test_rules(self):
        condition = (
            "<Conditions><member><Field>path-pattern</Field><Values><member>/img/*</member></Values>"
            "<PathPatternConfig><Values><member>/img/*</member></Values></PathPatternConfig>"
            "</member></Conditions>"
        )
        action = (
            f"<Actions><member><Type>authenticate-oidc</Type></member><member><Type>forward</Type>"
            f"<TargetGroupArn>{GROUP}</TargetGroupArn></member></Actions>"
        )
        rule = (
            f"<member><RuleArn>{RULE}</RuleArn><Priority>10</Priority>{condition}{action}"
            "<IsDefault>false</IsDefault></member>"
        )
        cloud, canned = driver(
            answer("CreateRule", f"<Rules>{rule}</Rules>"),
            answer("DescribeRules", f"<Rules>{rule}</Rules>"),
            answer("DescribeRules", f"<Rules>{rule}</Rules>"),
            answer("DeleteRule"),
        )
        made = cloud.ex_create_listener_rule(
            LISTENER, 10, GROUP, condition_field="path-pattern", condition_value="/img/*"
        )

        conditions = {"path-pattern": ["/img/*"]}
        assert made == Rule(RULE, LISTENER, "10", False, conditions, "forward", (GROUP,))
        assert cloud.ex_list_rules(LISTENER) == [made]
        assert cloud.ex_get_rule(RULE) == made
        cloud.ex_delete_rule(made)
        assert canned.sent == [
            (
                "CreateRule",
                {
                    "ListenerArn": LISTENER,
                    "Priority": "10",
                    "Actions.member.1.Type": "forward",
                    "Actions.member.1.TargetGroupArn": GROUP,
                    "Conditions.member.1.Field": "path-pattern",
                    "Conditions.member.1.Values.member.1": "/img/*",
                    **marked(),
                },
            ),
            ("DescribeRules", {"ListenerArn": LISTENER}),
            ("DescribeRules", {"RuleArns.member.1": RULE}),
            ("DeleteRule", {"RuleArn": RULE}),
        ]

    @pytest.mark.parametrize(
        ("more", "text"),
        [
            ({}, "a rule needs a condition"),
            ({"action": "redirect"}, "the action is 'forward', not 'redirect'"),
        ],
    )
    def test_a_rule_that_cannot_be(self, more, text):
        cloud, _ = driver()

        with pytest.raises(InvalidRequestError, match=text):
            cloud.ex_create_listener_rule(LISTENER, 10, GROUP, **more)

    def test_a_balancer_alone(self):
        cloud, canned = driver(ABSENT, created())
        made = cloud.ex_create_load_balancer("web", subnets=["subnet-1"], tags={"env": "prod"})

        assert (made.id, made.driver) == (BALANCER, cloud)
        assert canned.sent[1] == (
            "CreateLoadBalancer",
            {
                "Name": "web",
                "Type": "application",
                "Subnets.member.1": "subnet-1",
                **marked(("env", "prod")),
            },
        )

    def test_a_deletion_that_was_done_at_the_first_try(self):
        cloud, canned = driver(LOST, fault("ListenerNotFound"))
        cloud.ex_delete_listener(LISTENER)

        assert canned.actions == ["DeleteListener", "DeleteListener"]

    def test_tags_and_anything_else(self):
        cloud, canned = driver(
            tags(**{GROUP: {"env": "prod"}}),
            answer("AddTags"),
            answer("RemoveTags"),
            answer("DescribeAccountLimits"),
        )

        assert cloud.ex_describe_tags(TARGET_GROUP) == {"env": "prod"}
        cloud.ex_add_tags(WEB, {"env": "test"})
        cloud.ex_remove_tags(WEB, ["env"])
        assert cloud.call(ELBv2.ask, "DescribeAccountLimits", {"PageSize": 5}).tag == (
            "DescribeAccountLimitsResponse"
        )
        assert canned.sent[1:] == [
            (
                "AddTags",
                {
                    "ResourceArns.member.1": BALANCER,
                    "Tags.member.1.Key": "env",
                    "Tags.member.1.Value": "test",
                },
            ),
            ("RemoveTags", {"ResourceArns.member.1": BALANCER, "TagKeys.member.1": "env"}),
            ("DescribeAccountLimits", {"PageSize": "5"}),
        ]


class TestErrors:
    @pytest.mark.parametrize(
        ("code", "kind"),
        [
            ("LoadBalancerNotFound", NotFoundError),
            ("SubnetNotFound", NotFoundError),
            ("DuplicateLoadBalancerName", AlreadyExistsError),
            ("DuplicateTargetGroupName", AlreadyExistsError),
            ("PriorityInUse", AlreadyExistsError),
            ("ResourceInUse", ConflictError),
            ("OperationNotPermitted", ConflictError),
            ("TooManyLoadBalancers", QuotaExceededError),
            ("TargetGroupAssociationLimit", QuotaExceededError),
            ("InvalidTarget", InvalidRequestError),
            ("ValidationError", InvalidRequestError),
            ("HealthUnavailable", ProviderUnavailableError),
        ],
    )
    def test_kinds(self, code, kind):
        cloud, _ = driver(fault(code, "because"))

        with pytest.raises(CloudError) as caught:
            cloud.ex_ask("DescribeLoadBalancers", {})
        error = caught.value
        assert (type(error), error.code, error.message) == (kind, code, "because")
        assert (error.provider, error.request_id) == ("alb", "id")

    def test_throttling_is_waited_out(self):
        cloud, canned = driver(fault("Throttling"), groups(group()))

        assert cloud.ex_list_target_groups() == [TARGET_GROUP]
        assert canned.actions == ["DescribeTargetGroups"] * 2

    def test_throttling_that_does_not_end(self):
        cloud, _ = driver(*[fault("Throttling")] * 4)

        with pytest.raises(RateLimitedError):
            cloud.ex_list_target_groups()


CLASSIC = """<member>
  <LoadBalancerName>old</LoadBalancerName><DNSName>old-1.eu-west-1.elb.amazonaws.com</DNSName>
  <ListenerDescriptions><member><PolicyNames/><Listener>
    <Protocol>HTTP</Protocol><LoadBalancerPort>80</LoadBalancerPort>
    <InstanceProtocol>HTTP</InstanceProtocol><InstancePort>8080</InstancePort>
  </Listener></member></ListenerDescriptions>
  <VPCId>vpc-1</VPCId><Instances><member><InstanceId>i-1</InstanceId></member></Instances>
</member>"""
OLD = LoadBalancer("old", "old", State.UNKNOWN, "", 80)


def classic(*members):
    inside = f"<LoadBalancerDescriptions>{''.join(members)}</LoadBalancerDescriptions>"
    return answer("DescribeLoadBalancers", inside)


def classic_tags():
    return answer(
        "DescribeTags",
        "<TagDescriptions><member><LoadBalancerName>old</LoadBalancerName><Tags><member>"
        "<Key>env</Key><Value>prod</Value></member></Tags></member></TagDescriptions>",
    )


class TestClassic:
    def test_a_balancer(self):
        cloud, canned = driver(classic(CLASSIC), classic_tags(), name="elb")
        [found] = cloud.list_balancers(tags={"env": "prod"})

        assert (found.id, found.name, found.state) == ("old", "old", State.UNKNOWN)
        assert (found.ip, found.port) == ("old-1.eu-west-1.elb.amazonaws.com", 80)
        assert (found.extra["protocol"], found.extra["vpc"]) == ("http", "vpc-1")
        assert found.extra["Instances"] == [{"InstanceId": "i-1"}]
        assert canned.sent == [
            ("DescribeLoadBalancers", {}),
            ("DescribeTags", {"LoadBalancerNames.member.1": "old"}),
        ]

    def test_one_by_its_name(self):
        cloud, canned = driver(classic(CLASSIC), classic_tags(), name="elb")

        assert cloud.get_balancer("old").tags == {"env": "prod"}
        assert canned.sent[0][1] == {"LoadBalancerNames.member.1": "old"}

    def test_members(self):
        states = (
            "<InstanceStates>"
            "<member><InstanceId>i-1</InstanceId><State>InService</State></member>"
            "<member><InstanceId>i-2</InstanceId><State>OutOfService</State></member>"
            "</InstanceStates>"
        )
        cloud, _ = driver(classic(CLASSIC), answer("DescribeInstanceHealth", states), name="elb")
        members = cloud.balancer_list_members(OLD)

        assert [(one.id, one.ip, one.port) for one in members] == [
            ("i-1", "", 8080),
            ("i-2", "", 8080),
        ]
        assert [one.extra["condition"] for one in members] == [
            MemberCondition.ENABLED,
            MemberCondition.DISABLED,
        ]

    def test_destroying(self):
        cloud, canned = driver(classic(CLASSIC), answer("DeleteLoadBalancer"), name="elb")

        assert cloud.destroy_balancer(OLD) is True
        assert canned.sent[1] == ("DeleteLoadBalancer", {"LoadBalancerName": "old"})

    def test_one_that_is_gone(self):
        cloud, _ = driver(ABSENT, name="elb")

        with pytest.raises(NotFoundError) as caught:
            cloud.destroy_balancer(OLD)
        assert caught.value.provider == "elb"

    def test_a_balancer_that_goes_while_tags_are_asked_for(self):
        cloud, _ = driver(classic(CLASSIC), ABSENT, name="elb")
        [found] = cloud.list_balancers()

        assert (found.name, found.tags) == ("old", {})

    def test_no_more_are_made(self):
        cloud, canned = driver(name="elb")

        assert cloud.supports("create_balancer") is False
        with pytest.raises(UnsupportedOperationError, match="use the driver 'alb'"):
            cloud.create_balancer("new", 80, "http", None, [])
        assert canned.sent == []
