"""An id map as the admin API takes it: one object, in which nothing may stand twice. It maps nobody by itself.

Read string by string and not by `json.loads`, which would keep everybody waiting until all of them are read. The
command line takes larger maps: it has a process of its own.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from json import decoder
from typing import Any, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from bridge.admin.bodies import body_of
from bridge.admin.pace import Party
from bridge.api.errors import AdminRefusal
from bridge.system.background import aside
from compat.identity import check_id_map

MOST_IDS: Final = 100_000
MAX_IDS_BYTES: Final = 8 * 1_024 * 1_024
"""So many ids of usual length. nginx lets as much through."""
MOST_BYTES: Final = 8 * MAX_IDS_BYTES
KEPT_BYTES: Final = 2 * MAX_IDS_BYTES
"""Of all bodies together; and what of that is kept for those who send less than an equal share of it."""
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
    """Takes one body of each party while it comes, and reads and uses one map at a time, first come, first served.

    What is here of all bodies is bounded in bytes, and a part of that is kept for parties that send little, so that
    nobody's map keeps another's out.
    """

    def __init__(self) -> None:
        self._here: Counter[Party] = Counter()
        self._using = asyncio.Lock()

    @asynccontextmanager
    async def taken(self, request: Request, party: Party) -> AsyncIterator[dict[str, str]]:
        """The map of a request, to be used within. Raises `AdminRefusal`, also while the party sends another one."""
        if party in self._here:
            raise AdminRefusal(503, "overloaded", "Another id map of this tenant is being taken; try again later.")
        self._here[party] = 0
        try:
            body = await self._body(request, party)
            async with self._using:
                yield await aside(ids_in, body)
        finally:
            del self._here[party]

    async def _body(self, request: Request, party: Party) -> bytes:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await body_of(request, MAX_IDS_BYTES, partial(self._count, party))
        except TimeoutError:
            raise AdminRefusal(408, "unfinished", f"Send an id map within {BODY_SECONDS:g} seconds.") from None

    def _count(self, party: Party, more_bytes: int) -> None:
        """So much more of a body is here. Raises `AdminRefusal` where that is too much."""
        of_all, of_party = self._here.total() + more_bytes, self._here[party] + more_bytes
        is_little = of_party <= MOST_BYTES / len(self._here)
        if of_all > (MOST_BYTES if is_little else MOST_BYTES - KEPT_BYTES):
            raise AdminRefusal(503, "overloaded", "Too many id maps are being sent to this process; try again later.")
        self._here[party] = of_party


def ids_in(body: bytes) -> dict[str, str]:
    """The map of a request. Raises `AdminRefusal` for one that is not one to one."""
    ids: dict[str, str] = {}
    try:
        for v2_id, name in IdMapReader(body.decode()).ids():
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


class IdMapReader:
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
