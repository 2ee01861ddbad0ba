"""Updates: what is newer and sound is installed, anything else changes nothing."""

from __future__ import annotations

import asyncio
import errno
import gzip
import hashlib
import json
import multiprocessing
import os
import sqlite3
import subprocess
import sys
import threading
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from anysky import pricing
from anysky.aio import pricing as aio_pricing
from anysky.errors import (
    CloudError,
    ConnectionFailedError,
    InvalidRequestError,
    UnsafeResponseError,
)
from anysky.pricing import (
    CatalogueDamagedError,
    CatalogueSchemaError,
    CatalogueStoreError,
    UpdateLockedError,
    UpdateResult,
    UpdateUnavailableError,
    UpdateVerificationError,
)
from anysky.pricing.places import BUNDLED_VERSION, data_dir
from anysky.pricing.store import Store
from anysky.transport.settings import HTTPSettings
from tests.support import faults as f

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.pricing.publisher import Publisher
    from tests.support.certificates import Certificates
    from tests.support.proxy import RecordingProxy

    Make = Callable[..., Path]
    Update = Callable[..., UpdateResult]


@pytest.fixture(params=["blocking", "asyncio"])
def update(request: pytest.FixtureRequest, publisher: Publisher) -> Update:
    """Update in either API, by the publisher's key unless something else is said."""

    def run(url: object, **options: Any) -> UpdateResult:
        if not options.get("allow_unsigned"):
            options.setdefault("key", publisher.key)
        if request.param == "blocking":
            return pricing.update(str(url), **options)
        return asyncio.run(aio_pricing.update(str(url), **options))

    return run


