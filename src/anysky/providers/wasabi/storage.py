"""Wasabi: object storage by S3's protocol.

Vendor's reference: https://docs.wasabi.com/docs/service-urls-for-wasabis-storage-regions
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["WasabiStorage"]


class WasabiStorage(S3Compatible):
    """Buckets and objects of Wasabi."""

    pattern = "https://s3.{region}.wasabisys.com"
    prefers_hosts = True
    hosts = ("wasabisys.com",)
