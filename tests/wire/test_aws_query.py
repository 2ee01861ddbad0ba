"""AWS's query protocol: parameters to forms, answers to records and errors."""

from urllib.parse import parse_qsl

import pytest
from tests.support.botocore_models import check_request

from anysky.errors import (
    AlreadyExistsError,
    AuthenticationError,
    InvalidRequestError,
    MalformedResponseError,
    NotFoundError,
    ProviderUnavailableError,
    QuotaExceededError,
    RateLimitedError,
)
from anysky.transport.base import Response, SendClass
from anysky.wire import xml
from anysky.wire.aws_query import (
    Fault,
    decode_answer,
    error_of,
    flatten,
    parse_answer,
    query_request,
    read_fault,
)


class Things(xml.Record, root="DescribeThingsResponse"):
    names: list[str] = xml.texts("thingSet/item/name")


GOOD = b"""<DescribeThingsResponse><thingSet><item><name>a</name></item></thingSet>
</DescribeThingsResponse>"""
EC2_ERROR = b"""<?xml version="1.0" encoding="UTF-8"?>
<Response><Errors><Error><Code>InvalidThing.NotFound</Code><Message>No such thing</Message></Error>
</Errors><RequestID>ea966190-f9aa</RequestID></Response>"""
QUERY_ERROR = b"""<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error>
<Type>Sender</Type><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>
<RequestId>c6104cbe</RequestId></ErrorResponse>"""
ERRORS = {"Throttled": RateLimitedError, "ExpiredToken": AuthenticationError}


def ec2_error(code, message="why"):
    return (
        f"<Response><Errors><Error><Code>{code}</Code><Message>{message}</Message></Error></Errors>"
        "<RequestID>id</RequestID></Response>"
    ).encode()


# -- parameters ----------------------------------------------------------------------------------


def test_nested_parameters_become_pairs_in_ec2s_dialect():
    parameters = {
        "ImageId": "ami-1",
        "MinCount": 1,
        "EbsOptimized": True,
        "DryRun": False,
        "KeyName": None,
        "UserData": b"#!",
        "SecurityGroupId": ["sg-1", "sg-2"],
        "TagSpecification": [{"ResourceType": "instance", "Tag": [{"Key": "a", "Value": ""}]}],
        "Placement": {"AvailabilityZone": "eu-west-1a", "GroupName": None},
        "Nothing": [],
    }

    assert flatten(parameters) == [
        ("ImageId", "ami-1"),
        ("MinCount", "1"),
        ("EbsOptimized", "true"),
        ("DryRun", "false"),
        ("UserData", "IyE="),
        ("SecurityGroupId.1", "sg-1"),
        ("SecurityGroupId.2", "sg-2"),
        ("TagSpecification.1.ResourceType", "instance"),
        ("TagSpecification.1.Tag.1.Key", "a"),
        ("TagSpecification.1.Tag.1.Value", ""),
        ("Placement.AvailabilityZone", "eu-west-1a"),
    ]


def test_the_older_dialect_puts_member_before_numbers():
    parameters = {"Names": ["a", "b"], "Tags": [{"Key": "k"}]}

    assert flatten(parameters, "member") == [
        ("Names.member.1", "a"),
        ("Names.member.2", "b"),
        ("Tags.member.1.Key", "k"),
    ]


@pytest.mark.parametrize("value", [object(), {1, 2}, 1j])
def test_other_types_are_refused(value):
    with pytest.raises(InvalidRequestError, match="Thing cannot be a"):
        flatten({"Thing": value})


def test_a_request_is_a_form():
    request = query_request("DescribeInstances", "2016-11-15", {"InstanceId": ["i-1"]}, safe=True)

    assert (request.method, request.path, request.operation) == ("POST", "/", "DescribeInstances")
    assert parse_qsl(request.body.decode()) == [
        ("Action", "DescribeInstances"),
        ("Version", "2016-11-15"),
        ("InstanceId.1", "i-1"),
    ]
    assert request.send_class is SendClass.SAFE
    check_request("ec2", request.method, "https://h/", request.headers, request.body)


