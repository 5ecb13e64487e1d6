"""Who is in a group, asked from Redis once for all who want to know it at the same time. It never asks by itself.

A group of a thousand costs 10 ms to read and to write down, and anybody may ask: so an answer serves everyone for
`FRESH_SECONDS`, as the bytes that are sent. Whatever this process learns of a coming or going ends it at once.

Bounded: some holders at a time are asked for and read. Of a group with more than `MOST_HOLDERS`, those that come first
by their client's name are told.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

from pydantic_core import to_json

from bridge.broker import unreadable
from bridge.broker.presence_entries import Group, holder_in
from v3.session import timestamp

FRESH_SECONDS: Final = 0.25
MOST_ANSWERS: Final = 1_000
MOST_ASKERS: Final = 10_000
"""Who wait for one answer; whoever comes then is told that there is none."""
MOST_MEMBERS_REMEMBERED: Final = 16_384
HOLDERS_AT_ONCE: Final = 500
MOST_HOLDERS: Final = 20_000

Answer = Callable[[bytes | None], None]
"""Called once, with a JSON list, or `None` where Redis did not say."""
Ask = Callable[[Group, bytes, Callable[[object], None]], None]
"""Some holders of a group, after this one: a list of those whose client is present, and after which to go on."""
Member = tuple[int, str, bytes]
"""Since when, by which protocol, and the whole as JSON."""


def who(client: str, protocol: str, since: int) -> dict[str, object]:
    """One member, as everybody is told; `since` in microseconds."""
    return {"client_id": client, "protocol": protocol, "since": timestamp(since)}


class _Asked:
    """One question to Redis: who waits for it, and the answer once it is there."""

    __slots__ = ("answer", "fresh_until", "members", "times", "waiting")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.times = 0
        self.waiting: list[Answer] = []
        self.answer: bytes | None = None
        self.fresh_until = float("inf")


class MembersOfGroups:
    """The answers that are still fresh. Bounded: of too many, the oldest is forgotten."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        """`now` in seconds, of any clock that does not go back."""
        self._ask: Final = ask
        self._now: Final = now
        self._asked: OrderedDict[Group, _Asked] = OrderedDict()

    def ask(self, group: Group, answer: Answer) -> None:
        """At once where the answer is fresh, else when Redis has said."""
        asked = self._asked.get(group)
        if asked is not None and asked.answer is not None and self._now() < asked.fresh_until:
            answer(asked.answer)
        elif asked is None or asked.answer is not None:
            self._ask_anew(group, answer)
        elif len(asked.waiting) < MOST_ASKERS:
            asked.waiting.append(answer)
        else:
            answer(None)

    def forget(self, group: Group) -> None:
        """Who is in it has changed. Whoever waits already gets the answer that is on its way."""
        self._asked.pop(group, None)

    def _ask_anew(self, group: Group, answer: Answer) -> None:
        asked = self._asked[group] = _Asked()
        self._asked.move_to_end(group)
        if len(self._asked) > MOST_ANSWERS:
            self._asked.popitem(last=False)
        asked.waiting.append(answer)
        self._ask_some(group, asked, b"")

    def _ask_some(self, group: Group, asked: _Asked, after: bytes) -> None:
        asked.times += 1
        self._ask(group, after, lambda reply: self._told_some(group, asked, reply))

    def _told_some(self, group: Group, asked: _Asked, reply: object) -> None:
        if not isinstance(reply, list):
            self._answered(group, asked, None)
            return
        holders, after = reply
        add_members(asked.members, holders)
        if after and asked.times < MOST_HOLDERS // HOLDERS_AT_ONCE:
            self._ask_some(group, asked, after)
        else:
            self._answered(group, asked, as_json(asked.members))

    def _answered(self, group: Group, asked: _Asked, members: bytes | None) -> None:
        if members is None and self._asked.get(group) is asked:
            del self._asked[group]
        asked.answer, asked.fresh_until, asked.members = members, self._now() + FRESH_SECONDS, {}
        waiting, asked.waiting = asked.waiting, []
        for answer in waiting:
            answer(members)


def add_members(members: dict[str, Member], holders: Iterable[bytes]) -> None:
    """One member a client: of several connections, the one that has been there longest."""
    for holder in holders:
        known = _member_of(holder)
        if known is None:
            unreadable.skip("holder")
            continue
        client, member = known
        members[client] = min(members.get(client, member), member)


def as_json(members: Mapping[str, Member]) -> bytes:
    """A list of them, by their names."""
    return b"[%b]" % b",".join(members[client][2] for client in sorted(members))


@lru_cache(MOST_MEMBERS_REMEMBERED)
def _member_of(holder: bytes) -> tuple[str, Member] | None:
    """What stands in Redis, as a client and since when, by which protocol, and as JSON."""
    known = holder_in(holder)
    if known is None:
        return None
    client, protocol, since = known
    return client, (since, protocol, to_json(who(client, protocol, since)))
