"""Directives that write parts of pages from the code, so that they are always right.

```{provider-overview}
```
    the services of every provider
```{provider-settings} digitalocean
```
    its settings: arguments, environment variables, defaults
```{provider-operations} digitalocean
```
    what of the standard API it has, and what it adds
```{operations} compute
```
    the operations of a service, and which providers have them
```{modules} anysky.transport
```
    the reference of a module and of the public modules in it
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import TYPE_CHECKING, Any

from docutils.statemachine import StringList
from sphinx.util.docutils import SphinxDirective

from anysky.capabilities import contract_operations
from anysky.names import DriverType
from anysky.registry import load_backend, providers

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from docutils import nodes
    from sphinx.application import Sphinx

    from anysky.registry import Provider

YES, NO = "✓", ""


def table(head: Iterable[str], rows: Iterable[Iterable[str]]) -> list[str]:
    """Return the lines of a Markdown table."""
    cells = [list(head), *(list(row) for row in rows)]
    cells.insert(1, ["---"] * len(cells[0]))
    return ["| " + " | ".join(cell.replace("|", r"\|") for cell in row) + " |" for row in cells]


def settings_table(provider: Provider) -> list[str]:
    """Return the settings of a provider: how each is given and what it means."""
    positional = dict(zip(provider.account.positional, ("first", "second"), strict=False))
    rows = []
    for setting in provider.account.settings():
        argument = f"`{setting.name}`"
        if setting.name in positional:
            argument += f", or the {positional[setting.name]} argument"
        if setting.required:
            default = "required"
        else:
            default = f"`{setting.default}`" if setting.default else ""
        environment = ", ".join(f"`{name}`" for name in setting.env)
        rows.append([argument, setting.help, environment, default])
    return table(["argument", "meaning", "environment", "default"], rows)


def contract_of(backend: type) -> Any:
    """Return the contract that a backend fulfils: the class that names its operations."""
    return next(base for base in backend.__mro__ if base.__module__.startswith("anysky.backend."))


def operations_tables(provider: Provider) -> Iterator[str]:
    """Return, for each service of a provider, what of the contract it has and what it adds."""
    found = [
        (kind, service)
        for kind, first in provider.services.items()
        for service in (first, *first.others)
    ]
    for kind, service in found:
        backend: Any = load_backend(provider, kind, service.name)
        standard = contract_operations(DriverType(kind))
        own = [name for name in backend.operations() if name not in standard]
        yield from (f'**{kind}**, `get_driver("{service.name}")`', "")
        yield from table(
            ["operation", "supported"],
            ([f"`{name}`", YES if backend.supports(name) else NO] for name in standard),
        )
        yield ""
        if own:
            yield "Only here, through `driver.call`: " + ", ".join(f"`{name}`" for name in own)
            yield ""
        options = [
            (f"`{operation}`", f"`{option.name}`", f"`{option.type}`", option.help)
            for operation, found in backend.options.items()
            for option in found
        ]
        if options:
            yield from table(["operation", "option", "type", "meaning"], options)
            yield ""


def service_table(kind: str) -> list[str]:
    """Return the operations of a service, what each does and which providers have it."""
    backends: dict[str, Any] = {
        provider.title: load_backend(provider, kind)
        for provider in providers()
        if kind in provider.services
    }
    contract = contract_of(next(iter(backends.values())))
    rows = []
    for name in contract_operations(DriverType(kind)):
        summary = (inspect.getdoc(getattr(contract, name)) or "").partition("\n")[0]
        has = [YES if one.supports(name) else NO for one in backends.values()]
        rows.append([f"`{name}`", summary, *has])
    return table(["operation", "meaning", *backends], rows)


def public_modules(name: str) -> Iterator[str]:
    """Yield a module and the modules in it, those with a leading underscore left out."""
    yield name
    package = importlib.import_module(name)
    for found in pkgutil.iter_modules(getattr(package, "__path__", [])):
        if not found.name.startswith("_"):
            yield from public_modules(f"{name}.{found.name}")


def overview_table() -> list[str]:
    """Return which services each provider has, and how many of their operations."""
    everything = list(providers())
    kinds = sorted({kind for provider in everything for kind in provider.services})
    return table(
        ["provider", *kinds],
        ([provider.title, *(_share(provider, kind) for kind in kinds)] for provider in everything),
    )


def _share(provider: Provider, kind: str) -> str:
    if kind not in provider.services:
        return NO
    backend: Any = load_backend(provider, kind)
    standard = contract_operations(DriverType(kind))
    return f"{sum(map(backend.supports, standard))} of {len(standard)}"


class _Table(SphinxDirective):
    """Parse the lines that `lines` returns as a part of the page."""

    def lines(self) -> Iterable[str]:
        raise NotImplementedError

    def run(self) -> list[nodes.Node]:
        from docutils.nodes import Element

        holder = Element()
        self.state.nested_parse(StringList(list(self.lines())), self.content_offset, holder)
        return list(holder.children)


class _ProviderTable(_Table):
    required_arguments = 1

    @property
    def provider(self) -> Provider:
        name = self.arguments[0]
        for provider in providers():
            if provider.name == name:
                return provider
        raise self.error(f"there is no provider {name!r}")


class ProviderSettings(_ProviderTable):
    def lines(self) -> Iterable[str]:
        return settings_table(self.provider)


class ProviderOperations(_ProviderTable):
    def lines(self) -> Iterable[str]:
        return operations_tables(self.provider)


class Operations(_Table):
    required_arguments = 1

    def lines(self) -> Iterable[str]:
        return service_table(self.arguments[0])


class Modules(_Table):
    required_arguments = 1

    def lines(self) -> Iterable[str]:
        try:
            names = list(public_modules(self.arguments[0]))
        except ImportError as error:
            raise self.error(f"cannot import {self.arguments[0]}: {error}") from error
        for name in names:
            yield from (f"**{name}**", "", "```{eval-rst}", f".. automodule:: {name}", "```", "")


class ProviderOverview(_Table):
    def lines(self) -> Iterable[str]:
        return overview_table()


def setup(app: Sphinx) -> dict[str, bool]:
    app.add_directive("provider-settings", ProviderSettings)
    app.add_directive("provider-operations", ProviderOperations)
    app.add_directive("provider-overview", ProviderOverview)
    app.add_directive("operations", Operations)
    app.add_directive("modules", Modules)
    return {"parallel_read_safe": True}