@pytest.mark.parametrize(
    ("repeatable", "send_class"), [(True, SendClass.REPEATABLE), (False, SendClass.ONCE)]
)
def test_a_request_that_changes_something_says_whether_it_may_be_repeated(repeatable, send_class):
    assert query_request("A", "1", {}, repeatable=repeatable).send_class is send_class


def test_text_is_encoded_as_in_a_form():
    request = query_request("A", "1", {"Name": "a b+c/é~*&="})

    assert request.body == b"Action=A&Version=1&Name=a+b%2Bc%2F%C3%A9~%2A%26%3D"


def test_half_a_character_is_refused():
    with pytest.raises(InvalidRequestError, match="not valid Unicode"):
        query_request("A", "1", {"Name": "\ud800"})


def read(how, response):
    if how == "decode":
        return decode_answer(response, Things, ERRORS)
    return parse_answer(response, "DescribeThings", ERRORS)


# -- answers -------------------------------------------------------------------------------------


def test_a_good_answer_is_decoded():
    assert decode_answer(Response(200, {}, GOOD), Things, ERRORS).names == ["a"]


def test_a_small_answer_is_a_tree():
    answer = parse_answer(Response(200, {}, GOOD), "DescribeThings", ERRORS)

    assert answer.text("thingSet/item/name") == "a"


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (EC2_ERROR, Fault("InvalidThing.NotFound", "No such thing", "ea966190-f9aa")),
        (QUERY_ERROR, Fault("ExpiredToken", "The token has expired", "c6104cbe")),
        (GOOD, None),
        (b"<html><body>Bad gateway</body></html>", None),
        (b"", None),
        (EC2_ERROR[:80], None),
    ],
)
def test_errors_are_read_in_both_dialects(body, fault):
    assert read_fault(body) == fault


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "InvalidThing.NotFound", NotFoundError),
        (400, "InvalidThing.Duplicate", AlreadyExistsError),
        (400, "VpcLimitExceeded", QuotaExceededError),
        (503, "Throttled", RateLimitedError),
        (400, "NeverHeardOf", InvalidRequestError),
        (500, "NeverHeardOf", ProviderUnavailableError),
    ],
)
def test_a_code_decides_the_kind_of_error_and_else_the_status(status, code, kind):
    error = error_of(Response(status, {}, ec2_error(code)), ERRORS)

    assert type(error) is kind
    assert (error.message, error.code, error.status, error.request_id) == (
        "why",
        code,
        status,
        "id",
    )


@pytest.mark.parametrize("how", ["decode", "parse"])
def test_an_error_with_status_200_is_an_error(how):
    with pytest.raises(NotFoundError, match="No such thing"):
        read(how, Response(200, {}, EC2_ERROR))


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"<html><body>Welcome</body></html>",
        GOOD[:-30],
        b"<OtherResponse/>",
        b"<!DOCTYPE a [<!ENTITY b 'c'>]><DescribeThingsResponse>&b;</DescribeThingsResponse>",
        b"<a>" * 500,
    ],
)
@pytest.mark.parametrize("how", ["decode", "parse"])
def test_what_is_not_the_promised_xml_is_malformed(how, body):
    with pytest.raises(MalformedResponseError) as caught:
        read(how, Response(200, {}, body))

    assert caught.value.body == body[:4096]


def test_an_html_page_with_status_500_means_that_the_provider_failed():
    response = Response(500, {"content-type": "text/html"}, b"<html>Internal Server Error</html>")

    error = error_of(response, ERRORS)

    assert type(error) is ProviderUnavailableError
    assert str(error) == "the provider answered with status 500 and text/html (HTTP 500)"


def test_an_answer_that_quotes_the_signed_request_is_not_shown():
    body = ec2_error("SignatureDoesNotMatch", "String-to-Sign: x-amz-security-token:SESSION")

    error = error_of(Response(403, {}, body), {"SignatureDoesNotMatch": AuthenticationError})

    assert "SESSION" not in str(error)
    assert error.body == b""
    assert "check the secret key" in error.message
