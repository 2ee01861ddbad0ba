"""``anysky storage``: list, copy and remove objects at any provider."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import click

from anysky.cli.output import plain, table
from anysky.errors import InvalidRequestError
from anysky.storage import Container, Object, Prefix, StorageDriver
from anysky.transfer import TransferOptions, TransferReport, copy, open_driver, sync
from anysky.transfer.places import CloudPlace, parse_place

__all__ = ["command"]

F = TypeVar("F", bound=Callable[..., Any])

_PARTLY_EXIT = 7
_BATCH = 1000
_UNITS = ("B", "KiB", "MiB", "GiB", "TiB", "PiB")
_STEP = 1024


def _output(function: F) -> F:
    kinds = click.Choice(["table", "json"])
    return click.option("-o", "--output", type=kinds, default="table", show_default=True)(function)


def _moving(function: F) -> F:
    """Add what the commands that move content have in common."""
    options = [
        click.option("--include", multiple=True, metavar="PATTERN", help="Only such names."),
        click.option("--exclude", multiple=True, metavar="PATTERN", help="No such names."),
        click.option("--concurrency", type=click.IntRange(1), default=16, show_default=True),
        click.option("--bandwidth", metavar="SIZE", help="At most so much a second, e.g. 10M."),
        click.option("--resume", is_flag=True, help="Go on with what was interrupted."),
        click.option("--encode-names", is_flag=True, help="Encode names that no file can have."),
    ]
    for option in reversed(options):
        function = option(function)
    return _output(function)


@click.group("storage")
def command() -> None:
    """List, copy and remove objects at any provider.

    A place is s3://bucket/key (with the name of any provider of object storage, or gs, az, swift),
    profile:container/key, or a local path. Credentials are those of the profile, or else those of
    the environment.

    Exit codes: 0 done, 1 failed, 2 wrong usage, 3 not found, 7 partly done.
    """


@command.command("ls")
@click.argument("place")
@click.option("-r", "--recursive", is_flag=True, help="All objects, not one level only.")
@_output
def list_(place: str, recursive: bool, output: str) -> None:
    """List containers, or the objects of one."""
    with _driver(place) as (driver, found):
        rows = _rows(driver, found, recursive=recursive)
        if output == "json":
            _print_json(list(rows))
            return
        for row in rows:
            size = "" if row["size"] is None else str(row["size"])
            click.echo(f"{size:>14}  {row['last_modified'] or '':<25}  {plain(row['name'])}")


@command.command("du")
@click.argument("place")
@_output
def usage(place: str, output: str) -> None:
    """Count the objects below a place, and their bytes."""
    count = total = 0
    with _driver(place) as (driver, found):
        for obj in _container(driver, found).iterate_objects(found.key or None):
            count += 1
            total += obj.size
    if output == "json":
        _print_json({"objects": count, "bytes": total})
    else:
        click.echo(f"{count} objects, {total} bytes ({_human(total)})")


@command.command("cat")
@click.argument("place")
def cat(place: str) -> None:
    """Print an object's content."""
    with _driver(place) as (driver, found):
        stream = sys.stdout.buffer
        for piece in driver.get_object(found.container, _key(found)).as_stream():
            stream.write(piece)
        stream.flush()


@command.command("cp")
@click.argument("source")
@click.argument("target")
@click.option("-r", "--recursive", is_flag=True, help="All that is below the source.")
@_moving
def copy_(source: str, target: str, recursive: bool, **options: Any) -> None:
    """Copy an object or file, or with -r all below a place."""
    with _progress(options["output"]) as progress:
        report = copy(source, target, recursive=recursive, progress=progress, **_arguments(options))
    _finish(report, options["output"])


@command.command("mv")
@click.argument("source")
@click.argument("target")
@_moving
def move(source: str, target: str, **options: Any) -> None:
    """Move an object or file: copy it, then delete the source."""
    with _progress(options["output"]) as progress:
        report = copy(source, target, progress=progress, **_arguments(options))
    if report:
        _remove_one(source)
    _finish(report, options["output"])


