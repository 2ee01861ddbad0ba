"""Importers: whole rows of the vendors' samples, and what is left out of them."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path
from typing import Any

from anysky.pricing.building.draft import Spec
from anysky.pricing.importers import Document, Rows, load
from anysky.pricing.model import amount_of

SAMPLES = Path(__file__).with_name("samples")
DAY = "2026-11-22"


def read(name: str, sample: str, url: str = "") -> Rows:
    """Read one sample of a vendor, complete."""
    importer = load(name)
    return importer.complete(importer.read(Document(SAMPLES / sample, DAY, url)))


def prices(rows: Rows) -> dict[tuple[str, ...], Decimal]:
    """Return the amounts by size, region, operating system, term and currency."""
    return {
        (one.size, one.region, one.os, one.term, one.currency): amount_of(one.nano)
        for one in rows.figures
    }


def ondemand(found: dict[tuple[str, str], str], currency: str = "USD") -> dict[Any, Decimal]:
    """Write what `prices` returns for Linux on demand in short."""
    return {(*key, "linux", "ondemand", currency): Decimal(one) for key, one in found.items()}


def test_digitalocean() -> None:
    rows = read("digitalocean", "digitalocean-sizes.json")

    assert prices(rows) == ondemand(
        {("s-1vcpu-1gb", "ams3"): "0.00893", ("s-1vcpu-1gb", "fra1"): "0.00893"}
    )
    assert rows.specs == {
        "s-1vcpu-1gb": Spec(1, 1024, 25, 0, arch="x86_64", burstable=True),
    }
    assert rows.left_out == {"sold nowhere": 1}
    assert rows.more == []


def test_hetzner() -> None:
    rows = read("hetzner", "hetzner-server_types.json")

    assert prices(rows) == ondemand({("cpx11", "ash"): "0.028", ("cpx11", "fsn1"): "0.0088"}, "EUR")
    assert rows.specs == {"cpx11": Spec(2, 2048, 40, 0, arch="x86_64", burstable=True)}
