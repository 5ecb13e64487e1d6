"""The result of one check: its level, and what to do if the level is not `ok`. Pure."""

from dataclasses import dataclass
from typing import Literal

Level = Literal["ok", "warn", "fail"]


@dataclass(frozen=True, slots=True)
class Finding:
    """`said` is a sentence about the subject `check`; `remedy` says what to do, and is empty only for `ok`."""

    check: str
    level: Level
    said: str
    remedy: str = ""


def ok(check: str, said: str) -> Finding:
    """Level `ok`: as it should be."""
    return Finding(check, "ok", said)


def warn(check: str, said: str, remedy: str) -> Finding:
    """Level `warn`: it works, but it may surprise."""
    return Finding(check, "warn", said, remedy)


def bad(check: str, said: str, remedy: str) -> Finding:
    """Level `fail`: the bridge will not work."""
    return Finding(check, "fail", said, remedy)
