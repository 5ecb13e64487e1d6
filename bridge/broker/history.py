"""Says messages on the bus, and keeps each for a while in Redis: a history of every channel that people listen to.

One script says a message and keeps it, so that what was kept and what was heard never differ. The messages of one turn
of the event loop go to Redis together, in few calls. A message is never said again when it may have been said: it is
answered as by `Bus.publish`.

Bounded in Redis: `HistoryBudget` says which messages may be kept. What is said and not kept is noted in Redis, so that
nobody is told that a history is whole over it. A tenant of which too many channels are noted is noted as a whole, under
its own channel: then nobody of it is told so.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, Literal, NamedTuple

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.awaited_replies import Done
from bridge.broker.bus import Bus
from bridge.broker.commands import pack_parts
from bridge.broker.history_budget import HistoryBudget
from bridge.broker.ordered_calls import OrderedCalls
from bridge.broker.scripts import Script
from bridge.system.observers import Observers

How = Literal["all", "heard", "none"]
"""Whether a message is kept: always; only if somebody heard it or is expected back; or not."""

Publish = Callable[[Sequence[bytes], bytes, Done], None]
"""Says a message on channels; the callback gets how many processes received it, or `None`."""
SPARE_SECONDS: Final = 2
"""So much longer than it is told Redis keeps what was said: what is young enough is there for certain."""
MOST_TOGETHER: Final = 64
"""Messages of one call: about half a millisecond in Redis, during which it does nothing else."""
MOST_BYTES_TOGETHER: Final = 262_144
MOST_KNOWN: Final = 10_000
"""When more channels were spoken on, what is known of their names is worked out anew."""
SAY: Final = Script.in_file("bridge.broker", "history_say")
BEGIN: Final = Script.in_file("bridge.broker", "history_begin")
READ: Final = Script.in_file("bridge.broker", "history_read")


@dataclass(frozen=True, slots=True)
class HistoryOptions:
    """For how long, and how many messages of a channel are kept; of clients' own channels only with `direct`.

    `most_bytes`: what all histories may take that one process writes; of several tenants one may take half. `v2`:
    whether what all V2 connections of a tenant hear is kept too. Without `seconds` there is no history.
    """

    seconds: int = 0
    has_several_tenants: bool = False
    messages: int = 300
    most_bytes: int = 268_435_456
    direct: bool = True
    v2: bool = False

    @property
    def kept_seconds(self) -> int:
        """For how long Redis keeps what was said."""
        return self.seconds + SPARE_SECONDS if self.seconds else 0


class Keep(NamedTuple):
    """How a script keeps what it says itself.

    `key`: under what it keeps that; or, if there is no room for it (`messages` is 0), under what that is noted. `seen`:
    the highest number that this process has seen. Without `seconds` there is no history.
    """

    key: bytes
    seconds: int
    messages: int
    seen: int


class _Known(NamedTuple):
    """What is known of a channel by its name: what its history is kept under, whether it is a client's, its tenant."""

    key: bytes
    is_direct: bool
    tenant: str


class _Batch:
    """The messages of one call, packed, and the callbacks of their senders."""

    __slots__ = ("_last_kept", "arguments", "dones", "keys", "size_bytes")

    def __init__(self) -> None:
        self.keys: list[bytes] = []
        self.arguments: list[bytes] = []
        self.dones: list[tuple[Done, int]] = []
        """Who waits for the answer, and how many have heard the message for certain."""
        self.size_bytes = 0
        self._last_kept: tuple[bytes, int] | None = None

    def add(self, how: How, key: bytes, parts: tuple[bytes, bytes], data: bytes, done: Done, heard_by: int) -> None:
        """Add a message that is kept, or noted, under `key`. `parts`: see `_parts_of`."""
        if how == "all":
            self._last_kept = key, len(self.dones)
        self.keys.append(parts[0])
        self.arguments.append(b"%b$%d\r\n%b\r\n" % (parts[1], len(data), data))
        self.dones.append((done, heard_by))
        self.size_bytes += len(data)

    def last_kept(self, last_number: int) -> list[tuple[bytes, int]]:
        """What the last message that is certainly kept is kept under, and its number: one pair, or none."""
        if self._last_kept is None:
            return []
        key, index = self._last_kept
        return [(key, last_number - (len(self.dones) - 1 - index))]

    @property
    def is_full(self) -> bool:
        return len(self.dones) >= MOST_TOGETHER or self.size_bytes >= MOST_BYTES_TOGETHER


