"""boto3's transfers by awscrt, set up by hand: boto3 does not tell it that there is no TLS."""

from __future__ import annotations

import botocore.session
import storage_common as common
from botocore.config import Config
from botocore.credentials import Credentials
from s3transfer.crt import (
    BotocoreCRTCredentialsWrapper,
    BotocoreCRTRequestSerializer,
    CRTTransferManager,
    create_s3_crt_client,
)


def main() -> None:
    cell, endpoint, file = common.arguments()
    settings = {
        "region_name": common.REGION,
        "endpoint_url": endpoint,
        "aws_access_key_id": common.KEY,
        "aws_secret_access_key": common.SECRET,
        "config": Config(s3={"addressing_style": "path"}),
    }
    credentials = BotocoreCRTCredentialsWrapper(Credentials(common.KEY, common.SECRET))
    manager = CRTTransferManager(
        create_s3_crt_client(
            common.REGION,
            use_ssl=False,
            crt_credentials_provider=credentials.to_crt_credentials_provider(),
        ),
        BotocoreCRTRequestSerializer(botocore.session.Session(), client_kwargs=settings),
    )
    work = {
        "up": lambda: manager.upload(file, common.BUCKET, "big").result(),
        "down": lambda: manager.download(common.BUCKET, common.BIG_NAME, file).result(),
    }[cell]
    common.measure(lambda: None, work)


main()
