"""Building: importers, gates, the base, the manifest; what is published can be installed."""

from __future__ import annotations

import asyncio
import dataclasses
import datetime as dt
import json
import os
import shutil
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anysky import pricing
from anysky.aio import pricing as aio_pricing
from anysky.errors import InvalidRequestError
from anysky.pricing import (
    BuildFailedError,
    BuildReport,
    Catalogue,
    CatalogueStoreError,
    ProviderReport,
    UpdateLockedError,
    UpdateVerificationError,
)
from anysky.pricing.building.draft import Figure, Source, Spec, exact_nano
from anysky.pricing.building.gates import change_of, odd_figures, only_one_each, problems
from anysky.pricing.building.reading import read_draft
from anysky.pricing.building.writing import write_catalogue
from anysky.pricing.importers import hetzner
from anysky.pricing.places import BUNDLED_VERSION, bundled_path
from anysky.pricing.releasing import next_version
from anysky.pricing.secret_keys import SecretKey, make_key
from anysky.pricing.store import Lock
from tests.support import faults as f

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Make = Callable[..., Path]

SAMPLES = Path(__file__).with_name("samples")
DIGITALOCEAN = SAMPLES / "digitalocean-sizes.json"
HETZNER = SAMPLES / "hetzner-server_types.json"
AWS = SAMPLES / "aws-ec2-region.csv"
UNTOUCHED = (
    "select * from rate order by 1, 2, 3, 4",
    "select provider, region, family, resource, nano from component order by 1, 2, 3, 4",
    "select * from alias order by 1, 2, 3",
    "select provider, name, geo, country from region where provider <> 'hetzner' order by 1, 2",
    """select provider, name, vcpu, ram_mb, disk_gb, gpus, gpu, gpu_mem_mb, arch, burstable, flags,
              lo from size where provider <> 'hetzner' order by 1, 2""",
)
SOURCE = Source("https://vendor.example/", "2030-01-01")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "mirror"


@pytest.fixture
def key(tmp_path: Path) -> SecretKey:
    return make_key(tmp_path / "secret")


@pytest.fixture
def web() -> Iterator[f.FaultServer]:
    with f.FaultServer() as server:
        yield server


def build(out: Path, **options: Any) -> BuildReport:
    return pricing.build(out, **options)


def build_on_asyncio(out: Path, **options: Any) -> BuildReport:
    return asyncio.run(aio_pricing.build(out, **options))


def of(report: BuildReport, provider: str) -> ProviderReport:
    (found,) = [one for one in report.providers if one.provider == provider]
    return found


def changed(tmp_path: Path, sample: Path, old: str, new: str) -> Path:
    """Return a copy of a sample in which a text is another."""
    text = sample.read_text()
    assert old in text
    path = tmp_path / f"changed-{sample.name}"
    path.write_text(text.replace(old, new))
    return path


def amount(path: Path, *place: str, **kind: str) -> Decimal | None:
    with pricing.open(path) as catalogue:
        price = catalogue.price(*place, **kind)
    return price and price.amount


def unpacked(report: BuildReport, tmp_path: Path) -> Path:
    """Install what was built, and return the catalogue."""
    return Path(pricing.update(report.manifest, allow_unsigned=True, force=True).path)


# --- from vendors to users ------------------------------------------------------------------------


def test_what_is_built_is_what_the_samples_say(out: Path, tmp_path: Path) -> None:
    os.utime(HETZNER, (1_795_000_000, 1_795_000_000))
    report = build(out, sources={"hetzner": HETZNER, "aws": AWS})

    assert [(one.provider, one.outcome, one.prices, one.oldest) for one in report.providers] == [
        ("aws", "built", 1, "2026-09-21"),
        ("hetzner", "built", 2, "2026-11-18"),
    ]
    with Catalogue(str(unpacked(report, tmp_path))) as catalogue:
        price = catalogue.price("hetzner", "cpx11", "fsn1")
        assert price == pricing.Price(
            provider="hetzner", size="cpx11", region="fsn1", amount=Decimal("0.0088"),
            currency="EUR", unit="hour", os="linux", licence="included", term="ondemand",
            upfront="none", tenancy="shared", as_of="2026-11-18",
            source="https://api.hetzner.cloud/v1/server_types", quality="recorded",
            catalogue=report.version,
        )  # fmt: skip
        (found,) = catalogue.search(vcpu=2, geo="eu", currency="EUR")
        assert found.size.ram_mb == 2048


