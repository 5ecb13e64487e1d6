"""What happens, written down for the operator: who is there, who speaks to whom, what becomes of it. Never the words.

The path of a message only counts, in memory; each second what was counted is added to the tenants' rolls in Redis.
Bounded: what waits while Redis is away is counted together by row, and beyond `MOST_WAITING` rows only as left out.
"""

import asyncio
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, Final

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.records import refusals
from bridge.records.counters import Counts
from bridge.records.page import Page
from bridge.records.rows import Conversion, Language, Noted, ProprietaryKey, Sample, Visitor
from bridge.records.speech import Audience, Speaker, Spoken, milliseconds
from bridge.records.store import Roll, Rolls
from legacy_v2.frames import JsonType, type_of
from v3.messages import Content

FLUSH_SECONDS: Final = 1.0
TOUCH_SECONDS: Final = 60.0
TOUCHES_PER_FLUSH: Final = 2_000
MOST_WAITING: Final = 50_000
MOST_SHAPES: Final = 5_000
"""Sets of names in V2 frames that are told apart in one second."""
MOST_NAMES: Final = 10_000
"""In all these sets together, a name counted in each."""
ROWS_PER_STEP: Final = 200
LONGEST_KEY: Final = 128
MOST_REFUSED: Final = 5_000
"""Clients of one tenant that are told apart in one second; beyond, guards see no more of them."""

Tally = list[float]
"""The first time in seconds since the epoch, and how often."""
OpenByTenant = Callable[[], Mapping[tuple[str, str], int]]
DialectWords = Callable[[str], frozenset[str]]


