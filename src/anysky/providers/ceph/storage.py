"""Ceph: object storage by S3's protocol.

Vendor's reference: https://docs.ceph.com/en/latest/radosgw/s3/
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["CephStorage"]


class CephStorage(S3Compatible):
    """Buckets and objects of a Ceph object gateway."""
