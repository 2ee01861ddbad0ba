"""What the system's errors mean."""

from __future__ import annotations

import errno
from collections.abc import Mapping

from anysky.errors import (
    CloudError,
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
}
_TEXTS: Mapping[int, str] = {
    errno.ELOOP: "there is a symbolic link on the way, and none is followed",
    errno.EXDEV: "a directory in the container is on another file system than the container",
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