class Chronicle:
    """The chronicle of one process. With `is_kept` false nothing is noted, and nothing is written."""

    def __init__(
        self,
        bus: Bus,
        addresses: Addresses,
        rolls: Rolls,
        counts: Counts,
        dialect_words: DialectWords,
        seconds: Callable[[], float],
        *,
        is_kept: bool,
    ) -> None:
        self._bus = bus
        self._addresses = addresses
        self._rolls = rolls
        self._counts = counts
        self._dialect_words = dialect_words
        self._seconds = seconds  # since the epoch; asked for each message, so the plainest clock there is
        self._is_kept: Final = is_kept
        self._speeches: dict[Audience, Spoken] = {}
        self._shapes: dict[tuple[str, tuple[str, ...]], tuple[Tally, tuple[JsonType, ...]]] = {}
        self._names = 0
        self._visits: dict[tuple[str, Visitor], int] = {}
        self._user_agents: dict[tuple[str, Visitor], str] = {}
        self._visitors: dict[tuple[str, str, str | None, str], Visitor] = {}
        self._gone: list[tuple[str, str, str | None, str]] = []
        self._untouched: Iterator[tuple[str, Visitor]] = iter(())
        self._touched_at = 0.0
        self._pages: dict[str, Page] = defaultdict(Page)
        self._waiting = 0
        self._messages: Counter[tuple[str, str]] = Counter()
        self._conversions: Counter[tuple[str, str, str]] = Counter()
        self._refused: dict[str, dict[Visitor, None]] = defaultdict(dict)
        self._minute: datetime | None = None
        self.open_by_tenant: OpenByTenant = dict
        """How many connections there are, by tenant and protocol."""
        self.roll_lost: Callable[[str, str], None] = lambda _tenant, _roll: None
        """Called with a tenant and the name of a roll of which Redis has lost what was noted before."""
        self.left_out = 0

    # The path of a message: counts, and nothing else.

    def spoke(self, language: Language, speaker: Speaker, content: Content) -> None:
        """A client said something."""
        if not self._is_kept:
            return
        audience = (id(speaker), content["msg_type"], content["target"], content.get("to_id"))
        spoken = self._speeches.get(audience)
        if spoken is not None:
            spoken.last = self._seconds()
            spoken.times += 1
        elif len(self._speeches) < MOST_WAITING:
            self._speeches[audience] = Spoken(language, speaker, self._seconds())
        else:
            self.left_out += 1

    def read(self, tenant: str, frame: Any) -> None:
        """A V2 frame was read: a JSON value. Its names are noted; the types, for each set of names, once a second."""
        if not self._is_kept or type(frame) is not dict:
            return
        key = (tenant, tuple(frame))
        shape = self._shapes.get(key)
        if shape is not None:
            shape[0][1] += 1
        elif len(self._shapes) < MOST_SHAPES and self._names + len(frame) <= MOST_NAMES:
            self._names += len(frame)
            self._shapes[key] = [self._seconds(), 1], tuple(map(type_of, frame.values()))
        else:
            self.left_out += 1

    @property
    def waiting(self) -> int:
        """Rows that Redis has not been given yet."""
        return self._waiting

    # Connections.

    def arrived(
        self,
        tenant: str,
        visitor: Visitor,
        user_agent: str,
        speaks_as: str | None = None,
        hears_since: float | None = None,
    ) -> None:
        """A connection has begun; `speaks_as` is the client id that was generated for it, where it gave none.

        `hears_since` (seconds since the epoch) is when it could first hear anything: left out, it is now.
        """
        if self._is_kept:
            self._visits[tenant, visitor] = self._visits.get((tenant, visitor), 0) + 1
            self._user_agents[tenant, visitor] = user_agent
            self._visitors[tenant, visitor.language, speaks_as or visitor.client_id, visitor.group_id] = visitor
            self._see(tenant, visitor, user_agent, hears_since)

    def left(self, tenant: str, visitor: Visitor, speaks_as: str | None = None) -> None:
        """A connection is over; what it said last is still to be written down."""
        if not self._is_kept:
            return
        self._see(tenant, visitor)
        self._gone.append((tenant, visitor.language, speaks_as or visitor.client_id, visitor.group_id))
        self._visits[tenant, visitor] -= 1
        if not self._visits[tenant, visitor]:
            del self._visits[tenant, visitor], self._user_agents[tenant, visitor]

    def turned_away(self, tenant: str, visitor: Visitor) -> None:
        """A V2 client was refused because of its tenant's stage."""
        if self._is_kept and len(self._refused[tenant]) < MOST_REFUSED:
            self._refused[tenant][visitor] = None

    def see_everyone_again(self) -> None:
        """Redis has forgotten them: note everyone who is connected."""
        for (tenant, visitor), user_agent in self._user_agents.items():
            self._see(tenant, visitor, user_agent)

    def _see(self, tenant: str, visitor: Visitor, user_agent: str = "", since: float | None = None) -> None:
        now = milliseconds(self._seconds())
        first = now if since is None else min(now, milliseconds(since))
        self._note(self._rolls.census, tenant, Noted(visitor.key(), first, now, 0, user_agent))

    # To Redis.

    async def run(self) -> None:
        """Write down what was counted, each second, until cancelled."""
        if not self._is_kept:
            await asyncio.Event().wait()
        while True:
            await asyncio.sleep(FLUSH_SECONDS)
            for _ in self._write_down():
                await asyncio.sleep(0)

    def flush(self) -> None:
        """Write it down now; it is on its way when this returns."""
        if self._is_kept:
            for _ in self._write_down():
                pass

    def _write_down(self) -> Iterator[None]:
        """In steps, between which messages go on."""
        gone, self._gone = self._gone, []
        self._touch_some()
        yield from self._take_speeches()
        self._let_go(gone)
        yield from self._take_shapes()
        self._take_counts()
        self._tell_refusals()
        if self._bus.is_up:
            yield from self._hand_over()

    def _let_go(self, gone: Iterable[tuple[str, str, str | None, str]]) -> None:
        """Whoever left is nobody's voice any more, unless there is another connection of the same client."""
        for voice in gone:
            visitor = self._visitors.get(voice)
            if visitor is not None and (voice[0], visitor) not in self._visits:
                del self._visitors[voice]

    def _hand_over(self) -> Iterator[None]:
        pages, self._pages, self._waiting = self._pages, defaultdict(Page), 0
        for tenant, page in pages.items():
            for roll, rows in page.rows.items():
                waiting = list(rows.values())
                for start in range(0, len(waiting), ROWS_PER_STEP):
                    step = waiting[start : start + ROWS_PER_STEP]
                    lost = partial(self.roll_lost, tenant, roll.name)
                    roll.note(self._bus, self._addresses, tenant, step, self._again(roll, tenant), lost)
                    yield

    def _again(self, roll: Roll, tenant: str) -> Callable[[Sequence[Noted]], None]:
        """What Redis did not take waits for the next time: it may be counted twice, but nobody is forgotten."""

        def failed(rows: Sequence[Noted]) -> None:
            for noted in rows:
                self._note(roll, tenant, noted)

        return failed

    def _note(self, roll: Roll, tenant: str, noted: Noted) -> None:
        if self._waiting >= MOST_WAITING:
            self.left_out += 1
        else:
            self._waiting += self._pages[tenant].note(roll, noted)

    def _touch_some(self) -> None:
        """Everyone who is connected was seen a minute ago at most; so many at once."""
        now = self._seconds()
        if now - self._touched_at > TOUCH_SECONDS:
            self._touched_at, self._untouched = now, iter(list(self._visits))
        for _, (tenant, visitor) in zip(range(TOUCHES_PER_FLUSH), self._untouched, strict=False):
            if (tenant, visitor) in self._visits:
                self._see(tenant, visitor)

    def _take_speeches(self) -> Iterator[None]:
        speeches, self._speeches = self._speeches, {}
        for number, (audience, spoken) in enumerate(speeches.items()):
            if number % ROWS_PER_STEP == ROWS_PER_STEP - 1:
                yield
            speaker, tenant = spoken.speaker, spoken.speaker.tenant
            visitor = self._visitors.get((tenant, spoken.language, speaker.client_id, speaker.group_id))
            client_id = speaker.client_id if visitor is None else visitor.client_id
            self._note(self._rolls.speeches, tenant, spoken.noted(audience, client_id))
            if visitor is not None:
                self._note(self._rolls.census, tenant, spoken.noted_as(visitor.key()))

    def _take_shapes(self) -> Iterator[None]:
        shapes, self._shapes, self._names = self._shapes, {}, 0
        now = milliseconds(self._seconds())
        for number, ((tenant, names), ((first, times), types)) in enumerate(shapes.items()):
            if number % ROWS_PER_STEP == ROWS_PER_STEP - 1:
                yield
            known = self._dialect_words(tenant)
            for name, kind in zip(names, types, strict=True):
                if name not in known and len(name) <= LONGEST_KEY:
                    noted = Noted(ProprietaryKey(name, kind).key(), milliseconds(first), now, int(times))
                    self._note(self._rolls.ledger, tenant, noted)

    def _take_counts(self) -> None:
        """The day's conversions, and the minute's and the hour's messages and connections."""
        now = milliseconds(self._seconds())
        at = datetime.fromtimestamp(now / 1_000, UTC)
        for (tenant, direction, outcome), times in _more(self._counts.conversions, self._conversions):
            row = Conversion(direction, outcome, f"{at:%Y-%m-%d}")
            self._note(self._rolls.ledger, tenant, Noted(row.key(), now, now, times))
        for (tenant, protocol), times in _more(self._counts.messages, self._messages):
            self._sample(tenant, "messages", protocol, at, times)
        self._take_connections(at)

    def _take_connections(self, at: datetime) -> None:
        """Once a minute, when it is over."""
        minute, self._minute = self._minute, at.replace(second=0, microsecond=0)
        if minute is None or minute == self._minute:
            return
        for (tenant, protocol), times in self.open_by_tenant().items():
            self._sample(tenant, "connections", protocol, minute, times)

    def _sample(self, tenant: str, what: Any, protocol: str, at: datetime, times: int) -> None:
        now = round(at.timestamp() * 1_000)
        minute, hour = f"{at:%Y-%m-%dT%H:%M:00Z}", f"{at:%Y-%m-%dT%H:00:00Z}"
        self._note(self._rolls.minutes, tenant, Noted(Sample(minute, what, protocol).key(), now, now, times))
        self._note(self._rolls.hours, tenant, Noted(Sample(hour, what, protocol).key(), now, now, times))

    def _tell_refusals(self) -> None:
        """Who was refused, in the slice of time that it is now: for the guards."""
        told, self._refused = self._refused, defaultdict(dict)
        for tenant, visitors in told.items():
            refusals.note(self._bus, self._addresses, tenant, visitors, self._seconds())


def _more(now: Counter[Any], before: Counter[Any]) -> list[tuple[Any, int]]:
    """What was counted since, and from now on counts as before."""
    more = [(key, number - before[key]) for key, number in now.items() if number != before[key]]
    before.update(dict(more))
    return more
