"""Who is in a group, asked from Redis once for all who want to know it at the same time. It never asks by itself.

A group of a thousand costs 10 ms to read and to write down, and anybody may ask: so an answer serves everyone for
`FRESH_SECONDS`, as the bytes that are sent. Whatever this process learns of a coming or going ends it at once.
"""

from collections import OrderedDict
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from pydantic_core import to_json

from bridge.broker.presence_entries import Group, holder_in
from v3.session import timestamp

FRESH_SECONDS: Final = 0.25
MOST_ANSWERS: Final = 1_000
MOST_ASKERS: Final = 10_000
"""Who wait for one answer; whoever comes then is told that there is none."""
MOST_MEMBERS_REMEMBERED: Final = 16_384

Answer = Callable[[bytes | None], None]
"""Called once, with a JSON list, or `None` where Redis did not say."""
Ask = Callable[[Group, Callable[[Any], None]], None]


def who(client: str, protocol: str, since: int) -> dict[str, Any]:
    """One member, as everybody is told; `since` in microseconds."""
    return {"client_id": client, "protocol": protocol, "since": timestamp(since)}


class _Asked:
    """One question to Redis: who waits for it, and the answer once it is there."""

    __slots__ = ("answer", "fresh_until", "waiting")

    def __init__(self) -> None:
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
        self._ask(group, lambda reply: self._answered(group, asked, reply))

    def _answered(self, group: Group, asked: _Asked, reply: Any) -> None:
        members = members_in(reply)
        if members is None and self._asked.get(group) is asked:
            del self._asked[group]
        asked.answer, asked.fresh_until = members, self._now() + FRESH_SECONDS
        waiting, asked.waiting = asked.waiting, []
        for answer in waiting:
            answer(members)


def members_in(reply: Any) -> bytes | None:
    """One member a client: of several connections, the one that has been there longest."""
    if not isinstance(reply, list):
        return None
    present = {client.decode(errors="replace") for client in reply[0]}
    members: dict[str, tuple[int, str, bytes]] = {}
    for holder in reply[1]:
        known = _member_of(holder)
        if known is None or known[0] not in present:
            continue  # its time is over; or somebody else's, under our name
        client, member = known
        members[client] = min(members.get(client, member), member)
    return b"[%b]" % b",".join(members[client][2] for client in sorted(members))


@lru_cache(MOST_MEMBERS_REMEMBERED)
def _member_of(holder: bytes) -> tuple[str, tuple[int, str, bytes]] | None:
    """What stands in Redis, as a client and since when, by which protocol, and as JSON."""
    known = holder_in(holder)
    if known is None:
        return None
    client, protocol, since = known
    return client, (since, protocol, to_json(who(client, protocol, since)))
