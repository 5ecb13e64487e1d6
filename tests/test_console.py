"""How the console blocks of a page are read, and held against what is printed."""

from pathlib import Path

import pytest

from tests.console import Step, steps

PAGE = """# A page

```console
$ first one \\
    two
TENANT  STAGE
acme    bridge

$ second
```

```sh
not this
```

```console
$ third
…
```
"""


def printed(text: str) -> Step:
    return Step(1, "command", text)


def test_each_command_has_its_line_and_what_it_prints(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(PAGE)
    assert list(steps(page)) == [
        Step(4, "first one \\\n    two", "TENANT  STAGE\nacme    bridge"),
        Step(9, "second", ""),
        Step(17, "third", "…"),
    ]


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", ""),
        ("", "\n"),
        ("a b", "a b\n"),
        ("TENANT  STAGE", "TENANT     STAGE  \n"),
        ("at 20…-…Z by me", "at 2026-01-01T00:00:00Z by me\n"),
        ("…", ""),
        ("…", "any\nlines\n"),
        ("a\n…\nz", "a\nb\nc\nz\n"),
    ],
)
def test_what_the_page_says_is_printed(page: str, text: str) -> None:
    assert printed(page).prints(text)


@pytest.mark.parametrize(
    ("page", "text"),
    [
        ("", "something\n"),
        ("a", ""),
        ("a", "a\nb\n"),
        ("a b", "ab\n"),
        ("a…c", "a\nc\n"),
        ("a\n…\nz", "a\nz2\n"),
        ("a.c", "abc\n"),
    ],
)
def test_anything_else_is_not_what_the_page_says(page: str, text: str) -> None:
    assert not printed(page).prints(text)
