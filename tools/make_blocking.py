"""Make the blocking API from the asyncio API: ``src/anysky/aio/*.py`` to ``src/anysky/*.py``.

The demonstration's program is made in the same way.

A portable class only passes calls on, so that dropping ``async`` and ``await`` and changing a few
names is enough. Run it without arguments to write the files, with ``--check`` to compare them.
"""

from __future__ import annotations

import argparse
import difflib
import io
import itertools
import re
import subprocess
import sys
import tokenize
from pathlib import Path

ROOT = Path(__file__).parent.parent / "src" / "anysky"
HEADER = "# Made from {source} by tools/make_blocking.py; change that, run `make generate`.\n"

NAMES = {
    "AsyncIterable": "Iterable",
    "AsyncIterator": "Iterator",
    "AsyncioRuntime": "BlockingRuntime",
    "AsyncioTransport": "BlockingTransport",
    "__aenter__": "__enter__",
    "__aexit__": "__exit__",
    "__aiter__": "__iter__",
    "__anext__": "__next__",
    "arun": "run",
    "asyncio": "blocking",
}
FIXES = ["check", "--select", "C416,I,RUF022,UP028", "--fix", "--unsafe-fixes", "--quiet"]
DROPPED = frozenset({"async", "await"})
PROSE = (
    (re.compile(r"\banysky\.aio\b"), "anysky"),
    (re.compile(r"on asyncio; its blocking twin is made from it"), "in the blocking API"),
    (re.compile(r"\bawait "), ""),
    (re.compile(r"\basync (with|for|def)\b"), r"\1"),
    (re.compile(r"; in the asyncio API an async iterator as well"), ""),
)


def blocking(source: str) -> str:
    """Return the blocking twin of the source text of a module of the asyncio API."""
    changes: list[tuple[int, int, int, str]] = []
    tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
    for token, following in itertools.pairwise(tokens):
        row, column = token.start
        if token.type == tokenize.NAME and token.string in DROPPED:
            changes.append((row, column, following.start[1], ""))
        elif token.type == tokenize.NAME and token.string in NAMES:
            changes.append((row, column, token.end[1], NAMES[token.string]))
    return _prose(_apply(source, changes))


def _apply(source: str, changes: list[tuple[int, int, int, str]]) -> str:
    lines = source.splitlines(keepends=True)
    for row, start, end, text in sorted(changes, reverse=True):
        line = lines[row - 1]
        lines[row - 1] = line[:start] + text + line[end:]
    return "".join(lines)


def _prose(source: str) -> str:
    """Change what docstrings say of ``await``."""
    for pattern, replacement in PROSE:
        source = pattern.sub(replacement, source)
    return source


def formatted(text: str) -> str:
    """Return a text as ruff lays it out, imports sorted."""
    command = [sys.executable, "-m", "ruff"]
    name = ["--stdin-filename", str(ROOT / "generated.py")]
    for arguments in (FIXES, ["format", "--quiet"]):
        done = subprocess.run(
            [*command, *arguments, *name, "-"],
            input=text,
            capture_output=True,
            text=True,
            check=True,
        )
        text = done.stdout
    return text


# Twins that stand elsewhere than beside the others.
PLACES = {"transfer.py": "transfer/blocking.py"}


def twins() -> list[tuple[Path, Path]]:
    """Return each source with the file that is made from it."""
    portable = [path for path in sorted((ROOT / "aio").glob("*.py")) if path.stem != "__init__"]
    program = ROOT / "demo" / "asyncio_program.py"
    return [
        *((path, ROOT / PLACES.get(path.name, path.name)) for path in portable),
        (program, program.with_name("blocking_program.py")),
    ]


def main() -> int:
    """Write or compare the files; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only compare, and show what differs")
    check = parser.parse_args().check
    stale = 0
    for source, target in twins():
        header = HEADER.format(source=source.relative_to(ROOT))
        text = formatted(header + blocking(source.read_text("utf-8")))
        old = target.read_text("utf-8") if target.exists() else ""
        if text == old:
            continue
        stale += 1
        if check:
            lines = old.splitlines(True), text.splitlines(True)
            sys.stdout.writelines(difflib.unified_diff(*lines, str(target), "new"))
        else:
            target.write_text(text, "utf-8")
            print(f"wrote {target.relative_to(ROOT.parent)}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
