"""Say what a price is in another currency, by the reference rates of the European Central Bank.

https://www.ecb.europa.eu/stats/policy_and_exchange_rates/euro_reference_exchange_rates/

The rates are of one working day and are fetched only when somebody asks for them. A converted
price is no list price: its quality is ``"converted"``.
"""

from __future__ import annotations

import datetime as dt
import os
from decimal import ROUND_HALF_EVEN, Decimal, InvalidOperation
from typing import cast

from anysky import deadlines
from anysky.errors import InvalidRequestError
from anysky.run import run
from anysky.runtime.blocking import BlockingRuntime
from anysky.transport.blocking import BlockingTransport
from anysky.transport.settings import HTTPSettings
from anysky.wire.xml import XMLError, parse

from .errors import UpdateVerificationError
from .fetching import Fetcher, shown
from .model import Price, Record

__all__ = ["ECB_URL", "ReferenceRates", "convert", "parse_rates", "reference_rates"]

ECB_URL = "https://www.ecb.europa.eu/stats/eurofxref/eurofxref-daily.xml"
"""Address of the newest reference rates."""

_LIMIT = 64 * 1024
_SECONDS = 60.0
_DIGITS = Decimal("0.000000001")
_EURO = "EUR"


class ReferenceRates(Record):
    """What a euro is worth.

    Attributes:
        date: ISO date of the rates.
        source: Where they come from.
        rates: Units of a currency for one euro, by its code; the euro itself is among them.
    """

    __slots__ = ("date", "rates", "source")
    date: str
    source: str
    rates: dict[str, Decimal]

    def __hash__(self) -> int:
        return hash((self.date, self.source))

    def rate(self, old: str, new: str) -> Decimal:
        """Return how many units of the new currency one of the old is worth.

        Raises:
            InvalidRequestError: The bank has no rate for one of them.
        """
        for currency in (old, new):
            if currency not in self.rates:
                known = ", ".join(sorted(self.rates))
                raise InvalidRequestError(f"there is no rate for {currency!r}, but for {known}")
        return self.rates[new] / self.rates[old]


def reference_rates(
    url: str | os.PathLike[str] = ECB_URL,
    *,
    insecure_http: bool = False,
    http: HTTPSettings | None = None,
    deadline: float | None = _SECONDS,
) -> ReferenceRates:
    """Fetch the newest reference rates.

    Args:
        url: Their address: ``https://…``, ``file://…`` or a path.
        insecure_http: Allow plain HTTP.
        http: Time limits, proxy and TLS; by default as everywhere in anysky.
        deadline: Seconds for all of it.

    Raises:
        UpdateUnavailableError: The address does not answer as it should.
        ConnectionFailedError: There is no connection.
        UpdateVerificationError: What came is no list of rates.
    """
    with deadlines.deadline(deadline):
        return run(_fetch(os.fspath(url), http or HTTPSettings(), insecure_http))


async def _fetch(url: str, http: HTTPSettings, insecure_http: bool) -> ReferenceRates:
    fetcher = Fetcher(BlockingTransport, http, BlockingRuntime(), insecure_http=insecure_http)
    try:
        answer = await fetcher.read(url, _LIMIT)
    finally:
        await fetcher.close()
    return parse_rates(answer.content or b"", shown(url))


def parse_rates(content: bytes, source: str) -> ReferenceRates:
    """Read the bank's list.

    Raises:
        UpdateVerificationError: It is none.
    """
    try:
        root = parse(content)
        day = root.all("Cube/Cube")[0]
        date = dt.date.fromisoformat(day.attributes["time"]).isoformat()
        rates = {
            one.attributes["currency"]: Decimal(one.attributes["rate"])
            for one in day.children
            if one.tag == "Cube"
        }
    except (XMLError, LookupError, ValueError, InvalidOperation) as error:
        raise UpdateVerificationError(f"{source} is no list of reference rates") from error
    if not rates or not all(rate.is_finite() and rate > 0 for rate in rates.values()):
        raise UpdateVerificationError(f"{source} is no list of reference rates")
    return ReferenceRates(date=date, source=source, rates={_EURO: Decimal(1), **rates})


def convert(price: Price, currency: str, rates: ReferenceRates) -> Price:
    """Return a price in another currency, to a billionth, its quality ``"converted"``.

    Raises:
        InvalidRequestError: There is no rate.
    """
    if price.currency == currency:
        return price
    amount = price.amount * rates.rate(price.currency, currency)
    rounded = amount.quantize(_DIGITS, ROUND_HALF_EVEN).normalize()
    changes = {"amount": rounded, "currency": currency, "quality": "converted"}
    return cast("Price", price.replace(**changes))
