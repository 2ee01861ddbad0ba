"""Put a catalogue together: what importers gave now, and what a catalogue had before."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

from anysky.pricing.importers.base import Rows

from .draft import Draft, Figure, Region, Spec, Vendor

__all__ = ["Built", "assemble", "figures_of", "with_other_regions"]

_LICENCE = "List prices as their vendors publish them; each says where it comes from."


def figures_of(draft: Draft, provider: str) -> list[Figure]:
    """Return the figures of one provider."""
    return [one for one in draft.figures if one.provider == provider]


def with_other_regions(rows: Rows, base: Draft) -> Rows:
    """Add the figures of those regions that the rows say nothing of, as they were before."""
    ours = {one.region for one in rows.figures}
    others = [one for one in figures_of(base, rows.provider) if one.region not in ours]
    kept = dataclasses.replace(rows, figures=rows.figures + others)
    rates = {one.region for one in rows.rates}
    kept.rates = rows.rates + [
        one for one in base.rates if one.provider == rows.provider and one.region not in rates
    ]
    for one in others:
        kept.specs.setdefault(one.size, base.specs[rows.provider, one.size])
    return kept


class Built(NamedTuple):
    """One provider anew: its row, the regions that are known of it, and what was found."""

    vendor: Vendor
    regions: Mapping[str, Region]
    rows: Rows


def assemble(version: str, base: Draft, built: Mapping[str, Built]) -> Draft:
    """Return a catalogue of what was built, and of all other providers as they were before.

    Where an importer does not say what a size has or where a region is, the base may know.
    """
    draft = _kept(version, base, built)
    for name, (vendor, regions, rows) in built.items():
        rows.named(regions)
        draft.providers.append(vendor)
        draft.figures += rows.figures
        draft.rates += rows.rates or [one for one in base.rates if one.provider == name]
        draft.components += rows.components or [
            one for one in base.components if one.provider == name
        ]
        for region in rows.regions.values():
            known = base.regions.get((name, region.name))
            draft.regions[name, region.name] = known if known and not region.geo else region
        for size, spec in rows.specs.items():
            draft.specs[name, size] = _completed(spec, base.specs.get((name, size)))
    return draft


def _kept(version: str, base: Draft, built: Mapping[str, object]) -> Draft:
    """Return what is left of the base when providers are taken out of it; names stay."""

    def stays(key: tuple[str, str]) -> bool:
        return key[0] not in built

    draft = Draft(version, base.licence or _LICENCE)
    draft.providers += [one for one in base.providers if one.id not in built]
    draft.regions |= {key: one for key, one in base.regions.items() if stays(key)}
    draft.specs |= {key: one for key, one in base.specs.items() if stays(key)}
    draft.figures += _others(base.figures, built)
    draft.rates += [one for one in base.rates if one.provider not in built]
    draft.components += [one for one in base.components if one.provider not in built]
    draft.aliases += base.aliases
    return draft


def _others(figures: Iterable[Figure], built: Mapping[str, object]) -> list[Figure]:
    return [one for one in figures if one.provider not in built]


def _completed(spec: Spec, before: Spec | None) -> Spec:
    if before is None:
        return spec
    unknown = {
        one.name: getattr(before, one.name)
        for one in dataclasses.fields(Spec)
        if getattr(spec, one.name) is None
    }
    return dataclasses.replace(spec, **unknown)
