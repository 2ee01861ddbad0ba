"""Secret keys: what they sign is what minisign checks; files that are damaged are refused."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from anysky.errors import InvalidRequestError
from anysky.pricing.ed25519 import public_key, sign
from anysky.pricing.errors import CatalogueStoreError
from anysky.pricing.minisign import check_signature, parse_key
from anysky.pricing.secret_keys import SecretKey, make_key, read_key

PASSWORD = "correct horse"
COMMENT = "timestamp:1\tfile:manifest.json\thashed"


@pytest.mark.parametrize("number", range(8))
def test_signatures_are_those_of_another_implementation(number: int) -> None:
    seed, message = bytes([number]) * 32, b"price" * number
    private = Ed25519PrivateKey.from_private_bytes(seed)

    assert public_key(seed) == private.public_key().public_bytes_raw()
    assert sign(seed, message) == private.sign(message)


def test_first_vector_of_the_rfc() -> None:
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")

    assert public_key(seed).hex() == (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
    )
    assert sign(seed, b"").hex() == (
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b4"
        "6bd25bf5f0595bbe24655141438e7a100b"
    )


def test_secret_of_another_length() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        sign(b"short", b"")


def test_key_that_was_made_signs_and_its_public_half_checks(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")

    again = read_key(tmp_path / "key")
    signature = again.sign(b"manifest", COMMENT)

    assert again == key
    public = parse_key((tmp_path / "key.pub").read_text())
    assert check_signature(b"manifest", signature, [public]) == COMMENT
    assert parse_key(key.public) == public


def test_only_the_owner_may_read_the_secret_key(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")

    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    assert base64.b64encode(key.seed).decode()[:40] not in (tmp_path / "key.pub").read_text()
    assert repr(key) == f"SecretKey({key.shown_id})"


def test_key_is_never_written_over(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    before = (tmp_path / "key").read_text()

    with pytest.raises(CatalogueStoreError, match="cannot write"):
        make_key(tmp_path / "key")

    assert (tmp_path / "key").read_text() == before


def with_password(
    key: SecretKey, path: Path, *, kind: bytes = b"Sc", memory: int = 16 << 20
) -> None:
    """Write a key that a password hides, by libsodium's interactive limits: N 2**14, r 8, p 1."""
    public = public_key(key.seed)
    checked = hashlib.blake2b(b"Ed" + key.id + key.seed + public, digest_size=32).digest()
    salt, operations = b"s" * 32, 524288
    stream = hashlib.scrypt(PASSWORD.encode(), salt=salt, n=2**14, r=8, p=1, dklen=104)
    plain = key.id + key.seed + public + checked
    hidden = bytes(one ^ other for one, other in zip(plain, stream, strict=True))
    limits = operations.to_bytes(8, "little") + memory.to_bytes(8, "little")
    data = b"Ed" + kind + b"B2" + salt + limits + hidden
    path.write_text(f"untrusted comment: a key\n{base64.b64encode(data).decode()}\n")


def test_key_with_a_password(tmp_path: Path) -> None:
    key = make_key(tmp_path / "key")
    with_password(key, tmp_path / "hidden")

    assert read_key(tmp_path / "hidden", lambda: PASSWORD) == key


@pytest.mark.parametrize(
    ("password", "message"), [("wrong", "password of .* is wrong"), (None, "needs its password")]
)
def test_wrong_password(password: str | None, message: str, tmp_path: Path) -> None:
    with_password(make_key(tmp_path / "key"), tmp_path / "hidden")

    with pytest.raises(InvalidRequestError, match=message):
        read_key(tmp_path / "hidden", None if password is None else lambda: password or "")


def test_key_that_asks_for_too_much_memory(tmp_path: Path) -> None:
    with_password(make_key(tmp_path / "key"), tmp_path / "hidden", memory=1 << 40)

    with pytest.raises(InvalidRequestError, match="more than a gigabyte"):
        read_key(tmp_path / "hidden", lambda: PASSWORD)


def test_key_that_is_encrypted_in_an_unknown_way(tmp_path: Path) -> None:
    with_password(make_key(tmp_path / "key"), tmp_path / "hidden", kind=b"XX")

    with pytest.raises(InvalidRequestError, match="unknown way"):
        read_key(tmp_path / "hidden", lambda: PASSWORD)


@pytest.mark.parametrize(
    "content", ["", "one line", "a\nbm90IGEga2V5\n", "a\n???\n", "\0\xff\n\xfe"]
)
def test_what_is_no_key(content: str, tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(content.encode("latin-1"))

    with pytest.raises(InvalidRequestError, match="no secret key"):
        read_key(tmp_path / "key")


def test_key_of_which_a_bit_was_turned(tmp_path: Path) -> None:
    make_key(tmp_path / "key")
    comment, line = (tmp_path / "key").read_text().splitlines()
    data = bytearray(base64.b64decode(line))
    data[70] ^= 1
    (tmp_path / "key").write_text(f"{comment}\n{base64.b64encode(data).decode()}\n")

    with pytest.raises(InvalidRequestError, match="damaged"):
        read_key(tmp_path / "key")


def test_key_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequestError, match="cannot read the key"):
        read_key(tmp_path / "none")
