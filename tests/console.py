"""The `console` blocks of a page: commands after `$ `, and beneath each what it prints.

A command that ends with a backslash goes on in the next line. In what is printed, `…` stands for any text within a
line, and a line of `…` alone for any lines. Pure: who runs the commands is the test's to say.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
PROMPT = "$ "
ANYTHING = "…"


@dataclass(frozen=True)
class Step:
    """One command of a page, the line where it stands, and what the page says that it prints."""

    line: int
    command: str
    printed: str

    def prints(self, text: str) -> bool:
        """Whether `text` is what the page says."""
        said = "".join(line + "\n" for line in text.strip("\n").splitlines())
        return re.fullmatch(pattern(self.printed), said) is not None


def steps(page: Path) -> Iterator[Step]:
    """Every command of a page, in order."""
    text = page.read_text()
    for block in BLOCK.finditer(text):
        first = text.count("\n", 0, block.start(1)) + 1
        yield from steps_of(block.group(1).splitlines(), first)


def steps_of(lines: list[str], first: int) -> Iterator[Step]:
    """The commands of one block, whose first line has the number `first`."""
    begins = [number for number, line in enumerate(lines) if line.startswith(PROMPT)]
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        last = begin
        while lines[last].endswith("\\"):
            last += 1
        command = "\n".join(lines[begin : last + 1]).removeprefix(PROMPT)
        yield Step(first + begin, command, "\n".join(lines[last + 1 : end]).strip("\n"))


def pattern(printed: str) -> str:
    """The regular expression of what a page says that a command prints."""
    return "".join(r"(.*\n)*" if line == ANYTHING else within(line) + r"\n" for line in printed.splitlines())


def within(line: str) -> str:
    """The regular expression of a line. Between words any number of spaces will do, as in columns of any width."""
    words = [".*".join(map(re.escape, word.split(ANYTHING))) for word in line.split()]
    return r"[ ]*" + r"[ ]+".join(words) + r"[ ]*"
