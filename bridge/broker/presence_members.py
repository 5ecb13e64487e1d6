"""The members of a group, read from Redis once for all who ask at the same time. It asks only when it is called.

Reading and writing out a group of a thousand takes 10 ms, and any client may ask. So an answer, as the bytes to send,
is used again for `FRESH_SECONDS`. It is dropped at once when this process learns that someone came or went.

Bounded: holders are read `HOLDERS_AT_ONCE` at a time, and at most `MOST_HOLDERS` of a group, in the order of the
client's name; others are left out.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Final

from pydantic_core import to_json

from bridge.broker import unreadable
from bridge.broker.presence_entries import Group, holder_in
from v3.messages import timestamp

FRESH_SECONDS: Final = 0.25
"""How long an answer is used again."""
MOST_ANSWERS: Final = 1_000
"""Groups whose answers are kept."""
MOST_ASKERS: Final = 10_000
"""How many may wait for one answer; further ones get `None` at once."""
MOST_MEMBERS_REMEMBERED: Final = 16_384
"""Members whose JSON is cached."""
HOLDERS_AT_ONCE: Final = 500
MOST_HOLDERS: Final = 20_000

Answer = Callable[[bytes | None], None]
"""Called once, with a JSON list as bytes, or with `None` if Redis did not answer."""
Ask = Callable[[Group, bytes, Callable[[object], None]], None]
"""Asks Redis for some holders of a group, after the given one (empty: from the start).

The reply is a list of two: the holders whose client is present, and the holder after which to go on (empty at the end).
"""
Member = tuple[int, str, bytes]
"""`(since in microseconds, protocol, the member as JSON)`."""


def who(client: str, protocol: str, since: int) -> dict[str, object]:
    """One member as it is sent to clients; `since` in microseconds."""
    return {"client_id": client, "protocol": protocol, "since": timestamp(since)}


class _Asked:
    """One question to Redis: the callbacks that wait for its answer, and the answer once there is one."""

    __slots__ = ("answer", "fresh_until", "members", "times", "waiting")

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}
        self.times = 0
        self.waiting: list[Answer] = []
        self.answer: bytes | None = None
        self.fresh_until = float("inf")


class MembersOfGroups:
    """The answers that are still fresh. Bounded: beyond `MOST_ANSWERS` the oldest is forgotten."""

    def __init__(self, ask: Ask, now: Callable[[], float]) -> None:
        """`now` returns seconds of any clock that never goes back."""
        self._ask: Final = ask
        self._now: Final = now
        self._asked: OrderedDict[Group, _Asked] = OrderedDict()

    def ask(self, group: Group, answer: Answer) -> None:
        """Call `answer`: at once if there is a fresh answer, else when Redis has replied."""
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
        """The members have changed: drop the answer. Callbacks that wait already get the answer that is on its way."""
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
    """Add the holders as members, one for each client: of several holders the oldest counts."""
    for holder in holders:
        known = _member_of(holder)
        if known is None:
            unreadable.skip("holder")
            continue
        client, member = known
        members[client] = min(members.get(client, member), member)


def as_json(members: Mapping[str, Member]) -> bytes:
    """The members as a JSON list, sorted by client."""
    return b"[%b]" % b",".join(members[client][2] for client in sorted(members))


@lru_cache(MOST_MEMBERS_REMEMBERED)
def _member_of(holder: bytes) -> tuple[str, Member] | None:
    """A holder in Redis as `(client, member)`; `None` if it is not one of ours."""
    known = holder_in(holder)
    if known is None:
        return None
    client, protocol, since = known
    return client, (since, protocol, to_json(who(client, protocol, since)))
