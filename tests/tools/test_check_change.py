"""tools/check_change.py on small git repositories made for each test."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "check_change.py"

# A git hook that runs these tests has set GIT_DIR and GIT_INDEX_FILE to its own repository.
ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}

MODULE = '''"""Nodes."""

LIMIT = 5

class Driver:
    """Talks to a cloud."""

    def list_nodes(self, region: str) -> list[str]:
        """Return the nodes."""
        return self._all(region)

    def _all(self, region):
        return [region]
'''


class Repository:
    """A git repository with one module, to be changed and checked."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("config", "user.name", "Test")
        self.git("config", "user.email", "test@example.com")
        self.git("config", "commit.gpgsign", "false")

    def git(self, *arguments: str) -> None:
        subprocess.run(
            ["git", *arguments], cwd=self.root, env=ENVIRONMENT, check=True, capture_output=True
        )

    def write(self, path: str, text: str) -> None:
        file = self.root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")

    def commit(self) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", "change")

    def check(self, *arguments: str) -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, str(TOOL), *arguments],
            cwd=self.root,
            env=ENVIRONMENT,
            check=False,
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    repository = Repository(tmp_path)
    repository.write("src/anysky/compute.py", MODULE)
    repository.write("changelog.d/README.md", "How to write a fragment.\n")
    repository.commit()
    return repository


def change(repository: Repository, old: str, new: str) -> None:
    assert old in MODULE
    repository.write("src/anysky/compute.py", MODULE.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("Talks to a cloud.", "Talks to one cloud, and only to it."),
        ("return [region]", "return sorted([region])"),
        ("def _all(self, region)", "def _all(self, region, limit=3)"),
        ("LIMIT = 5", "LIMIT = 6"),
        ("LIMIT = 5", "from typing import TypeVar\nT = TypeVar('T')\nLIMIT = 5"),
        ("LIMIT = 5", "LIMIT = 5\n_CACHE = {}\n\ndef _clear():\n    _CACHE.clear()\n"),
    ],
    ids=["docstring", "body", "private method", "value", "type variable", "private names"],
)
def test_change_that_users_cannot_see_needs_nothing(
    repository: Repository, old: str, new: str
) -> None:
    change(repository, old, new)

    assert repository.check("--base", "HEAD") == (0, "the public API is unchanged\n")


def test_new_method_without_docstring_and_fragment_lists_both(repository: Repository) -> None:
    change(
        repository,
        "    def _all",
        "    def stop(self, node: str) -> bool:\n        return True\n\n    def _all",
    )

    code, output = repository.check("--base", "HEAD")

    assert code == 1
    assert output == (
        "public API added:\n"
        "    anysky.compute.Driver.stop\n"
        "missing: no change log fragment: write changelog.d/<slug>.<feature|fix|removal>.md,"
        " one or two sentences for users (see changelog.d/README.md)\n"
        "missing: no documentation: give each of these a docstring, or describe them in a page"
        " under docs/:\n"
        "    anysky.compute.Driver.stop\n"
    )


def test_new_method_with_docstring_and_fragment_passes(repository: Repository) -> None:
    change(
        repository,
        "    def _all",
        '    def stop(self):\n        """Stop it."""\n\n    def _all',
    )
    repository.write("changelog.d/stop-nodes.feature.md", "`stop` stops a node.\n")

    code, output = repository.check("--base", "HEAD")

    assert (code, output) == (0, "public API added:\n    anysky.compute.Driver.stop\n")


def test_page_stands_in_for_docstrings(repository: Repository) -> None:
    change(repository, "LIMIT = 5", "LIMIT = 5\n\ndef connect():\n    return Driver()\n")
    repository.write("changelog.d/connect.feature.md", "`connect` gives a driver.\n")
    repository.write("docs/concepts.md", "`connect` gives a driver.\n")

    code, _ = repository.check("--base", "HEAD")

    assert code == 0


@pytest.mark.parametrize(
    ("old", "new", "name"),
    [
        ("region: str)", "region: str, limit: int = 3)", "Driver.list_nodes"),
        ("-> list[str]", "-> tuple[str, ...]", "Driver.list_nodes"),
        ("def list_nodes", "async def list_nodes", "Driver.list_nodes"),
        ("class Driver:", "class Driver(dict):", "Driver"),
    ],
    ids=["argument", "return type", "async", "base class"],
)
def test_altered_signature_needs_a_fragment(
    repository: Repository, old: str, new: str, name: str
) -> None:
    change(repository, old, new)

    code, output = repository.check("--base", "HEAD")

    assert code == 1
    assert output.startswith(
        f"public API altered:\n    anysky.compute.{name}\nmissing: no change log"
    )
    assert output.count("missing:") == 1


def test_removed_name_needs_a_fragment_and_a_page(repository: Repository) -> None:
    change(repository, "LIMIT = 5\n", "")

    code, output = repository.check("--base", "HEAD")

    assert code == 1
    assert output.startswith("public API removed:\n    anysky.compute.LIMIT\n")
    assert output.count("missing:") == 2


