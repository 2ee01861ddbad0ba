"""Akamai Connected Cloud, once Linode: object storage by S3's protocol.

Vendor's reference: https://techdocs.akamai.com/cloud-computing/docs/object-storage
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["LinodeStorage"]


class LinodeStorage(S3Compatible):
    """Buckets and objects of Linode."""

    pattern = "https://{region}.linodeobjects.com"
    prefers_hosts = True
    hosts = ("linodeobjects.com",)
