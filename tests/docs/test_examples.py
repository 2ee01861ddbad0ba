"""Every example in the README, the guide for contributors and the documentation runs."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import ROOT, Block, Page, pages, read_blocks

if TYPE_CHECKING:
    from pathlib import Path

# Examples that cannot run here are exceptions: this many are allowed in all pages together.
NOT_RUN_LIMIT = 6
RUN = {"python", "console", "output"}
# These spell a language that runs in a way that would keep its examples from being run.
ALIASES = re.compile(r"(py|python3|pycon|py3|bash|sh|shell|shell-session|zsh|\{code.*\}.*)")
CODE = re.compile(r"^( *)(`{3,}|~{3,}).*?^\1\2", re.DOTALL | re.MULTILINE)

BLOCKS = {path: read_blocks(path) for path in pages()}


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.server
@pytest.mark.usefixtures("clouds")
@pytest.mark.parametrize(
    "page",
    [page for page, blocks in BLOCKS.items() if RUN & {block.language for block in blocks}],
    ids=name_of,
)
def test_examples_run(page: Path) -> None:
    running = Page()
    try:
        for block in BLOCKS[page]:
            running.run(block)
    finally:
        running.close()


@pytest.mark.parametrize("page", BLOCKS, ids=name_of)
def test_languages_are_spelled_so_that_examples_run(page: Path) -> None:
    wrong = [block.place for block in BLOCKS[page] if ALIASES.fullmatch(block.language)]

    assert wrong == [], "write ```python for Python and ```console for commands after a $"


def test_few_examples_are_not_run_and_each_says_why() -> None:
    left_out: list[Block] = [
        block for blocks in BLOCKS.values() for block in blocks if block.norun is not None
    ]
    report = "\n".join(f"{block.place}: {block.norun or 'no reason'}" for block in left_out)

    assert all(block.norun for block in left_out), report
    assert len(left_out) <= NOT_RUN_LIMIT, f"too many examples are not run:\n{report}"


@pytest.mark.parametrize("page", BLOCKS, ids=name_of)
def test_links_to_files_lead_somewhere(page: Path) -> None:
    text = CODE.sub("", page.read_text())
    targets = re.findall(r"\]\((?!https?:|#|mailto:)([^)#\s]+)", text)

    missing = [target for target in targets if not (page.parent / target).exists()]

    assert missing == []
