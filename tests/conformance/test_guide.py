"""The tests that the guide "Test your programs" shows pass."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from tests.docs.blocks import ROOT, read_blocks

BLOCKS = [one.text for one in read_blocks(ROOT / "docs/testing.md") if one.language == "python"]


def run_tests(folder, *blocks):
    """Run pytest over examples in a process of its own; return how it ended."""
    folder.joinpath("test_shown.py").write_text("\n".join(blocks))
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)


@pytest.mark.parametrize(("program", "passed"), [("keep_snapshots", 2), ("set_up", 9)])
def test_the_examples_pass(tmp_path, program, passed):
    shown = [text for text in BLOCKS if re.search(rf"\b{program}\(", text)]
    needed = ["from anysky import CloudError", *shown]

    done = run_tests(tmp_path, *needed)

    assert f"{passed} passed" in done.stdout, done.stdout


def test_the_example_finds_a_program_that_forgets(tmp_path):
    shown = "\n".join(text for text in BLOCKS if "set_up(" in text)
    forgetful = shown.replace("with transaction():", "if True:")
    assert forgetful != shown

    done = run_tests(tmp_path, "from anysky import CloudError", forgetful)

    assert "FAILED test_shown.py::test_a_refusal_leaves_nothing[create_volume]" in done.stdout