@pytest.mark.parametrize("kind", ["http", "file", "path"])
def test_what_is_built_can_be_installed_from_anywhere(
    kind: str, out: Path, key: SecretKey, web: f.FaultServer
) -> None:
    report = build(out, sources={"hetzner": HETZNER}, key=key)
    path = Path(report.manifest)
    if kind == "http":
        for file in (path, path.with_name("manifest.json.minisig"), Path(report.catalogue)):
            web.on(f"/{file.relative_to(out)}", f.Answer(body=file.read_bytes()))
    urls = {"http": f"{web.url}/manifest.json", "file": path.as_uri(), "path": str(path)}

    result = pricing.update(urls[kind], key=report.key, insecure_http=True)

    assert (result.outcome, result.version) == ("installed", report.version)
    assert result.signed_by is not None
    assert result.signed_by.endswith("\tfile:manifest.json\thashed")
    assert pricing.verify() == report.version
    price = pricing.price("hetzner", "cpx11", "ash")
    assert price is not None
    assert price.amount == Decimal("0.028")


def test_signature_of_another_key_is_refused(out: Path, key: SecretKey, tmp_path: Path) -> None:
    report = build(out, sources={"hetzner": HETZNER}, key=key)
    other = make_key(tmp_path / "other")

    with pytest.raises(UpdateVerificationError, match="unknown key"):
        pricing.update(report.manifest, key=other.public)


def test_unsigned_build_takes_the_old_signature_away(out: Path, key: SecretKey) -> None:
    build(out, sources={"hetzner": HETZNER}, key=key)
    assert (out / "manifest.json.minisig").exists()

    report = build(out, sources={"hetzner": HETZNER})

    assert report.key is None
    assert not (out / "manifest.json.minisig").exists()


def test_manifest(out: Path, make: Make) -> None:
    first = build(out, sources={"hetzner": HETZNER}, version="2030.05.06")
    second = build(out, sources={"hetzner": HETZNER}, base=make(), version="2030.05.07", days=10)

    manifest = json.loads(Path(second.manifest).read_text())
    (file,) = manifest.pop("files")
    generated, expires = (dt.datetime.fromisoformat(manifest.pop(name)) for name in
                          ("generated", "expires"))  # fmt: skip
    assert manifest == {
        "schema": 1, "version": "2030.05.07", "min_reader": 1, "previous": "2030.05.06",
    }  # fmt: skip
    assert expires - generated == dt.timedelta(days=10)
    assert file["rows"] == {"acme": 4, "hetzner": 2}
    assert (out / file["url"]) == Path(second.catalogue)
    assert Path(first.catalogue).exists()


def test_same_sources_give_the_same_catalogue(out: Path, tmp_path: Path) -> None:
    sources = {"hetzner": HETZNER, "digitalocean": DIGITALOCEAN}
    one = build(out, sources=sources, version="2030.05.06")
    two = build(tmp_path / "other", sources=sources, version="2030.05.06")

    assert Path(one.catalogue).name == Path(two.catalogue).name
    assert Path(one.catalogue).read_bytes() == Path(two.catalogue).read_bytes()


# --- versions, the folder -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wanted", "before", "version"),
    [
        (None, [], "2030.05.06"),
        (None, ["2030.05.05.9"], "2030.05.06"),
        (None, ["2030.05.06"], "2030.05.06.1"),
        (None, ["2030.05.06.9", "2030.01.01"], "2030.05.06.10"),
        (None, ["2031.01.02"], "2031.01.02.1"),
        ("2030.05.06.3", ["2030.05.06.2"], "2030.05.06.3"),
    ],
)
def test_versions(wanted: str | None, before: list[str], version: str) -> None:
    assert next_version(wanted, dt.date(2030, 5, 6), before) == version


def test_version_that_is_not_newer_is_refused(out: Path) -> None:
    build(out, sources={"hetzner": HETZNER}, version="2030.05.06")

    with pytest.raises(InvalidRequestError, match=r"2030\.05\.06 is not newer"):
        build(out, sources={"hetzner": HETZNER}, version="2030.05.06")