@command.command("sync")
@click.argument("source")
@click.argument("target")
@click.option("--delete", is_flag=True, help="Delete what is not in the source.")
@click.option(
    "--max-delete",
    default="30%",
    show_default=True,
    metavar="N|N%",
    help="Do nothing if more of the target would be deleted; a share counts from ten objects on.",
)
@click.option("--dry-run", is_flag=True, help="Only say what would be done.")
@click.option(
    "--compare",
    type=click.Choice(["mtime", "checksum", "size", "always"]),
    default="mtime",
    show_default=True,
    help="What tells objects of the same size apart.",
)
@_moving
def sync_(
    source: str,
    target: str,
    delete: bool,
    max_delete: str,
    dry_run: bool,
    compare: Any,
    **options: Any,
) -> None:
    """Make a place hold what another holds."""
    with _progress(options["output"]) as progress:
        report = sync(
            source,
            target,
            delete=delete,
            max_delete=max_delete,
            dry_run=dry_run,
            compare=compare,
            progress=progress,
            **_arguments(options),
        )
    _finish(report, options["output"])


@command.command("rm")
@click.argument("place")
@click.option("-r", "--recursive", is_flag=True, help="All that begins with it.")
@click.option("--dry-run", is_flag=True, help="Only say what would be deleted.")
@click.option("--yes", is_flag=True, help="Don't ask.")
@_output
def remove(place: str, recursive: bool, dry_run: bool, yes: bool, output: str) -> None:
    """Delete an object, or with -r all below a place."""
    report = TransferReport()
    with _driver(place) as (driver, found):
        if not recursive:
            objects = [driver.get_object(found.container, _key(found))]
        else:
            objects = list(_container(driver, found).iterate_objects(found.key or None))
        if dry_run:
            _print_names([obj.name for obj in objects], output)
            return
        if recursive and objects and not yes and sys.stdin.isatty():
            click.confirm(f"Delete {len(objects)} objects below {plain(place)}?", abort=True)
        for start in range(0, len(objects), _BATCH):
            outcomes = driver.delete_objects(objects[start : start + _BATCH])
            report.deleted += len(outcomes.done)
            report.not_tried += len(outcomes.not_tried)
            for failure in outcomes.failed:
                report.fail(failure.item.name, failure.error)
    _finish(report, output)


@command.command("mb")
@click.argument("place")
@click.option("--location", help="Region to make it in.")
@_output
def make(place: str, location: str | None, output: str) -> None:
    """Make a container."""
    with _driver(place) as (driver, found):
        container = driver.create_container(_only_container(found), location)
    _print_names([container.name], output)


@command.command("rb")
@click.argument("place")
@_output
def unmake(place: str, output: str) -> None:
    """Delete an empty container."""
    with _driver(place) as (driver, found):
        name = _only_container(found)
        driver.delete_container(Container(name, {}, driver))
    _print_names([name], output)


@command.command("presign")
@click.argument("place")
@click.option("--method", type=click.Choice(["GET", "PUT"]), default="GET", show_default=True)
@click.option("--expires", type=click.IntRange(1), default=3600, show_default=True, help="Seconds.")
@_output
def presign(place: str, method: str, expires: int, output: str) -> None:
    """Print an address with which anybody may read or store an object."""
    with _driver(place) as (driver, found):
        container = Container(found.container, {}, driver)
        made = driver.presign(container, _key(found), method, expires)
    if output == "json":
        facts = {"url": made.url, "method": made.method, "headers": dict(made.headers)}
        _print_json({**facts, "expires_at": made.expires_at.isoformat()})
        return
    click.echo(made.url)
    for name, value in made.headers.items():
        click.echo(f"send {name}: {value}", err=True)


@contextmanager
def _driver(text: str) -> Generator[tuple[StorageDriver, CloudPlace]]:
    found = parse_place(text)
    if isinstance(found, Path):
        raise click.UsageError(
            f"{text!r} is a local path; write s3://bucket/key or profile:container/key"
        )
    with open_driver(found.profile) as driver:
        yield driver, found


def _container(driver: StorageDriver, found: CloudPlace) -> Container:
    if not found.container:
        raise click.UsageError(f"{found} names no container")
    return Container(found.container, {}, driver)


def _only_container(found: CloudPlace) -> str:
    if not found.container or found.key:
        raise click.UsageError(f"{found} is no container")
    return found.container


def _key(found: CloudPlace) -> str:
    if not found.container or not found.key:
        raise click.UsageError(f"{found} names no object")
    return found.key


