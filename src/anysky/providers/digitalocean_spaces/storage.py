"""DigitalOcean Spaces: object storage by S3's protocol.

Vendor's reference: https://docs.digitalocean.com/products/spaces/reference/s3-compatibility/
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["SpacesStorage"]


class SpacesStorage(S3Compatible):
    """Buckets, called Spaces, and objects of DigitalOcean."""

    pattern = "https://{region}.digitaloceanspaces.com"
    prefers_hosts = True
    hosts = ("digitaloceanspaces.com",)
