"""The commands of ``anysky prices`` that read a catalogue."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import click

from anysky.cli.output import table
from anysky.errors import InvalidRequestError
from anysky.pricing.catalogue import Catalogue
from anysky.pricing.comparing import PriceChange
from anysky.pricing.defaults import open_catalogue
from anysky.pricing.describing import info as describe
from anysky.pricing.equivalents import Compared
from anysky.pricing.errors import PriceUnknownError
from anysky.pricing.estimates import Estimate, Item
from anysky.pricing.model import Price, Record
from anysky.pricing.near import unknown
from anysky.pricing.plotting import plot, plot_format
from anysky.pricing.searching import Found

if TYPE_CHECKING:
    from anysky.pricing.currencies import ReferenceRates

__all__ = ["compare", "diff", "estimate", "info", "print_json", "search", "show"]

F = TypeVar("F", bound=Callable[..., Any])

_PRICE_HEADER = (
    "provider", "size", "region", "os", "term", "price", "unit", "as of", "quality", "source",
)  # fmt: skip
_COMPARED_HEADER = (
    "provider", "size", "region", "vcpu", "GiB", "hour", "month", "currency", "ratio", "as of",
)  # fmt: skip
_SEVERAL = 2
_ITEM = re.compile(r"([^/]+)/([^/]+)/([^/]+)(?:/([0-9]{1,9}))?")
_NONE = "-"


def output_option(command: F) -> F:
    """Add ``-o table|json``."""
    kinds = click.Choice(["table", "json"])
    return click.option("-o", "--output", type=kinds, default="table", show_default=True)(command)


def catalogue_option(command: F) -> F:
    """Add ``--prices FILE``."""
    text = "A catalogue, in place of the one that look-ups use."
    return click.option("--prices", "path", metavar="FILE", help=text)(command)


def print_json(value: Any) -> None:
    """Print a value as JSON, amounts as texts."""
    click.echo(json.dumps(value, indent=2, default=_plain))


def _plain(value: Any) -> Any:
    if isinstance(value, Record):
        return value.to_dict()
    if isinstance(value, Decimal):
        return _text(value)
    raise TypeError(f"cannot print a {type(value).__name__}")


def _text(amount: Decimal) -> str:
    return f"{amount:f}"


def _row(price: Price) -> list[str]:
    return [
        price.provider, price.size, price.region, price.os, price.term,
        f"{_text(price.amount)} {price.currency}", price.unit, price.as_of or _NONE,
        price.quality, price.source,
    ]  # fmt: skip


@click.command("info")
@catalogue_option
@output_option
def info(path: str | None, output: str) -> None:
    """Say which catalogue is used, and why."""
    with open_catalogue(path) as catalogue:
        found = describe(catalogue)
    if output == "json":
        print_json(found)
        return
    age = _NONE if found.age_days is None else f"{found.age_days} days"
    rows = [
        ["file", found.path],
        ["why", found.reason],
        ["version", found.version or _NONE],
        ["age", age],
        ["figures from", f"{found.oldest or _NONE} to {found.newest or _NONE}"],
        ["prices", str(found.prices)],
        *[[f"  {name}", str(count)] for name, count in found.providers.items()],
        *[["source", source] for source in found.sources],
        ["overrides", "yes" if found.has_overrides else "no"],
    ]
    click.echo(table(["catalogue", ""], rows))


@click.command("show")
@click.argument("provider")
@click.argument("size")
@click.argument("region")
@click.option("--os", "os_name", default="linux", show_default=True, help="Operating system.")
@click.option("--term", default="ondemand", show_default=True, help="Kind of price.")
@click.option("--all-terms", is_flag=True, help="Every operating system and term.")
@click.option("--currency", help="Convert to it, by the European Central Bank's rates of the day.")
@click.option("--rates", "rates_url", metavar="URL|FILE", help="Where the bank's rates are.")
@catalogue_option
@output_option
def show(
    provider: str,
    size: str,
    region: str,
    os_name: str,
    term: str,
    all_terms: bool,
    currency: str | None,
    rates_url: str | None,
    path: str | None,
    output: str,
) -> None:
    """Show the price of a size in a region; an unknown one is an error, never 0.

    The network is used only to convert: for the rates of the European Central Bank.
    """
    with open_catalogue(path) as catalogue:
        if all_terms:
            found = catalogue.prices(provider, size, region)
        else:
            one = catalogue.price(provider, size, region, os=os_name, term=term)
            found = [one] if one else []
        if not found:
            if output == "json":
                print_json([] if all_terms else None)
            raise _unknown(catalogue, (provider, size, region), os_name, term)
    shown: Sequence[Any] = found
    if currency is not None:
        shown = _converted(found, currency.upper(), rates_url)
        found = [one.price for one in shown]
    if output == "json":
        print_json(shown if all_terms else shown[0])
        return
    click.echo(table(_PRICE_HEADER, [_row(price) for price in found]))


class _Converted(Record):
    """A price in another currency, the one in the catalogue, and the rate between them."""

    __slots__ = ("listed", "price", "rate", "rate_as_of", "rate_source")
    price: Price
    listed: Price
    rate: Decimal
    rate_as_of: str
    rate_source: str


def _reference_rates(url: str | None) -> ReferenceRates:
    # Only who converts pays for what the network needs.
    from anysky.pricing.currencies import ECB_URL, reference_rates

    rates = reference_rates(url or ECB_URL)
    click.echo(f"converted by the rates of {rates.date} from {rates.source}", err=True)
    return rates


def _converted(found: Iterable[Price], currency: str, url: str | None) -> list[_Converted]:
    from anysky.pricing.currencies import convert

    rates = _reference_rates(url)
    return [
        _Converted(
            price=convert(price, currency, rates),
            listed=price,
            rate=rates.rate(price.currency, currency),
            rate_as_of=rates.date,
            rate_source=rates.source,
        )
        for price in found
    ]


def _unknown(
    catalogue: Catalogue, place: tuple[str, str, str], os_name: str, term: str
) -> PriceUnknownError:
    provider, size, region = place
    wanted = (catalogue.provider_name(provider), size, region)
    return unknown(catalogue, wanted, (os_name, "included", term))


def _rates(_: click.Context, __: click.Parameter, values: Sequence[str]) -> dict[str, Decimal]:
    rates: dict[str, Decimal] = {}
    for value in values:
        currency, _equals, number = value.partition("=")
        try:
            rates[currency.upper()] = Decimal(number)
        except ArithmeticError as error:
            raise click.BadParameter(f"{value!r} is not like EUR=1.16") from error
        if not rates[currency.upper()].is_finite() or rates[currency.upper()] <= 0:
            raise click.BadParameter(f"{value!r} is not above 0")
    return rates


def _picture(_: click.Context, __: click.Parameter, value: str | None) -> str | None:
    if value is not None:
        try:
            plot_format(value)
        except InvalidRequestError as error:
            raise click.BadParameter(str(error)) from error
    return value


@click.command("search")
@click.option("--vcpu", type=float, help="Virtual processors at least.")
@click.option("--ram", "ram_gb", type=float, help="Memory in GiB at least.")
@click.option("--gpus", type=float, help="Accelerators at least; 0 for none.")
@click.option("--gpu", help="A part of the accelerator's name.")
@click.option("--arch", type=click.Choice(["x86_64", "arm64"]), help="Kind of processor.")
@click.option("--burstable/--no-burstable", default=None, help="Shared processors.")
@click.option("--geo", help="Part of the world: eu, na, sa, ap, me, af.")
@click.option("--region", help="Name of a region.")
@click.option("--os", default="linux", show_default=True, help="Operating system.")
@click.option("--term", default="ondemand", show_default=True, help="Kind of price.")
@click.option("--provider", "providers", multiple=True, help="Only this one; may be repeated.")
@click.option("--currency", default="USD", show_default=True, help="Currency of the comparison.")
@click.option(
    "--rate", "rates", multiple=True, callback=_rates, help="As EUR=1.16: what a euro is worth."
)
@click.option("--limit", default=10, show_default=True, help="Results at the most.")
@click.option("--plot", "picture", metavar="FILE", callback=_picture, help="Draw to .svg or .png.")
@click.option(
    "--plot-by",
    type=click.Choice(["vcpu", "ram"]),
    default="vcpu",
    show_default=True,
    help="What the picture has prices drawn against.",
)
@catalogue_option
@output_option
def search(
    picture: str | None,
    plot_by: Literal["vcpu", "ram"],
    path: str | None,
    output: str,
    **wanted: Any,
) -> None:
    """Find the cheapest sizes across clouds.

    `--plot` draws them as well; it needs `pip install 'anysky[plot]'`.
    """
    with open_catalogue(path) as catalogue:
        found = catalogue.search(**wanted)
    if output == "json":
        print_json(found)
    else:
        click.echo(_found_table(found, wanted["currency"]))
    if picture is not None:
        drawn = plot(found, picture, by=plot_by, currency=wanted["currency"])
        click.echo(f"{drawn} of {len(found)} sizes are drawn in {picture}", err=True)


def _found_table(found: Iterable[Found], currency: str) -> str:
    header = (f"{currency}/hour", "provider", "size", "region", "vcpu", "GiB", "arch", "as of")
    rows = [
        [
            _text(one.compared), one.price.provider, one.price.size, one.price.region,
            _number(one.size.vcpu), _gib(one.size.ram_mb), one.size.arch or _NONE,
            one.price.as_of,
        ]
        for one in found
    ]  # fmt: skip
    return table(header, rows)


def _number(value: float | None) -> str:
    return _NONE if value is None else f"{value:g}"


def _gib(megabytes: int | None) -> str:
    return _NONE if megabytes is None else f"{megabytes / 1024:g}"


def _items(_: click.Context, __: click.Parameter, values: Sequence[str]) -> list[Item]:
    return [_item(value) for value in values]


def _item(text: str) -> Item:
    match = _ITEM.fullmatch(text)
    if match is None:
        raise click.BadParameter(f"{text!r} is not like aws/m5.large/eu-west-1 or …/3")
    return Item(match[1], match[2], match[3], count=int(match[4] or 1))


@click.command("estimate")
@click.argument("items", nargs=-1, required=True, callback=_items)
@catalogue_option
@output_option
def estimate(items: list[Item], path: str | None, output: str) -> None:
    """Add up what nodes cost; ITEMS are as aws/m5.large/eu-west-1/3."""
    with open_catalogue(path) as catalogue:
        found = catalogue.estimate(items)
    if output == "json":
        print_json(found)
        return
    click.echo(_estimate_table(found))


def _estimate_table(found: Estimate) -> str:
    rows = [
        [
            str(line.item.count), line.item.provider, line.item.size, line.item.region,
            *_amounts(line.hourly, line.monthly, line.price.currency if line.price else ""),
        ]
        for line in found.lines
    ]  # fmt: skip
    for currency in found.hourly:
        amounts = _amounts(found.hourly[currency], found.monthly[currency], currency)
        rows.append(["", "", "", "sum", *amounts])
    return table(["count", "provider", "size", "region", "hour", "month"], rows)


def _amounts(hourly: Decimal | None, monthly: Decimal | None, currency: str) -> list[str]:
    if hourly is None or monthly is None:
        return ["unknown", "unknown"]
    return [f"{_text(hourly)} {currency}", f"{monthly:.2f} {currency}"]


@click.command("compare")
@click.argument("items", nargs=-1, callback=_items)
@click.option("--vcpu", type=float, help="Virtual processors at least, in place of a size.")
@click.option("--ram", "ram_gb", type=float, help="Memory in GiB at least, in place of a size.")
@click.option("--arch", type=click.Choice(["x86_64", "arm64"]), help="Kind of processor.")
@click.option("--burstable/--no-burstable", default=None, help="Shared processors.")
@click.option("--geo", help="Part of the world: eu, na, sa, ap, me, af.")
@click.option("--region", help="Name of a region.")
@click.option("--provider", "providers", multiple=True, help="Only this one; may be repeated.")
@click.option("--limit", type=int, help="Equivalents of each provider at the most.  [default: 1]")
@click.option("--os", "os_name", default="linux", show_default=True, help="Operating system.")
@click.option("--term", default="ondemand", show_default=True, help="Kind of price.")
@click.option("--currency", help="Convert to it, by the European Central Bank's rates of the day.")
@click.option("--rates", "rates_url", metavar="URL|FILE", help="Where the bank's rates are.")
@catalogue_option
@output_option
def compare(
    items: list[Item],
    os_name: str,
    term: str,
    currency: str | None,
    rates_url: str | None,
    path: str | None,
    output: str,
    **wanted: Any,
) -> None:
    """Put sizes beside each other; ITEMS are as aws/m5.large/eu-west-1.

    A single one is followed by the cheapest equivalent of every provider, which has at least its
    vCPUs and memory. Without any, --vcpu and --ram say what is wanted. The network is used only to
    convert: for the rates of the European Central Bank.
    """
    given: dict[str, Any] = {key: value for key, value in wanted.items() if value not in (None, ())}
    named: list[Any] = [item.replace(os=os_name, term=term) for item in items]
    if not named:
        if not given.keys() & {"vcpu", "ram_gb"}:
            raise click.UsageError("name a size, or give --vcpu or --ram")
        given.update(os=os_name, term=term)
    rates = None if currency is None else _reference_rates(rates_url)
    if currency is not None and rates is not None:
        given.update(_exchange(rates, currency.upper()))
    with open_catalogue(path) as catalogue:
        rows = catalogue.compare(*named, **given)
        missing = _without(catalogue, rows, given) if len(named) < _SEVERAL else []
    if output == "json":
        print_json([_compared_data(row, rates) for row in rows])
    else:
        click.echo(table(_COMPARED_HEADER, [_compared_row(row) for row in rows]))
    for line in _remarks(rows, missing):
        click.echo(line, err=True)


def _exchange(rates: ReferenceRates, currency: str) -> dict[str, Any]:
    rates.rate(currency, currency)
    return {"currency": currency, "rates": {one: rates.rate(one, currency) for one in rates.rates}}


def _without(catalogue: Catalogue, rows: Iterable[Compared], given: dict[str, Any]) -> list[str]:
    """Return the providers that have nothing in a comparison."""
    names = given.get("providers") or [
        name for (name,) in catalogue.rows("select id from provider order by id")
    ]
    there = {row.price.provider for row in rows}
    return [name for name in names if catalogue.provider_name(name) not in there]


def _remarks(rows: Iterable[Compared], missing: Sequence[str]) -> Iterator[str]:
    if missing:
        yield f"nothing that fits is known of {', '.join(missing)}"
    currencies = list(dict.fromkeys(row.currency for row in rows))
    if len(currencies) > 1:
        yield (
            f"prices are in {' and '.join(currencies)}: each currency is compared within itself; "
            "--currency converts"
        )


def _compared_data(row: Compared, rates: ReferenceRates | None) -> dict[str, Any]:
    if rates is None:
        return row.to_dict()
    return {**row.to_dict(), "rate_as_of": rates.date, "rate_source": rates.source}


def _compared_row(row: Compared) -> list[str]:
    size = row.size
    return [
        row.price.provider, f"{row.count} x {row.price.size}" if row.count != 1 else row.price.size,
        row.price.region, _number(size.vcpu if size else None), _gib(size.ram_mb if size else None),
        _text(row.hourly), f"{row.monthly:.2f}", row.currency,
        _NONE if row.ratio is None else f"{row.ratio:.2f}", row.price.as_of or _NONE,
    ]  # fmt: skip


@click.command("diff")
@click.argument("old")
@click.argument("new")
@output_option
def diff(old: str, new: str, output: str) -> None:
    """List what differs between the catalogues OLD and NEW."""
    with open_catalogue(old) as before, open_catalogue(new) as after:
        changes = before.diff(after)
    if output == "json":
        print_json([{"kind": one.kind, **one.to_dict()} for one in changes])
        return
    header = ("", "provider", "size", "region", "os", "term", "old", "new")
    click.echo(table(header, [_change(one) for one in changes]))


def _change(change: PriceChange) -> list[str]:
    price = change.new or change.old
    if price is None:
        return [change.kind, *([_NONE] * 7)]
    amounts = [
        _NONE if one is None else f"{_text(one.amount)} {one.currency}"
        for one in (change.old, change.new)
    ]
    return [
        change.kind, price.provider, price.size, price.region, price.os, price.term, *amounts
    ]  # fmt: skip
