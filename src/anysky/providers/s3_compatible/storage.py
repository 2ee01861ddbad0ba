"""Any service that speaks S3: the settings say where it is.

Vendor's reference: https://docs.aws.amazon.com/AmazonS3/latest/API/Welcome.html
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["S3CompatibleStorage"]


class S3CompatibleStorage(S3Compatible):
    """Buckets and objects of a service that speaks S3."""
