"""Builds reports from the rows of a tenant's tables. Pure, but slow for a large tenant.

It never reads from Redis: `census.py` and `reports.py` do, and call these functions in the background thread.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any, Final

from bridge.broker.presence_entries import holder_in
from bridge.records.rows import Conversion, Noted, ProprietaryKey, Sample, Seen, Visitor
from bridge.records.whereabouts import Client
from bridge.tenants.share import bucket
from bridge.tenants.tenant import Tenant
from v3.messages import timestamp

MILLISECONDS_PER_MINUTE: Final = 60_000
FRESH_MILLISECONDS: Final = 150_000
"""Rows of connected clients are noted again each minute, or in two minutes where there are very many."""
PROTOCOLS: Final = ("v2", "v3", "socketio")
OUTCOMES: Final = ("exact", "stashed", "suppressed")
DIRECTIONS: Final = ("v2_to_v3", "v3_to_v2")

Here = dict[tuple[str, str, str], int]
"""(group, client name, protocol) of each connected client -> since when (ms since the epoch)."""


class Newest:
    """Selects clients of one protocol from a census that arrives page by page, the newest client first.

    `protocol` is as in `is_asked_for`. Connected clients, last seen at `now`, come before all others. Of the first
    `most` clients it keeps what `line` returns; all are counted in `total`.
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
        """Add the next page."""
        for seen in population:
            if is_asked_for(seen.visitor, self._protocol):
                self.total += 1
                lines = self._here if seen.last >= self._now else self._gone
                if len(lines) < self._most:
                    lines.append(self._line(seen))

    def lines(self) -> list[object]:
        """The lines: connected clients first, then the others, each the newest first."""
        return (self._here + self._gone)[: self._most]


def visitors(rows: Iterable[Noted]) -> list[tuple[Noted, Visitor]]:
    """The rows that describe a client, each with its client; other rows are skipped."""
    return [(row, visitor) for row in rows if (visitor := Visitor.of(row.key))]


def seen_until(rows: list[tuple[Noted, Visitor]], tenant: Tenant, here: Here, now: int) -> list[Seen]:
    """The clients in these rows. A client that is in `here` was last seen at `now`."""
    return [
        Seen(
            visitor,
            row.first,
            max(now, row.last) if is_here(visitor, row.last, tenant, here, now) else row.last,
            row.count,
            visitor.user_agent or row.remark,
        )
        for row, visitor in rows
    ]


