"""What the system's errors mean."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from anysky.errors import (
    CloudError,
    ConflictError,
    InvalidRequestError,
    PermissionDeniedError,
    ProviderUnavailableError,
    QuotaExceededError,
)

__all__ = ["ABSENT", "UNNAMEABLE", "cloud_error"]

ABSENT = frozenset({errno.ENOENT, errno.ENOTDIR})
UNNAMEABLE = frozenset({errno.ENAMETOOLONG, errno.EINVAL, errno.EILSEQ})

_KINDS: Mapping[int, type[CloudError]] = {
    **dict.fromkeys((errno.EACCES, errno.EPERM, errno.EROFS, errno.ELOOP), PermissionDeniedError),
    **dict.fromkeys(
        (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EMFILE, errno.ENFILE, errno.EMLINK),
        QuotaExceededError,
    ),
    **dict.fromkeys((*UNNAMEABLE, errno.EXDEV), InvalidRequestError),
    errno.EBUSY: ConflictError,
}
_TEXTS: Mapping[int, str] = {
    errno.ELOOP: "there is a symbolic link on the way, and none is followed",
    errno.EXDEV: "no file can be renamed from one file system to another; copy it",
}


def cloud_error(error: OSError) -> CloudError:
    """Return an error of ours for an error of the system; some of ours are such themselves."""
    if isinstance(error, CloudError):
        return error
    number = error.errno or 0
    kind = _KINDS.get(number, ProviderUnavailableError)
    text = _TEXTS.get(number) or error.strerror or type(error).__name__
    where = f": {error.filename!r}" if isinstance(error.filename, str) else ""
    return kind(f"{text}{where}", code=errno.errorcode.get(number, ""))
