"""Ed25519 and minisign's form of it, compared with `cryptography`."""

from __future__ import annotations

import base64
import time
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given, settings
from hypothesis import strategies as st

from anysky.errors import InvalidRequestError
from anysky.pricing import UpdateVerificationError
from anysky.pricing.ed25519 import verify
from anysky.pricing.minisign import check_signature, parse_key
from anysky.pricing.updating import KEYS
from tests.pricing.publisher import Publisher

ORDER = 2**252 + 27742317777372353535851937790883648493


def raw_key(private: Ed25519PrivateKey) -> bytes:
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


@settings(max_examples=25, deadline=None)
@given(st.binary(min_size=32, max_size=32), st.binary(max_size=200), st.integers(0, 511))
def test_agrees_with_cryptography(seed: bytes, message: bytes, bit: int) -> None:
    private = Ed25519PrivateKey.from_private_bytes(seed)
    signature = private.sign(message)
    changed = bytearray(signature)
    changed[bit // 8] ^= 1 << bit % 8

    assert verify(raw_key(private), message, signature)
    assert not verify(raw_key(private), message, bytes(changed))
    assert not verify(raw_key(private), message + b"x", signature)


def test_first_vector_of_rfc_8032() -> None:
    key = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    signature = bytes.fromhex(
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9"
        "b46bd25bf5f0595bbe24655141438e7a100b"
    )

    assert verify(key, b"", signature)


@pytest.mark.parametrize("key", [b"", b"\xff" * 32, bytes(31), (2).to_bytes(32, "little")])
def test_bytes_that_are_no_key(key: bytes) -> None:
    assert not verify(key, b"", bytes(64))


def test_a_second_form_of_a_signature_is_refused() -> None:
    private = Ed25519PrivateKey.generate()
    signature = private.sign(b"m")
    s = int.from_bytes(signature[32:], "little") + ORDER

    assert not verify(raw_key(private), b"m", signature[:32] + s.to_bytes(32, "little"))


def test_takes_milliseconds() -> None:
    private = Ed25519PrivateKey.generate()
    key, signature = raw_key(private), private.sign(b"m")
    start = time.process_time()

    assert verify(key, b"m", signature)

    assert time.process_time() - start < 0.1


@pytest.mark.parametrize("hashed", [True, False])
def test_minisign(tmp_path: Path, hashed: bool) -> None:
    publisher = Publisher(tmp_path / "p")
    signature = publisher.sign(b"content", "made today", hashed=hashed)

    assert check_signature(b"content", signature, [parse_key(publisher.key)]) == "made today"


def test_minisign_of_something_else(tmp_path: Path) -> None:
    publisher, other = Publisher(tmp_path / "p"), Publisher(tmp_path / "q")
    keys = [parse_key(publisher.key)]
    good = publisher.sign(b"content", "made today")
    cases = {
        "the content was changed": (b"contenu", good),
        "comment was changed": (b"content", good.replace(b"made today", b"made later")),
        "not one of minisign": (b"content", b"<html></html>"),
        "signature is not one": (b"content", good.replace(b"\n", b"!\n", 2)),
        "signature is wrong": (b"content", other.sign(b"content")),
    }

    for message, (content, signature) in cases.items():
        with pytest.raises(UpdateVerificationError, match=message):
            check_signature(content, signature, keys)
    with pytest.raises(UpdateVerificationError, match="unknown key 317965"):
        check_signature(b"content", good, [parse_key(KEYS[0])])


@pytest.mark.parametrize("text", ["", "RWQ", base64.b64encode(bytes(42)).decode(), "a\nb"])
def test_text_that_is_no_public_key(text: str) -> None:
    with pytest.raises(InvalidRequestError, match="no public key"):
        parse_key(text)


def test_key_file_with_its_comment(tmp_path: Path) -> None:
    key = Publisher(tmp_path / "p").key

    assert parse_key(f"untrusted comment: minisign public key\n{key}\n") == parse_key(key)
