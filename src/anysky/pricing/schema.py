"""The form of a price catalogue: an SQLite file, schema version 1.

Third parties may read these files. Within one schema version tables only gain columns.

* ``meta``: ``schema``, ``version``, ``generated``, ``sources``, ``licence``, ``oldest`` and
  ``newest`` (dates of figures), ``prices`` (how many) and ``prices.PROVIDER``.
* ``provider``: ``monthly_cap`` is the number of hours of a month that are billed at the most.
* ``region``: ``geo`` is one of eu, na, sa, ap, me, af.
* ``offer``: what a price is for; ``variant`` tells offers apart that differ only in their source.
* ``size``: ``prices`` is packed as `anysky.pricing.packing` describes, with ids of offers and
  regions; ``lo`` is the lowest of them; ``flags`` is 1 for a size that is no longer sold.
* ``rate``: prices of anything but sizes; ``nano`` is for ``unit_qty`` units from ``tier_from`` on.
* ``component``: prices of a single vCPU, GiB of memory or GPU, for sizes made to measure.
* ``source``: where the prices of a provider's offer come from, when they held, how good they are.
* ``alias``: other names of a provider (``kind`` provider), a region or a size.

Amounts are whole billionths of the currency's unit. No row means unknown, never free.
"""

from __future__ import annotations

from .opening import APPLICATION_ID, SCHEMA

__all__ = ["APPLICATION_ID", "COLUMNS", "INDEXES", "RETIRED", "SCHEMA", "ddl"]

RETIRED = 1

COLUMNS: dict[str, str] = {
    "meta": "key text primary key, value text not null",
    "provider": (
        "id text primary key, name text not null, currency text not null, tax text not null,"
        " hours_per_month integer not null, monthly_cap integer, billing_granularity_s integer,"
        " price_page text not null"
    ),
    "region": (
        "provider text not null, name text not null, id integer not null, vendor_name text,"
        " geo text, country text, currency text, primary key (provider, name)"
    ),
    "offer": (
        "id integer primary key, os text not null, licence text not null, term text not null,"
        " upfront text not null, tenancy text not null, unit text not null,"
        " currency text not null, pricing_category text not null, variant integer not null"
    ),
    "size": (
        "provider text not null, name text not null, vcpu real, ram_mb integer, disk_gb integer,"
        " gpus real, gpu text, gpu_mem_mb integer, arch text, burstable integer, lo integer,"
        " flags integer not null, prices blob not null, primary key (provider, name)"
    ),
    "rate": (
        "provider text not null, region text not null, service text not null, sku text not null,"
        " unit text not null, unit_qty integer not null, tier_from integer not null,"
        " tier_to integer, nano integer not null, currency text not null, term text not null,"
        " source text not null, as_of text not null,"
        " primary key (provider, region, service, sku, term, tier_from)"
    ),
    "component": (
        "provider text not null, region text not null, family text not null,"
        " resource text not null, offer integer not null, nano integer not null,"
        " primary key (provider, family, resource, region, offer)"
    ),
    "source": (
        "provider text not null, region text not null, offer integer not null, url text not null,"
        " retrieved_at text not null, effective_from text, vendor_version text,"
        " quality text not null, primary key (provider, region, offer)"
    ),
    "alias": (
        "kind text not null, provider text not null, old text not null, new text not null,"
        " primary key (kind, provider, old)"
    ),
}

INDEXES: dict[str, str] = {"size_lo": "size (lo) where lo is not null"}


def ddl() -> str:
    """Return the statements that make an empty catalogue."""
    tables = [
        f"create table {name} ({columns})" + ("" if name == "offer" else " without rowid")
        for name, columns in COLUMNS.items()
    ]
    indexes = [f"create index {name} on {columns}" for name, columns in INDEXES.items()]
    pragmas = [f"pragma application_id = {APPLICATION_ID}", f"pragma user_version = {SCHEMA}"]
    return ";\n".join([*pragmas, *tables, *indexes]) + ";\n"