def _rows(driver: StorageDriver, found: CloudPlace, *, recursive: bool) -> Iterator[dict[str, Any]]:
    if not found.container:
        for container in driver.iterate_containers():
            yield {"name": container.name, "size": None, "last_modified": None}
        return
    container = _container(driver, found)
    if recursive:
        for obj in container.iterate_objects(found.key or None):
            yield _row(obj)
        return
    for item in container.iterate_directory(found.key or None):
        yield _row(item)


def _row(item: Object | Prefix) -> dict[str, Any]:
    if isinstance(item, Prefix):
        return {"name": item.name, "size": None, "last_modified": None}
    modified = item.extra.get("last_modified")
    when = modified.isoformat(timespec="seconds") if modified else None
    return {"name": item.name, "size": item.size, "last_modified": when}


def _arguments(options: dict[str, Any]) -> dict[str, Any]:
    bandwidth = options["bandwidth"]
    return {
        "include": options["include"],
        "exclude": options["exclude"],
        "concurrency": options["concurrency"],
        "encode_names": options["encode_names"],
        "transfer": TransferOptions(
            resume=options["resume"], max_bandwidth=_size(bandwidth) if bandwidth else None
        ),
    }


def _size(text: str) -> float:
    """Read ``10M`` and the like."""
    number = text.rstrip("BiKMGTkmgt")
    unit = text[len(number) :][:1].upper()
    try:
        return float(number) * float(_STEP) ** ("BKMGT".index(unit) if unit else 0)
    except ValueError:
        raise click.UsageError(f"{text!r} is no size, as 10M would be") from None


def _remove_one(source: str) -> None:
    found = parse_place(source)
    if isinstance(found, Path):
        try:
            found.unlink()
        except OSError as error:
            raise InvalidRequestError(f"cannot delete {source}: {error.strerror}") from error
        return
    with open_driver(found.profile) as driver:
        driver.delete_object(driver.get_object(found.container, found.key))


@contextmanager
def _progress(output: str) -> Generator[Callable[[TransferReport], None] | None]:
    """Show on a terminal how far it has come."""
    if output == "json" or not sys.stderr.isatty():
        yield None
        return

    def show(report: TransferReport) -> None:
        line = f"{report.copied} copied ({_human(report.bytes)}), {len(report.failed)} failed"
        click.echo(f"\r\033[K{line}", err=True, nl=False)

    try:
        yield show
    finally:
        click.echo("\r\033[K", err=True, nl=False)


def _finish(report: TransferReport, output: str) -> None:
    if output == "json":
        _print_json(_facts(report))
    else:
        _tell(report)
    if not report:
        done = report.copied or report.deleted or report.unchanged
        sys.exit(_PARTLY_EXIT if done else 1)


def _facts(report: TransferReport) -> dict[str, Any]:
    failed = [{"name": one.item, "error": str(one.error)} for one in report.failed]
    actions = [
        {"kind": one.kind, "name": one.name, "size": one.size, "reason": one.reason}
        for one in report.actions
    ]
    return {
        "copied": report.copied,
        "bytes": report.bytes,
        "unchanged": report.unchanged,
        "deleted": report.deleted,
        "failed": failed,
        "not_tried": report.not_tried,
        "actions": actions,
    }


def _tell(report: TransferReport) -> None:
    if report.actions:
        rows = [(one.kind, str(one.size), one.reason, one.name) for one in report.actions]
        click.echo(table(("what", "bytes", "why", "name"), rows))
    click.echo(
        f"{report.copied} copied ({_human(report.bytes)}), {report.unchanged} unchanged, "
        f"{report.deleted} deleted, {len(report.failed)} failed, {report.not_tried} not tried"
    )
    for failure in report.failed:
        click.echo(f"failed: {plain(failure.item)}: {plain(str(failure.error))}", err=True)


def _print_names(names: list[str], output: str) -> None:
    if output == "json":
        _print_json(names)
    else:
        for name in names:
            click.echo(plain(name))


def _print_json(content: Any) -> None:
    click.echo(json.dumps(content, indent=2))


def _human(size: float) -> str:
    unit = 0
    while size >= _STEP and unit < len(_UNITS) - 1:
        size /= _STEP
        unit += 1
    return f"{size:.0f} {_UNITS[unit]}" if unit == 0 else f"{size:.1f} {_UNITS[unit]}"