@lru_cache(maxsize=MOST_KNOWN)
def _parts_of(how: How, key: bytes, channel: bytes, wide_key: bytes, wide: bytes) -> tuple[bytes, bytes]:
    """Keys of a message in the call of the script, and its arguments before the message itself: both packed."""
    return pack_parts(key, wide_key), pack_parts(how.encode(), channel, wide)


class Evidence:
    """What one process has said and heard lately. It shows whether a server has everything, and what was the last."""

    def __init__(self, addresses: Addresses) -> None:
        self._kept_under: Final = addresses.kept_under
        self.server = ""
        """Which server has said so; empty before any has."""
        self._said: list[tuple[bytes, int]] = []
        self._highest_said = 0
        self.heard: Callable[[], Sequence[tuple[bytes, int]]] = tuple
        """Channel and number of messages that this process has heard."""
        self.highest_heard: Callable[[], int] = int
        """The highest number that this process has heard."""

    def note(self, kept: list[tuple[bytes, int]], last_number: int) -> None:
        """A server has taken messages up to this number. `kept`: what one is kept under, and its number; or none."""
        self._said, self._highest_said = kept or self._said, last_number

    def certain(self) -> list[tuple[bytes, int]]:
        """What messages are kept under that a server must have, and their numbers."""
        return self._said + [(self._kept_under(channel), number) for channel, number in self.heard()]

    @property
    def highest(self) -> int:
        """The highest number that this process has seen."""
        return max(self._highest_said, self.highest_heard())


