"""Read a price catalogue."""

from __future__ import annotations

import os

from .model import Price, amount_of
from .opening import EMPTY, check_head, connect, damaged
from .packing import price_of, unpack

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from typing import Any, Self, Unpack

    from .comparing import PriceChange
    from .equivalents import Compared
    from .estimates import Estimate, Item
    from .overrides import Overrides
    from .searching import Found, SearchOptions
    from .sizes import Offer


__all__ = ["Catalogue"]

_OFFERS = """
    select o.id, o.os, o.licence, o.term, o.upfront, o.tenancy, o.unit, o.currency,
           s.url, s.retrieved_at, s.quality
    from source s join offer o on o.id = s.offer
    where s.provider = ? and s.region = '' order by o.id
"""
_PRICE = """
    select z.prices, r.id, o.id, o.unit, o.currency, s.retrieved_at, s.url, s.quality, m.value
    from size z
    join region r on r.provider = z.provider and r.name = ?3
    join source s on s.provider = z.provider and s.region = ''
    join offer o on o.id = s.offer and (o.os, o.licence, o.term, o.upfront, o.tenancy)
        = (?4, ?5, ?6, ?7, ?8)
    left join meta m on m.key = 'version'
    where z.provider = ?1 and z.name = ?2 order by o.id
"""