def test_internal_kinds_of_fragment_do_not_announce_a_public_change(
    repository: Repository,
) -> None:
    change(repository, "region: str)", "region: str = '')")
    repository.write("changelog.d/region.misc.md", "Tidy.\n")

    code, _ = repository.check("--base", "HEAD")

    assert code == 1


def test_deleted_fragment_announces_nothing(repository: Repository) -> None:
    repository.write("changelog.d/old.feature.md", "Old.\n")
    repository.commit()
    (repository.root / "changelog.d/old.feature.md").unlink()
    change(repository, "region: str)", "region: str = '')")

    code, _ = repository.check("--base", "HEAD")

    assert code == 1


@pytest.mark.parametrize("name", ["Stop.feature.md", "stop.md", "stop.new.md", "stop.feature.txt"])
def test_misnamed_fragment_is_refused(repository: Repository, name: str) -> None:
    repository.write(f"changelog.d/{name}", "Text.\n")

    code, output = repository.check("--fragments-only")

    assert code == 1
    assert output == (
        f"changelog.d/{name} is not named <slug>.<feature|fix|removal|doc|misc>.md: rename it\n"
    )


def test_first_commit_passes(repository: Repository) -> None:
    assert repository.check() == (0, "first commit: there is nothing to compare with\n")


def test_default_base_is_where_the_branch_left_main(repository: Repository) -> None:
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")
    change(repository, "LIMIT = 5", "LIMIT = 5\nDEPTH = 3")
    repository.commit()
    repository.write("notes.txt", "A second commit of the same change.\n")
    repository.commit()

    code, output = repository.check()

    assert code == 1
    assert output.startswith("public API added:\n    anysky.compute.DEPTH\n")


def test_on_main_the_last_commit_is_checked(repository: Repository) -> None:
    change(repository, "LIMIT = 5", "LIMIT = 5\nDEPTH = 3")
    repository.commit()
    repository.git("update-ref", "refs/remotes/origin/main", "HEAD")

    code, _ = repository.check()

    assert code == 1


def test_hook_looks_at_the_index_and_not_at_the_work_tree(repository: Repository) -> None:
    change(repository, "LIMIT = 5", "LIMIT = 5\nDEPTH = 3")
    assert repository.check("--staged") == (0, "the public API is unchanged\n")

    repository.git("add", "src")
    repository.write("changelog.d/depth.feature.md", "Not added to the index.\n")
    code, output = repository.check("--staged")

    assert code == 1
    assert "public API added:\n    anysky.compute.DEPTH\n" in output


def test_hook_on_an_empty_repository_passes(tmp_path: Path) -> None:
    repository = Repository(tmp_path)
    repository.write("src/anysky/compute.py", MODULE)
    repository.git("add", "src")

    code, output = repository.check("--staged")

    assert (code, output) == (0, "first commit: there is nothing to compare with\n")


def test_private_modules_and_names_behind_conditions(repository: Repository) -> None:
    repository.write("src/anysky/_inner.py", "def anything(): ...\n")
    change(
        repository,
        "LIMIT = 5",
        "import sys\nif sys.version_info >= (3, 12):\n    NEW = 1\nelse:\n    OLD = 1",
    )

    _, output = repository.check("--base", "HEAD")

    assert output.startswith(
        "public API added:\n    anysky.compute.NEW\n    anysky.compute.OLD\n"
        "public API removed:\n    anysky.compute.LIMIT\n"
    )


def test_names_passed_on_by_a_package_are_public(repository: Repository) -> None:
    repository.write(
        "src/anysky/__init__.py",
        '"""One API."""\nfrom anysky.compute import Driver as Driver, LIMIT\n__all__ = ["LIMIT"]\n',
    )

    _, output = repository.check("--base", "HEAD")

    assert output.startswith(
        "public API added:\n    anysky\n    anysky.Driver\n    anysky.LIMIT\nmissing:"
    )


def test_overriding_methods_inherit_their_docstring(repository: Repository) -> None:
    change(
        repository,
        "    def _all",
        "    @override\n    def stop(self):\n        return True\n\n    def _all",
    )
    repository.write("changelog.d/stop.fix.md", "`stop` works.\n")

    code, _ = repository.check("--base", "HEAD")

    assert code == 0


def test_broken_module_is_reported(repository: Repository) -> None:
    repository.write("src/anysky/compute.py", "def broken(:\n")

    code, output = repository.check("--base", "HEAD")

    assert (code, output) == (
        1,
        "cannot read src/anysky/compute.py, line 1: invalid syntax\n",
    )


def test_unknown_base_is_reported(repository: Repository) -> None:
    code, output = repository.check("--base", "v9")

    assert (code, output) == (1, "v9 is not a revision of this repository\n")
