"""The JSON by which programs, containers and instances give credentials."""

from __future__ import annotations

from typing import Any

import msgspec

from anysky.errors import MalformedResponseError
from anysky.secret import Secret

__all__ = ["Keys", "decode_keys"]


class Keys(msgspec.Struct, rename="pascal"):
    """What the JSON holds; which fields are there depends on who gives it."""

    access_key_id: str = ""
    secret_access_key: Secret | None = None
    token: Secret | None = None
    session_token: Secret | None = None
    expiration: str | None = None
    version: int = 0
    code: str = ""


def decode_keys(body: bytes, place: str) -> Keys:
    """Decode an answer.

    Raises:
        MalformedResponseError: It is something else; the message shows nothing of it.
    """
    try:
        return msgspec.json.decode(body, type=Keys, dec_hook=_secret)
    except (msgspec.DecodeError, RecursionError):
        problem = f"{place} answers something else than AWS credentials"
    raise MalformedResponseError(problem)


def _secret(kind: type, value: Any) -> Secret:
    if kind is Secret and isinstance(value, str):
        return Secret(value)
    raise TypeError("not a string")
