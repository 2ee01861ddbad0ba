"""Hetzner: object storage by S3's protocol.

Vendor's reference: https://docs.hetzner.com/storage/object-storage/supported-actions/
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["HetznerStorage"]


class HetznerStorage(S3Compatible):
    """Buckets and objects of Hetzner."""

    pattern = "https://{region}.your-objectstorage.com"
    prefers_hosts = True
    hosts = ("your-objectstorage.com",)
