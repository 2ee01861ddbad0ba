"""Find providers: those of anysky by their folder, plug-ins by their entry point."""

from __future__ import annotations

import difflib
import importlib
import logging
import pkgutil
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any, TypeVar

from .account import Account
from .errors import DriverTypeNotFoundError, UnknownProviderError
from .names import FOLDERS

__all__ = [
    "ENTRY_POINT_GROUP",
    "Provider",
    "Service",
    "driver_class",
    "find",
    "load_backend",
    "provider_names",
    "providers",
    "register",
]

ENTRY_POINT_GROUP = "anysky.providers"

D = TypeVar("D", bound=type)

_log = logging.getLogger("anysky.registry")


@dataclass(frozen=True, slots=True)
class Service:
    """One service of a provider.

    Attributes:
        name: Name in `get_driver`, for example ``"ec2"``.
        backend: Where its backend is, as ``"package.module:Class"``.
        presets: Further names, each with settings that it stands for, for example
            ``{"ec2_eu_west": {"region": "eu-west-1"}}``.
        constants: Names of constants that differ from the name in capitals.
        others: Further services of this kind, each with a name and a backend of its own.
    """

    name: str
    backend: str
    presets: Mapping[str, Mapping[str, str]] = field(default_factory=dict[str, Mapping[str, str]])
    constants: Mapping[str, str] = field(default_factory=dict[str, str])
    others: Sequence[Service] = ()


@dataclass(frozen=True, slots=True)
class Provider:
    """What a provider's package offers as ``provider``.

    Attributes:
        name: Name of the folder or entry point, for example ``"aws"``.
        title: Name for people.
        website: Address of the vendor.
        account: Its settings.
        services: Its services by kind: ``"compute"``, ``"storage"``, ``"dns"`` …
    """

    name: str
    title: str
    website: str
    account: type[Account]
    services: Mapping[str, Service]

    def names(self, kind: str) -> dict[str, Mapping[str, str]]:
        """Return every name of one service, each with the settings that it stands for."""
        service = self.services.get(kind)
        if service is None:
            return {}
        others: dict[str, Mapping[str, str]] = {other.name: {} for other in service.others}
        return {self.name: {}, service.name: {}, **service.presets, **others}

    def service(self, kind: str, name: str = "") -> Service:
        """Return the service of a kind that a name means: the first, unless it is another's."""
        first = self.services[kind]
        return next((other for other in first.others if other.name == name), first)

    def name_of(self, kind: str, backend: type) -> str:
        """Return the name of the service of a kind that has this backend."""
        first = self.services[kind]
        place = f"{backend.__module__}:{backend.__qualname__}"
        return next((other.name for other in first.others if other.backend == place), first.name)


_registered: dict[tuple[str, str], type] = {}
_classes: dict[tuple[type, str], type] = {}


@cache
def _folder(name: str) -> Provider:
    found: Provider = importlib.import_module(f"anysky.providers.{name}").provider
    return found


@cache
def _entry_points() -> dict[str, Any]:
    from importlib.metadata import entry_points

    return {point.name: point for point in entry_points(group=ENTRY_POINT_GROUP)}


@cache
def _plugin(name: str) -> Provider:
    """Import a plug-in.

    Raises:
        UnknownProviderError: It cannot be imported, or what it offers is no `Provider`.
    """
    point = _entry_points()[name]
    package = f" of {point.dist.name} {point.dist.version}" if point.dist else ""
    try:
        found = point.load()
    except Exception as error:
        raise UnknownProviderError(
            f"the plug-in {name!r}{package} cannot be imported from {point.value!r}: "
            f"{type(error).__name__}: {error}"
        ) from error
    if not isinstance(found, Provider):
        raise UnknownProviderError(
            f"the plug-in {name!r}{package} offers {point.value!r}, which is a "
            f"{type(found).__name__}, not an anysky.registry.Provider"
        )
    return found


def _working_plugins() -> Iterator[Provider]:
    """Import every plug-in; one that is broken is told of in the log and left out."""
    for name in sorted(_entry_points()):
        try:
            yield _plugin(name)
        except UnknownProviderError as error:
            _log.warning("%s", error)


def _folders() -> set[str]:
    package = importlib.import_module("anysky.providers")
    return {module.name for module in pkgutil.iter_modules(package.__path__) if module.ispkg}