class Catalogue:
    """A file of prices, or none.

    Safe between threads and after a fork: a question takes a connection that nobody uses, or opens
    one. Nothing is opened before the first question. A file that an update installs has another
    name, so that this object goes on answering from its own.

    Args:
        path: The file, or `anysky.pricing.opening.EMPTY` for no prices at all.
        reason: Why this one was chosen, for people.
        overrides: Your own discounts and prices.
    """

    def __init__(self, path: str, reason: str = "", overrides: Overrides | None = None) -> None:
        self.path = path
        self.reason = reason
        self._overrides = overrides
        self._idle: dict[int, list[sqlite3.Connection]] = {}  # by process
        self._offers: dict[str, list[Offer]] = {}
        self._version = ""
        if path != EMPTY:
            check_head(path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; a later question opens new ones."""
        idle = self.__dict__.get("_idle", {})
        while idle:
            for connection in idle.popitem()[1]:
                connection.close()

    @property
    def version(self) -> str:
        """The catalogue's version, for example ``"2026.11.22"``; empty if it has none."""
        if not self._version:
            self._version = self.meta().get("version", "")
        return self._version

    def meta(self) -> dict[str, str]:
        """Return what the catalogue says of itself."""
        return dict(self.rows("select key, value from meta order by key"))

    def rows(self, query: str, values: Sequence[Any] = ()) -> list[Any]:
        """Return the rows of a query.

        Raises:
            CatalogueDamagedError: The file cannot be read.
        """
        idle = self._idle.setdefault(os.getpid(), [])
        try:
            connection = idle.pop()
        except IndexError:
            connection = connect(self.path)
        try:
            return connection.execute(query, values).fetchall()
        except (connection.Error, ValueError, OverflowError) as error:
            raise damaged(self.path, error) from error
        finally:
            idle.append(connection)

    def price(
        self,
        provider: str,
        size: str,
        region: str,
        *,
        os: str = "linux",
        term: str = "ondemand",
        licence: str = "included",
        upfront: str = "none",
        tenancy: str = "shared",
        require: bool = False,
    ) -> Price | None:
        """Return a price, or None if it is unknown; see `Price` for the arguments.

        Raises:
            PriceUnknownError: It is unknown, and `require` is set.
            CatalogueDamagedError: The file cannot be read.
        """
        key = (os, licence, term, upfront, tenancy)
        wanted = (provider, size, region)
        found = self._find(wanted, key) or self._find_by_alias(wanted, key)
        if self._overrides is not None:
            found = self._overrides.apply(wanted, key, found, self.version)
        if found is None and require:
            raise self._unknown(wanted, key)
        return found

    def prices(self, provider: str, size: str, region: str = "") -> list[Price]:
        """Return all prices of a size: every operating system and term, in one region or all.

        Overrides are applied to them.
        """
        provider, size, region = self._resolved((provider, size, region))
        found = [one for one in self._of_size(provider, size) if region in ("", one.region)]
        if self._overrides is not None:
            found = [self._overrides.change(one) for one in found]
        return sorted(found, key=lambda one: (one.region, one.os, one.term, one.upfront))

    def every_price(self, provider: str = "") -> Iterator[Price]:
        """Yield every price of the catalogue, or of a provider by its id; overrides left aside."""
        query = "select provider, name from size where ?1 in ('', provider) order by 1, 2"
        for owner, size in self.rows(query, (provider,)):
            yield from self._of_size(owner, size)

    def offers(self, provider: str) -> list[Offer]:
        """Return what a provider's prices are for, and where they come from."""
        offers = self._offers.get(provider)
        if offers is None:
            from .sizes import Offer

            names = tuple(Offer.__annotations__)
            rows = self.rows(_OFFERS, (provider,))
            offers = [Offer(**dict(zip(names, row, strict=True))) for row in rows]
            self._offers[provider] = offers
        return offers

    def search(self, **wanted: Unpack[SearchOptions]) -> list[Found]:
        """Find sizes, the cheapest first; see `anysky.pricing.searching.search`."""
        from .searching import search

        return search(self, **wanted)

    def compare(self, *items: Item, **wanted: Unpack[SearchOptions]) -> list[Compared]:
        """Put sizes beside each other; see `anysky.pricing.equivalents.compare`."""
        from .equivalents import compare

        return compare(self, *items, **wanted)

    def estimate(self, items: Iterable[Item]) -> Estimate:
        """Add prices up, what is unknown listed; see `anysky.pricing.estimates.estimate`."""
        from .estimates import estimate

        return estimate(self, items)

    def cost_of(self, nodes: Iterable[Any], *, os: str = "linux") -> Estimate:
        """Price a list of nodes; see `anysky.pricing.estimates.cost_of`."""
        from .estimates import cost_of

        return cost_of(self, nodes, os=os)

    def diff(self, other: Catalogue) -> list[PriceChange]:
        """Compare with a later catalogue; see `anysky.pricing.comparing.diff`."""
        from .comparing import diff

        return diff(self, other)

    def provider_name(self, name: str) -> str:
        """Return a provider's name here, for example ``"aws"`` for ``"ec2"``."""
        return self._alias("provider", "", name)

    @property
    def has_overrides(self) -> bool:
        """Whether prices are changed by your overrides."""
        return self._overrides is not None

    def price_from(self, place: tuple[str, str, str], offer: Offer, nano: int) -> Price:
        """Make a price: provider, size and region, what it is for, and billionths."""
        provider, size, region = place
        return Price(
            provider=provider, size=size, region=region, amount=amount_of(nano),
            currency=offer.currency, unit=offer.unit, os=offer.os, licence=offer.licence,
            term=offer.term, upfront=offer.upfront, tenancy=offer.tenancy, as_of=offer.as_of,
            source=offer.source, quality=offer.quality, catalogue=self.version,
        )  # fmt: skip

    def override(self, price: Price) -> Price:
        """Return a price after your overrides."""
        return price if self._overrides is None else self._overrides.change(price)

    def _find(self, place: tuple[str, str, str], key: tuple[str, ...]) -> Price | None:
        """Ask once for all that a price is made of: a first look-up has to be quick."""
        provider, size, named = place
        os, licence, term, upfront, tenancy = key
        try:
            for blob, region, offer, *about in self.rows(_PRICE, place + key):
                nano = price_of(blob, offer, region)
                if nano is not None:
                    unit, currency, as_of, source, quality, version = about
                    return Price(
                        provider=provider, size=size, region=named, amount=amount_of(nano),
                        currency=currency, unit=unit, os=os, licence=licence, term=term,
                        upfront=upfront, tenancy=tenancy, as_of=as_of, source=source,
                        quality=quality, catalogue=version or "",
                    )  # fmt: skip
        except (ValueError, TypeError) as error:
            raise damaged(self.path, error) from error
        return None

    def _find_by_alias(self, place: tuple[str, str, str], key: tuple[str, ...]) -> Price | None:
        resolved = self._resolved(place)
        return None if resolved == place else self._find(resolved, key)

    def _resolved(self, place: tuple[str, str, str]) -> tuple[str, str, str]:
        """Replace names that the catalogue knows under another."""
        provider, size, region = place
        provider = self._alias("provider", "", provider)
        return (
            provider,
            self._alias("size", provider, size),
            self._alias("region", provider, region),
        )

    def _alias(self, kind: str, provider: str, name: str) -> str:
        query = "select new from alias where kind = ? and provider = ? and old = ?"
        rows = self.rows(query, (kind, provider, name))
        return rows[0][0] if rows else name

    def _of_size(self, provider: str, size: str) -> Iterator[Price]:
        query = "select prices from size where provider = ? and name = ?"
        offers = {offer.id: offer for offer in self.offers(provider)}
        regions: Mapping[int, str] = dict(
            self.rows("select id, name from region where provider = ?", (provider,))
        )
        for (blob,) in self.rows(query, (provider, size)):
            try:
                for offer, region, nano in unpack(blob):
                    place = (provider, size, regions[region])
                    yield self.price_from(place, offers[offer], nano)
            except (ValueError, TypeError, KeyError) as error:
                raise damaged(self.path, error) from error

    def _unknown(self, wanted: tuple[str, str, str], key: tuple[str, ...]) -> Exception:
        from .near import unknown

        return unknown(self, self._resolved(wanted), key)