def test_version_is_newer_than_the_bundled_one(out: Path) -> None:
    report = build(out, sources={"hetzner": HETZNER})

    assert [int(part) for part in report.version.split(".")] > [
        int(part) for part in BUNDLED_VERSION.split(".")
    ]


def test_version_of_the_wrong_form_is_refused(out: Path) -> None:
    with pytest.raises(InvalidRequestError, match="no version"):
        build(out, sources={"hetzner": HETZNER}, version="9999/../x")


def test_two_builds_into_one_folder(out: Path) -> None:
    out.mkdir()
    lock = Lock(out / ".build.lock")
    assert lock.take()

    with pytest.raises(UpdateLockedError):
        build(out, sources={"hetzner": HETZNER})
    lock.release()


def test_folder_with_a_manifest_of_another_kind(out: Path) -> None:
    out.mkdir()
    (out / "manifest.json").write_text("{}")

    with pytest.raises(UpdateVerificationError, match="no manifest"):
        build(out, sources={"hetzner": HETZNER})
    assert (out / "manifest.json").read_text() == "{}"


def test_folder_that_cannot_be_written(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")

    with pytest.raises(CatalogueStoreError, match="cannot write"):
        build(file / "below", sources={"hetzner": HETZNER})


def test_what_a_killed_build_left_is_removed(out: Path) -> None:
    (out / ".build-killed").mkdir(parents=True)
    (out / ".build-killed" / "hetzner").write_text("half")
    (out / ".build-file").write_text("half")

    build(out, sources={"hetzner": HETZNER})

    assert list(out.glob(".build-*")) == []


def test_nothing_is_left_beside_what_was_built(out: Path, key: SecretKey) -> None:
    report = build(out, sources={"hetzner": HETZNER}, key=key)

    assert sorted(str(path.relative_to(out)) for path in out.rglob("*")) == [
        ".build.lock",
        report.version,
        str(Path(report.catalogue).relative_to(out)),
        "history.csv",
        "manifest.json",
        "manifest.json.minisig",
    ]


# --- the base -------------------------------------------------------------------------------------


def test_everything_of_the_bundled_catalogue_stays(out: Path, tmp_path: Path) -> None:
    report = build(out, sources={"hetzner": HETZNER}, base="bundled")

    assert {one.provider: one.outcome for one in report.providers} == {
        "aws": "kept", "azure": "kept", "gcp": "kept", "hetzner": "built", "linode": "kept",
        "upcloud": "kept", "vultr": "kept",
    }  # fmt: skip
    made = unpacked(report, tmp_path)
    changes = pricing.diff(bundled_path(), made)
    assert {(one.kind, one.new and one.new.provider) for one in changes} == {("new", "hetzner")}
    with pricing.open(bundled_path()) as before, pricing.open(made) as after:
        for query in UNTOUCHED:
            assert before.rows(query) == after.rows(query)
        dates = {
            (one.as_of, one.source, one.quality)
            for one in before.prices("aws", "m5.large", "eu-west-1")
        }
        assert dates == {
            (one.as_of, one.source, one.quality)
            for one in after.prices("aws", "m5.large", "eu-west-1")
        }


def test_draft_of_a_catalogue_gives_the_same_bytes(tmp_path: Path, make: Make) -> None:
    path = make()
    with pricing.open(path) as catalogue:
        write_catalogue(read_draft(catalogue), tmp_path / "again.db")

    assert (tmp_path / "again.db").read_bytes() == path.read_bytes()


def test_one_region_replaces_only_that_region(out: Path, tmp_path: Path) -> None:
    report = build(out, sources={"aws": AWS}, base="bundled", accept=["aws"])

    made = unpacked(report, tmp_path)
    with pricing.open(made) as catalogue:
        ireland = catalogue.price("aws", "m5.large", "eu-west-1", require=True)
        virginia = catalogue.price("aws", "m5.large", "us-east-1", require=True)
        size = catalogue.rows("select disk_gb, arch from size where name = 'm5.large'")
    assert ireland is not None
    assert virginia is not None
    assert (ireland.as_of, ireland.quality) == ("2026-09-21", "recorded")
    assert virginia.as_of == "2025-03-02"
    assert size == [(None, "x86_64")]
    assert amount(made, "aws", "m5.xlarge", "eu-west-1") is None


def test_base_that_is_not_there(out: Path, tmp_path: Path) -> None:
    with pytest.raises(pricing.CatalogueMissingError):
        build(out, sources={"hetzner": HETZNER}, base=tmp_path / "none.db")


# --- providers that fail --------------------------------------------------------------------------


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """A catalogue with older prices of two vendors."""
    report = build(
        tmp_path / "older",
        sources={"hetzner": HETZNER, "digitalocean": DIGITALOCEAN},
        version="2030.01.01",
    )
    found = unpacked(report, tmp_path)
    target = tmp_path / "base.db"
    shutil.copy(found, target)
    return target


def test_provider_that_fails_keeps_its_older_prices(out: Path, base: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken.json"
    broken.write_text("<html>Sorry</html>")

    report = build(out, sources={"hetzner": broken, "digitalocean": DIGITALOCEAN}, base=base)

    hetzner = of(report, "hetzner")
    assert (hetzner.outcome, hetzner.prices) == ("failed", 2)
    assert hetzner.problems[0].startswith("broken.json is not as documented")
    assert of(report, "digitalocean").outcome == "built"
    assert amount(unpacked(report, tmp_path), "hetzner", "cpx11", "fsn1") == Decimal("0.0088")


def test_strict_build_makes_nothing_if_one_fails(out: Path, tmp_path: Path) -> None:
    sources = {"hetzner": tmp_path / "none.json", "digitalocean": DIGITALOCEAN}

    with pytest.raises(BuildFailedError, match="hetzner: there is no file") as raised:
        build(out, sources=sources, strict=True)

    assert isinstance(raised.value.report, BuildReport)
    assert of(raised.value.report, "digitalocean").outcome == "built"
    assert not (out / "manifest.json").exists()


@pytest.mark.parametrize("as_folder", [False, True])
def test_pages_that_are_missing_make_a_provider_fail(
    as_folder: bool, out: Path, tmp_path: Path
) -> None:
    page = changed(tmp_path, DIGITALOCEAN, '"links": {}', '"links": {"pages": {"next": "x"}}')
    folder = tmp_path / "pages"
    folder.mkdir()
    shutil.copy(page, folder / "1.json")

    with pytest.raises(BuildFailedError, match="is not complete"):
        build(out, sources={"digitalocean": folder if as_folder else page})


def test_fewer_entries_than_the_vendor_announces(out: Path) -> None:
    with pytest.raises(BuildFailedError, match="Vultr has 151 entries, of which 2 came"):
        build(out, sources={"vultr": SAMPLES / "vultr-plans.json"})


def test_pages_of_a_folder(out: Path, tmp_path: Path) -> None:
    page = changed(tmp_path, DIGITALOCEAN, '"links": {}', '"links": {"pages": {"next": "x"}}')
    folder = tmp_path / "pages"
    folder.mkdir()
    page.rename(folder / "1.json")
    last = changed(tmp_path, DIGITALOCEAN, "s-1vcpu-1gb", "s-2vcpu-2gb")
    last.rename(folder / "2.json")
    (folder / ".hidden").write_text("no page")

    assert build(out, sources={"digitalocean": folder}).prices == 4


def test_token_that_is_missing(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HCLOUD_TOKEN", raising=False)

    with pytest.raises(BuildFailedError, match="asks for a token: set HCLOUD_TOKEN"):
        build(out, only=["hetzner"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"only": ["acme"]}, "there is no importer 'acme'"),
        ({"only": ["hetzner"], "sources": {"aws": AWS}}, "aws has a source, but is not to be"),
    ],
)
def test_wrong_names(options: dict[str, Any], message: str, out: Path) -> None:
    with pytest.raises(InvalidRequestError, match=message):
        build(out, **options)


# --- over the network -----------------------------------------------------------------------------


def fetch(out: Path, provider: str, web: f.FaultServer, path: str = "/first") -> BuildReport:
    return build(out, sources={provider: f"{web.url}{path}"}, insecure_http=True)


def test_pages_are_followed_to_the_end(out: Path, web: f.FaultServer, tmp_path: Path) -> None:
    links = f'"links": {{"pages": {{"next": "{web.url}/second?page=2"}}}}'
    first = changed(tmp_path, DIGITALOCEAN, '"links": {}', links)
    web.on("/first", f.Answer(body=first.read_bytes()))
    second = changed(tmp_path, DIGITALOCEAN, "s-1vcpu-1gb", "s-2vcpu-2gb")
    web.on("/second", f.Answer(body=second.read_bytes()))

    report = fetch(out, "digitalocean", web)

    assert report.prices == 4
    assert [one.target for one in web.requests] == ["/first", "/second?page=2"]


def test_both_apis_build_the_same_and_fail_alike(
    out: Path, web: f.FaultServer, tmp_path: Path
) -> None:
    web.on("/first", f.Answer(body=DIGITALOCEAN.read_bytes()))
    web.on("/gone", f.Answer(status=404))
    places = {"digitalocean": f"{web.url}/first", "hetzner": HETZNER, "vultr": f"{web.url}/gone"}
    options = {"sources": places, "version": "2090.01.01", "insecure_http": True}

    blocking = build(out, **options)
    twin = build_on_asyncio(tmp_path / "twin", **options)

    assert twin.providers == blocking.providers
    assert [(one.provider, one.outcome) for one in twin.providers] == [
        ("digitalocean", "built"), ("hetzner", "built"), ("vultr", "failed"),
    ]  # fmt: skip
    assert Path(twin.catalogue).read_bytes() == Path(blocking.catalogue).read_bytes()
    with pytest.raises(BuildFailedError) as raised:
        build_on_asyncio(out, sources={"vultr": f"{web.url}/gone"}, insecure_http=True)
    assert raised.value.exit_code == 2


def test_cancelled_build_leaves_nothing(out: Path, web: f.FaultServer) -> None:
    web.on("/first", f.Drip(DIGITALOCEAN.read_bytes(), bytes_per_second=10))

    async def give_up() -> None:
        job = aio_pricing.build(
            out, sources={"digitalocean": f"{web.url}/first"}, insecure_http=True
        )
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job, 0.5)

    asyncio.run(give_up())

    assert [path.name for path in out.iterdir()] == [".build.lock"]
    assert build(out, sources={"hetzner": HETZNER}).prices > 0


