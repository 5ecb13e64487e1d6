"""Counts on the data path, in memory: which clients are connected, and who sends messages to whom. Never the content.

Synchronous; it knows neither Redis nor the event loop. Once a second the writer (`writer.py`) calls `note_rows`, which
turns the counts into rows of the backlog. Bounded: what does not fit is counted as left out.
"""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from bridge.records.backlog import MOST_WAITING, Backlog, is_end_of_step
from bridge.records.retention import Tables
from bridge.records.rows import Language, Noted, Visitor
from bridge.records.speech import Audience, Speaker, Spoken, milliseconds
from v3.messages import Content

TOUCH_SECONDS: Final = 60.0
TOUCHES_PER_WRITE: Final = 2_000

SpeaksAs = tuple[str, Language, str | None, str]
"""Tenant, language, client id and group with which a client sends messages; the id may be a generated one."""


class Recorder:
    """The counts of one process since the last write. If nothing is to be recorded (`is_kept`), it counts nothing."""

    def __init__(self, tables: Tables, backlog: Backlog, seconds: Callable[[], float]) -> None:
        """`seconds` returns the time since the epoch. It is called for each message, so it is the fastest clock."""
        self._tables = tables
        self._backlog = backlog
        self._is_kept: Final = backlog.is_kept
        self._seconds = seconds
        self._speeches: dict[Audience, Spoken] = {}
        self._visits: dict[tuple[str, Visitor], int] = {}
        self._user_agents: dict[tuple[str, Visitor], str] = {}
        self._visitors: dict[SpeaksAs, Visitor] = {}
        self._gone: list[SpeaksAs] = []
        self._untouched: Iterator[tuple[str, Visitor]] = iter(())
        self._touched_at = 0.0

    def spoke(self, language: Language, speaker: Speaker, content: Content) -> None:
        """Count a message of a client."""
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
            self._backlog.left_out += 1

    def arrived(
        self,
        tenant: str,
        visitor: Visitor,
        user_agent: str,
        speaks_as: str | None = None,
        hears_since: float | None = None,
    ) -> None:
        """Count a connection that has begun. `speaks_as`: the client id that was generated for it, if it gave none.

        `hears_since` (seconds since the epoch): when it could receive its first message; if left out, now.
        """
        if self._is_kept:
            self._visits[tenant, visitor] = self._visits.get((tenant, visitor), 0) + 1
            self._user_agents[tenant, visitor] = user_agent
            self._visitors[_speaks_as(tenant, visitor, speaks_as)] = visitor
            self._note_seen(tenant, visitor, user_agent, hears_since)

    def left(self, tenant: str, visitor: Visitor, speaks_as: str | None = None) -> None:
        """Count a connection as over. Its last messages are still noted at the next write."""
        if not self._is_kept:
            return
        self._note_seen(tenant, visitor)
        self._gone.append(_speaks_as(tenant, visitor, speaks_as))
        self._visits[tenant, visitor] -= 1
        if not self._visits[tenant, visitor]:
            del self._visits[tenant, visitor], self._user_agents[tenant, visitor]

    def see_everyone_again(self) -> None:
        """Note every connected client again, because Redis has lost the census."""
        for (tenant, visitor), user_agent in self._user_agents.items():
            self._note_seen(tenant, visitor, user_agent)

    def note_rows(self) -> Iterator[None]:
        """Note the counts as rows, in steps. What is counted between two steps is noted the next time."""
        gone, self._gone = self._gone, []
        self._touch_some()
        yield from self._note_speeches()
        self._let_go(gone)

    def _note_seen(self, tenant: str, visitor: Visitor, user_agent: str = "", since: float | None = None) -> None:
        now = milliseconds(self._seconds())
        first = now if since is None else min(now, milliseconds(since))
        self._backlog.note(self._tables.census, tenant, Noted(visitor.key(), first, now, 0, user_agent))

    def _touch_some(self) -> None:
        """Note the connected clients as seen now: a round over all each `TOUCH_SECONDS`, some of them in each write."""
        now = self._seconds()
        if now - self._touched_at > TOUCH_SECONDS:
            self._touched_at, self._untouched = now, iter(list(self._visits))
        for _, (tenant, visitor) in zip(range(TOUCHES_PER_WRITE), self._untouched, strict=False):
            if (tenant, visitor) in self._visits:
                self._note_seen(tenant, visitor)

    def _note_speeches(self) -> Iterator[None]:
        speeches, self._speeches = self._speeches, {}
        for number, (audience, spoken) in enumerate(speeches.items()):
            if is_end_of_step(number):
                yield
            speaker, tenant = spoken.speaker, spoken.speaker.tenant
            visitor = self._visitors.get((tenant, spoken.language, speaker.client_id, speaker.group_id))
            client_id = speaker.client_id if visitor is None else visitor.client_id
            self._backlog.note(self._tables.speeches, tenant, spoken.noted(audience, client_id))
            if visitor is not None:
                self._backlog.note(self._tables.census, tenant, spoken.noted_as(visitor.key()))

    def _let_go(self, gone: Iterable[SpeaksAs]) -> None:
        """Forget the identities of clients whose last connection is over."""
        for speaks_as in gone:
            visitor = self._visitors.get(speaks_as)
            if visitor is not None and (speaks_as[0], visitor) not in self._visits:
                del self._visitors[speaks_as]


def _speaks_as(tenant: str, visitor: Visitor, client_id: str | None) -> SpeaksAs:
    return tenant, visitor.language, client_id or visitor.client_id, visitor.group_id
