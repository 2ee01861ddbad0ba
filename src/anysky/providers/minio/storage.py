"""MinIO: object storage by S3's protocol.

Vendor's reference: https://min.io/docs/minio/linux/reference/s3-api-compatibility.html
"""

from __future__ import annotations

from anysky.backend.s3 import S3Compatible

__all__ = ["MinIOStorage"]


class MinIOStorage(S3Compatible):
    """Buckets and objects of MinIO."""
