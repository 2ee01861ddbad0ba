"""The reader of code blocks, on small pages."""

from __future__ import annotations

import pytest

from tests.docs.blocks import Block, Command, Page, commands, compare, parse

PAGE = """\
# Title

```python
x = 1
```

1. In a list:

   ~~~python
   if x:
       print("```")
   ~~~

<!-- norun: needs an account -->
```python
print("not run")
```

<!-- norun: too far away -->

```console
$ anysky --version
```

<!-- exit: 2 -->
````console
$ anysky nonsense
````
"""


def test_blocks_with_their_place_language_and_mark() -> None:
    assert list(parse("page.md", PAGE)) == [
        Block("page.md", 3, "python", "x = 1\n"),
        Block("page.md", 9, "python", 'if x:\n    print("```")\n'),
        Block("page.md", 15, "python", 'print("not run")\n', norun="needs an account"),
        Block("page.md", 21, "console", "$ anysky --version\n"),
        Block("page.md", 26, "console", "$ anysky nonsense\n", exit_code=2),
    ]


def test_commands_with_their_output() -> None:
    block = Block("page.md", 1, "console", "$ anysky a \\\n  --b\none\ntwo\n\n$ make c\n")

    assert commands(block) == [Command("anysky a   --b", "one\ntwo\n\n"), Command("make c", "")]


def test_blocks_of_a_page_share_names_loop_and_output() -> None:
    page = Page()

    page.run(Block("page.md", 1, "python", "import asyncio\nlock = asyncio.Lock()\n"))
    page.run(Block("page.md", 5, "python", "async with lock:\n    print('one', 2)\n"))
    page.run(Block("page.md", 9, "output", "one 2\n"))
    page.close()


def test_error_names_the_line_of_the_page() -> None:
    page = Page()

    with pytest.raises(ZeroDivisionError) as caught:
        page.run(Block("docs/page.md", 10, "python", "x = 1\nx / 0\n"))
    page.close()

    last = caught.traceback[-1]
    assert (str(last.path).endswith("docs/page.md"), last.lineno + 1) == (True, 12)


@pytest.mark.parametrize("shown", ["a\nb\n", "a \nb", "a\n...\n", "...b\n"])
def test_output_that_matches(shown: str) -> None:
    compare("page.md:1", shown, "a\nb\n")


@pytest.mark.parametrize("shown", ["a\n", "b\n", "a\nb\nc\n", "c...\n"])
def test_output_that_differs(shown: str) -> None:
    with pytest.raises(AssertionError, match="but this was printed:\na\nb\n"):
        compare("page.md:1", shown, "a\nb\n")


def test_unknown_make_target_fails() -> None:
    page = Page()

    page.run(Block("page.md", 1, "console", '$ make test ARGS="-x"\n'))
    with pytest.raises(AssertionError, match="no such make target: coffee"):
        page.run(Block("page.md", 1, "console", "$ make coffee\n"))
    page.close()
