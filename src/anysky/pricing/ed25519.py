"""Check and make Ed25519 signatures (RFC 8032), in milliseconds and without another library.

Nothing here runs in constant time. Checking handles only public values; signing is for a
publisher at their own machine, who signs one small file at a time.
"""

from __future__ import annotations

import hashlib

__all__ = ["public_key", "sign", "verify"]

_P = 2**255 - 19
_ORDER = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, -1, _P) % _P
_ROOT = pow(2, (_P - 1) // 4, _P)
_KEY_BYTES = 32
_SIGNATURE_BYTES = 64

_Point = tuple[int, int, int, int]  # extended coordinates: X, Y, Z, T with x = X/Z, y = Y/Z


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Whether a signature of 64 bytes is that of a message by a public key of 32 bytes."""
    if len(key) != _KEY_BYTES or len(signature) != _SIGNATURE_BYTES:
        return False
    public, r = _decompress(key), _decompress(signature[:_KEY_BYTES])
    s = int.from_bytes(signature[_KEY_BYTES:], "little")
    if public is None or r is None or s >= _ORDER:
        return False
    digest = hashlib.sha512(signature[:_KEY_BYTES] + key + message).digest()
    h = int.from_bytes(digest, "little") % _ORDER
    return _equal(_multiply(s, _BASE), _add(r, _multiply(h, public)))


def public_key(seed: bytes) -> bytes:
    """Return the public key of 32 bytes that belongs to a secret of 32 bytes."""
    scalar, _ = _expand(seed)
    return _compress(_multiply(scalar, _BASE))


def sign(seed: bytes, message: bytes) -> bytes:
    """Return the signature of 64 bytes that a secret of 32 bytes gives a message."""
    scalar, prefix = _expand(seed)
    public = _compress(_multiply(scalar, _BASE))
    nonce = int.from_bytes(hashlib.sha512(prefix + message).digest(), "little") % _ORDER
    r = _compress(_multiply(nonce, _BASE))
    digest = hashlib.sha512(r + public + message).digest()
    s = (nonce + int.from_bytes(digest, "little") * scalar) % _ORDER
    return r + s.to_bytes(_KEY_BYTES, "little")


def _expand(seed: bytes) -> tuple[int, bytes]:
    """Return the scalar and the prefix of nonces that a secret stands for."""
    if len(seed) != _KEY_BYTES:
        raise ValueError("a secret key has 32 bytes")
    digest = hashlib.sha512(seed).digest()
    scalar = int.from_bytes(digest[:_KEY_BYTES], "little") & ((1 << 254) - 8) | (1 << 254)
    return scalar, digest[_KEY_BYTES:]


def _compress(point: _Point) -> bytes:
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(_KEY_BYTES, "little")


def _decompress(data: bytes) -> _Point | None:
    """Return the point that 32 bytes stand for, or None if there is none."""
    y = int.from_bytes(data, "little")
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, -1, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if (x * x - square) % _P:
        x = x * _ROOT % _P
    if (x * x - square) % _P or (x == 0 and sign):
        return None
    x = _P - x if x & 1 != sign else x
    return x, y, 1, x * y % _P


def _add(one: _Point, other: _Point) -> _Point:
    a = (one[1] - one[0]) * (other[1] - other[0]) % _P
    b = (one[1] + one[0]) * (other[1] + other[0]) % _P
    c = 2 * one[3] * other[3] * _D % _P
    d = 2 * one[2] * other[2] % _P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(scalar: int, point: _Point) -> _Point:
    result: _Point = (0, 1, 1, 0)
    while scalar:
        if scalar & 1:
            result = _add(result, point)
        point = _add(point, point)
        scalar >>= 1
    return result


def _equal(one: _Point, other: _Point) -> bool:
    same_x = (one[0] * other[2] - other[0] * one[2]) % _P == 0
    return same_x and (one[1] * other[2] - other[1] * one[2]) % _P == 0


def _base() -> _Point:
    y = 4 * pow(5, -1, _P) % _P
    point = _decompress(y.to_bytes(_KEY_BYTES, "little"))
    if point is None:
        raise AssertionError("the curve has a base point")
    return point


_BASE = _base()
