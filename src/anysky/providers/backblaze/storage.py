"""Backblaze B2: object storage by S3's protocol. Buckets always keep versions; there are no tags.

Vendor's reference: https://www.backblaze.com/docs/cloud-storage-call-the-s3-compatible-api
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["BackblazeStorage"]


class BackblazeStorage(S3Compatible):
    """Buckets and objects of Backblaze B2."""

    pattern = "https://s3.{region}.backblazeb2.com"
    prefers_hosts = True
    hosts = ("backblazeb2.com",)
    # https://www.backblaze.com/apidocs/s3-put-object
    lacks = ("get_object_tags", "set_object_tags")
