"""Drivers of load balancers over canned answers; botocore's models check their requests."""

from urllib.parse import parse_qsl

from tests.support.botocore_models import check_request

from anysky import loadbalancer
from anysky.transport.base import Response
from anysky.transport.retry import RetryPolicy

AT_ONCE = RetryPolicy(base=0, throttled_base=0)
KEYS = {"key": "AKIAEXAMPLE", "secret": "example-secret", "region": "eu-west-1"}
ACCOUNT = "arn:aws:elasticloadbalancing:eu-west-1:123456789012"
BALANCER = f"{ACCOUNT}:loadbalancer/app/web/50dc6c495c0c9188"
NETWORK_BALANCER = f"{ACCOUNT}:loadbalancer/net/web/50dc6c495c0c9188"
GROUP = f"{ACCOUNT}:targetgroup/web/73e2d6bc24d8a067"
LISTENER = f"{ACCOUNT}:listener/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2"
RULE = f"{ACCOUNT}:listener-rule/app/web/50dc6c495c0c9188/f2f7dc8efc522ab2/9683b2d02a6cabee"

_MODELS = {"2015-12-01": "elbv2", "2012-06-01": "elb", "2016-11-15": "ec2"}


class Answers:
    """A transport that gives canned answers in turn and keeps what was sent."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.requests = []
        self.sent = []

    async def send(self, request):
        form = dict(parse_qsl(request.body.decode(), keep_blank_values=True))
        model = _MODELS[form.pop("Version")]
        check_request(model, request.method, "https://h/", request.headers, request.body)
        self.requests.append(request)
        self.sent.append((form.pop("Action"), form))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def close(self):
        assert self.answers == [], "more was to be sent"

    @property
    def actions(self):
        return [action for action, _ in self.sent]


def driver(*answers, name="alb", **settings):
    """A blocking driver over canned answers, and those."""
    canned = Answers(*answers)

    class Canned(loadbalancer.get_driver(name)):
        def _make_transport(self, *_):
            return canned

    return Canned(retry=AT_ONCE, **{**KEYS, **settings}), canned


def answer(action, inside=""):
    """A good answer to an action."""
    body = (
        f'<{action}Response xmlns="http://elasticloadbalancing.amazonaws.com/doc/2015-12-01/">'
        f"<{action}Result>{inside}</{action}Result>"
        f"<ResponseMetadata><RequestId>id</RequestId></ResponseMetadata></{action}Response>"
    )
    return Response(200, {"content-type": "text/xml"}, body.encode())


def fault(code, message="why", status=400):
    """An answer that is an error."""
    body = (
        f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code>"
        f"<Message>{message}</Message></Error><RequestId>id</RequestId></ErrorResponse>"
    )
    return Response(status, {"content-type": "text/xml"}, body.encode())


def balancers(*members, marker="", action="DescribeLoadBalancers"):
    inside = "".join(f"<member>{one}</member>" for one in members)
    more = f"<NextMarker>{marker}</NextMarker>" if marker else ""
    return answer(action, f"<LoadBalancers>{inside}</LoadBalancers>{more}")


def balancer(id=BALANCER, name="web", state="active"):
    """A balancer as the reference shows one."""
    return (
        f"<LoadBalancerArn>{id}</LoadBalancerArn><LoadBalancerName>{name}</LoadBalancerName>"
        f"<DNSName>{name}-1.eu-west-1.elb.amazonaws.com</DNSName><VpcId>vpc-1</VpcId>"
        f"<State><Code>{state}</Code></State><Type>application</Type>"
        "<AvailabilityZones><member><SubnetId>subnet-1</SubnetId></member></AvailabilityZones>"
    )


def groups(*members, action="DescribeTargetGroups"):
    inside = "".join(f"<member>{one}</member>" for one in members)
    return answer(action, f"<TargetGroups>{inside}</TargetGroups>")


def group(id=GROUP, *, target_type="instance", balancer_ids=(BALANCER,)):
    ids = "".join(f"<member>{one}</member>" for one in balancer_ids)
    return (
        f"<TargetGroupArn>{id}</TargetGroupArn><TargetGroupName>web</TargetGroupName>"
        "<Protocol>HTTP</Protocol><Port>80</Port><VpcId>vpc-1</VpcId>"
        f"<TargetType>{target_type}</TargetType><LoadBalancerArns>{ids}</LoadBalancerArns>"
        "<HealthCheckPath>/</HealthCheckPath>"
    )


def listeners(*members, action="DescribeListeners"):
    inside = "".join(f"<member>{one}</member>" for one in members)
    return answer(action, f"<Listeners>{inside}</Listeners>")


def listener(port=80, protocol="HTTP", id=LISTENER, group_id=GROUP):
    return (
        f"<ListenerArn>{id}</ListenerArn><LoadBalancerArn>{BALANCER}</LoadBalancerArn>"
        f"<Port>{port}</Port><Protocol>{protocol}</Protocol><DefaultActions><member>"
        f"<Type>forward</Type><TargetGroupArn>{group_id}</TargetGroupArn><ForwardConfig>"
        f"<TargetGroups><member><TargetGroupArn>{group_id}</TargetGroupArn></member>"
        "</TargetGroups></ForwardConfig></member></DefaultActions>"
    )


def tags(**by_id):
    """An answer to DescribeTags: ``tags(**{id: {"name": "value"}})``."""
    things = "".join(
        f"<member><ResourceArn>{id}</ResourceArn><Tags>{_pairs(found)}</Tags></member>"
        for id, found in by_id.items()
    )
    return answer("DescribeTags", f"<TagDescriptions>{things}</TagDescriptions>")


def attributes(**found):
    inside = f"<Attributes>{_pairs(found)}</Attributes>"
    return answer("DescribeTargetGroupAttributes", inside)


def targets(*found):
    """An answer to DescribeTargetHealth: id, port and state of each target."""
    inside = "".join(
        f"<member><Target><Id>{id}</Id><Port>{port}</Port></Target>"
        f"<TargetHealth><State>{state}</State></TargetHealth></member>"
        for id, port, state in found
    )
    inside = f"<TargetHealthDescriptions>{inside}</TargetHealthDescriptions>"
    return answer("DescribeTargetHealth", inside)


def subnets(*ids):
    items = "".join(f"<item><subnetId>{id}</subnetId></item>" for id in ids)
    body = f"<DescribeSubnetsResponse><subnetSet>{items}</subnetSet></DescribeSubnetsResponse>"
    return Response(200, {"content-type": "text/xml"}, body.encode())


def _pairs(found):
    return "".join(
        f"<member><Key>{key}</Key><Value>{value}</Value></member>" for key, value in found.items()
    )
