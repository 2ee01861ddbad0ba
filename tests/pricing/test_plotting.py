"""Pictures of what a search found."""

from __future__ import annotations

import sys
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from anysky import pricing
from anysky.cli import main
from anysky.errors import InvalidRequestError
from anysky.pricing import PlotError, PriceUnknownError

if TYPE_CHECKING:
    from pathlib import Path

    from anysky.pricing import Found

SVG = "{http://www.w3.org/2000/svg}"


def texts(path: Path) -> list[str]:
    return ["".join(one.itertext()) for one in ET.fromstring(path.read_text()).iter(f"{SVG}text")]


def search(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["prices", "search", *map(str, arguments)])


@pytest.fixture
def found() -> list[Found]:
    return pricing.search(vcpu=2, ram_gb=8, geo="eu", limit=5)


def test_a_picture_says_what_it_shows(tmp_path: Path) -> None:
    path = tmp_path / "out.svg"

    result = search("--vcpu", 2, "--geo", "eu", "--limit", 30, "--plot", path)

    assert (result.exit_code, result.stderr) == (0, f"30 of 30 sizes are drawn in {path}\n")
    written = texts(path)
    assert {"vCPUs", "price in USD an hour"} < set(written)
    assert "List prices as of 2020-12-27 to 2025-03-02" in written
    assert any(text.startswith("aws from 0.0") and " USD: t4g." in text for text in written)


@pytest.mark.parametrize("limit", [1, 2000])
def test_one_result_and_all(tmp_path: Path, limit: int) -> None:
    path = tmp_path / "out.svg"
    everything = pricing.search(limit=limit)

    drawn = pricing.plot(everything, path, by="ram")

    assert drawn == sum(one.size.ram_mb is not None for one in everything)
    assert "memory in GiB" in texts(path)


def test_png(tmp_path: Path, found: list[Found]) -> None:
    path = tmp_path / "out.PNG"

    assert pricing.plot(found, path) == 5

    assert path.read_bytes().startswith(b"\x89PNG\r\n\x1a\n")


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_the_same_results_make_the_same_file(tmp_path: Path, found: list[Found], kind: str) -> None:
    first, second = tmp_path / f"1.{kind}", tmp_path / f"2.{kind}"

    pricing.plot(found, first)
    pricing.plot(found, second)

    assert first.read_bytes() == second.read_bytes()


def test_no_window_and_no_settings_are_touched(tmp_path: Path, found: list[Found]) -> None:
    import matplotlib as mpl
    from matplotlib import _pylab_helpers

    before = dict(mpl.rcParams)
    pricing.plot(found, tmp_path / "out.svg")

    assert dict(mpl.rcParams) == before
    assert _pylab_helpers.Gcf.get_all_fig_managers() == []


def test_names_are_only_text(tmp_path: Path, found: list[Found]) -> None:
    path = tmp_path / "out.svg"
    price = found[0].price.replace(provider="_<b>$\\frac$\x1b\u202e", size="x" * 100)

    pricing.plot([found[0].replace(price=price, compared=Decimal(0))], path)

    (name,) = (text for text in texts(path) if text.startswith("_<b>"))
    assert name == f"_<b>$\\frac$?? from 0 USD: {'x' * 37}..."


def test_nothing_to_draw(tmp_path: Path, found: list[Found]) -> None:
    unknown = [one.replace(size=one.size.replace(vcpu=None)) for one in found]

    with pytest.raises(PriceUnknownError, match="nothing to draw"):
        pricing.plot(unknown, tmp_path / "out.svg")

    assert list(tmp_path.glob("*.svg")) == []


@pytest.mark.parametrize(("name", "by"), [("out.pdf", "vcpu"), ("out", "vcpu"), ("o.svg", "disk")])
def test_wrong_usage(tmp_path: Path, found: list[Found], name: str, by: Any) -> None:
    with pytest.raises(InvalidRequestError):
        pricing.plot(found, tmp_path / name, by=by)


def test_a_file_that_cannot_be_written(tmp_path: Path) -> None:
    result = search("--plot", tmp_path / "none" / "out.svg")

    assert result.exit_code == 1
    assert result.stdout.startswith("USD/hour")
    assert result.stderr.startswith("anysky: cannot write ")


def test_matplotlib_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)

    result = search("--plot", tmp_path / "out.svg")

    assert result.exit_code == 1
    assert "pip install 'anysky[plot]'" in result.stderr
    with pytest.raises(PlotError):
        pricing.plot(pricing.search(limit=1), tmp_path / "out.svg")
