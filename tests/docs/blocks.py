"""The fenced code blocks of Markdown pages, and how they are run."""

from __future__ import annotations

import ast
import asyncio
import contextlib
import doctest
import inspect
import io
import re
import shlex
import subprocess
import textwrap
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^(?P<indent> *)(?P<fence>`{3,}|~{3,}) *(?P<info>[^`]*)$")
MARK = re.compile(r"^\s*<!-- *(?P<name>norun|exit): *(?P<value>.*?) *-->\s*$")
COMMAND_TIMEOUT = 60


@dataclass(frozen=True, slots=True)
class Block:
    """One fenced block: where it stands, its language, its text and the mark before it."""

    page: str
    line: int
    language: str
    text: str
    norun: str | None = None
    exit_code: int = 0

    @property
    def place(self) -> str:
        return f"{self.page}:{self.line}"


@dataclass(frozen=True, slots=True)
class Command:
    """A line `$ …` of a console block and the output that the page shows for it."""

    line: str
    output: str


def pages() -> list[Path]:
    """Return the pages that are tested."""
    written = [path for path in (ROOT / "docs").rglob("*.md") if "_build" not in path.parts]
    return [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(written)]


def read_blocks(path: Path) -> list[Block]:
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    return list(parse(name, path.read_text(encoding="utf-8")))


def parse(page: str, text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page, each with the mark on the line before it."""
    lines = iter(enumerate(text.splitlines(), start=1))
    mark: re.Match[str] | None = None
    for number, line in lines:
        opening = FENCE.match(line)
        if opening is None:
            mark = MARK.match(line)
            continue
        body = []
        closing = re.compile(rf"^ *{opening['fence']}{opening['fence'][0]}* *$")
        for _, inner in lines:
            if closing.match(inner):
                break
            body.append(inner)
        marks = {mark["name"]: mark["value"]} if mark else {}
        yield Block(
            page=page,
            line=number,
            language=opening["info"].strip(),
            text=textwrap.dedent("".join(f"{inner}\n" for inner in body)),
            norun=marks.get("norun"),
            exit_code=int(marks.get("exit", 0)),
        )
        mark = None


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block, those continued with a backslash joined."""
    found: list[Command] = []
    for line in block.text.replace("\\\n", "").splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:].strip(), ""))
        elif found:
            found[-1] = Command(found[-1].line, f"{found[-1].output}{line}\n")
    return found


class Page:
    """Runs the blocks of one page in order, in one namespace and on one event loop."""

    def __init__(self) -> None:
        self.namespace: dict[str, Any] = {"__name__": "__main__"}
        self.printed = ""
        self.loop = asyncio.Runner()

    def run(self, block: Block) -> None:
        if block.norun is not None:
            self.printed = ""
        elif block.language == "python":
            self.run_python(block)
        elif block.language == "output":
            compare(block.place, block.text, self.printed)
        elif block.language == "console":
            run_console(block)

    def run_python(self, block: Block) -> None:
        # Empty lines before it, so that a traceback names the line of the page.
        source = "\n" * block.line + block.text
        code = compile(source, str(ROOT / block.page), "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
        with contextlib.redirect_stdout(io.StringIO()) as printed:
            if code.co_flags & inspect.CO_COROUTINE:
                self.loop.run(eval(code, self.namespace))
            else:
                exec(code, self.namespace)
        self.printed = printed.getvalue()

    def close(self) -> None:
        self.namespace.clear()
        self.loop.close()


def run_console(block: Block) -> None:
    """Run the commands of anysky; of others, see to it that targets of make exist."""
    for command in commands(block):
        program = command.line.partition(" ")[0]
        if program == "make":
            check_make_target(block, command)
        elif program == "anysky":
            run_command(block, command)


def run_command(block: Block, command: Command) -> None:
    done = subprocess.run(
        shlex.split(command.line),
        capture_output=True,
        text=True,
        check=False,
        timeout=COMMAND_TIMEOUT,
    )
    report = f"{block.place}: $ {command.line}\n{done.stdout}{done.stderr}"
    assert done.returncode == block.exit_code, f"exit code {done.returncode} of {report}"
    if command.output:
        compare(report, command.output, done.stdout + done.stderr)


def check_make_target(block: Block, command: Command) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    named = [word for word in shlex.split(command.line)[1:] if "=" not in word]
    unknown = set(named) - set(targets)
    assert not unknown, f"{block.place}: no such make target: {', '.join(sorted(unknown))}"


def compare(place: str, shown: str, printed: str) -> None:
    """Fail unless a page shows what was printed; `...` stands for any text."""
    shown, printed = (
        "".join(f"{line.rstrip()}\n" for line in text.strip("\n").splitlines())
        for text in (shown, printed)
    )
    matches = doctest.OutputChecker().check_output(shown, printed, doctest.ELLIPSIS)
    assert matches, f"{place} shows:\n{shown}\nbut this was printed:\n{printed}"
