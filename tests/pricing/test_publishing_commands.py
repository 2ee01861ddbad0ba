"""``anysky prices build``, ``keygen``, ``import``, ``export``, ``history``; other currencies."""

from __future__ import annotations

import csv
import io
import json
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from anysky import pricing
from anysky.cli import main
from anysky.errors import InvalidRequestError
from anysky.pricing.building.reading import read_draft
from anysky.pricing.building.table import read_table
from anysky.pricing.currencies import ECB_URL, ReferenceRates, convert, parse_rates, reference_rates
from anysky.pricing.errors import (
    CatalogueMissingError,
    UpdateUnavailableError,
    UpdateVerificationError,
    VendorDataError,
)
from anysky.pricing.exporting import COLUMNS
from anysky.pricing.histories import PastChange, history
from tests.pricing.conftest import draft
from tests.support import faults as f

if TYPE_CHECKING:
    from collections.abc import Callable

    Make = Callable[..., Path]

SAMPLES = Path(__file__).with_name("samples")
HETZNER = SAMPLES / "hetzner-server_types.json"
ECB = """<?xml version="1.0" encoding="UTF-8"?>
<gesmes:Envelope xmlns:gesmes="http://www.gesmes.org/xml/2002-08-01"
    xmlns="http://www.ecb.int/vocabulary/2002-08-01/eurofxref">
  <gesmes:subject>Reference rates</gesmes:subject>
  <Cube><Cube time='2026-11-20'>
    <Cube currency='USD' rate='1.25'/><Cube currency='JPY' rate='180'/>
  </Cube></Cube>
</gesmes:Envelope>
"""


def run(*arguments: object, **more: Any) -> Result:
    return CliRunner().invoke(main, ["prices", *map(str, arguments)], **more)