class History:
    """Says messages for one process. `publish` takes the place of `Bus.publish` where a history is kept."""

    def __init__(self, bus: Bus, addresses: Addresses, options: HistoryOptions) -> None:
        self._bus = bus
        self._addresses = addresses
        self._options = options
        self._now = asyncio.get_running_loop().time
        self.budget: Final = HistoryBudget(options.most_bytes, options.messages, options.kept_seconds)
        self.budget.has_several_tenants = options.has_several_tenants
        self._common: Final = (
            [addresses.last_number.encode(), addresses.history_begin.encode()],
            [options.kept_seconds, options.messages, int(options.v2)],
        )
        """Keys and arguments that all calls have."""
        self._batch = _Batch()
        self._at = self._now()
        """The time of this turn of the event loop, in its seconds."""
        self._known: dict[bytes, _Known] = {}
        self._calls, self._beginnings = OrderedCalls(bus, SAY), OrderedCalls(bus, BEGIN)
        self.evidence: Final = Evidence(addresses)
        self.is_wanted: Callable[[bytes], bool] = lambda _channel: False
        """Whether this process listens on a channel: also while its link is lost, since it repairs what it misses."""
        self.begun: Final = Observers[[int]]()
        """Called with the number since which histories have no break: on each new link, and after a loss of data."""
        bus.back.add(self.begin)

    def begin(self) -> None:
        """There is a new link, or Redis has lost its data: note whether what was said before can be read there.

        It comes before anything that is said now.
        """
        evidence, certain = self.evidence, self.evidence.certain()
        keys = [*self._common[0], self._addresses.history_server.encode(), *(key for key, _ in certain)]
        self._beginnings.run(keys, [evidence.server, *(number for _, number in certain)], self._begun)

    def _begun(self, reply: object) -> None:
        if isinstance(reply, list):
            self.evidence.server = reply[0].decode()
            self.begun(int(reply[1]))

    def publish(self, channels: Sequence[bytes], data: bytes, done: Done) -> None:
        """Say `data` on one channel, or on one and the wide channel, and keep it.

        `done` gets how many processes received it, or `None` if it was not said, or may not have been. A client who is
        expected back counts as one: it will get the message from the history.
        """
        if not self._batch.dones:
            self._begin_turn()
        channel, wide = channels[0], channels[1] if len(channels) > 1 else b""
        known, is_here = self._look_at(channel), self.is_wanted(channel)
        how = self._how(channel, known, len(data), may_be_nobodys=not wide and not is_here)
        key = known.key if how != "none" else self._noted_under(channel, known)
        parts = _parts_of(how, key, channel, self._look_at(wide).key if wide else known.key, wide)
        # What is kept for a listener of this process is heard, even if its link is lost at the moment.
        self._batch.add(how, key, parts, data, done, 1 if is_here and how != "none" else 0)
        if self._batch.is_full:
            self._say()

    def _begin_turn(self) -> None:
        self._bus.at_end_of_turn(self._say)
        self._forget()

    def _forget(self) -> None:
        self._at = self._now()
        self.budget.forget(self._at)

    def _how(self, channel: bytes, known: "_Known", size_bytes: int, *, may_be_nobodys: bool) -> How:
        if known.is_direct and not self._options.direct:
            return "none"
        if not self.budget.may_keep(channel, known.tenant, size_bytes, self._at):
            return "none"
        return "heard" if known.is_direct and may_be_nobodys else "all"

    def _noted_under(self, channel: bytes, known: "_Known") -> bytes:
        is_own = self.budget.may_note(channel, known.tenant, self._at)
        return known.key if is_own else self._addresses.kept_under(self._addresses.broadcast(known.tenant))

    def keep(self, channel: bytes, lines: Sequence[bytes]) -> Keep:
        """How a script keeps these messages of a channel, which it says itself."""
        known, seconds = self._look_at(channel), self._options.kept_seconds
        self._forget()
        if self.budget.may_keep(channel, known.tenant, sum(map(len, lines)), self._at):
            return Keep(known.key, seconds, self._options.messages, self.evidence.highest)
        return Keep(self._noted_under(channel, known), seconds, 0, self.evidence.highest)

    def _look_at(self, channel: bytes) -> "_Known":
        known = self._known.get(channel)
        return self._learn(channel) if known is None else known

    def _learn(self, channel: bytes) -> "_Known":
        if len(self._known) >= MOST_KNOWN:
            self._known.clear()
        addresses = self._addresses
        known = _Known(addresses.kept_under(channel), addresses.kind_of(channel) == b"c", addresses.tenant_of(channel))
        self._known[channel] = known
        return known

    def _say(self) -> None:
        batch, self._batch = self._batch, _Batch()
        if batch.dones:
            common = pack_parts(*self._common[0]), pack_parts(*self._common[1], self.evidence.highest)
            parts = b"".join((common[0], *batch.keys, common[1], *batch.arguments))
            numbers = len(self._common[0]) + 2 * len(batch.dones), len(self._common[1]) + 1 + 4 * len(batch.dones)
            self._calls.run_packed(*numbers, parts, lambda reply: self._answered(batch, reply))

    def _answered(self, batch: _Batch, reply: object) -> None:
        self._bus.published += len(batch.dones)
        if not isinstance(reply, list):
            self._bus.replies.failed += len(batch.dones)
            for done, _ in batch.dones:
                self._bus.replies.answer(done, None)
            return
        *heard_by, foreign, last = reply
        last_number = int(last)
        self.evidence.note(batch.last_kept(last_number), last_number)
        if foreign:
            unreadable.skip("history", foreign)
        for (done, at_least), heard in zip(batch.dones, heard_by, strict=True):
            self._bus.replies.answer(done, heard or at_least)


def keys_to_read(addresses: Addresses, channel: bytes) -> list[str]:
    """The keys of `READ` for the history of a channel."""
    of_tenant = addresses.broadcast(addresses.tenant_of(channel))
    common = addresses.last_number, addresses.history_begin, addresses.history_server
    return [addresses.kept_under(channel).decode(), *common, addresses.kept_under(of_tenant).decode()]
