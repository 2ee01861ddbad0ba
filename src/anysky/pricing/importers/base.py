"""What all importers share: a document of a vendor goes in, rows of a catalogue come out."""

from __future__ import annotations

import urllib.parse
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

import msgspec

from anysky.pricing.building.draft import (
    Component,
    Figure,
    Rate,
    Region,
    Source,
    Spec,
    Vendor,
    exact_nano,
)
from anysky.pricing.building.regions import geo_of
from anysky.pricing.errors import VendorDataError

__all__ = ["Document", "Importer", "Rows", "Token", "region_in", "region_table", "with_query"]

T = TypeVar("T")

_LONGEST_LINE = 1024 * 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Document:
    """One file or page of a vendor, on the disk.

    Attributes:
        path: Where it is.
        as_of: ISO date at which the vendor published it.
        url: Where it came from; empty for one that was given as a file.
    """

    path: Path
    as_of: str
    url: str = ""

    def decode(self, form: type[T]) -> T:
        """Return the content of a JSON document in a form; what the form does not name is left.

        Raises:
            VendorDataError: It has another form.
        """
        try:
            return msgspec.json.decode(self.path.read_bytes(), type=form)
        except (msgspec.MsgspecError, RecursionError, ValueError) as error:
            raise VendorDataError(f"{self.name} is not as documented: {error}"[:300]) from error

    def lines(self) -> Iterator[str]:
        """Yield the lines of a text, in constant memory.

        Raises:
            VendorDataError: It is no text, or has a line of more than a megabyte.
        """
        with self.path.open(encoding="utf-8", newline="") as file:
            try:
                while line := file.readline(_LONGEST_LINE):
                    if len(line) == _LONGEST_LINE:
                        raise VendorDataError(f"{self.name} has a line that is too long")
                    yield line
            except UnicodeDecodeError as error:
                raise VendorDataError(f"{self.name} is no text: {error}") from error

    @property
    def name(self) -> str:
        """What it is called in messages: without the query of its address."""
        return self.url.partition("?")[0] or self.path.name


@dataclass(slots=True)
class Rows:
    """What is found in documents of one vendor.

    Attributes:
        provider: The vendor's name in the catalogue.
        figures: Prices of sizes.
        specs: What sizes have, by name.
        regions: Regions by name; those of figures are added if they are missing.
        rates: Prices of anything else.
        components: Prices of single vCPUs and GiB of memory.
        left_out: Why something was left out, and how often.
        more: Addresses of the documents that follow.
        entries: How many entries were read, of all kinds, if the vendor counts them.
        announced: How many there are, as the vendor says; 0 if it does not.
    """

    provider: str
    figures: list[Figure] = field(default_factory=list[Figure])
    specs: dict[str, Spec] = field(default_factory=dict[str, Spec])
    regions: dict[str, Region] = field(default_factory=dict[str, Region])
    rates: list[Rate] = field(default_factory=list[Rate])
    components: list[Component] = field(default_factory=list[Component])
    left_out: Counter[str] = field(default_factory=Counter[str])
    more: list[str] = field(default_factory=list[str])
    entries: int = 0
    announced: int = 0

    def price(
        self,
        size: str,
        regions: Iterable[str],
        amount: Decimal | None,
        source: Source,
        *,
        currency: str = "USD",
        os: str = "linux",
        term: str = "ondemand",
    ) -> None:
        """Add the price of an hour of a size in regions; leave out one that is not above zero.

        An amount that does not fit billionths is left out as well: it would have to be rounded.
        """
        nano = self._nano(amount)
        if nano is None:
            return
        for region in regions:
            self.figures.append(
                Figure(self.provider, size, region, nano, source, currency, os, term)
            )

    def rate(
        self,
        place: tuple[str, str, str],
        unit: str,
        amount: Decimal | None,
        source: Source,
        *,
        currency: str = "USD",
    ) -> None:
        """Add the price of something else, of a region, service and SKU; see `price`."""
        nano = self._nano(amount)
        if nano is not None:
            self.rates.append(Rate(self.provider, *place, unit, nano, source, currency))

    def component(
        self,
        place: tuple[str, str, str],
        amount: Decimal | None,
        source: Source,
        *,
        currency: str = "USD",
        term: str = "ondemand",
    ) -> None:
        """Add the price of a part, of a region, family and resource; see `price`."""
        nano = self._nano(amount)
        if nano is not None:
            self.components.append(Component(self.provider, *place, nano, source, currency, term))

    def _nano(self, amount: Decimal | None) -> int | None:
        if amount is None or not amount.is_finite() or amount <= 0:
            self.left_out["not priced"] += 1
            return None
        try:
            return exact_nano(amount)
        except ValueError:
            self.left_out["finer than a billionth"] += 1
            return None

    def leave_out(self, reason: str) -> None:
        """Count something that is left out."""
        self.left_out[reason] += 1

    def add(self, other: Rows) -> None:
        """Take the rows of a further document."""
        self.figures += other.figures
        self.specs |= other.specs
        self.regions |= other.regions
        self.rates += other.rates
        self.components += other.components
        self.left_out += other.left_out
        self.entries += other.entries
        self.announced = max(self.announced, other.announced)

    def named(self, table: Mapping[str, Region]) -> None:
        """Add the regions of all figures: those of a table, others by their name alone."""
        for name in {one.region for one in self.figures}:
            self.regions.setdefault(name, table.get(name, Region(self.provider, name)))


@dataclass(frozen=True, slots=True)
class Token:
    """What a vendor asks for before it tells its prices.

    Attributes:
        variable: Environment variable that holds it.
        header: Header in which it is sent.
        form: Value of the header, with ``{}`` for the token.
    """

    variable: str
    header: str = "Authorization"
    form: str = "Bearer {}"


def _as_it_is(rows: Rows) -> Rows:
    return rows


@dataclass(frozen=True, slots=True)
class Importer:
    """How the prices of a vendor are read.

    Attributes:
        vendor: Its row in a catalogue.
        urls: Addresses of the first documents.
        read: Makes rows of one document, and says which documents follow.
        complete: Makes rows of all documents complete, for example composes sizes of their parts.
        regions: Its regions by name.
        token: What it asks for, or None.
        largest: Bytes of a document at the most.
        is_regional: Whether a document has all prices of a few regions, rather than a page of
            all: then a build from single files leaves the other regions as they are.
    """

    vendor: Vendor
    urls: tuple[str, ...]
    read: Callable[[Document], Rows]
    complete: Callable[[Rows], Rows] = _as_it_is
    regions: Mapping[str, Region] = field(default_factory=dict[str, Region])
    token: Token | None = None
    largest: int = 64 * _MIB
    is_regional: bool = False

    @property
    def name(self) -> str:
        """Name of the provider."""
        return self.vendor.id

    def at(self, url: str) -> Importer:
        """Return an importer that begins at another address."""
        return replace(self, urls=(url,))


def region_table(provider: str, table: str) -> dict[str, Region]:
    """Read regions from lines of name, part of the world and country, parted by ``|``."""
    entries = [entry.split() for entry in table.replace("\n", "|").split("|") if entry.strip()]
    return {name: Region(provider, name, geo, country) for name, geo, country in entries}


def region_in(provider: str, name: str, country: str) -> Region:
    """Return a region in a country, whose code of two letters says which part of the world."""
    code = country.upper()
    return Region(provider, name, geo_of(code), code if geo_of(code) else None)


def with_query(url: str, **changes: str) -> str:
    """Return an address in which some parameters of the query are others."""
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query, keep_blank_values=True)) | changes
    return urllib.parse.urlunsplit(parts._replace(query=urllib.parse.urlencode(query)))
