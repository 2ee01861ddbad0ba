"""OVHcloud: object storage by S3's protocol. Its regions in the US need an endpoint of their own.

Vendor's reference: https://help.ovhcloud.com/csm/en-public-cloud-storage-s3-location?id=kb_article_view&sysparm_article=KB0047384
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["OVHStorage"]


class OVHStorage(S3Compatible):
    """Buckets and objects of OVHcloud."""

    pattern = "https://s3.{region}.io.cloud.ovh.net"
    prefers_hosts = True
    hosts = ("io.cloud.ovh.net",)
