"""Check that imports inside anysky go one way only: each layer may import those before it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "anysky"

LAYERS: tuple[tuple[str, ...], ...] = (
    ("errors", "outcomes", "secret", "model", "names", "run", "deadlines", "interruption"),
    ("config",),
    ("runtime", "transport"),
    (
        "paging",
        "matching",
        "waiting",
        "steps",
        "ledger",
        "undoing",
        "wire",
        "account",
        "pricing",
        "node_prices",
    ),
    ("backend", "registry", "zone_file", "object_spec", "safe_names", "catalogue_cache"),
    ("transfer",),
    ("processes", "journaling", "journal_store", "journal_rows", "journal"),
    ("recovering",),
    ("providers",),
    ("calling", "node_waiting", "bulk"),
    (
        "driver",
        "compute",
        "storage",
        "dns",
        "loadbalancer",
        "drivers",
        "capabilities",
        "aio",
        "transactions",
        "recovery",
        "transfer/blocking",
        "transfer/sharding",
    ),
    ("testing", "demo", "integrations"),
    ("cli", "__main__"),
)


def main() -> int:
    """Print every import that goes the wrong way; return the exit status."""
    rank = {name: level for level, names in enumerate(LAYERS) for name in names}
    wrong = [line for path in sorted(ROOT.rglob("*.py")) for line in _wrong_imports(path, rank)]
    for line in wrong:
        print(line)
    return 1 if wrong else 0


def _wrong_imports(path: Path, rank: dict[str, int]) -> list[str]:
    parts = path.relative_to(ROOT).with_suffix("").parts
    own = "/".join(parts) if "/".join(parts) in rank else parts[0]
    if own == "__init__":
        return []
    if own not in rank:
        return [f"{path}: {own!r} is in no layer; add it to tools/check_layers.py"]
    found: list[str] = []
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        above = [name for name in _targets(node, path) if rank.get(name, 0) > rank[own]]
        found += [f"{path}:{node.lineno}: {own} imports {name}, above it" for name in above]
    found += _foreign_provider(path)
    return found


def _targets(node: ast.AST, path: Path) -> list[str]:
    """Return the top-level parts of anysky that an import statement names."""
    if isinstance(node, ast.Import):
        return [n.name.split(".")[1] for n in node.names if n.name.startswith("anysky.")]
    if not isinstance(node, ast.ImportFrom):
        return []
    module = node.module or ""
    depth = len(path.relative_to(ROOT).parts)
    if node.level == depth:
        return [module.split(".")[0]] if module else [alias.name for alias in node.names]
    if node.level == 0 and module.startswith("anysky"):
        parts = module.split(".")
        return [parts[1]] if len(parts) > 1 else [alias.name for alias in node.names]
    return []


def _foreign_provider(path: Path) -> list[str]:
    """Report a provider that imports another."""
    parts = path.relative_to(ROOT).parts
    if parts[0] != "providers" or len(parts) < 3:
        return []
    return [
        f"{path}:{node.lineno}: a provider imports another"
        for node in ast.walk(ast.parse(path.read_text("utf-8")))
        if isinstance(node, ast.ImportFrom)
        and node.level == len(parts) - 1
        and node.module != parts[1]
    ]


if __name__ == "__main__":
    sys.exit(main())
