"""An id map as the admin API takes it: one object, in which nothing may stand twice. It maps nobody by itself.

Read string by string and not by `json.loads`, which would keep everybody waiting until all of them are read. The
command line takes larger maps: it has a process of its own.
"""

import asyncio
import re
from collections.abc import Iterator
from json import decoder
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from bridge.api.admin_body import body_of
from bridge.api.admin_refusals import AdminRefusal
from bridge.aside import aside
from compat.identity import check_id_map

MOST_IDS: Final = 100_000
MAX_IDS_BYTES: Final = 8 * 1_024 * 1_024
"""So many ids of usual length. nginx lets as much through."""
TOO_MANY: Final = f"At most {MOST_IDS:,} ids in one request: give a larger map to `aether-bridge tenants ids`."
BODY_SECONDS: Final = 60.0
"""So long a body may take to come."""
LONGEST_WORD: Final = 1_024
"""Of what is an id or a name at all; what is longer is not said back."""
_read_string: Any = vars(decoder)["scanstring"]
"""The standard library's own, in C; it has no public name."""
_SPACE: Final = re.compile(r"[ \t\r\n]*")


class Ids(BaseModel):
    """A whole id map: V2 id -> Vision ID."""

    model_config = ConfigDict(extra="forbid")

    ids: dict[str, str] = Field(max_length=MOST_IDS)


class Maps:
    """Takes one map at a time, so that their bodies are not held beside each other."""

    def __init__(self) -> None:
        self._taking = asyncio.Lock()

    async def take(self, request: Request) -> dict[str, str]:
        """The map of a request. Raises `AdminRefusal`, also while another one is being taken."""
        if self._taking.locked():
            raise AdminRefusal(503, "overloaded", "Another id map is being read on this process; try again later.")
        async with self._taking:
            try:
                async with asyncio.timeout(BODY_SECONDS):
                    body = await body_of(request, MAX_IDS_BYTES)
            except TimeoutError:
                raise AdminRefusal(408, "unfinished", f"Send an id map within {BODY_SECONDS:g} seconds.") from None
            return await aside(ids_in, body)


def ids_in(body: bytes) -> dict[str, str]:
    """The map of a request. Raises `AdminRefusal` for one that is not one to one."""
    ids: dict[str, str] = {}
    try:
        for v2_id, name in Reader(body.decode()).ids():
            if v2_id in ids:
                raise AdminRefusal(400, "invalid_ids", f"The key {v2_id[:32]!r} stands twice: one id, one name.")
            ids[v2_id] = name
    except ValueError:
        raise AdminRefusal(422, "invalid_ids", 'Send {"ids": {"<V2 id>": "<Vision ID>", …}}.') from None
    try:
        check_id_map(ids)
    except ValueError as error:
        raise AdminRefusal(400, "invalid_ids", str(error)) from None
    return ids


class Reader:
    """Reads `{"ids": {"…": "…", …}}`, and nothing else."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def ids(self) -> Iterator[tuple[str, str]]:
        """Each pair, as often as it stands there. Raises `AdminRefusal` for too many, `ValueError` for rubbish."""
        self._expect("{")
        if self._word() != "ids":
            raise ValueError
        self._expect(":")
        self._expect("{")
        for number, pair in enumerate(self._pairs()):
            if number == MOST_IDS:
                raise AdminRefusal(413, "body_too_big", TOO_MANY)
            yield pair
        self._expect("}")
        self._expect("")

    def _pairs(self) -> Iterator[tuple[str, str]]:
        if self._next() == "}":
            return
        self._at -= 1
        mark = ","
        while mark == ",":
            v2_id = self._word()
            self._expect(":")
            yield v2_id, self._word()
            mark = self._next()
        if mark != "}":
            raise ValueError

    def _word(self) -> str:
        self._expect('"')
        word: str
        word, self._at = _read_string(self._text, self._at, True)
        if len(word) > LONGEST_WORD:
            raise ValueError
        return word

    def _expect(self, mark: str) -> None:
        if self._next() != mark:
            raise ValueError

    def _next(self) -> str:
        """The next character that is no space; empty at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() + 1 if found is not None else self._at
        return self._text[self._at - 1 : self._at]
