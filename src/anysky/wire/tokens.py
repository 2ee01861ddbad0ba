"""Idempotency tokens, by which a provider knows a creating request that it gets twice."""

from __future__ import annotations

import os

__all__ = ["fresh_token"]


def fresh_token() -> str:
    """Return a token that nobody else has: 32 hexadecimal digits."""
    return os.urandom(16).hex()