def test_aws_index_and_regions(out: Path, web: f.FaultServer) -> None:
    index = (SAMPLES / "aws-region-index.json").read_bytes()
    web.on("/first", f.Answer(body=index))
    web.on("/offers/v1.0/aws/AmazonEC2/20260921194712/eu-west-1/index.csv",
           f.Answer(body=AWS.read_bytes()))  # fmt: skip

    assert of(fetch(out, "aws", web), "aws").prices == 1


def test_page_that_leads_to_itself_is_read_once(
    out: Path, web: f.FaultServer, tmp_path: Path
) -> None:
    links = f'"links": {{"pages": {{"next": "{web.url}/first"}}}}'
    page = changed(tmp_path, DIGITALOCEAN, '"links": {}', links)
    web.on("/first", f.Answer(body=page.read_bytes()))

    assert fetch(out, "digitalocean", web).prices == 2
    assert len(web.requests) == 1


def test_page_that_leads_to_another_host_is_not_followed(
    out: Path, web: f.FaultServer, tmp_path: Path
) -> None:
    links = '"links": {"pages": {"next": "https://evil.example/"}}'
    page = changed(tmp_path, DIGITALOCEAN, '"links": {}', links)
    web.on("/first", f.Answer(body=page.read_bytes()))

    with pytest.raises(BuildFailedError, match=r"leads to https://evil\.example/"):
        fetch(out, "digitalocean", web)


