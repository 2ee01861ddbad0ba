"""Check that a change of the public API comes with documentation and a change log fragment.

The public API is every name without a leading underscore in `src/anysky`: its modules, functions,
classes, methods, fields and constants, with their signatures. It is read from the source of two
revisions with `ast`, so nothing is imported. A change of a docstring, of a body or of a private
name is no change of the public API.

    python tools/check_change.py                 # this work tree against where it left main
    python tools/check_change.py --base v1.0     # this work tree against a revision
    python tools/check_change.py --staged        # what `git commit` would commit, as in the hook
    python tools/check_change.py --fragments-only
"""

from __future__ import annotations

import argparse
import ast
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

SOURCE = "src/anysky"
FRAGMENTS = "changelog.d"
FRAGMENT_NAME = re.compile(r"[a-z0-9][a-z0-9-]*\.(feature|fix|removal|doc|misc)\.md")
API_KINDS = ("feature", "fix", "removal")
NO_DOCSTRING_NEEDED = {"override", "typing.override", "overload", "typing.overload"}
SHOWN = 12

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


@dataclass(frozen=True, slots=True)
class Symbol:
    """One public name: what it looks like from outside and whether it says what it is for."""

    signature: str
    documented: bool = True


Api = dict[str, Symbol]


@dataclass(frozen=True, slots=True)
class ApiChange:
    added: list[str] = field(default_factory=list)
    altered: list[str] = field(default_factory=list)
    removed: list[str] = field(default_factory=list)
    undocumented: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.added or self.altered or self.removed)


# Reading the public API from source


def read_api(sources: Mapping[str, str]) -> Api:
    """Return the public API of modules given as path -> source text."""
    api: Api = {}
    for path, text in sorted(sources.items()):
        module = module_name(path)
        if not is_public(module):
            continue
        tree = ast.parse(text, filename=path)
        api[module] = Symbol("module", ast.get_docstring(tree) is not None)
        api.update(_members(tree.body, module))
        api.update({f"{module}.{name}": Symbol("export") for name in _exports(tree)})
    return api


def module_name(path: str) -> str:
    """Return the dotted name of `src/anysky/a/b.py`."""
    parts = list(PurePosixPath(path).relative_to("src").with_suffix("").parts)
    if parts[-1] == "__init__":
        parts.pop()
    return ".".join(parts)


def is_public(dotted: str) -> bool:
    return not any(part.startswith("_") for part in dotted.split("."))


def _members(body: Iterable[ast.stmt], owner: str) -> Api:
    api: Api = {}
    for statement in _flat(body):
        if isinstance(statement, Definition):
            if _is_public_member(statement.name):
                _add_definition(api, statement, f"{owner}.{statement.name}")
        else:
            for name, annotation in _assigned(statement):
                if _is_public_member(name):
                    api[f"{owner}.{name}"] = Symbol(annotation)
    return api


def _flat(body: Iterable[ast.stmt]) -> Iterator[ast.stmt]:
    """Yield the statements of a body, those inside its `if` and `try` blocks included."""
    for statement in body:
        if isinstance(statement, ast.If | ast.Try):
            yield from _flat([*statement.body, *statement.orelse])
        else:
            yield statement


def _is_public_member(name: str) -> bool:
    return name == "__init__" or not name.startswith("_")


def _add_definition(api: Api, node: Definition, name: str) -> None:
    decorators = [ast.unparse(decorator) for decorator in node.decorator_list]
    documented = (
        ast.get_docstring(node) is not None
        or node.name == "__init__"
        or not NO_DOCSTRING_NEEDED.isdisjoint(decorators)
        or any(decorator.endswith((".setter", ".deleter")) for decorator in decorators)
    )
    signature = "".join(f"@{decorator} " for decorator in decorators) + _head(node)
    if (earlier := api.get(name)) is not None:  # overloads, property setters
        signature = f"{earlier.signature}; {signature}"
        documented = documented and earlier.documented
    api[name] = Symbol(signature, documented)
    if isinstance(node, ast.ClassDef):
        api.update(_members(node.body, name))


def _head(node: Definition) -> str:
    if isinstance(node, ast.ClassDef):
        arguments = [ast.unparse(argument) for argument in [*node.bases, *node.keywords]]
        return f"class({', '.join(arguments)})"
    kind = "async def" if isinstance(node, ast.AsyncFunctionDef) else "def"
    returns = f" -> {ast.unparse(node.returns)}" if node.returns else ""
    return f"{kind}({ast.unparse(node.args)}){returns}"


def _assigned(statement: ast.stmt) -> Iterator[tuple[str, str]]:
    if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
        optional = " = ..." if statement.value is not None else ""
        yield statement.target.id, f"{ast.unparse(statement.annotation)}{optional}"
    elif isinstance(statement, ast.Assign) and not _is_type_variable(statement.value):
        for target in statement.targets:
            for node in ast.walk(target):
                if isinstance(node, ast.Name):
                    yield node.id, "name"


def _is_type_variable(value: ast.expr) -> bool:
    name = ast.unparse(value.func) if isinstance(value, ast.Call) else ""
    return name.removeprefix("typing.") in {"ParamSpec", "TypeVar", "TypeVarTuple"}


