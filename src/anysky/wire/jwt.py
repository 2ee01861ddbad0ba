"""Signatures with RSA keys: tokens (RFC 7519, RS256) and whatever else a provider wants signed.

The arithmetic is that of the package ``cryptography``, which only this needs: it is imported when
the first signature is made.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from anysky.errors import InvalidAccountError
from anysky.secret import Secret

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

__all__ = ["RSAKey", "base64url"]


def base64url(data: bytes) -> str:
    """Encode bytes for a URL, without padding (RFC 7515)."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class RSAKey:
    """A private RSA key; it is read when it first signs.

    Args:
        pem: The key, in PEM, not encrypted.
        extra: What to install if ``cryptography`` is missing, for example ``"anysky[google]"``.
        key_id: Id of the key, for the head of tokens.
    """

    def __init__(self, pem: Secret, extra: str, key_id: str = "") -> None:
        self._pem = pem
        self._extra = extra
        self._key_id = key_id

    def sign(self, message: bytes) -> bytes:
        """Return the signature of a message: RSASSA-PKCS1-v1_5 with SHA-256.

        Raises:
            InvalidAccountError: The key cannot be read, or ``cryptography`` is missing.
        """
        key = self._key
        from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
        from cryptography.hazmat.primitives.hashes import SHA256

        return key.sign(message, PKCS1v15(), SHA256())

    def token(self, claims: Mapping[str, Any]) -> Secret:
        """Return a signed token with some claims.

        Raises:
            InvalidAccountError: The key cannot be read, or ``cryptography`` is missing.
        """
        head = {"alg": "RS256", "typ": "JWT"} | ({"kid": self._key_id} if self._key_id else {})
        unsigned = ".".join(base64url(json.dumps(part).encode()) for part in (head, claims))
        return Secret(f"{unsigned}.{base64url(self.sign(unsigned.encode()))}")

    @cached_property
    def _key(self) -> RSAPrivateKey:
        try:
            from cryptography.exceptions import UnsupportedAlgorithm
            from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
            from cryptography.hazmat.primitives.serialization import load_pem_private_key
        except ImportError as error:
            raise InvalidAccountError(
                f"signing with a private key needs a package: pip install {self._extra}"
            ) from error
        try:
            key = load_pem_private_key(self._pem.reveal().encode(), password=None)
        except (ValueError, TypeError, UnsupportedAlgorithm):
            # What went wrong may hold parts of the key.
            raise InvalidAccountError(
                "the private key cannot be read: it must be RSA, in PEM, and not encrypted"
            ) from None
        if not isinstance(key, RSAPrivateKey):
            raise InvalidAccountError("the private key is not RSA")
        return key