@pytest.mark.parametrize(
    ("action", "exit_code"),
    [
        (f.Answer(status=404), 2),
        (f.Answer(status=401), 2),
        (f.TruncatedBody(), 2),
        (f.wrong_content_type(), 3),
    ],
    ids=["404", "401", "truncated", "html"],
)
def test_address_that_does_not_answer_as_it_should(
    action: f.Action, exit_code: int, out: Path, web: f.FaultServer
) -> None:
    web.otherwise = action

    with pytest.raises(BuildFailedError) as raised:
        fetch(out, "hetzner", web)

    assert raised.value.exit_code == exit_code


def test_document_that_is_too_large(
    out: Path, web: f.FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = dataclasses.replace(hetzner.importer, largest=100)
    monkeypatch.setattr(hetzner, "importer", small)
    web.on("/first", f.Answer(body=HETZNER.read_bytes()))

    with pytest.raises(BuildFailedError, match="has more than 100 bytes"):
        fetch(out, "hetzner", web)


def test_token_goes_to_the_vendor_and_to_nobody_else(
    out: Path, web: f.FaultServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", "s3cret")
    web.on("/v1/server_types", f.Answer(body=HETZNER.read_bytes()))
    fetch(out, "hetzner", web, "/v1/server_types")
    assert "authorization" not in web.requests[-1].headers

    with f.FaultServer() as elsewhere:
        elsewhere.otherwise = f.Answer(body=HETZNER.read_bytes())
        web.on("/moved", f.redirect(f"{elsewhere.url}/there"))
        own = dataclasses.replace(hetzner.importer, urls=(f"{web.url}/moved",))
        monkeypatch.setattr(hetzner, "importer", own)
        build(out, only=["hetzner"], insecure_http=True)

        assert web.requests[-1].headers["authorization"] == "Bearer s3cret"
        assert "authorization" not in elsewhere.requests[-1].headers


# --- gates ----------------------------------------------------------------------------------------


def figure(price: str, size: str = "small", region: str = "north", **more: str) -> Figure:
    return Figure("acme", size, region, exact_nano(Decimal(price)), SOURCE, **more)


def test_one_figure_for_each_key_or_none() -> None:
    kept, disputed = only_one_each([
        figure("1"), figure("1"), figure("2", "large"), figure("3", "large"),
        figure("3", "huge"), figure("3", "huge", currency="EUR"),
    ])  # fmt: skip

    assert kept == [figure("1")]
    assert disputed == [
        "huge north linux ondemand: 3 EUR, 3 USD",
        "large north linux ondemand: 2 USD, 3 USD",
    ]


def many(price: str, count: int) -> list[Figure]:
    return [figure(price, f"s{number}") for number in range(count)]


@pytest.mark.parametrize(
    ("before", "after", "disputes", "found"),
    [
        ([], many("1", 1), 0, []),
        (many("1", 100), many("1", 98), 0, []),
        (many("1", 100), many("1", 97), 0, ["97 figures in place of 100"]),
        (many("1", 100), many("1", 200), 0, []),
        (many("1", 100), many("2", 5) + many("1", 100)[5:], 0, []),
        (many("1", 100), many("2", 6) + many("1", 100)[6:], 0, ["6 of 100 figures changed"]),
        (many("1", 100), [], 0, ["there is no figure", "0 figures in place of 100"]),
        ([], many("1", 100), 1, []),
        ([], many("1", 100), 2, ["2 figures are in dispute beside 100 that are not"]),
        ([], [figure("0.00001")], 0, ["small north is 0.00001 USD an hour"]),
        ([], [figure("2001")], 0, ["small north is 2001 USD an hour"]),
    ],
)
def test_gates(before: list[Figure], after: list[Figure], disputes: int, found: list[str]) -> None:
    assert problems(after, {}, change_of(before, after), disputes) == found


def test_changes_are_counted_on_demand_only() -> None:
    before = [figure("1"), figure("2", "large"), figure("9", term="commit-1y")]
    after = [figure("3"), figure("4", "huge"), figure("8", term="commit-1y")]

    change = change_of(before, after)

    assert (change.before, change.after, change.changed, change.new, change.gone) == (2, 2, 1, 1, 1)


@pytest.mark.parametrize(
    ("price", "gpus", "is_held"), [("0.02", 0, False), ("60", 0, True), ("60", 8, False)]
)
def test_price_in_another_unit_is_held(price: str, gpus: float, is_held: bool) -> None:
    found = [figure(price)]

    reasons = problems(found, {"small": Spec(2, gpus=gpus)}, change_of([], found), 0)

    assert [one.endswith("look at the unit") for one in reasons] == ([True] if is_held else [])


def test_odd_figures_of_a_family() -> None:
    specs = {f"m5.{n}xlarge": Spec(4 * n, 16384 * n, burstable=False) for n in (1, 2, 4, 8)}
    found = [figure("1", "m5.1xlarge"), figure("2", "m5.2xlarge"), figure("4", "m5.4xlarge"),
             figure("9", "m5.8xlarge")]  # fmt: skip

    assert odd_figures(found, specs) == ["m5.8xlarge north linux: 1.12 times its family"]
    assert odd_figures(found[2:], specs) == []


def test_canary_that_differs_holds_a_provider(out: Path, base: Path, tmp_path: Path) -> None:
    wrong = changed(tmp_path, HETZNER, "0.0088000000", "0.0090000000")
    sources = {"hetzner": wrong, "digitalocean": DIGITALOCEAN}

    report = build(out, sources=sources, base=base)

    hetzner = of(report, "hetzner")
    assert (hetzner.outcome, hetzner.changed) == ("held", 1)
    assert hetzner.problems == (
        "cpx11 fsn1 linux is 0.009, known as 0.0088",
        "1 of 2 figures changed",
    )
    assert amount(unpacked(report, tmp_path), "hetzner", "cpx11", "fsn1") == Decimal("0.0088")

    accepted = build(out, sources=sources, base=base, accept=["hetzner"])
    assert of(accepted, "hetzner").outcome == "built"
    assert amount(unpacked(accepted, tmp_path), "hetzner", "cpx11", "fsn1") == Decimal("0.009")


def test_everything_held_builds_nothing(out: Path, tmp_path: Path) -> None:
    wrong = changed(tmp_path, HETZNER, "0.0088000000", "0.0090000000")

    with pytest.raises(BuildFailedError, match=r"hetzner: cpx11 fsn1 linux is 0\.009") as raised:
        build(out, sources={"hetzner": wrong})

    assert raised.value.exit_code == 3
    assert list(out.glob("*.json")) == []


def test_no_figure_cannot_be_accepted(out: Path, tmp_path: Path) -> None:
    empty = tmp_path / "empty.json"
    empty.write_text('{"server_types": []}')

    with pytest.raises(BuildFailedError, match="there is no figure"):
        build(out, sources={"hetzner": empty}, accept=["hetzner"])


def test_prices_in_dispute_are_left_out_and_named(out: Path, tmp_path: Path) -> None:
    data = json.loads(HETZNER.read_text())
    data["server_types"] += [{**data["server_types"][0], "name": f"cx{n}"} for n in range(300)]
    again = json.loads(json.dumps(data["server_types"][-1]))
    again["prices"][0]["price_hourly"]["net"] = "0.0310"
    data["server_types"].append(again)
    path = tmp_path / "twice.json"
    path.write_text(json.dumps(data))

    report = build(out, sources={"hetzner": path})

    assert of(report, "hetzner").disputed == ("cx299 ash linux ondemand: 0.028 EUR, 0.031 EUR",)
    made = unpacked(report, tmp_path)
    assert amount(made, "hetzner", "cx299", "ash") is None
    assert amount(made, "hetzner", "cx299", "fsn1") == Decimal("0.0088")


def test_every_price_says_where_it_comes_from(out: Path, tmp_path: Path) -> None:
    vultr = changed(tmp_path, SAMPLES / "vultr-plans.json", '"total": 151', '"total": 2')
    scaleway = changed(
        tmp_path,
        SAMPLES / "scaleway-public-catalog.json",
        '"total_count": 5286',
        '"total_count": 1',
    )
    sources = {
        "aws": AWS, "digitalocean": DIGITALOCEAN, "hetzner": HETZNER,
        "vultr": vultr, "scaleway": scaleway, "linode": SAMPLES / "linode-types.json",
        "ovh": SAMPLES / "ovh-cloud-catalog.json", "oci": SAMPLES / "oci-products.json",
        "upcloud": SAMPLES / "upcloud-price.json",
        "exoscale": SAMPLES / "exoscale-opencompute.json",
    }  # fmt: skip

    report = build(out, sources=sources)

    with pricing.open(unpacked(report, tmp_path)) as catalogue:
        found = list(catalogue.every_price())
    assert Counter(one.provider for one in found) == {
        one.provider: one.prices for one in report.providers
    }
    assert all(one.source.startswith("https://") and one.as_of for one in found)
    assert {(one.unit, one.term) for one in found} == {("hour", "ondemand")}
    assert all(one.amount > 0 for one in found)