def holders(groups: list[str], answers: Sequence[Sequence[bytes]]) -> Here:
    """The clients with a presence entry in these groups."""
    here: Here = {}
    for group, holders in zip(groups, answers, strict=True):
        for client, protocol, since in filter(None, map(holder_in, holders)):
            entry = group, client, protocol
            here[entry] = min(since // 1_000, here.get(entry, since))
    return here


def ledger(rows: Iterable[Noted]) -> tuple[dict[str, dict[str, int]], list[dict[str, Any]]]:
    """Direction -> outcome -> number of conversions; and the proprietary keys, the most frequent first."""
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
    """`client_line` as encoded JSON."""
    return json.dumps(client_line(seen)).encode()


def client_line(seen: Seen) -> dict[str, Any]:
    """One client of the census, as a JSON object of the API."""
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


def whereabouts_line(client: Client) -> dict[str, Any]:
    """One client of a list, as a JSON object of the API."""
    return {
        **_who(client),
        "first_seen": _moment_of(client.first),
        "last_seen": _moment_of(client.last),
        "messages": client.messages,
        "moved_at": _moment_of(client.moved_at),
        "arrived_at": _moment_of(client.first_on_v3) if client.place == "arrived" else None,
        "knocks": client.knocks,
        "refused": client.refused.times if client.refused else 0,
        "code": client.refused.facts.code if client.refused else None,
    }


def _who(client: Client) -> dict[str, str | None]:
    """Its ids, user agent and protocol when it was last seen on V2; if it never was, when it was last refused."""
    ids: tuple[str | None, ...] = (None,) * 4
    if client.visitor is not None:
        ids = client.visitor.client_id, client.user_agent, client.visitor.group_id, client.visitor.protocol
    elif client.refused is not None:
        facts = client.refused.facts
        ids = client.refused.name.client_id, facts.user_agent, facts.group_id, facts.protocol
    return dict(zip(("client_id", "user_agent", "group_id", "protocol"), ids, strict=True))


def turned_away_line(client: Client) -> dict[str, Any]:
    """One client of the list *turned_away*: also when it was refused last, and the network that it came from."""
    refused = client.refused
    more = {"refused_at": moment(refused.last), "address": refused.facts.address} if refused else {}
    return {**whereabouts_line(client), **more}


def _moment_of(milliseconds: int) -> str | None:
    return moment(milliseconds) if milliseconds > 0 else None


def key_line(item: tuple[str, list[tuple[str, Noted]]]) -> dict[str, Any]:
    """One proprietary key, as a JSON object of the API. `item`: its name, and each value type with its row."""
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


class HistoryBuilder:
    """Builds the samples of a history, one for each moment, from rows of `minutes` minutes each.

    The store adds up the connections of each minute, so a sample has their mean over these minutes.
    """

    def __init__(self, minutes: int) -> None:
        self._minutes = minutes
        self._moments: dict[str, dict[str, Any]] = {}

    def add(self, rows: Iterable[Noted]) -> None:
        """Add rows of any moments, in any order."""
        for noted in rows:
            sample = Sample.of(noted.key)
            if sample is not None and sample.what in ("connections", "messages") and sample.protocol in PROTOCOLS:
                self._draw(sample, noted)

    def _draw(self, sample: Sample, noted: Noted) -> None:
        new = {"at": sample.at, "connections": nobody(), "messages": nobody()}
        count = noted.count if sample.what == "messages" else mean(noted, self._minutes)
        self._moments.setdefault(sample.at, new)[sample.what][sample.protocol] = count

    def samples(self) -> list[dict[str, Any]]:
        """The samples, the oldest first."""
        return [self._moments[at] for at in sorted(self._moments)]


def mean(noted: Noted, minutes: int) -> float:
    """The mean over the minutes that were counted: the hour may not be over, or the bridge may have started in it."""
    counted = max(1, min(minutes, round((noted.last - noted.first) / MILLISECONDS_PER_MINUTE) + 1))
    return round(noted.count / counted, 1)


def nobody() -> dict[str, float]:
    """Zero for each protocol."""
    return dict.fromkeys(PROTOCOLS, 0)


def is_asked_for(visitor: Visitor, protocol: str | None) -> bool:
    """Whether a client is of the protocol. `None` stands for every client that speaks V2, `all` for every client."""
    if protocol is None:
        return visitor.language == "v2"
    return protocol in ("all", visitor.protocol)


def group_of(visitor: Visitor, tenant: Tenant) -> str:
    """The V3 name of a client's group."""
    if visitor.language == "v2":  # V2
        return tenant.names.name_of(visitor.group_id)  # V2
    return visitor.group_id


def is_here(visitor: Visitor, last: int, tenant: Tenant, here: Here, now: int) -> bool:
    """Whether the presence of a client says that it is connected. `last`: when its row was last noted.

    A client of Socket.IO may speak V2 or V3, which its presence does not say: its own row must be fresh, too. It says
    nothing of clients without an id: they are told apart by their user agents, and their rows are noted each minute.
    """
    name = visitor.client_id
    if name is None:
        return False
    if visitor.language == "v2":  # V2
        name = str(tenant.names.name_of(name))  # V2
    since = here.get((group_of(visitor, tenant), name, visitor.protocol))
    if since is None or visitor.protocol != "socketio":
        return since is not None
    return since <= last and now - last < FRESH_MILLISECONDS


def moment(milliseconds: int | None) -> str | None:
    """A time (ms since the epoch) in ISO 8601, as in the API."""
    return None if milliseconds is None else timestamp(milliseconds * 1_000)
