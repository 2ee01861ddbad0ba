"""Scaleway: object storage by S3's protocol.

Vendor's reference: https://www.scaleway.com/en/docs/object-storage/
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible
from anysky.model.storage import PartLimits

__all__ = ["ScalewayStorage"]


class ScalewayStorage(S3Compatible):
    """Buckets and objects of Scaleway."""

    pattern = "https://s3.{region}.scw.cloud"
    prefers_hosts = True
    hosts = ("scw.cloud",)
    # https://www.scaleway.com/en/docs/object-storage/api-cli/multipart-uploads/
    parts = PartLimits(count=1000)
