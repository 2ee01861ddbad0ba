"""Read the arguments `extra` and `headers` of an upload."""

from __future__ import annotations

import mimetypes
from collections.abc import Mapping
from typing import Any

from .errors import InvalidRequestError
from .model.storage import ObjectSpec

__all__ = ["object_spec"]

_KEYS = ("content_type", "meta_data", "acl")
_DEFAULT_TYPE = "application/octet-stream"


def object_spec(
    name: str,
    extra: Mapping[str, Any] | None,
    headers: Mapping[str, str] | None,
    file_name: str,
    options: Mapping[str, Any],
) -> ObjectSpec:
    """Make a spec of an upload's arguments; the type is guessed from the name if none is given.

    Raises:
        InvalidRequestError: `extra` has a key that means nothing.
    """
    extra = extra or {}
    meta_data: Mapping[Any, Any] = extra.get("meta_data") or {}
    for key in extra:
        if key not in _KEYS:
            raise InvalidRequestError(f"extra has no key {key!r}; it has {', '.join(_KEYS)}")
    guessed = mimetypes.guess_type(file_name)[0] or _DEFAULT_TYPE
    return ObjectSpec(
        name=name,
        content_type=extra.get("content_type") or guessed,
        meta_data={str(k): str(v) for k, v in meta_data.items()},
        acl=extra.get("acl"),
        headers=dict(headers or {}),
        options=options,
    )
