"""Read the rows of a catalogue back, so that another one can keep them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from anysky.pricing.catalogue import Catalogue
from anysky.pricing.opening import damaged
from anysky.pricing.packing import unpack
from anysky.pricing.schema import RETIRED

from .draft import Component, Draft, Figure, Rate, Region, Source, Spec, Vendor

__all__ = ["read_draft"]

_SOURCES = "select provider, offer, url, retrieved_at, quality, vendor_version from source"
_SIZES = """
    select provider, name, vcpu, ram_mb, disk_gb, gpus, gpu, gpu_mem_mb, arch, burstable, flags,
           prices from size order by provider, name
"""
_PROVIDERS = """
    select id, name, currency, price_page, monthly_cap, billing_granularity_s, hours_per_month
    from provider order by id
"""
_RATES = """
    select provider, region, service, sku, unit, nano, source, as_of, currency, term, unit_qty,
           tier_from, tier_to from rate
"""

_Sources = dict[tuple[str, int], Source]


def read_draft(catalogue: Catalogue) -> Draft:
    """Return everything that a catalogue holds; overrides are left aside.

    Raises:
        CatalogueDamagedError: The file cannot be read.
    """
    meta = catalogue.meta()
    try:
        draft = Draft(meta.get("version", ""), meta.get("licence", ""))
        draft.providers += [Vendor(*row) for row in catalogue.rows(_PROVIDERS)]
        for row in catalogue.rows("select provider, name, geo, country, vendor_name from region"):
            draft.regions[row[0], row[1]] = Region(*row)
        sources = _sources(catalogue)
        for row in catalogue.rows(_SIZES):
            draft.specs[row[0], row[1]] = _spec(row)
        draft.figures += _figures(catalogue, sources)
        draft.components += _components(catalogue, sources)
        draft.rates += [_rate(row) for row in catalogue.rows(_RATES)]
        draft.aliases += catalogue.rows("select kind, provider, old, new from alias")
    except (ValueError, TypeError, KeyError, IndexError) as error:
        raise damaged(catalogue.path, error) from error
    return draft


def _sources(catalogue: Catalogue) -> _Sources:
    return {
        (provider, offer): Source(url, as_of, quality, version)
        for provider, offer, url, as_of, quality, version in catalogue.rows(_SOURCES)
    }


def _spec(row: tuple[Any, ...]) -> Spec:
    vcpu, ram, disk, gpus, gpu, gpu_mem, arch, burstable, flags = row[2:11]
    is_burstable = None if burstable is None else bool(burstable)
    return Spec(vcpu, ram, disk, gpus, gpu, gpu_mem, arch, is_burstable, not flags & RETIRED)


def _figures(catalogue: Catalogue, sources: _Sources) -> Iterator[Figure]:
    offers = {row[0]: row[1:] for row in catalogue.rows("select id, currency, os, term from offer")}
    regions = {
        (provider, number): name
        for provider, number, name in catalogue.rows("select provider, id, name from region")
    }
    for row in catalogue.rows(_SIZES):
        provider, size = row[:2]
        for offer, region, nano in unpack(row[11]):
            source = sources[provider, offer]
            place = (provider, size, regions[provider, region])
            yield Figure(*place, nano, source, *offers[offer])


def _components(catalogue: Catalogue, sources: _Sources) -> Iterator[Component]:
    query = """
        select c.provider, c.region, c.family, c.resource, c.nano, c.offer, o.currency, o.term
        from component c join offer o on o.id = c.offer
    """
    for provider, region, family, resource, nano, offer, *kind in catalogue.rows(query):
        source = sources[provider, offer]
        yield Component(provider, region, family, resource, nano, source, *kind)


def _rate(row: tuple[Any, ...]) -> Rate:
    provider, region, service, sku, unit, nano, url, as_of, *rest = row
    return Rate(provider, region, service, sku, unit, nano, Source(url, as_of), *rest)
