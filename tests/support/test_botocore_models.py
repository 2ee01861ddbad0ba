"""What botocore serializes passes; what is changed afterwards does not."""

from urllib.parse import urlencode

import botocore.session
import pytest
from botocore.serialize import create_serializer

from tests.support.botocore_models import Operation, check_request

MD5 = {"Content-MD5": "1B2M2Y8AsgTpgAmY7PhCfg=="}


def serialized(service, name, params):
    """Method, URL, headers and body as botocore sends them, unsigned."""
    model = botocore.session.Session().get_service_model(service)
    operation = model.operation_model(name)
    serializer = create_serializer(model.metadata["protocol"])
    request = serializer.serialize_to_request(params, operation)
    body = request["body"]
    if isinstance(body, dict):
        body = urlencode(body)
    query = urlencode(request["query_string"], doseq=True)
    url = f"https://127.0.0.1{request['url_path']}"
    if query:
        url += ("&" if "?" in url else "?") + query
    return request["method"], url, dict(request["headers"]), body


RECORD = {
    "Name": "www.example.com.",
    "Type": "A",
    "TTL": 60,
    "ResourceRecords": [{"Value": "192.0.2.1"}, {"Value": "192.0.2.2"}],
}
CASES = [
    ("ec2", "DescribeRegions", {}),
    (
        "ec2",
        "RunInstances",
        {
            "ImageId": "ami-1",
            "MinCount": 1,
            "MaxCount": 2,
            "InstanceType": "t3.micro",
            "SecurityGroupIds": ["sg-1", "sg-2"],
            "DryRun": False,
            "BlockDeviceMappings": [{"DeviceName": "/dev/sda1", "Ebs": {"VolumeSize": 8}}],
            "TagSpecifications": [
                {"ResourceType": "instance", "Tags": [{"Key": "a", "Value": "b"}]}
            ],
        },
    ),
    (
        "ec2",
        "DescribeInstances",
        {"Filters": [{"Name": "tag:a", "Values": ["b", "c"]}], "MaxResults": 5},
    ),
    ("ec2", "ImportKeyPair", {"KeyName": "k", "PublicKeyMaterial": b"ssh-ed25519 AAAA"}),
    (
        "ec2",
        "AuthorizeSecurityGroupIngress",
        {
            "GroupId": "sg-1",
            "IpPermissions": [
                {
                    "IpProtocol": "tcp",
                    "FromPort": 22,
                    "ToPort": 22,
                    "IpRanges": [{"CidrIp": "10.0.0.0/8"}],
                }
            ],
        },
    ),
    ("sts", "GetCallerIdentity", {}),
    (
        "sts",
        "AssumeRole",
        {
            "RoleArn": "arn:aws:iam::123456789012:role/x",
            "RoleSessionName": "session",
            "PolicyArns": [{"arn": "arn:aws:iam::aws:policy/ReadOnlyAccess"}],
        },
    ),
    ("route53", "ListHostedZones", {"Marker": "Z1", "MaxItems": "100"}),
    (
        "route53",
        "CreateHostedZone",
        {
            "Name": "example.com",
            "CallerReference": "1",
            "HostedZoneConfig": {"Comment": "c", "PrivateZone": False},
        },
    ),
    (
        "route53",
        "ChangeResourceRecordSets",
        {
            "HostedZoneId": "Z1",
            "ChangeBatch": {"Changes": [{"Action": "UPSERT", "ResourceRecordSet": RECORD}]},
        },
    ),
    ("route53", "GetChange", {"Id": "C1"}),
    ("s3", "ListBuckets", {}),
    ("s3", "CreateBucket", {"Bucket": "bucket"}),
    (
        "s3",
        "CreateBucket",
        {"Bucket": "bucket", "CreateBucketConfiguration": {"LocationConstraint": "eu-west-1"}},
    ),
    ("s3", "ListObjectsV2", {"Bucket": "bucket", "Prefix": "a/", "MaxKeys": 10}),
    ("s3", "HeadObject", {"Bucket": "bucket", "Key": "a/b c"}),
    ("s3", "GetObject", {"Bucket": "bucket", "Key": "a", "Range": "bytes=0-9"}),
    (
        "s3",
        "PutObject",
        {"Bucket": "bucket", "Key": "a", "Body": b"data", "Metadata": {"x": "y"}, "ACL": "private"},
    ),
    ("s3", "CopyObject", {"Bucket": "bucket", "Key": "a", "CopySource": "other/key"}),
    ("s3", "CreateMultipartUpload", {"Bucket": "bucket", "Key": "a"}),
    (
        "s3",
        "UploadPart",
        {"Bucket": "bucket", "Key": "a", "PartNumber": 1, "UploadId": "u", "Body": b"x"},
    ),
    (
        "s3",
        "CompleteMultipartUpload",
        {
            "Bucket": "bucket",
            "Key": "a",
            "UploadId": "u",
            "MultipartUpload": {
                "Parts": [{"ETag": "e1", "PartNumber": 1}, {"ETag": "e2", "PartNumber": 2}]
            },
        },
    ),
    ("s3", "DeleteObject", {"Bucket": "bucket", "Key": "a/"}),
    (
        "s3",
        "PutBucketTagging",
        {"Bucket": "bucket", "Tagging": {"TagSet": [{"Key": "a", "Value": "b"}]}},
    ),
]


@pytest.mark.parametrize(
    ("service", "name", "params"), CASES, ids=[f"{case[0]} {case[1]}" for case in CASES]
)
def test_what_botocore_sends_is_right(service, name, params):
    method, url, headers, body = serialized(service, name, params)
    headers |= MD5 if name in {"PutBucketTagging", "DeleteObjects"} else {}

    operation = check_request(service, method, url, headers, body)

    assert operation.name == name
    assert {key: operation.params[key] for key in params} == params


