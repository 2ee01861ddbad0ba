"""The helper starts moto, resets it and makes it check signatures."""

import botocore.session
import pytest
from botocore.exceptions import ClientError

pytestmark = pytest.mark.server


def client_of(service, url, key="any", secret="any"):
    session = botocore.session.Session()
    return session.create_client(
        service,
        region_name="us-east-1",
        endpoint_url=url,
        aws_access_key_id=key,
        aws_secret_access_key=secret,
    )


@pytest.mark.parametrize("attempt", [1, 2])
def test_state_is_reset_between_tests(moto, attempt):
    s3 = client_of("s3", moto)

    before = s3.list_buckets()["Buckets"]
    s3.create_bucket(Bucket="left-behind")

    assert before == []
    assert [each["Name"] for each in s3.list_buckets()["Buckets"]] == ["left-behind"]


def test_public_images_are_loaded(moto):
    images = client_of("ec2", moto).describe_images(Owners=["amazon"])["Images"]

    assert any("amzn" in each["Name"] for each in images)


def test_signatures_are_checked(moto_auth):
    right = client_of("ec2", moto_auth.url, moto_auth.access_key, moto_auth.secret_key)
    wrong = client_of("ec2", moto_auth.url, moto_auth.access_key, "wrong")

    assert right.describe_instances()["Reservations"] == []
    with pytest.raises(ClientError, match="AuthFailure"):
        wrong.describe_instances()