def _exports(tree: ast.Module) -> Iterator[str]:
    """Yield the names that a module passes on: `__all__` and `import x as x`."""
    for statement in _flat(tree.body):
        if isinstance(statement, ast.ImportFrom):
            yield from (name.name for name in statement.names if name.name == name.asname)
        elif isinstance(statement, ast.Assign) and "__all__" in map(ast.unparse, statement.targets):
            for node in ast.walk(statement.value):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def compare(old: Api, new: Api) -> ApiChange:
    """Return the public names that differ between two revisions."""
    added = sorted(new.keys() - old.keys())
    altered = sorted(
        name for name in new.keys() & old.keys() if new[name].signature != old[name].signature
    )
    return ApiChange(
        added=added,
        altered=altered,
        removed=sorted(old.keys() - new.keys()),
        undocumented=[name for name in added if not new[name].documented],
    )


# Reading two revisions from git


def git(*arguments: str) -> str:
    """Return what a git command prints; it ends the program when the command fails."""
    done = subprocess.run(["git", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def revision_exists(revision: str) -> bool:
    command = ["git", "rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def default_base() -> str | None:
    """Return where this branch left origin/main, or else the parent of HEAD, if there is one."""
    if revision_exists("origin/main"):
        left = subprocess.run(
            ["git", "merge-base", "origin/main", "HEAD"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.strip()
        if left and left != git("rev-parse", "HEAD").strip():
            return left
    return "HEAD^" if revision_exists("HEAD^") else None


def sources_at(revision: str) -> dict[str, str]:
    """Return the Python files of `src/anysky` at a revision; "" is the index."""
    if revision:
        listing = git("ls-tree", "-r", "--name-only", "-z", revision, "--", SOURCE)
    else:
        listing = git("ls-files", "-z", "--", SOURCE)
    paths = [path for path in listing.split("\0") if path.endswith(".py")]
    return {path: git("show", f"{revision}:{path}") for path in paths}


def sources_in_work_tree() -> dict[str, str]:
    files = Path(SOURCE).rglob("*.py")
    return {path.as_posix(): path.read_text(encoding="utf-8") for path in files}


def changed_files(base: str, *, staged: bool) -> set[str]:
    """Return the files that a change adds or alters; one that it deletes documents nothing."""
    where = ["--cached"] if staged else []
    changed = git("diff", "--name-only", "--diff-filter=d", "-z", *where, base)
    untracked = "" if staged else git("ls-files", "--others", "--exclude-standard", "-z")
    return {path for path in (changed + untracked).split("\0") if path}


# The rules


def misnamed_fragments(names: Iterable[str]) -> list[str]:
    return sorted(
        name for name in names if name != "README.md" and not FRAGMENT_NAME.fullmatch(name)
    )


def missing(change: ApiChange, files: set[str]) -> list[str]:
    """Return what a change of the public API lacks, each with how to mend it."""
    if not change:
        return []
    fragments = {PurePosixPath(path).name for path in files if path.startswith(f"{FRAGMENTS}/")}
    announced = [
        name
        for name in fragments
        if (match := FRAGMENT_NAME.fullmatch(name)) and match[1] in API_KINDS
    ]
    documented = any(path.startswith("docs/") or path == "README.md" for path in files)
    problems = []
    if not announced:
        problems.append(
            f"no change log fragment: write {FRAGMENTS}/<slug>.<{'|'.join(API_KINDS)}>.md, one or"
            f" two sentences for users (see {FRAGMENTS}/README.md)"
        )
    if change.undocumented and not documented:
        problems.append(
            "no documentation: give each of these a docstring, or describe them in a page under"
            f" docs/:\n{_listing(change.undocumented)}"
        )
    if change.removed and not documented:
        problems.append(
            "no documentation: public names are gone; say in a page under docs/ what takes their"
            f" place:\n{_listing(change.removed)}"
        )
    return problems


def _listing(names: list[str]) -> str:
    lines = [f"    {name}" for name in names[:SHOWN]]
    if len(names) > SHOWN:
        lines.append(f"    … and {len(names) - SHOWN} more")
    return "\n".join(lines)


def _report(change: ApiChange, problems: list[str]) -> None:
    for title, names in (
        ("added", change.added),
        ("altered", change.altered),
        ("removed", change.removed),
    ):
        if names:
            print(f"public API {title}:\n{_listing(names)}")
    for problem in problems:
        print(f"missing: {problem}")


def _check_fragment_names() -> list[str]:
    wrong = misnamed_fragments(path.name for path in Path(FRAGMENTS).glob("*"))
    return [
        f"{FRAGMENTS}/{name} is not named <slug>.<feature|fix|removal|doc|misc>.md: rename it"
        for name in wrong
    ]


def _check_change(base: str | None, *, staged: bool) -> list[str]:
    base = base or ("HEAD" if staged else default_base())
    if base is None or not revision_exists(base):
        print("first commit: there is nothing to compare with")
        return []
    try:
        old = read_api(sources_at(base))
        new = read_api(sources_at("") if staged else sources_in_work_tree())
    except SyntaxError as error:
        print(f"cannot read {error.filename}, line {error.lineno}: {error.msg}")
        return ["valid Python"]
    change = compare(old, new)
    problems = missing(change, changed_files(base, staged=staged))
    _report(change, problems)
    if not change:
        print("the public API is unchanged")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--base", help="revision to compare with")
    parser.add_argument("--staged", action="store_true", help="check the index, not the work tree")
    parser.add_argument("--fragments-only", action="store_true", help="check fragment names only")
    options = parser.parse_args(arguments)
    if options.base and not revision_exists(options.base):
        sys.exit(f"{options.base} is not a revision of this repository")

    problems = _check_fragment_names()
    for problem in problems:
        print(problem)
    if not options.fragments_only:
        problems += _check_change(options.base, staged=options.staged)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
