"""A publisher of catalogues for the tests, with a key pair of its own."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

if TYPE_CHECKING:
    from pathlib import Path

KEY_ID = b"testkey1"


class Publisher:
    """Writes manifests, signatures and catalogues into a folder."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(exist_ok=True)
        self.folder = folder
        self.private = Ed25519PrivateKey.generate()
        raw = self.private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
        self.key = base64.b64encode(b"Ed" + KEY_ID + raw).decode()
        self.manifest = folder / "manifest.json"

    def publish(self, catalogue: Path, version: str, /, **changes: Any) -> Path:
        """Publish a catalogue, its entry in the manifest changed; return the manifest."""
        content = catalogue.read_bytes()
        packed = gzip.compress(content, mtime=0)
        (self.folder / version).mkdir(exist_ok=True)
        (self.folder / version / "prices.db.gz").write_bytes(packed)
        file = {
            "name": "prices",
            "url": f"{version}/prices.db.gz",
            "mirrors": [],
            "encoding": "gzip",
            "size": len(packed),
            "sha256": hashlib.sha256(packed).hexdigest(),
            "raw_size": len(content),
            "raw_sha256": hashlib.sha256(content).hexdigest(),
            "rows": {"acme": 4},
        }
        head = {
            "schema": 1,
            "version": version,
            "min_reader": 1,
            "expires": "2090-01-01T00:00:00Z",
        }
        for name, value in changes.items():
            (head if name in head else file)[name] = value
        self.write({**head, "files": [file]})
        return self.manifest

    def write(self, manifest: object) -> None:
        """Write and sign a manifest."""
        content = manifest if isinstance(manifest, bytes) else json.dumps(manifest).encode()
        self.manifest.write_bytes(content)
        self.manifest.with_name("manifest.json.minisig").write_bytes(self.sign(content))

    def sign(self, content: bytes, comment: str = "timestamp:1", *, hashed: bool = True) -> bytes:
        """Sign as minisign does."""
        form = b"ED" if hashed else b"Ed"
        signed = self.private.sign(hashlib.blake2b(content).digest() if hashed else content)
        whole = self.private.sign(signed + comment.encode())
        lines = (
            "untrusted comment: signature",
            base64.b64encode(form + KEY_ID + signed).decode(),
            f"trusted comment: {comment}",
            base64.b64encode(whole).decode(),
        )
        return "".join(f"{line}\n" for line in lines).encode()
