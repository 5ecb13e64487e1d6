"""Reads an id map from a request to the admin API: one JSON object without duplicates. It applies no map itself.

It parses string by string, because one `json.loads` of the whole map would block the process until its end. The command
line takes larger maps: it has a process of its own.
"""

import asyncio
import re
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from functools import partial
from json import decoder
from typing import Annotated, Any, Final

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field

from bridge.admin.order_bodies import body_of
from bridge.admin.pace import Party
from bridge.api.errors import AdminRefusal
from bridge.system.background import run_in_background
from compat.identity import check_id_map
from legacy_v2.frames import MAX_ID_CHARACTERS
from v3.schema import VISION_ID

MOST_IDS: Final = 100_000
MAX_IDS_BYTES: Final = 8 * 1_024 * 1_024
"""Enough for `MOST_IDS` ids of usual length. The bound of nginx is the same."""
MOST_BYTES: Final = 8 * MAX_IDS_BYTES
KEPT_BYTES: Final = 2 * MAX_IDS_BYTES
"""`MOST_BYTES` bounds all bodies together. Of these, `KEPT_BYTES` are for parties that send no more than their share.

The share of a party is an equal part of `MOST_BYTES`."""
TOO_MANY: Final = f"At most {MOST_IDS:,} ids in one request: give a larger map to `aether-bridge tenants ids`."
BODY_SECONDS: Final = 60.0
"""The longest time that a body may take to arrive."""
LONGEST_WORD: Final = 1_024
"""Characters of an id or a name. A longer one is refused, and not repeated in the answer."""
_read_string: Any = vars(decoder)["scanstring"]
"""The parser for a JSON string of the standard library, in C. It has no public name."""
_SPACE: Final = re.compile(r"[ \t\r\n]*")


V2Id = Annotated[str, Field(min_length=1, max_length=MAX_ID_CHARACTERS)]
VisionId = Annotated[str, Field(json_schema_extra={"pattern": VISION_ID})]


class Ids(BaseModel):
    """A whole id map: V2 id -> Vision ID."""

    # Another title: generators of Python clients stumble over a class that is called as its field is.
    model_config = ConfigDict(extra="forbid", title="IdMap")

    ids: dict[V2Id, VisionId] = Field(max_length=MOST_IDS)


class Maps:
    """Receives one body of each party at a time; parses and applies one map at a time, first come, first served.

    The bytes of all bodies in memory are bounded. A part of them is reserved for parties that send little, so that the
    maps of one party cannot keep out those of another.
    """

    def __init__(self) -> None:
        self._here: Counter[Party] = Counter()
        self._using = asyncio.Lock()

    @asynccontextmanager
    async def taken(self, request: Request, party: Party) -> AsyncIterator[dict[str, str]]:
        """The map of a request, to be applied inside the context.

        Raises `AdminRefusal`, also (503) while the same party sends another map.
        """
        if party in self._here:
            raise AdminRefusal(503, "overloaded", "Another id map of this tenant is being taken; try again later.")
        self._here[party] = 0
        try:
            body = await self._body(request, party)
            async with self._using:
                yield await run_in_background(ids_in, body)
        finally:
            del self._here[party]

    async def _body(self, request: Request, party: Party) -> bytes:
        try:
            async with asyncio.timeout(BODY_SECONDS):
                return await body_of(request, MAX_IDS_BYTES, partial(self._count, party))
        except TimeoutError:
            raise AdminRefusal(408, "unfinished", f"Send an id map within {BODY_SECONDS:g} seconds.") from None

    def _count(self, party: Party, more_bytes: int) -> None:
        """Count a part of a body that has arrived. Raises `AdminRefusal` (503) if that is too much."""
        of_all, of_party = self._here.total() + more_bytes, self._here[party] + more_bytes
        is_little = of_party <= MOST_BYTES / len(self._here)
        if of_all > (MOST_BYTES if is_little else MOST_BYTES - KEPT_BYTES):
            raise AdminRefusal(503, "overloaded", "Too many id maps are being sent to this process; try again later.")
        self._here[party] = of_party


def ids_in(body: bytes) -> dict[str, str]:
    """The map in a body. Raises `AdminRefusal` if it is not valid, or not one to one."""
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
    """Parses `{"ids": {"…": "…", …}}`, and nothing else."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def ids(self) -> Iterator[tuple[str, str]]:
        """Each pair, duplicates too. Raises `AdminRefusal` for too many, `ValueError` for text in another form."""
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
        """The next character that is not white space; empty at the end."""
        found = _SPACE.match(self._text, self._at)
        self._at = found.end() + 1 if found is not None else self._at
        return self._text[self._at - 1 : self._at]