def provider_names() -> list[str]:
    """Return the names of all providers, anysky's own and plug-ins, without importing them."""
    return sorted({*_folders(), *_entry_points()})


def providers() -> Iterator[Provider]:
    """Import and return every provider; a broken plug-in is left out, with a warning in the log."""
    own = _folders()
    plugins = (plugin for plugin in _working_plugins() if plugin.name not in own)
    yield from sorted([*map(_folder, own), *plugins], key=lambda one: one.name)


def find(kind: str, name: str) -> tuple[Provider, Mapping[str, str]]:
    """Find the provider of a service by its name; importing no other of anysky's own.

    Args:
        kind: ``"compute"``, ``"storage"``, ``"dns"`` …
        name: A service's name, one of its presets, or the provider's name; case is ignored.

    Returns:
        The provider, and the settings that the name stands for.

    Raises:
        UnknownProviderError: There is none of this name.
        DriverTypeNotFoundError: There is no such kind of service.
    """
    if kind not in FOLDERS:
        raise DriverTypeNotFoundError(
            f"there is no service {kind!r}; there are {', '.join(FOLDERS)}"
        )
    name = str(name).lower()
    folder = FOLDERS[kind].get(name)
    if folder is not None:
        return _folder(folder), _folder(folder).names(kind)[name]
    if name in _entry_points():
        plugin = _plugin(name)
        if kind in plugin.services:
            return plugin, {}
    for plugin in _working_plugins():
        names = plugin.names(kind)
        if name in names:
            return plugin, names[name]
    raise UnknownProviderError(_unknown(kind, name))


def _unknown(kind: str, name: str) -> str:
    near = difflib.get_close_matches(name, FOLDERS[kind], 1)
    hint = f"did you mean {near[0]!r}?" if near else "`anysky providers` lists all"
    return f"there is no {kind} provider {name!r}; {hint}"


def load_backend(provider: Provider, kind: str, name: str = "") -> Any:
    """Import the class of a provider's backend for one service.

    Args:
        provider: The provider.
        kind: The kind of service.
        name: Name of the service, for a provider that has several of the kind.

    Raises:
        UnknownProviderError: The provider names a module or class that cannot be imported.
    """
    place = provider.service(kind, name).backend
    module, _, class_name = place.partition(":")
    try:
        return getattr(importlib.import_module(module), class_name)
    except (ImportError, AttributeError) as error:
        raise UnknownProviderError(
            f"the {kind} service of {provider.name!r} cannot be imported from {place!r}: {error}"
        ) from error


def register(base: type, kind: str, name: str, module: str, klass: str) -> type:
    """Register a driver class under a name, for `set_driver`.

    Raises:
        UnknownProviderError: The name is taken, the module cannot be imported or has no such
            class, or it is no driver.
    """
    name = str(name).lower()
    taken = (base.__module__, name) in _registered or name in FOLDERS.get(kind, {})
    if taken:
        raise UnknownProviderError(f"the {kind} provider {name!r} is there already")
    try:
        found = getattr(importlib.import_module(module), klass, None)
    except ImportError as error:
        raise UnknownProviderError(f"cannot import {module!r}: {error}") from error
    if not isinstance(found, type) or not issubclass(found, base):
        raise UnknownProviderError(f"{module} has no class {klass!r} that is a {base.__name__}")
    _registered[base.__module__, name] = found
    return found


def driver_class(base: D, kind: str, name: str) -> D:
    """Return the driver class for a provider's name: a subclass of `base`, always the same one."""
    name = str(name).lower()
    registered: Any = _registered.get((base.__module__, name))
    if registered is not None:
        return registered  # type: ignore[no-any-return]
    key: tuple[type, str] = (base, name)
    if key not in _classes:
        provider, preset = find(kind, name)
        backend = load_backend(provider, kind, name)
        made = type(base)(
            f"{backend.__name__}{base.__name__}",
            (base,),
            {
                "__module__": base.__module__,
                "__doc__": f"{base.__name__} for {provider.title}.",
                "_provider": provider,
                "_preset": dict(preset),
                "_backend_class": backend,
                "api_name": provider.service(kind, name).name,
                "name": provider.title,
                "website": provider.website,
                "type": name,
                **{attr: getattr(backend, attr) for attr in backend.driver_attributes},
            },
        )
        _classes.setdefault(key, made)  # another thread may have been faster
    return _classes[key]  # type: ignore[return-value]
