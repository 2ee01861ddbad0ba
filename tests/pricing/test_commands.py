"""``anysky prices``: data on standard output, everything else on standard error, exit codes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result

from anysky.cli import main
from anysky.pricing.places import bundled_path, data_dir
from anysky.pricing.store import Store
from tests.pricing.test_updating import HOSTILE, files

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from anysky.pricing import PricingError
    from tests.pricing.publisher import Publisher

    Make = Callable[..., Path]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["prices", *map(str, arguments)])


def data(*arguments: object) -> Any:
    result = run(*arguments, "-o", "json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_show() -> None:
    found = data("show", "aws", "m5.large", "eu-west-1")

    assert (found["amount"], found["currency"], found["as_of"]) == ("0.107", "USD", "2025-03-02")
    assert "0.107 USD" in run("show", "aws", "m5.large", "eu-west-1").stdout


def test_show_all_terms() -> None:
    found = data("show", "aws", "m5.large", "eu-west-1", "--all-terms")

    assert {one["os"] for one in found} == {"linux", "windows", "rhel", "rhel-ha", "suse"}


@pytest.mark.parametrize(("more", "printed"), [((), "null"), (("--all-terms",), "[]")])
def test_show_what_is_unknown(more: tuple[str, ...], printed: str) -> None:
    result = run("show", "aws", "m5.lrge", "eu-west-1", "-o", "json", *more)

    assert (result.exit_code, result.stdout.strip()) == (1, printed)
    assert "near: m5.large" in result.stderr


def test_info_and_path() -> None:
    assert data("info")["path"] == data("path")["path"] == bundled_path()
    assert bundled_path() in run("info").stdout
    assert run("path").stdout.strip() == bundled_path()


def test_search_and_compare_and_estimate() -> None:
    found = data("search", "--vcpu", 4, "--ram", 16, "--geo", "eu", "--limit", 3)
    assert len(found) == 3
    assert "USD/hour" in run("search", "--vcpu", 4, "--rate", "EUR=1.16").stdout

    sizes = ("aws/m5.large/eu-west-1", "gcp/n2-standard-2/europe-west1")
    assert len(data("compare", *sizes)) == 2
    assert "0.107" in run("compare", *sizes).stdout

    bill = data("estimate", "aws/m5.large/eu-west-1/3", "aws/dream/eu-west-1")
    assert bill["monthly"] == {"USD": "234.330"}
    assert [item["size"] for item in bill["unknown"]] == ["dream"]
    assert "unknown" in run("estimate", "aws/dream/eu-west-1").stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ("compare",),
        ("compare", "aws/m5.large"),
        ("estimate", "aws/m5.large"),
        ("estimate", "aws/m5.large/eu-west-1/x"),
        ("search", "--plot", "prices.pdf"),
        ("search", "--rate", "EUR"),
        ("search", "--rate", "EUR=0"),
        ("pin",),
        ("pin", "bundled", "--off"),
        ("nonsense",),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    assert run(*arguments).exit_code == 2


def test_diff(make: Make) -> None:
    old, new = make("2030.01.01", "0.5"), make("2030.02.02", "0.6")

    (change,) = data("diff", old, new)
    assert (change["kind"], change["old"]["amount"], change["new"]["amount"]) == (
        "changed",
        "0.5",
        "0.6",
    )
    assert "0.6 USD" in run("diff", old, new).stdout


def test_update_pin_rollback_verify(publisher: Publisher, make: Make) -> None:
    url = publisher.publish(make(), "2030.01.01")

    checked = run("update", "--url", url, "--key", publisher.key, "--check")
    assert checked.stdout == "version 2030.01.01 is available, 2026.11.22 is used\n"
    installed = run("update", "--url", url, "--key", publisher.key)
    assert installed.stdout == "installed version 2030.01.01 in place of 2026.11.22\n"
    assert "signed: timestamp:1" in installed.stderr
    assert data("update", "--url", url, "--key", publisher.key)["outcome"] == "current"
    assert data("verify") == {"version": "2030.01.01", "sound": True}
    assert run("verify").stdout == "version 2030.01.01 is sound\n"
    assert data("rollback") == {"version": "2026.11.22", "pinned": True}
    assert "is pinned" in run("update", "--url", url, "--key", publisher.key, "--force").stdout
    assert data("pin", "--off") == {"pinned": None}
    assert run("pin", "2030.01.01").stdout == "version 2030.01.01 is pinned\n"
    assert "pinned" in run("rollback").stdout


def test_update_without_signature_says_so(publisher: Publisher, make: Make) -> None:
    result = run("update", "--url", publisher.publish(make(), "2030.01.01"), "--allow-unsigned")

    assert result.exit_code == 0
    assert "no signature is asked for" in result.stderr


@pytest.mark.parametrize(
    ("publish", "error"),
    [one[:2] for one in HOSTILE],
    ids=[f"{number}-{one[2]}" for number, one in enumerate(HOSTILE)],
)
def test_hostile_update_says_so_and_changes_nothing(
    publish: Callable[[Publisher, Path], None], error: type[PricingError],
    publisher: Publisher, make: Make, data_home: Path,
) -> None:  # fmt: skip
    trust = ("--url", publisher.publish(make(), "2030.01.01"), "--key", publisher.key)
    assert run("update", *trust).exit_code == 0
    before = files(data_home)
    publish(publisher, make("2030.03.03", "0.7"))

    result = run("update", *trust)

    assert (result.exit_code, result.stdout) == (error.exit_code, "")
    assert result.stderr.splitlines()[-1].startswith("anysky: ")
    assert files(data_home) == before
    assert data("show", "acme", "small", "north")["amount"] == "0.5"
    assert data("verify") == {"version": "2030.01.01", "sound": True}


def test_exit_codes_of_what_is_wrong_here(
    publisher: Publisher, make: Make, data_home: Path, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    trust = ("--key", publisher.key)
    older = publisher.publish(make("2020.01.01"), "2020.01.01")
    nothing_before = run("rollback")
    too_old = run("update", "--url", older, *trust)
    assert run("update", "--url", older, *trust, "--allow-older").exit_code == 0
    (installed,) = data_home.glob("prices-*.db")
    installed.write_bytes(installed.read_bytes()[:-1])
    cut = [run("show", "acme", "small", "north"), run("info"), run("verify")]
    monkeypatch.setenv("ANYSKY_PRICES", str(tmp_path / "none.db"))
    missing = run("show", "acme", "small", "north")
    monkeypatch.setenv("ANYSKY_PRICES", "bundled")
    unknown = run("show", "acme", "small", "north")
    monkeypatch.setenv("XDG_DATA_HOME", str(older))
    no_folder = run("update", "--url", publisher.publish(make(), "2030.01.01"), *trust)

    results = (nothing_before, too_old, *cut, missing, unknown, no_folder)
    assert [one.exit_code for one in results] == [1, 3, 3, 3, 3, 1, 1, 1]
    assert [one.stdout for one in results] == [""] * len(results)
    assert "cannot write" in no_folder.stderr


def test_exit_codes(
    publisher: Publisher, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anysky.pricing.updating.LOCK_WAIT", 0.1)
    trust = ("--key", publisher.key)
    no_network = run("update", "--url", "http://127.0.0.1:9/m.json", "--insecure-http", *trust)
    nothing_there = run("update", "--url", tmp_path / "none.json", *trust)
    url = publisher.publish(make(), "2030.01.01", sha256="0" * 64)
    wrong_hash = run("update", "--url", url, *trust)
    unknown_key = run("update", "--url", url)
    url = publisher.publish(make(), "2030.01.01", schema=7)
    schema = run("update", "--url", url, *trust)
    with Store(data_dir()).locked():
        locked = run("update", "--url", url, *trust)

    results = (no_network, nothing_there, wrong_hash, unknown_key, schema, locked)
    assert [one.exit_code for one in results] == [2, 2, 3, 3, 4, 5]
    assert all(one.stdout == "" and one.stderr.startswith("anysky: ") for one in results)
