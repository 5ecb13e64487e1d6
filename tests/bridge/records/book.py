"""What one process records, with a clock that a test may set forward, on a real Redis. It judges nothing."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from bridge.records.backlog import Backlog
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.records.retention import Table
from bridge.records.rows import Noted, Speech
from bridge.records.samples import Samples
from bridge.records.v2 import V2Recording
from bridge.records.writer import Writer
from tests.bridge.admin.desk import TENANT, Clock, Desk, v2, v3

SPEECH: Final = Speech("v2", "42", "lobby", "msg", "group", None, "none")
OLD, NEW = v2("42"), v3("ann")


class Talker(NamedTuple):
    """A guest, as far as the recorder knows it. One that gave no id has none here."""

    tenant: str
    client_id: Any
    group_id: str
    grant: str


class Book:
    """The recorders of one process, and what has been written."""

    def __init__(self, desk: Desk, *, words: str = "", is_kept: bool = True) -> None:
        """`words` are those of every tenant's dialect."""
        self.desk = desk
        self.clock = Clock()
        self.counts = Counts()
        self.connections: dict[tuple[str, str], int] = {}
        self._talkers: dict[tuple[str, Talker], Talker] = {}
        known, seconds, tables = frozenset(words.split()), self.clock.seconds, desk.tables
        bus, addresses, backlog = desk.bus, desk.addresses, Backlog(is_kept=is_kept)
        self.backlog = backlog
        self.recorder = Recorder(tables, backlog, seconds)
        self.v2 = V2Recording(tables, backlog, self.counts, lambda _: known, seconds)
        samples = Samples(tables, backlog, self.counts, lambda: self.connections, seconds)
        self.writer = Writer(bus, addresses, backlog, self.recorder, samples, self.v2)

    def say(self, speech: Speech = SPEECH, times: int = 1) -> None:
        talker = Talker(TENANT, speech.client_id, speech.group_id, speech.grant)
        talker = self._talkers.setdefault((speech.language, talker), talker)  # the same object for a whole connection
        content: Any = {"msg_type": speech.msg_type, "target": speech.target, "to_id": speech.to_id}
        for _ in range(times):
            self.recorder.spoke(speech.language, talker, content)

    async def written(self, table: Table) -> dict[str, Noted]:
        """What a table holds once everything is written, by key."""
        self.writer.flush()
        await self.desk.settled()
        return {noted.key: noted for noted in await self.desk.noted(table)}

    async def census(self) -> dict[str, Noted]:
        return await self.written(self.desk.tables.census)

    async def speeches(self) -> dict[str, Noted]:
        return await self.written(self.desk.tables.speeches)

    async def ledger(self) -> dict[str, Noted]:
        return await self.written(self.desk.tables.ledger)