def files(folder: Path) -> dict[str, str]:
    """Return what is in a folder by name, as hashes."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.glob("*"))
        if path.name != "update.lock"
    }


def amount() -> Decimal | None:
    price = pricing.price("acme", "small", "north")
    return price and price.amount


def test_update_installs_and_look_ups_use_it(
    update: Update, publisher: Publisher, make: Make, data_home: Path
) -> None:
    manifest = publisher.publish(make(), "2030.01.01")
    assert amount() is None

    result = update(manifest)

    (installed,) = data_home.glob("prices-2030.01.01-*.db")
    assert result == UpdateResult(
        outcome="installed", version="2030.01.01", previous=BUNDLED_VERSION,
        path=str(installed), url=str(manifest), signed_by="timestamp:1",
    )  # fmt: skip
    assert amount() == Decimal("0.5")
    assert "newer than the bundled" in pricing.info().reason
    assert pricing.verify() == "2030.01.01"


def test_update_to_what_is_there_changes_nothing(
    update: Update, publisher: Publisher, make: Make, data_home: Path
) -> None:
    manifest = publisher.publish(make(), "2030.01.01")
    update(manifest)
    before = files(data_home)

    result = update(manifest)

    assert result.outcome == "current"
    assert files(data_home) == before


def test_file_url_and_check(update: Update, publisher: Publisher, make: Make) -> None:
    url = publisher.publish(make(), "2030.01.01").as_uri()

    assert update(url, check=True).outcome == "available"
    assert amount() is None
    assert update(url).outcome == "installed"


def test_older_version_is_refused_unless_allowed(
    update: Update, publisher: Publisher, make: Make, data_home: Path
) -> None:
    update(publisher.publish(make("2030.02.02", "0.6"), "2030.02.02"))
    older = publisher.publish(make("2030.01.01", "0.5"), "2030.01.01")
    before = files(data_home)

    with pytest.raises(UpdateVerificationError, match=r"2030\.01\.01 is older than 2030\.02\.02"):
        update(older)
    assert files(data_home) == before

    assert update(older, allow_older=True).outcome == "installed"
    assert amount() == Decimal("0.5")


def test_older_than_the_bundled_is_refused_and_pinned_when_allowed(
    update: Update, publisher: Publisher, make: Make
) -> None:
    manifest = publisher.publish(make("2020.01.01"), "2020.01.01")

    with pytest.raises(UpdateVerificationError, match="is older"):
        update(manifest)
    update(manifest, allow_older=True)

    assert amount() == Decimal("0.5")
    assert pricing.info().reason == "version 2020.01.01 is pinned"


def test_rollback_and_pin(update: Update, publisher: Publisher, make: Make) -> None:
    update(publisher.publish(make("2030.01.01", "0.5"), "2030.01.01"))
    newest = publisher.publish(make("2030.02.02", "0.6"), "2030.02.02")
    update(newest)
    assert amount() == Decimal("0.6")

    assert pricing.rollback() == "2030.01.01"
    assert amount() == Decimal("0.5")
    assert update(newest).outcome == "pinned"
    assert amount() == Decimal("0.5")

    pricing.pin(None)
    assert update(newest).outcome == "installed"
    assert amount() == Decimal("0.6")
    pricing.pin("2030.01.01")
    assert amount() == Decimal("0.5")
    pricing.pin("bundled")
    assert amount() is None
    with pytest.raises(pricing.CatalogueMissingError, match=r"1999\.01\.01 is not installed"):
        pricing.pin("1999.01.01")


def test_rollback_of_the_first_update(update: Update, publisher: Publisher, make: Make) -> None:
    with pytest.raises(pricing.CatalogueMissingError, match="no update is installed"):
        pricing.rollback()
    update(publisher.publish(make(), "2030.01.01"))

    assert pricing.rollback() == BUNDLED_VERSION
    assert amount() is None


def test_only_one_before_is_kept(
    update: Update, publisher: Publisher, make: Make, data_home: Path
) -> None:
    for day in ("01", "02", "03"):
        update(publisher.publish(make(f"2030.01.{day}"), f"2030.01.{day}"))

    kept = sorted(path.name[:17] for path in data_home.glob("prices-*"))
    assert kept == ["prices-2030.01.02", "prices-2030.01.03"]
    assert not list(data_home.glob("*.part"))


# --- hostile answers ------------------------------------------------------------------------------


def bad_hash(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", sha256="0" * 64)


def bad_raw_hash(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", raw_sha256="0" * 64)


def bad_signature(publisher: Publisher, path: Path) -> None:
    manifest = publisher.publish(path, "2030.03.03")
    manifest.write_bytes(manifest.read_bytes().replace(b"2090", b"2091"))


def no_signature(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03").with_name("manifest.json.minisig").unlink()


def truncated(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03")
    packed = publisher.folder / "2030.03.03" / "prices.db.gz"
    packed.write_bytes(packed.read_bytes()[:-10])


def too_long(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03")
    with (publisher.folder / "2030.03.03" / "prices.db.gz").open("ab") as file:
        file.write(b"more")


def bomb(publisher: Publisher, path: Path) -> None:
    packed = gzip.compress(bytes(200_000_000), 9)
    publisher.publish(path, "2030.03.03", size=len(packed))
    (publisher.folder / "2030.03.03" / "prices.db.gz").write_bytes(packed)


def huge_sizes(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", size=1 << 40, raw_size=1 << 50)


def no_gzip(publisher: Publisher, path: Path) -> None:
    content = b"<html>moved</html>"
    publisher.publish(path, "2030.03.03", size=len(content))
    (publisher.folder / "2030.03.03" / "prices.db.gz").write_bytes(content)


def html_manifest(publisher: Publisher, path: Path) -> None:
    publisher.write(b"<!doctype html><title>Sign in</title>")


def huge_manifest(publisher: Publisher, path: Path) -> None:
    publisher.write(b" " * 70_000)


def deep_manifest(publisher: Publisher, path: Path) -> None:
    publisher.write(b"[" * 60_000)


def expired(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", expires="2026-01-01T00:00:00Z")


def odd_version(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", version="../../x")


def unknown_schema(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", schema=2)


def newer_reader(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", min_reader=2)


def wrong_rows(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", rows={"acme": 5})


def other_version_inside(publisher: Publisher, path: Path) -> None:
    (publisher.folder / "2030.04.04").mkdir()
    publisher.publish(path, "2030.04.04")


def elsewhere(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", url="../../../etc/passwd")


def gone(publisher: Publisher, path: Path) -> None:
    publisher.publish(path, "2030.03.03", url="2030.03.03/none.gz")


def altered(statement: str) -> Callable[[Publisher, Path], None]:
    """Return what publishes a catalogue after a statement was run in it."""

    def publish(publisher: Publisher, path: Path) -> None:
        connection = sqlite3.connect(path)
        connection.executescript(statement)
        connection.close()
        publisher.publish(path, "2030.03.03")

    return publish


HOSTILE = [
    (bad_hash, UpdateVerificationError, "SHA-256"),
    (bad_raw_hash, UpdateVerificationError, "SHA-256"),
    (bad_signature, UpdateVerificationError, "signature is wrong"),
    (no_signature, UpdateUnavailableError, "cannot read .*minisig"),
    (truncated, UpdateVerificationError, "not whole"),
    (too_long, UpdateVerificationError, "more than the promised"),
    (bomb, UpdateVerificationError, "unpacks to more"),
    (huge_sizes, UpdateVerificationError, "impossible size, raw_size"),
    (no_gzip, UpdateVerificationError, "download is damaged"),
    (html_manifest, UpdateVerificationError, "no manifest"),
    (huge_manifest, UpdateVerificationError, "more than 65536 bytes"),
    (deep_manifest, UpdateVerificationError, "no manifest"),
    (expired, UpdateVerificationError, "expired on 2026-01-01"),
    (odd_version, UpdateVerificationError, "impossible version"),
    (unknown_schema, CatalogueSchemaError, "upgrade anysky"),
    (newer_reader, CatalogueSchemaError, "upgrade anysky"),
    (wrong_rows, UpdateVerificationError, "another number of prices"),
    (other_version_inside, UpdateVerificationError, "not '2030.04.04'"),
    (elsewhere, UpdateVerificationError, "leads to"),
    (gone, UpdateUnavailableError, "cannot read"),
    (
        altered("create trigger t after insert on meta begin delete from meta; end"),
        UpdateVerificationError,
        "the trigger 't'",
    ),
    (altered("create view v as select 1"), UpdateVerificationError, "the view 'v'"),
    (altered("create table extra (a)"), UpdateVerificationError, "the table 'extra'"),
    (
        altered("drop table rate; create table rate (a text check (a > 1))"),
        UpdateVerificationError,
        "the table 'rate'",
    ),
    (altered("drop table alias"), UpdateVerificationError, "no table 'alias'"),
    (
        altered("alter table rate rename column sku to other"),
        UpdateVerificationError,
        "'rate' lacks columns",
    ),
    (altered("update size set prices = x'00ffff'"), UpdateVerificationError, "malformed"),
    (altered("delete from region"), UpdateVerificationError, "without offer or region"),
    (altered("pragma user_version = 9"), CatalogueSchemaError, "schema 9"),
    (altered("pragma application_id = 9"), UpdateVerificationError, "no price catalogue"),
]


@pytest.mark.parametrize(
    ("publish", "error", "message"),
    HOSTILE,
    ids=[f"{number}-{one[2]}" for number, one in enumerate(HOSTILE)],
)
def test_hostile_catalogue_changes_nothing(
    update: Update,
    publisher: Publisher,
    make: Make,
    data_home: Path,
    publish: Callable[[Publisher, Path], None],
    error: type[CloudError],
    message: str,
) -> None:
    update(publisher.publish(make(), "2030.01.01"))
    before = files(data_home)
    publish(publisher, make("2030.03.03", "0.9"))

    with pytest.raises(error, match=message):
        update(publisher.manifest)

    assert files(data_home) == before
    assert amount() == Decimal("0.5")
    assert pricing.verify() == "2030.01.01"


def test_first_mirror_that_is_right_serves(
    update: Update, publisher: Publisher, make: Make
) -> None:
    mirrors = ["nowhere.gz", "2030.01.01/prices.db.gz"]
    manifest = publisher.publish(make(), "2030.01.01", url="none.gz", mirrors=mirrors)

    assert update(manifest).outcome == "installed"


def test_unsigned_when_allowed(update: Update, publisher: Publisher, make: Make) -> None:
    manifest = publisher.publish(make(), "2030.01.01")
    manifest.with_name("manifest.json.minisig").unlink()

    assert update(manifest, allow_unsigned=True).signed_by is None


def test_projects_own_key_is_asked_for_by_default(publisher: Publisher, make: Make) -> None:
    manifest = publisher.publish(make(), "2030.01.01")

    with pytest.raises(UpdateVerificationError, match="unknown key"):
        pricing.update(manifest)


def test_catalogue_that_is_not_packed(update: Update, publisher: Publisher, make: Make) -> None:
    path = make()
    content = path.read_bytes()
    (publisher.folder / "plain.db").write_bytes(content)
    manifest = publisher.publish(
        path, "2030.01.01", url="plain.db", encoding="identity", size=len(content),
        sha256=hashlib.sha256(content).hexdigest(),
    )  # fmt: skip

    assert update(manifest).outcome == "installed"


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("http://127.0.0.1:9/manifest.json", "is not https"),
        ("https://user:pw@127.0.0.1:9/manifest.json", "no password"),
        ("file://elsewhere/manifest.json", "another machine"),
        ("ftp://127.0.0.1/manifest.json", "is not https"),
    ],
)
def test_addresses_that_are_refused(update: Update, url: str, message: str) -> None:
    with pytest.raises(InvalidRequestError, match=message) as caught:
        update(url)
    assert "pw" not in str(caught.value)


# --- over HTTP ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Folder(f.Action):
    """Serves files, with ETags."""

    root: Path

    def play(self, handler: f.FaultHandler) -> None:
        path = self.root / handler.path.partition("?")[0].lstrip("/")
        if not path.is_file():
            f.Answer(404, b"<html>none</html>").play(handler)
            return
        body = path.read_bytes()
        etag = f'"{hashlib.sha256(body).hexdigest()}"'
        same = handler.headers.get("If-None-Match") == etag
        answer = f.Answer(304, b"") if same else f.Answer(200, body, (("ETag", etag),))
        answer.play(handler)


@pytest.fixture
def web(faults: f.FaultServer, publisher: Publisher) -> f.FaultServer:
    faults.otherwise = Folder(publisher.folder)
    return faults


def address(web: f.FaultServer) -> str:
    return f"http://127.0.0.1:{web.port}/manifest.json"


def test_update_over_http_asks_only_for_what_is_new(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer
) -> None:
    publisher.publish(make(), "2030.01.01")
    seen: list[tuple[int, int]] = []

    first = update(address(web), insecure_http=True, progress=lambda *now: seen.append(now))
    second = update(address(web), insecure_http=True)

    assert (first.outcome, second.outcome, amount()) == ("installed", "current", Decimal("0.5"))
    assert seen[-1][0] == seen[-1][1] > 0
    assert [received.path for received in web.requests] == [
        "/manifest.json",
        "/manifest.json.minisig",
        "/2030.01.01/prices.db.gz",
        "/manifest.json",
    ]


def test_token_in_the_query_goes_with_every_request_but_into_no_message(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer
) -> None:
    publisher.publish(make(), "2030.01.01", url="2030.01.01/prices.db.gz?token=secret")

    result = update(f"{address(web)}?token=secret", insecure_http=True)

    assert {received.query for received in web.requests} == {(("token", "secret"),)}
    assert "secret" not in result.url


def test_installed_catalogue_that_expired_is_not_called_current(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer, data_home: Path
) -> None:
    publisher.publish(make(), "2030.01.01")
    update(address(web), insecure_http=True)
    store = Store(str(data_home))
    store.write_state({**store.state(), "expires": "2026-01-01T00:00:00+00:00"})

    with pytest.raises(UpdateVerificationError, match="expired"):
        update(address(web), insecure_http=True)


def test_file_that_is_gone_is_fetched_again(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer, data_home: Path
) -> None:
    publisher.publish(make(), "2030.01.01")
    update(address(web), insecure_http=True)
    next(data_home.glob("prices-*.db")).unlink()
    with pytest.raises(pricing.CatalogueMissingError, match="update --force"):
        amount()

    assert update(address(web), insecure_http=True, force=True).outcome == "installed"
    assert amount() == Decimal("0.5")


@pytest.mark.parametrize(
    ("action", "error"),
    [
        (f.Answer(404, b"<html>none</html>"), UpdateUnavailableError),
        (f.Answer(403, b""), UpdateUnavailableError),
        (f.Answer(204, b""), UpdateUnavailableError),
        (f.wrong_content_type(), UpdateVerificationError),
        (f.EndlessBody(), UpdateVerificationError),
        (f.TruncatedBody(), ConnectionFailedError),
        (f.redirect("http://127.0.0.1:9/elsewhere"), ConnectionFailedError),
        (f.huge_header(), UnsafeResponseError),
    ],
    ids=lambda value: getattr(value, "__name__", type(value).__name__),
)
def test_broken_servers(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer, action: f.Action,
    error: type[CloudError], data_home: Path,
) -> None:  # fmt: skip
    update(publisher.publish(make(), "2030.01.01"))
    before = files(data_home)
    web.on("/manifest.json", action)

    with pytest.raises(error):
        update(address(web), insecure_http=True, allow_unsigned=True)

    assert files(data_home) == before


def test_redirects_are_followed_a_few_times(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer
) -> None:
    publisher.publish(make(), "2030.01.01")
    web.on("/old", f.redirect("/manifest.json"))
    web.on("/round", f.redirect("/round"))

    moved = f"http://127.0.0.1:{web.port}"
    assert update(f"{moved}/old", insecure_http=True, allow_unsigned=True, check=True)
    with pytest.raises(UpdateUnavailableError, match="too often"):
        update(f"{moved}/round", insecure_http=True, allow_unsigned=True)


def test_no_network(update: Update) -> None:
    with pytest.raises(ConnectionFailedError):
        update("http://127.0.0.1:9/manifest.json", insecure_http=True)


def test_download_that_breaks_off(
    update: Update, publisher: Publisher, make: Make, web: f.FaultServer, data_home: Path
) -> None:
    publisher.publish(make(), "2030.01.01")
    packed = (publisher.folder / "2030.01.01" / "prices.db.gz").read_bytes()
    web.on("/2030.01.01/prices.db.gz", f.ResetInBody(packed))

    with pytest.raises(ConnectionFailedError):
        update(address(web), insecure_http=True)

    assert files(data_home) == {}


@pytest.fixture
def secure(publisher: Publisher, certificates: Certificates) -> Iterator[f.FaultServer]:
    with f.FaultServer(tls=certificates.server_context("good")) as server:
        server.otherwise = Folder(publisher.folder)
        yield server


def test_https_through_a_proxy(
    update: Update, publisher: Publisher, make: Make, secure: f.FaultServer, proxy: RecordingProxy,
    certificates: Certificates,
) -> None:  # fmt: skip
    publisher.publish(make(), "2030.01.01")
    http = HTTPSettings(proxy=proxy.url, verify=certificates.client_context())

    result = update(f"https://127.0.0.1:{secure.port}/manifest.json", http=http)

    assert result.outcome == "installed"
    assert {passed.method for passed in proxy.passed} == {"CONNECT"}


def test_https_redirect_to_plain_http_is_refused(
    update: Update, secure: f.FaultServer, certificates: Certificates
) -> None:
    secure.on("/manifest.json", f.redirect("http://127.0.0.1:9/manifest.json"))
    http = HTTPSettings(proxy="", verify=certificates.client_context())

    with pytest.raises(UpdateVerificationError, match="away from https"):
        update(f"https://127.0.0.1:{secure.port}/manifest.json", http=http, insecure_http=True)


def test_unknown_certificate_is_refused(
    update: Update, publisher: Publisher, certificates: Certificates
) -> None:
    with (
        f.FaultServer(tls=certificates.server_context("good")) as server,
        pytest.raises(ConnectionFailedError, match="certificate"),
    ):
        update(f"https://127.0.0.1:{server.port}/manifest.json", http=HTTPSettings(proxy=""))


def test_cancelled_update_leaves_nothing(
    publisher: Publisher, make: Make, web: f.FaultServer, data_home: Path
) -> None:
    publisher.publish(make(), "2030.01.01")
    packed = (publisher.folder / "2030.01.01" / "prices.db.gz").read_bytes()
    web.on("/2030.01.01/prices.db.gz", f.Drip(packed, bytes_per_second=10))

    async def give_up() -> None:
        url = address(web)
        job = aio_pricing.update(url, key=publisher.key, insecure_http=True)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(job, 0.5)

    asyncio.run(give_up())

    assert files(data_home) == {}
    with Store(str(data_home)).locked():
        assert amount() is None


# --- the disk, and others -------------------------------------------------------------------------


def test_folder_that_cannot_be_made(
    update: Update, publisher: Publisher, make: Make, tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    manifest = publisher.publish(make(), "2030.01.01")
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "file"))

    with pytest.raises(CatalogueStoreError, match="cannot write"):
        update(manifest)
    assert pricing.price("aws", "m5.large", "eu-west-1") is not None


@pytest.mark.parametrize("at", [1, 2, 3])
def test_full_disk(
    update: Update, publisher: Publisher, make: Make, data_home: Path,
    monkeypatch: pytest.MonkeyPatch, at: int,
) -> None:  # fmt: skip
    update(publisher.publish(make(), "2030.01.01"))
    newer = publisher.publish(make("2030.02.02", "0.6"), "2030.02.02")
    before = files(data_home)
    calls = iter(range(1, 100))

    def fsync(number: int) -> None:
        if next(calls) == at:
            raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(CatalogueStoreError, match="No space left"):
        update(newer)
    monkeypatch.undo()
    monkeypatch.setenv("XDG_DATA_HOME", str(data_home.parents[2]))

    assert {name: before[name] for name in before} == {
        name: digest for name, digest in files(data_home).items() if name in before
    }
    assert amount() == Decimal("0.5")
    assert not list(data_home.glob("*.part"))


def test_killed_half_way(update: Update, publisher: Publisher, make: Make, data_home: Path) -> None:
    update(publisher.publish(make(), "2030.01.01"))
    newer = publisher.publish(make("2030.02.02", "0.6"), "2030.02.02")
    program = (
        "import os; from anysky import pricing; from anysky.pricing.downloading import Download\n"
        "Download.finish = lambda self: os._exit(9)\n"
        f"pricing.update({str(newer)!r}, key={publisher.key!r})"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)

    assert done.returncode == 9
    assert len(list(data_home.glob("*.part"))) == 1
    assert (amount(), pricing.verify()) == (Decimal("0.5"), "2030.01.01")

    assert update(newer).outcome == "installed"
    assert not list(data_home.glob("*.part"))


def test_another_update_is_running(
    publisher: Publisher, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = publisher.publish(make(), "2030.01.01")
    monkeypatch.setattr("anysky.pricing.updating.LOCK_WAIT", 0.2)
    with Store(data_dir()).locked():
        with pytest.raises(UpdateLockedError, match=f"process {os.getpid()}"):
            pricing.update(manifest, key=publisher.key)
        with pytest.raises(UpdateLockedError):
            pricing.pin("bundled")


def test_damaged_pointer(update: Update, publisher: Publisher, make: Make, data_home: Path) -> None:
    manifest = publisher.publish(make(), "2030.01.01")
    update(manifest)
    (data_home / "current").write_bytes(b"\xff\xfe half a li")

    with pytest.raises(CatalogueDamagedError, match="update --force"):
        amount()
    with pytest.raises(CatalogueDamagedError):
        update(manifest)

    update(manifest, force=True)
    assert amount() == Decimal("0.5")


def test_installed_file_that_was_changed(
    update: Update, publisher: Publisher, make: Make, data_home: Path
) -> None:
    manifest = publisher.publish(make(), "2030.01.01")
    update(manifest)
    path = next(data_home.glob("prices-*.db"))
    path.write_bytes(path.read_bytes().replace(b"vendor.example", b"vandal.example"))

    with pytest.raises(CatalogueDamagedError, match="was changed"):
        pricing.verify()
    update(manifest, force=True)
    assert pricing.verify() == "2030.01.01"


def update_again_and_again(folder: str, key: str, count: int) -> None:
    for _ in range(count):
        pricing.update(f"{folder}/manifest.json", key=key, force=True)


def test_several_updates_and_a_thousand_look_ups_at_once(
    publisher: Publisher, make: Make, data_home: Path
) -> None:
    pricing.update(publisher.publish(make(), "2030.01.01"), key=publisher.key)
    folder = str(publisher.folder)
    context = multiprocessing.get_context("spawn")
    updaters = [
        context.Process(target=update_again_and_again, args=(folder, publisher.key, 5))
        for _ in range(2)
    ]
    wrong: list[object] = []

    def look_up() -> None:
        for _ in range(250):
            try:
                if amount() != Decimal("0.5"):
                    wrong.append(amount())
            except CloudError as error:
                wrong.append(error)

    readers = [threading.Thread(target=look_up) for _ in range(4)]
    for worker in (*updaters, *readers):
        worker.start()
    for worker in (*updaters, *readers):
        worker.join()

    assert [updater.exitcode for updater in updaters] == [0, 0]
    assert wrong == []
    assert pricing.verify() == "2030.01.01"
    assert len(list(data_home.glob("prices-*.db"))) == 1


# --- price files of Libcloud ----------------------------------------------------------------------


def libcloud_file(folder: Path, updated: object = 1_900_000_000) -> Path:
    regions = {f"eu-west-{n}": 0.107 for n in (1, 2, 3)} | {"eu-central-1": 0.107}
    twice = dict.fromkeys(regions, 0.214)
    windows = dict.fromkeys(regions, 0.199) | {"eu-west-1": 0.107}
    compute = {
        "ec2_linux": {"m5.large": {**regions, "eu-west-2": 0.0}, "m5.xlarge": twice},
        "ec2_windows": {"m5.large": windows, "m5a.large": windows},
        "azure_linux": {"standardd2sv3": {"westeurope": 0.12}, "lowpriorityd1": {"westus": 0.1}},
        "gogrid": {"1GB": 0.19},
    }
    path = folder / "pricing.json"
    path.write_text(json.dumps({"compute": compute, "storage": {}, "updated": updated}))
    return path


def test_price_file_of_libcloud(update: Update, tmp_path: Path) -> None:
    path = libcloud_file(tmp_path)

    with pytest.raises(UpdateVerificationError, match="not signed"):
        update(path, format="libcloud")
    result = update(path, format="libcloud", allow_unsigned=True)

    assert (result.outcome, result.version) == ("installed", "2030.03.17")
    found = pricing.price("aws", "m5.large", "eu-west-1", require=True)
    assert found is not None
    assert (found.amount, found.as_of, found.source) == (Decimal("0.107"), "2030-03-17", str(path))
    assert pricing.price("azure", "Standard_D2s_v3", "westeurope") is not None
    assert pricing.search(vcpu=2, ram_gb=8)[0].size.name == "m5.large"
    assert pricing.price("gogrid", "1GB", "") is None
    assert update(path, format="libcloud", allow_unsigned=True).outcome == "current"


@pytest.mark.parametrize(
    "content",
    [b"", b"[]", b"<html>", b"{}", b'{"updated": 1900000000}', b"[" * 100_000,
     b'{"updated": 1900000000, "compute": {"ec2_linux": 1}}',
     b'{"updated": 1900000000, "compute": {"ec2_linux": {"m5.large": {"eu-west-1": "x"}}}}',
     b'{"updated": 1e400, "compute": {}}', b'{"updated": 19000000000000000, "compute": {}}'],
)  # fmt: skip
def test_file_that_is_none_of_libcloud(update: Update, tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "pricing.json"
    path.write_bytes(content)

    with pytest.raises(UpdateVerificationError, match="no price file"):
        update(path, format="libcloud", allow_unsigned=True)
    assert amount() is None


def test_updates_of_one_event_loop_wait_for_each_other(publisher: Publisher, make: Make) -> None:
    manifest = publisher.publish(make(), "2030.01.01")

    async def together() -> list[UpdateResult]:
        jobs = [aio_pricing.update(manifest, key=publisher.key) for _ in range(4)]
        return await asyncio.gather(*jobs)

    outcomes = sorted(result.outcome for result in asyncio.run(together()))

    assert outcomes == ["current", "current", "current", "installed"]


def test_rollback_to_a_damaged_catalogue_changes_nothing(
    update: Update, publisher: Publisher, make: Make, data_home: Path
) -> None:
    update(publisher.publish(make("2030.01.01", "0.5"), "2030.01.01"))
    update(publisher.publish(make("2030.02.02", "0.6"), "2030.02.02"))
    (previous,) = data_home.glob("prices-2030.01.01-*")
    previous.write_bytes(b"damaged")

    with pytest.raises(CatalogueDamagedError, match="is damaged"):
        pricing.rollback()
    with pytest.raises(CatalogueDamagedError, match="is damaged"):
        pricing.pin("2030.01.01")
    previous.unlink()
    with pytest.raises(CatalogueDamagedError, match="cannot read"):
        pricing.rollback()

    assert (amount(), pricing.verify()) == (Decimal("0.6"), "2030.02.02")
