"""The rows of a tenant's tables, put together into what an operator reads. Pure, and for a large tenant long work.

It reads nothing from Redis: `census.py` and `reports.py` do, and have this done beside the event loop.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from bridge.broker.presence_entries import holder_in
from bridge.records.rows import Conversion, Noted, ProprietaryKey, Sample, Seen, Visitor
from bridge.tenants.tenant import GENERATED_ID_PREFIX, Tenant, bucket
from v3.messages import timestamp

MILLISECONDS_PER_MINUTE: Final = 60_000
PROTOCOLS: Final = ("v2", "v3", "socketio")
OUTCOMES: Final = ("exact", "stashed", "suppressed")
DIRECTIONS: Final = ("v2_to_v3", "v3_to_v2")


class Newest:
    """Who speaks a protocol, V2 where none is named, of a census that comes the newest first, page by page.

    Those who are here come before all others. Of more than `most` only the number is kept; of these a line each.
    """

    def __init__(self, protocol: str | None, most: int, now: int, line: Callable[[Seen], object]) -> None:
        self.total = 0
        self._protocol = protocol
        self._most = most
        self._now = now
        self._line = line
        self._here: list[object] = []
        self._gone: list[object] = []

    def add(self, population: Iterable[Seen]) -> None:
        """The next page."""
        for seen in population:
            if is_asked_for(seen.visitor, self._protocol):
                self.total += 1
                lines = self._here if seen.last >= self._now else self._gone
                if len(lines) < self._most:
                    lines.append(self._line(seen))

    def lines(self) -> list[object]:
        """The newest first."""
        return (self._here + self._gone)[: self._most]


def visitors(rows: Iterable[Noted]) -> list[tuple[Noted, Visitor]]:
    """The rows that are a client's."""
    return [(row, visitor) for row in rows if (visitor := Visitor.of(row.key))]


def seen_until(rows: list[tuple[Noted, Visitor]], tenant: Tenant, here: set[tuple[str, str]], now: int) -> list[Seen]:
    """Everyone in the census; whoever is `here` was seen until now."""
    return [
        Seen(
            visitor,
            row.first,
            now if is_here(visitor, tenant, here) else row.last,
            row.count,
            visitor.user_agent or row.remark,
        )
        for row, visitor in rows
    ]


def holders(groups: list[str], answers: Sequence[object]) -> set[tuple[str, str]]:
    """Group and client name of everyone who holds an entry in these groups."""
    here = set()
    for group, holders in zip(groups, answers, strict=True):
        found = map(holder_in, holders if isinstance(holders, list) else ())
        here |= {(group, name) for holder in found if holder is not None for name in called(holder[0])}
    return here


def ledger(rows: Iterable[Noted]) -> tuple[dict[str, dict[str, int]], list[dict[str, Any]]]:
    """Conversions by direction and outcome, and the proprietary keys."""
    outcomes: dict[str, Counter[str]] = {direction: Counter(dict.fromkeys(OUTCOMES, 0)) for direction in DIRECTIONS}
    keys: dict[str, list[tuple[str, Noted]]] = defaultdict(list)
    for noted in rows:
        conversion, key = Conversion.of(noted.key), ProprietaryKey.of(noted.key)
        if conversion is not None and conversion.direction in outcomes:
            outcomes[conversion.direction][conversion.outcome] += noted.count
        elif key is not None:
            keys[key.name].append((key.type, noted))
    listed = sorted(map(key_line, keys.items()), key=lambda key: (-key["seen"], key["name"]))
    return {direction: dict(counts) for direction, counts in outcomes.items()}, listed


def client_words(seen: Seen) -> bytes:
    """One client of the census, as JSON."""
    return json.dumps(client_line(seen)).encode()


def client_line(seen: Seen) -> dict[str, Any]:
    """One client of the census."""
    visitor = seen.visitor
    return {
        "client_id": visitor.client_id,
        "group_id": visitor.group_id,
        "protocol": visitor.protocol,
        "language": visitor.language,
        "first_seen": moment(seen.first),
        "last_seen": moment(seen.last),
        "messages": seen.messages,
        "user_agent": seen.user_agent,
        "bucket": bucket(visitor.client_id) if visitor.language == "v2" else None,
    }


def key_line(item: tuple[str, list[tuple[str, Noted]]]) -> dict[str, Any]:
    """One proprietary key."""
    name, rows = item
    samples = sorted(rows, key=lambda one: -one[1].last)
    newest_type, newest = samples[0]
    return {
        "name": name,
        "seen": sum(noted.count for _, noted in samples),
        "type": newest_type,
        "types": [kind for kind, _ in samples],
        "first_seen": moment(min(noted.first for _, noted in samples)),
        "last_seen": moment(newest.last),
    }


class Drawing:
    """One sample for each moment; connections are added up each minute, so their mean over `minutes` is drawn."""

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._moments: dict[str, dict[str, Any]] = {}

    def add(self, rows: Iterable[Noted]) -> None:
        """Of any moments."""
        for noted in rows:
            sample = Sample.of(noted.key)
            if sample is not None and sample.what in ("connections", "messages") and sample.protocol in PROTOCOLS:
                self._draw(sample, noted)

    def _draw(self, sample: Sample, noted: Noted) -> None:
        new = {"at": sample.at, "connections": nobody(), "messages": nobody()}
        count = noted.count if sample.what == "messages" else mean(noted, self._minutes)
        self._moments.setdefault(sample.at, new)[sample.what][sample.protocol] = count

    def samples(self) -> list[dict[str, Any]]:
        """The oldest first."""
        return [self._moments[at] for at in sorted(self._moments)]


def mean(noted: Noted, minutes: int) -> float:
    """Over the minutes in which anybody was counted: the hour may not be over, or the bridge may be new."""
    counted = max(1, min(minutes, round((noted.last - noted.first) / MILLISECONDS_PER_MINUTE) + 1))
    return round(noted.count / counted, 1)


def nobody() -> dict[str, float]:
    """No connections, no messages."""
    return dict.fromkeys(PROTOCOLS, 0)


def is_asked_for(visitor: Visitor, protocol: str | None) -> bool:
    """Whether a client is of a protocol that was asked for."""
    if protocol is None:
        return visitor.language == "v2"
    return protocol in ("all", visitor.protocol)


def group_of(visitor: Visitor, tenant: Tenant) -> str:
    """The V3 name of a client's group."""
    return visitor.group_id if visitor.language == "v3" else tenant.names.name_of(visitor.group_id)


def is_here(visitor: Visitor, tenant: Tenant, here: set[tuple[str, str]]) -> bool:
    """Whether a client is connected."""
    name = visitor.client_id or ""
    if name and visitor.language == "v2":
        name = str(tenant.names.name_of(name))
    return (group_of(visitor, tenant), name) in here


def called(name: str) -> tuple[str, ...]:
    """Whoever has a generated id is also somebody without one."""
    return (name, "") if name.startswith(GENERATED_ID_PREFIX) else (name,)


def moment(milliseconds: int | None) -> str | None:
    """A time as the API says it."""
    return None if milliseconds is None else timestamp(milliseconds * 1_000)
