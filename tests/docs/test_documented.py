"""Nothing public is missing from the documentation."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re
from typing import TYPE_CHECKING

import click
import pytest

import anysky
import anysky.providers
from anysky import errors, registry
from anysky.backend.base import Backend
from anysky.capabilities import contract_operations
from anysky.cli import main
from anysky.names import DriverType
from tests.docs.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator


DOCS = ROOT / "docs"
OWN_PROVIDERS = sorted(found.name for found in pkgutil.iter_modules(anysky.providers.__path__))
TOCTREE = re.compile(r"^```\{toctree\}\n(.*?)^```", re.DOTALL | re.MULTILINE)


def public_modules() -> Iterator[str]:
    for found in pkgutil.walk_packages(anysky.__path__, "anysky."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield found.name


def contract(kind: str) -> type[Backend]:
    """Return the class in `anysky.backend` that names the operations of a service."""
    module = importlib.import_module(f"anysky.backend.{kind}")
    defined = [value for value in vars(module).values() if inspect.isclass(value)]
    return next(one for one in defined if issubclass(one, Backend) and one is not Backend)


def commands(command: click.Command, path: str) -> Iterator[str]:
    """Yield the command lines of a command and of those in it."""
    if not isinstance(command, click.Group):
        yield path
        return
    context = click.Context(command)
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        if not inner.hidden:
            yield from commands(inner, f"{path} {name}")


@pytest.mark.parametrize("name", OWN_PROVIDERS)
def test_provider_has_a_page_with_its_settings_and_operations(name: str) -> None:
    page = DOCS / "providers" / f"{name}.md"

    assert page.exists(), f"write docs/providers/{name}.md"
    text = page.read_text()
    assert f"{{provider-settings}} {name}\n" in text
    assert f"{{provider-operations}} {name}\n" in text


@pytest.mark.parametrize("name", OWN_PROVIDERS)
def test_settings_of_a_provider_say_what_they_are(name: str) -> None:
    provider = next(one for one in registry.providers() if one.name == name)

    assert [one.name for one in provider.account.settings() if not one.help] == []


@pytest.mark.parametrize("kind", DriverType)
def test_operations_are_listed_and_described(kind: DriverType) -> None:
    operations = contract_operations(kind)
    described = [name for name in operations if inspect.getdoc(getattr(contract(kind), name))]

    assert described == operations
    assert f"{{operations}} {kind}\n" in (DOCS / "reference" / "operations.md").read_text()


@pytest.mark.parametrize(
    "name",
    [
        name
        for name, value in vars(errors).items()
        if inspect.isclass(value) and issubclass(value, errors.CloudError)
    ],
)
def test_error_is_described(name: str) -> None:
    assert inspect.getdoc(getattr(errors, name)), f"{name} needs a docstring"
    assert f"`{name}`" in (DOCS / "errors.md").read_text(), f"describe {name} in docs/errors.md"


@pytest.mark.parametrize("line", sorted(commands(main, "anysky")))
def test_command_is_described(line: str) -> None:
    pages = "".join(page.read_text() for page in sorted(DOCS.glob("*.md")))

    assert re.search(rf"(\$ |`){re.escape(line)}\b", pages), f"describe `{line}` in a page of docs/"


def test_every_public_module_is_in_the_reference() -> None:
    text = "".join(page.read_text() for page in sorted((DOCS / "reference").glob("*.md")))
    alone = set(re.findall(r"automodule:: (\S+)", text))
    with_inner = set(re.findall(r"\{modules\} (\S+)", text))

    missing = [
        name
        for name in public_modules()
        if name not in alone
        and not any(f"{name}.".startswith(f"{listed}.") for listed in with_inner)
    ]

    assert missing == [], "add ```{modules} NAME to a page in docs/reference"


def test_every_page_is_reached_from_the_index() -> None:
    listed = {DOCS / "index.md"}
    todo = [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        for tree in TOCTREE.findall(page.read_text()):
            entries = [line for line in tree.splitlines() if line and not line.startswith(":")]
            found = {path for entry in entries for path in page.parent.glob(f"{entry}.md")}
            todo += found - listed
            listed |= found

    written = {page for page in DOCS.rglob("*.md") if "_build" not in page.parts}
    assert sorted(written - listed) == []
