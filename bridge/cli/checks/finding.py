"""One thing that was looked at: how it stands, and what to do where it does not stand well. Pure."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is a sentence about `check`; `remedy` is what to do, and is there whenever the level is not `ok`."""

    check: str
    level: Level
    said: str
    remedy: str = ""


def ok(check: str, said: str) -> Finding:
    """As it should be."""
    return Finding(check, "ok", said)


def warn(check: str, said: str, remedy: str) -> Finding:
    """It works, and may surprise."""
    return Finding(check, "warn", said, remedy)


def bad(check: str, said: str, remedy: str) -> Finding:
    """The bridge will not work so."""
    return Finding(check, "fail", said, remedy)
