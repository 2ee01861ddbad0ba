"""Write a catalogue: the same draft always gives the same bytes."""

from __future__ import annotations

import itertools
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from anysky.pricing.packing import pack
from anysky.pricing.schema import COLUMNS, RETIRED, SCHEMA, ddl

from .draft import Component, Draft, Figure, Rate, Source, Spec, Vendor

__all__ = ["write_catalogue"]

_PAGE_SIZE = 16384
_WRITER = slice(92, 100)  # of the file's head: which SQLite wrote it last
_DATE_PARTS = 3  # of a version; a fourth counts the catalogues of one day
_CATEGORIES = {"ondemand": "Standard", "spot": "Dynamic"}

_Key = tuple[str, str, str]  # operating system, term, currency
_OfferId = dict[tuple[str, _Key, Source], int]


def write_catalogue(draft: Draft, path: Path) -> None:
    """Write a catalogue to a file that does not exist yet.

    Raises:
        ValueError: The draft names one key twice, or a price is not above zero.
        OSError: The file cannot be written.
    """
    for key, count in Counter(figure.key for figure in draft.figures).items():
        if count > 1:
            raise ValueError(f"{count} figures for {' '.join(key)}")
    connection = sqlite3.connect(path)
    try:
        connection.execute(f"pragma page_size = {_PAGE_SIZE}")
        connection.execute("pragma journal_mode = off")
        connection.executescript(ddl())
        _fill(connection, draft)
        connection.commit()
        connection.execute("vacuum")
    finally:
        connection.close()
    with path.open("r+b") as file:  # SQLite's own version would make the bytes differ
        file.seek(24)
        counter = file.read(4)
        file.seek(_WRITER.start)
        file.write(counter + (3_000_000).to_bytes(4, "big"))


def _fill(connection: sqlite3.Connection, draft: Draft) -> None:
    region_ids = _region_ids(draft)
    offer_ids = _offer_ids(draft)
    tables: dict[str, Iterable[Sequence[Any]]] = {
        "meta": _meta(draft).items(),
        "provider": [_provider_row(one) for one in draft.providers],
        "region": [
            (one.provider, one.name, region_ids[key], one.vendor_name, one.geo, one.country, None)
            for key, one in draft.regions.items()
        ],
        "offer": _offer_rows(offer_ids),
        "size": _size_rows(draft, region_ids, offer_ids),
        "rate": [_rate_row(one) for one in draft.rates],
        "component": [
            (
                *(one.provider, one.region, one.family, one.resource),
                *(_offer_for(one, offer_ids), one.nano),
            )
            for one in draft.components
        ],
        "source": [
            (provider, "", number, one.url, one.as_of, None, one.version, one.quality)
            for (provider, _, one), number in offer_ids.items()
        ],
        "alias": draft.aliases,
    }
    for name, rows in tables.items():
        marks = ", ".join("?" * (COLUMNS[name].partition(", primary key (")[0].count(",") + 1))
        statement = f"insert into {name} values ({marks})"  # noqa: S608 - names of the schema
        connection.executemany(statement, sorted(rows, key=repr))


def _provider_row(one: Vendor) -> tuple[Any, ...]:
    bills = (one.hours_per_month, one.monthly_cap, one.granularity)
    return (one.id, one.name, one.currency, "net", *bills, one.price_page)


def _rate_row(one: Rate) -> tuple[Any, ...]:
    what = (one.provider, one.region, one.service, one.sku, one.unit)
    tier = (one.unit_qty, one.tier_from, one.tier_to)
    source = (one.source.url, one.source.as_of)
    return (*what, *tier, one.nano, one.currency, one.term, *source)


def _meta(draft: Draft) -> dict[str, str]:
    dates = [figure.source.as_of for figure in draft.figures]
    counts = Counter(figure.provider for figure in draft.figures)
    urls = {figure.source.url for figure in draft.figures}
    return {
        "schema": str(SCHEMA),
        "version": draft.version,
        "generated": "-".join(draft.version.split(".")[:_DATE_PARTS]),
        "licence": draft.licence,
        "sources": "\n".join(sorted(urls)),
        "oldest": min(dates, default=""),
        "newest": max(dates, default=""),
        "prices": str(len(draft.figures)),
        **{f"prices.{provider}": str(count) for provider, count in sorted(counts.items())},
        **draft.notes,
    }


def _region_ids(draft: Draft) -> dict[tuple[str, str], int]:
    """Number each provider's regions from 0, those of most prices first, so that they are short."""
    counts = Counter((figure.provider, figure.region) for figure in draft.figures)
    ordered = sorted(draft.regions, key=lambda key: (key[0], -counts[key], key[1]))
    return {
        key: number
        for _, group in itertools.groupby(ordered, key=lambda key: key[0])
        for number, key in enumerate(group)
    }


def _key(figure: Figure) -> _Key:
    return figure.os, figure.term, figure.currency


def _offer_ids(draft: Draft) -> _OfferId:
    """Number offers: one for each kind of price, and for each further source of a provider's."""
    counts: Counter[tuple[str, _Key, Source]] = Counter(
        (figure.provider, _key(figure), figure.source) for figure in draft.figures
    )
    variants: dict[tuple[_Key, int], int] = {}
    used: Counter[tuple[str, _Key]] = Counter()
    ids: _OfferId = {}
    for provider, key, source in sorted(counts, key=lambda one: (-counts[one], repr(one))):
        variant = used[provider, key]
        used[provider, key] += 1
        ids[provider, key, source] = variants.setdefault((key, variant), len(variants))
    for one in draft.components:
        key = _key_of(one)
        ids.setdefault(
            (one.provider, key, one.source), variants.setdefault((key, 0), len(variants))
        )
    return ids


def _key_of(component: Component) -> _Key:
    return "", component.term, component.currency


def _offer_for(component: Component, offer_ids: _OfferId) -> int:
    return offer_ids[component.provider, _key_of(component), component.source]


def _offer_rows(offer_ids: _OfferId) -> list[tuple[Any, ...]]:
    rows: dict[int, tuple[Any, ...]] = {}
    seen: Counter[_Key] = Counter()
    for (_, key, _), number in sorted(offer_ids.items(), key=lambda item: item[1]):
        if number in rows:
            continue
        os, term, currency = key
        category = _CATEGORIES.get(term, "Committed")
        rows[number] = (
            number, os, "included", term, "none", "shared", "hour", currency, category, seen[key],
        )  # fmt: skip
        seen[key] += 1
    return list(rows.values())


def _size_rows(
    draft: Draft, region_ids: dict[tuple[str, str], int], offer_ids: _OfferId
) -> Iterator[tuple[Any, ...]]:
    prices: dict[tuple[str, str], dict[int, dict[int, int]]] = defaultdict(
        lambda: defaultdict(dict)
    )
    for figure in draft.figures:
        offer = offer_ids[figure.provider, _key(figure), figure.source]
        region = region_ids[figure.provider, figure.region]
        prices[figure.provider, figure.size][offer][region] = figure.nano
    for (provider, name), offers in prices.items():
        lowest = min(nano for one in offers.values() for nano in one.values())
        spec = draft.specs.get((provider, name), Spec())
        yield (
            provider, name, spec.vcpu, spec.ram_mb, spec.disk_gb, spec.gpus, spec.gpu,
            spec.gpu_mem_mb, spec.arch, spec.burstable, lowest, 0 if spec.is_sold else RETIRED,
            pack(offers),
        )  # fmt: skip
