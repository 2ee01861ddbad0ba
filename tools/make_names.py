"""Make ``src/anysky/names.py``: constants for every provider that has a folder.

Each provider declares its names in its own ``__init__.py``; this only collects them, so that
they have exact types and a provider is found without importing another. Run it without
arguments to write the file, with ``--check`` to compare it.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from pathlib import Path
from types import SimpleNamespace

sys.path.insert(0, str(Path(__file__).parent))

from make_blocking import formatted

TARGET = Path(__file__).parent.parent / "src" / "anysky" / "names.py"
KINDS = {
    "compute": "ComputeProvider",
    "storage": "StorageProvider",
    "dns": "DNSProvider",
    "loadbalancer": "LoadBalancerProvider",
}
TITLES = {
    "compute": "compute",
    "storage": "object storage",
    "dns": "DNS",
    "loadbalancer": "load balancers",
}

HEAD = '''# Made from the providers' folders by tools/make_names.py; run `make generate`.
"""Names of the providers and services of anysky itself; plug-ins are found at run time."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

__all__ = [{all}]


class DriverType(StrEnum):
    """Kinds of service."""

{types}
'''


def main() -> int:
    """Write or compare the file; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare")
    check = parser.parse_args().check
    text = formatted(_module())
    old = TARGET.read_text("utf-8") if TARGET.exists() else ""
    if text == old:
        return 0
    if check:
        print(f"{TARGET} is out of date: run `make generate`")
        return 1
    TARGET.write_text(text, "utf-8")
    print(f"wrote {TARGET.name}")
    return 0


def _module() -> str:
    providers = list(_providers())
    folders: dict[str, dict[str, str]] = {}
    members: dict[str, dict[str, str]] = {}
    for kind in KINDS:
        folders[kind], members[kind] = {}, {}
        for provider in providers:
            service = provider.services.get(kind)
            if service is None:
                continue
            for name in provider.names(kind):
                folders[kind][name] = provider.name
                members[kind][_constant(service, name)] = name
    everything = {name: value for kind in KINDS for name, value in members[kind].items()}
    classes = [_enum(KINDS[kind], f"Providers of {TITLES[kind]}.", members[kind]) for kind in KINDS]
    classes.append(_enum("Provider", "All providers, whatever their services.", everything))
    names = ", ".join(
        f'"{name}"' for name in sorted({"DriverType", "FOLDERS", "Provider", *KINDS.values()})
    )
    types = "\n".join(f'    {kind.upper()} = "{kind}"' for kind in KINDS)
    table = f"FOLDERS: Mapping[str, Mapping[str, str]] = {folders!r}\n"
    return "\n\n".join([HEAD.format(all=names, types=types), *classes, table])


def _providers():
    """Import every provider's declaration; where names.py is missing, a stand-in serves."""
    if not TARGET.exists():
        sys.modules["anysky.names"] = SimpleNamespace(FOLDERS={}, DriverType=())  # type: ignore[assignment]
    root = TARGET.parent / "providers"
    for folder in sorted(root.iterdir()):
        if (folder / "__init__.py").exists():
            yield importlib.import_module(f"anysky.providers.{folder.name}").provider


def _constant(service, name: str) -> str:
    return service.constants.get(name, name.upper())


def _enum(name: str, doc: str, members: dict[str, str]) -> str:
    lines = [f"class {name}(StrEnum):", f'    """{doc}"""', ""]
    lines += [f'    {constant} = "{value}"' for constant, value in sorted(members.items())]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
