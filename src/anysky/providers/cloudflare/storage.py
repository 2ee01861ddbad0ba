"""Cloudflare R2: object storage by S3's protocol, without versions and tags.

Vendor's reference: https://developers.cloudflare.com/r2/api/s3/api/
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["R2Storage"]


class R2Storage(S3Compatible):
    """Buckets and objects of Cloudflare R2."""

    pattern = "https://{account_id}.r2.cloudflarestorage.com"
    hosts = ("r2.cloudflarestorage.com",)
    lacks = (
        "get_object_tags",
        "set_object_tags",
        "get_versioning",
        "set_versioning",
        "list_object_versions",
        "get_object_version",
    )