def data(*arguments: object) -> Any:
    result = run(*arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


# --- build ----------------------------------------------------------------------------------------


def test_from_a_key_to_an_update(out: Path, tmp_path: Path) -> None:
    key = tmp_path / "secret"
    made = run("keygen", key)
    assert made.exit_code == 0
    public = made.stdout.strip()
    assert public in (tmp_path / "secret.pub").read_text()

    built = data("build", "--out", out, "--from", f"hetzner={HETZNER}", "--key", key)
    assert built["key"] == public
    assert built["manifest"] == str(out / "manifest.json")
    (report,) = built["providers"]
    names = ("provider", "outcome", "prices", "new", "problems")
    assert [report[name] for name in names] == ["hetzner", "built", 2, 2, []]

    assert data("update", "--url", out / "manifest.json", "--key", public)["outcome"] == "installed"
    assert data("show", "hetzner", "cpx11", "fsn1")["amount"] == "0.0088"


def test_build_prints_a_table_and_warns_without_key(out: Path) -> None:
    result = run("build", "--out", out, "--from", f"hetzner={HETZNER}")

    assert result.exit_code == 0
    assert "hetzner   built  2" in result.stdout
    assert f": {out / 'manifest.json'}\n" in result.stdout
    assert result.stderr == "no key is given: the manifest is not signed\n"


def test_keygen_as_json(tmp_path: Path) -> None:
    found = data("keygen", tmp_path / "secret")

    assert set(found) == {"path", "id", "public_key"}
    assert run("keygen", tmp_path / "secret").exit_code == 1


@pytest.mark.parametrize("asked", [True, False])
def test_password_of_a_key(
    asked: bool, out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anysky.pricing.secret_keys import make_key
    from tests.pricing.test_secret_keys import PASSWORD, with_password

    with_password(make_key(tmp_path / "plain"), tmp_path / "key")
    monkeypatch.setenv("ANYSKY_PRICES_KEY_PASSWORD", "" if asked else PASSWORD)

    arguments = ("build", "--out", out, "--from", f"hetzner={HETZNER}", "--key", tmp_path / "key")
    result = run(*arguments, input=f"{PASSWORD}\n" if asked else None)

    assert result.exit_code == 0, result.output
    assert PASSWORD not in result.output
    assert "public key: RW" in result.stdout


def test_exit_codes(out: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HCLOUD_TOKEN", raising=False)
    (tmp_path / "wrong.json").write_text(HETZNER.read_text().replace("0.0088", "0.0099"))
    with f.FaultServer() as web:
        web.otherwise = f.Answer(status=503)
        away = run("build", "--out", out, "--from", f"hetzner={web.url}/", "--insecure-http")
    arguments = {
        "no token": ("--only", "hetzner"),
        "held": ("--from", f"hetzner={tmp_path}/wrong.json"),
        "no importer": ("--only", "acme"),
        "no key": ("--from", f"hetzner={HETZNER}", "--key", tmp_path / "none"),
        "usage": ("--from", "hetzner"),
    }
    codes = {name: run("build", "--out", out, *more).exit_code for name, more in arguments.items()}

    assert codes == {"no token": 2, "held": 3, "no importer": 1, "no key": 1, "usage": 2}
    assert away.exit_code == 2
    assert not (out / "manifest.json").exists()


def test_what_held_a_provider_is_said(out: Path, tmp_path: Path) -> None:
    (tmp_path / "wrong.json").write_text(HETZNER.read_text().replace("0.0088", "0.0099"))

    result = run("build", "--out", out, "--from", f"hetzner={tmp_path}/wrong.json")

    assert "hetzner   held " in result.stdout
    assert "hetzner: problem: cpx11 fsn1 linux is 0.0099, known as 0.0088\n" in result.stderr


# --- export and import ----------------------------------------------------------------------------


def test_export_csv(make: Make) -> None:
    result = run("export", "--prices", make())

    lines = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(lines) == 4
    assert lines[0] == dict(zip(COLUMNS, (
        "acme", "north", "acme/large", "large", "linux", "2", "Hours", "USD", "Standard", "4", "16",
        "0", "", "arm64", "ondemand", "included", "none", "shared", "2029-12-31",
        "https://vendor.example/prices", "recorded",
    ), strict=True))  # fmt: skip


def test_export_json_is_the_same(make: Make) -> None:
    lines = csv.DictReader(io.StringIO(run("export", "--prices", make()).stdout))

    assert json.loads(run("export", "--prices", make(), "-o", "json").stdout) == list(lines)


@pytest.mark.parametrize(("provider", "count"), [("acme", 4), ("acme-cloud", 4), ("other", 0)])
def test_export_of_one_provider(provider: str, count: int, make: Make) -> None:
    arguments = ("export", "--prices", make(), "--provider", provider, "--format", "json")

    assert len(json.loads(run(*arguments).stdout)) == count


def test_export_and_import_give_the_same_prices(make: Make, out: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(run("export", "--prices", make()).stdout)

    built = data("import", table, "--out", out, "--base", make())

    assert [(one["provider"], one["outcome"]) for one in built["providers"]] == [("acme", "built")]
    installed = pricing.update(out / "manifest.json", allow_unsigned=True)
    assert pricing.diff(make(), installed.path) == []
    with pricing.open(installed.path) as catalogue:
        found = read_draft(catalogue)
    assert found.specs == draft().specs
    assert {one.source for one in found.figures} == {one.source for one in draft().figures}


def test_import_of_a_few_columns(out: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    table.write_text(
        "ProviderName,RegionId,InstanceType,ListUnitPrice,PricingUnit,PricingCurrency,x_AsOf\n"
        "ownlab,cellar,small,0.01,Hours,EUR,2030-01-01\n"
    )

    data("import", table, "--out", out, "--base", "bundled")
    pricing.update(out / "manifest.json", allow_unsigned=True)

    price = pricing.price("ownlab", "small", "cellar", require=True)
    assert price is not None
    assert (price.amount, price.currency, price.os, price.quality) == (
        Decimal("0.01"), "EUR", "linux", "manual",
    )  # fmt: skip
    assert pricing.price("aws", "m5.large", "eu-west-1") is not None


GOOD = {
    "ProviderName": "acme", "RegionId": "north", "InstanceType": "small", "ListUnitPrice": "0.5",
    "PricingUnit": "Hours", "PricingCurrency": "USD", "x_AsOf": "2030-01-01", "CoreCount": "",
    "x_Tenancy": "", "x_Quality": "",
}  # fmt: skip


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ListUnitPrice": "0"}, "line 2: not priced"),
        ({"ListUnitPrice": "free"}, "line 2: "),
        ({"ListUnitPrice": "0.00000000001"}, "line 2: finer than a billionth"),
        ({"PricingUnit": "Months"}, "line 2: PricingUnit is not Hours"),
        ({"PricingCurrency": ""}, "line 2: no PricingCurrency"),
        ({"x_AsOf": "yesterday"}, "line 2: "),
        ({"x_Tenancy": "dedicated"}, "line 2: x_Tenancy is not shared"),
        ({"x_Quality": "guessed"}, "line 2: x_Quality is none that is known"),
        ({"CoreCount": "two"}, "line 2: "),
    ],
)
def test_import_of_a_wrong_line(change: dict[str, str], message: str, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    with table.open("w", newline="") as file:
        writer = csv.DictWriter(file, GOOD)
        writer.writeheader()
        writer.writerow(GOOD | change)

    with pytest.raises(VendorDataError, match=message):
        read_table(table)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has no column 'ProviderName'"),
        (",".join(GOOD) + "\nacme,north\n", "line 2: no InstanceType"),
        (",".join(GOOD) + "\n" + ",".join([*GOOD.values(), "more"]) + "\n", "more cells"),
        (",".join(GOOD) + '\n"acme', "cannot read"),
    ],
)
def test_import_of_what_is_no_table(text: str, message: str, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(text)

    with pytest.raises(VendorDataError, match=message):
        read_table(tmp_path / "table.csv")


def test_import_of_a_table_without_lines(out: Path, tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text(",".join(GOOD) + "\n")

    result = run("import", tmp_path / "table.csv", "--out", out)

    assert result.exit_code == 3
    assert "has no prices" in result.stderr


# --- history --------------------------------------------------------------------------------------


def publish(out: Path, tmp_path: Path, make: Make, price: str) -> None:
    table = tmp_path / "table.csv"
    table.write_text(run("export", "--prices", make("2030.01.01", price)).stdout)
    data("import", table, "--out", out, "--base", make(), "--accept", "acme")


def test_history(out: Path, tmp_path: Path, make: Make) -> None:
    for price in ("0.5", "0.5", "0.6", "0.4"):
        publish(out, tmp_path, make, price)

    (old, new) = history(out, "acme", "small", "north")

    assert old.to_dict() == {
        "version": "2030.01.01.3", "provider": "acme", "size": "small", "region": "north",
        "os": "linux", "term": "ondemand", "currency": "USD", "old": Decimal("0.5"),
        "new": Decimal("0.6"),
    }  # fmt: skip
    assert (new.version, new.old, new.new) == ("2030.01.01.4", Decimal("0.6"), Decimal("0.4"))
    assert data("history", "acme", "small", "--log", out / "history.csv")[1]["new"] == "0.4"
    assert "0.6 USD  0.4 USD" in run("history", "acme", "small", "north", "--log", out).stdout
    assert data("history", "acme", "large", "--log", out) == []


def test_history_of_what_comes_and_goes(out: Path, tmp_path: Path) -> None:
    table = tmp_path / "table.csv"
    for size in ("small", "large"):
        with table.open("w", newline="") as file:
            writer = csv.DictWriter(file, GOOD)
            writer.writeheader()
            writer.writerow(GOOD | {"InstanceType": size})
        data("import", table, "--out", out)

    assert [(one.old, one.new) for one in history(out, "acme", "small")] == [(Decimal("0.5"), None)]
    assert [(one.old, one.new) for one in history(out, "acme", "large")] == [(None, Decimal("0.5"))]


def test_history_goes_on_when_the_catalogue_before_is_gone(
    out: Path, tmp_path: Path, make: Make
) -> None:
    publish(out, tmp_path, make, "0.5")
    for path in out.glob("*/prices-*.gz"):
        path.unlink()

    publish(out, tmp_path, make, "0.6")

    assert history(out, "acme", "small") == []


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (None, CatalogueMissingError),
        ("", VendorDataError),
        ("a,b\n", VendorDataError),
        ("version,provider,size,region,os,term,currency,old,new\nx,acme,small\n", VendorDataError),
        (
            "version,provider,size,region,os,term,currency,old,new\nx,acme,small,,,,,y,z\n",
            VendorDataError,
        ),
    ],
)
def test_history_that_cannot_be_read(
    text: str | None, error: type[Exception], tmp_path: Path
) -> None:
    if text is not None:
        (tmp_path / "history.csv").write_text(text)

    with pytest.raises(error):
        history(tmp_path, "acme", "small")


def test_past_changes_compare_by_value() -> None:
    values = dict.fromkeys(PastChange.__annotations__)

    assert PastChange(**values) == PastChange(**values)


# --- currencies -----------------------------------------------------------------------------------


@pytest.fixture
def rates(tmp_path: Path) -> Path:
    path = tmp_path / "rates.xml"
    path.write_text(ECB)
    return path


def test_reference_rates(rates: Path) -> None:
    assert reference_rates(rates) == ReferenceRates(
        date="2026-11-20",
        source=str(rates),
        rates={"EUR": Decimal(1), "USD": Decimal("1.25"), "JPY": Decimal(180)},
    )
    assert ECB_URL.startswith("https://www.ecb.europa.eu/")


@pytest.mark.parametrize(("currency", "amount"), [("EUR", "0.4"), ("JPY", "72"), ("USD", "0.5")])
def test_price_in_another_currency(currency: str, amount: str, rates: Path, make: Make) -> None:
    with pricing.open(make()) as catalogue:
        price = catalogue.price("acme", "small", "north", require=True)
    assert price is not None

    found = convert(price, currency, reference_rates(rates))

    assert (found.amount, found.currency) == (Decimal(amount), currency)
    assert found.quality == ("recorded" if currency == "USD" else "converted")
    assert (found.as_of, found.source) == (price.as_of, price.source)


def test_currency_that_has_no_rate(rates: Path, make: Make) -> None:
    with pytest.raises(InvalidRequestError, match="no rate for 'XXX', but for EUR, JPY, USD"):
        reference_rates(rates).rate("USD", "XXX")


def test_show_in_another_currency(rates: Path, make: Make) -> None:
    arguments = ("show", "acme", "small", "north", "--prices", make(), "--currency", "eur")

    found = data(*arguments, "--rates", rates)
    result = run(*arguments, "--rates", rates)

    assert (found["price"]["amount"], found["price"]["quality"]) == ("0.4", "converted")
    assert found["listed"]["amount"] == "0.5"
    assert (found["rate"], found["rate_as_of"]) == ("0.8", "2026-11-20")
    assert "0.4 EUR" in result.stdout
    assert result.stderr == f"converted by the rates of 2026-11-20 from {rates}\n"


def test_rates_from_an_address() -> None:
    with f.FaultServer() as web:
        web.on("/rates.xml", f.Answer(body=ECB.encode()))
        found = reference_rates(f"{web.url}/rates.xml", insecure_http=True)

    assert found.date == "2026-11-20"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "<html>Sorry</html>",
        "<a/>",
        ECB.replace("1.25", "0"),
        ECB.replace("1.25", "NaN"),
        ECB.replace("1.25", "much"),
        ECB.replace("2026-11-20", "today"),
        ECB.replace("<Cube currency='USD' rate='1.25'/><Cube currency='JPY' rate='180'/>", ""),
        ECB.replace("<gesmes:Env", "<!DOCTYPE x><gesmes:Env"),
    ],
)
def test_what_are_no_rates(text: str) -> None:
    with pytest.raises(UpdateVerificationError, match="no list of reference rates"):
        parse_rates(text.encode(), "here")


def test_rates_that_are_not_there(tmp_path: Path, make: Make) -> None:
    with pytest.raises(UpdateUnavailableError):
        reference_rates(tmp_path / "none.xml")
    arguments = ("show", "acme", "small", "north", "--prices", make(), "--currency", "EUR")
    assert run(*arguments, "--rates", tmp_path / "none.xml").exit_code == 2
