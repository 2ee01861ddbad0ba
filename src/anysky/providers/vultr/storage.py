"""Vultr: object storage by S3's protocol.

Vendor's reference: https://docs.vultr.com/products/cloud-storage/object-storage
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["VultrStorage"]


class VultrStorage(S3Compatible):
    """Buckets and objects of Vultr."""

    pattern = "https://{region}.vultrobjects.com"
    prefers_hosts = True
    hosts = ("vultrobjects.com",)