def test_parameters_are_decoded():
    request = serialized("s3", "GetObject", {"Bucket": "bucket", "Key": "a/ä b", "PartNumber": 2})

    assert check_request("s3", *request) == Operation(
        "s3", "GetObject", {"Bucket": "bucket", "Key": "a/ä b", "PartNumber": 2}
    )


def test_virtual_hosted_bucket():
    url = "https://bucket.s3.eu-west-1.amazonaws.com/a/b"

    operation = check_request("s3", "GET", url, {"x-amz-date": "20200101T000000Z"}, b"")

    assert operation == Operation("s3", "GetObject", {"Bucket": "bucket", "Key": "a/b"})


RUN = "Action=RunInstances&Version=2016-11-15&MinCount=1&MaxCount=1"
FORM = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("Action=RunInstance&Version=2016-11-15", "no operation 'RunInstance'"),
        (RUN.replace("2016-11-15", "2013-10-15"), "Version is '2013-10-15'"),
        (RUN + "&ImageID=ami-1", "unknown parameter ImageID"),
        (RUN + "&SecurityGroupIds.1=sg-1", "unknown parameter SecurityGroupIds"),
        (RUN + "&SecurityGroupId=sg-1", "SecurityGroupId is a list"),
        (RUN + "&SecurityGroupId.0=sg-1", "numbered 0"),
        (RUN + "&SecurityGroupId.1=a&SecurityGroupId.3=b", "numbered 1, 3"),
        (RUN + "&DryRun=True", "neither true nor false"),
        (RUN + "&MinCount=1", "given twice"),
        (RUN + "&Placement.Tenancy=shared", "none of Tenancy's values"),
        (RUN + "&TagSpecification.1.Tags.1.Key=a", "unknown parameter TagSpecification.1.Tags"),
        (RUN + "&ImageId.1=a", "ImageId is a string, without further parts"),
        (RUN.replace("MinCount=1", "MinCount=one"), "'one' is no integer"),
        (RUN.replace("&MinCount=1", ""), 'Missing required parameter in input: "MinCount"'),
    ],
)
def test_wrong_ec2_requests(body, message):
    with pytest.raises(AssertionError) as caught:
        check_request("ec2", "POST", "https://127.0.0.1/", FORM, body)

    assert message in str(caught.value)


def test_wrong_query_requests():
    body = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn:aws:iam::123456789012:role/x"
    body += "&RoleSessionName=ab&PolicyArns.1.arn=arn:aws:iam::aws:policy/ReadOnlyAccess"

    with pytest.raises(AssertionError, match=r"PolicyArns needs the form PolicyArns\.member\.N"):
        check_request("sts", "POST", "https://127.0.0.1/", FORM, body)
    with pytest.raises(AssertionError, match="Content-Type is None"):
        check_request("sts", "POST", "https://127.0.0.1/", {}, body)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("<TTL>", "<Ttl>", "the body is not XML"),
        ("<TTL>60</TTL>", "<Ttl>60</Ttl>", "}Ttl in ChangeResourceRecordSetsRequest.ChangeBatch"),
        ("<TTL>60</TTL>", "<TTL>soon</TTL>", "'soon' is no long"),
        ("<TTL>60</TTL>", "<TTL>60</TTL><TTL>61</TTL>", "TTL is given twice"),
        ("UPSERT", "REPLACE", "'REPLACE' is none of ChangeAction's values CREATE, DELETE, UPSERT"),
        ("doc/2013-04-01", "doc/2012-02-29", "the root element is"),
        ("<Name>www.example.com.</Name>", "", "Missing required parameter in ChangeBatch.Changes"),
        ("<Type>A</Type>", '<Type a="b">A</Type><X/>', "unknown element"),
    ],
)
def test_wrong_xml(old, new, message):
    params = CASES[9][2]
    method, url, headers, body = serialized("route53", "ChangeResourceRecordSets", params)
    text = body.decode()
    assert old in text

    with pytest.raises(AssertionError) as caught:
        check_request("route53", method, url, headers, text.replace(old, new, 1))

    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("method", "path", "headers", "body", "message"),
    [
        ("PATCH", "/bucket", {}, b"", "no operation PATCH /bucket"),
        ("GET", "/bucket?list-type=2&max_keys=1", {}, b"", "unknown query parameter 'max_keys'"),
        ("GET", "/bucket?list-type=2&max-keys=x", {}, b"", "'x' is no integer"),
        ("PUT", "/bucket/a", {"x-amz-acls": "private"}, b"x", "unknown header 'x-amz-acls'"),
        ("PUT", "/bucket/a", {"x-amz-acl": "mine"}, b"x", "none of ObjectCannedACL's values"),
        ("PUT", "/bucket/a?partNumber=1", {}, b"x", 'Missing required parameter in input: "Upl'),
        ("DELETE", "/bucket/a", {}, b"x", "a body was sent"),
        ("PUT", "/bucket?tagging", MD5, b"<Tagging/>", "the root element is Tagging"),
    ],
)
def test_wrong_s3_requests(method, path, headers, body, message):
    with pytest.raises(AssertionError) as caught:
        check_request("s3", method, f"https://127.0.0.1{path}", headers, body)

    assert message in str(caught.value)


def test_checksum_is_demanded():
    params = {"Bucket": "bucket", "Delete": {"Objects": [{"Key": "a"}, {"Key": "b"}]}}
    method, url, headers, body = serialized("s3", "DeleteObjects", params)

    assert (
        check_request("s3", method, url, headers | MD5, body).params["Delete"] == params["Delete"]
    )
    with pytest.raises(AssertionError, match="a checksum is required"):
        check_request("s3", method, url, headers, body)
