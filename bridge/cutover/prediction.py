"""Predicts what a step changes: which clients it refuses, and which no longer receive the messages of others. Pure.

It calls the functions that route (`messaging/routing.py`) and refuse (`tenants/tenant.py`), both for the tenant as it
is and as it would be, for each client in the records and each message that was sent while the client could have been
connected.

Decided here: the prediction assumes that no client moves to V3 in the meantime. Two clients that are both refused are
no silenced pair, since neither of them stays; nor is a client that receives its own messages.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from heapq import nlargest
from typing import Any, Final, NamedTuple, cast

from bridge.broker.addresses import Addresses
from bridge.messaging.routing import channels_from_v2, channels_from_v3, is_for, listens_on
from bridge.records.rows import Said, Seen, Speech, Visitor
from bridge.tenants.share import bucket
from bridge.tenants.tenant import Tenant, successor_path
from legacy_v2 import ports as v2
from v3 import ports as v3
from v3.messages import Content

MOST_LISTED: Final = 1_000
MOST_COMPARED: Final = 100_000
"""Comparisons of a speaker with a listener, the most frequent messages first; beyond, the prediction is not whole."""
MOST_LOOKED_AT: Final = 5_000_000
"""Listeners that were looked at for this; beyond, the prediction is not whole either.

There can be many more than comparisons, because most listeners of a channel may have been there at another time."""
COMPARED_PER_TURN: Final = 500
MET_PER_TURN: Final = 1_000


@dataclass(frozen=True, slots=True)
class Refusal:
    """One client that would be refused. `name`: its V3 name; `successor`: the V3 path that it must move to."""

    seen: Seen
    code: str
    name: str | None
    bucket: float | None
    successor: str | None
    channel: str


class Recipient(NamedTuple):
    """A client that could receive messages, from when to when (ms since the epoch). `goes`: it would be refused."""

    visitor: Visitor
    first: int
    last: int
    goes: bool


Speaker = tuple[str, str | None, str]
"""Language, client id and group of the client that sends."""


@dataclass(slots=True)
class Pair:
    """How many messages a listener received from a speaker (`heard`), and how many of them it would lose (`lost`).

    `channel`: the Redis channel to which the listener would have to listen for the messages that it loses.
    """

    heard: int = 0
    lost: int = 0
    channel: str = ""


@dataclass(slots=True)
class Prediction:
    """Which clients a step refuses, and what each pair of speaker and listener loses.

    `refused` holds the first `MOST_LISTED` clients. The numbers count all, unless `is_whole` is false.
    """

    refused: list[Refusal] = field(default_factory=list)
    pairs: dict[tuple[Speaker, Visitor], Pair] = field(default_factory=dict)
    refused_clients: int = 0
    messages: int = 0
    affected: int = 0
    is_whole: bool = True

    @property
    def silenced(self) -> "Chosen":
        """The pairs whose listener would receive nothing any more."""
        return Chosen.of(self.pairs, lambda pair: pair.lost == pair.heard)

    @property
    def quieter(self) -> "Chosen":
        """The pairs whose listener would receive only some of the messages."""
        return Chosen.of(self.pairs, lambda pair: 0 < pair.lost < pair.heard)


@dataclass(frozen=True, slots=True)
class Chosen:
    """How many pairs were chosen, and the first `MOST_LISTED` of them: those that lose most."""

    number: int
    first: list[tuple[Speaker, Visitor, Pair]]

    @classmethod
    def of(cls, pairs: Mapping[tuple[Speaker, Visitor], Pair], holds: Callable[[Pair], bool]) -> "Chosen":
        """The pairs for which `holds` returns true."""
        chosen = [(speaker, listener, pair) for (speaker, listener), pair in pairs.items() if holds(pair)]
        return cls(len(chosen), nlargest(MOST_LISTED, chosen, key=lambda one: one[2].lost))


class Predictor:
    """Predicts one step of one tenant: either `predict`, or `expect`, then `meet` for each page, then `listen`."""

    def __init__(self, before: Tenant, after: Tenant, addresses: Addresses) -> None:
        self._before = before
        self._after = after
        self._addresses = addresses
        self._speeches: Sequence[Said] = ()
        self._audience: dict[bytes, list[Recipient]] = {}
        self._compared = self._looked_at = 0
        self.prediction: Final = Prediction()

    def predict(self, population: Iterable[Seen], speeches: Iterable[Said]) -> Iterator[None]:
        """Fill `prediction`. It yields now and then, so that the caller can do other work."""
        yield from self.expect(speeches)
        yield from self.meet(population)
        yield from self.listen()

    def expect(self, speeches: Iterable[Said]) -> Iterator[None]:
        """Take the messages. Of the clients that are met later, only those that could receive one are remembered."""
        self._speeches = sorted(speeches, key=lambda one: -one.times)
        for said in self._speeches:
            yield
            if self._code(self._before, said.speech) is None:
                self._audience.update((channel, []) for channel in self._channels(self._before, said.speech))

    def meet(self, population: Iterable[Seen]) -> Iterator[None]:
        """Take clients from the records, some of them or all."""
        for number, seen in enumerate(population):
            self._meet(seen)
            if number % MET_PER_TURN == 0:
                yield

    def listen(self) -> Iterator[None]:
        """Compare all messages, the most frequent first, after all clients were met."""
        for said in self._speeches:
            yield
            yield from self._listen(said)

    def _meet(self, seen: Seen) -> None:
        visitor = seen.visitor
        if self._code(self._before, visitor) is not None:
            return
        group, client = self._names(visitor)
        code = self._code(self._after, visitor)
        listener = Recipient(visitor, seen.first, seen.last, code is not None)
        for channel in listens_on(visitor.language, self._before.name, group, client or "", self._addresses):
            if channel in self._audience:
                self._audience[channel].append(listener)
        if code is None:
            return
        self.prediction.refused_clients += 1
        if len(self.prediction.refused) < MOST_LISTED:
            self.prediction.refused.append(self._refusal(seen, code, group, client))

    def _refusal(self, seen: Seen, code: str, group: str, client: str | None) -> Refusal:
        is_v2 = seen.visitor.language == "v2"
        return Refusal(
            seen=seen,
            code=code,
            name=client,
            bucket=bucket(seen.visitor.client_id) if is_v2 else None,
            successor=successor_path(group, client) if is_v2 and client is not None else None,
            channel=self._addresses.group(self._before.name, group).decode(),
        )

    def _listen(self, said: Said) -> Iterator[None]:
        prediction, speech = self.prediction, said.speech
        prediction.messages += said.times
        if self._code(self._before, speech) is not None:
            return  # its sender is refused already
        if self._compared > MOST_COMPARED or self._looked_at > MOST_LOOKED_AT:
            prediction.is_whole = False
            return
        speaker_goes = self._code(self._after, speech) is not None
        before, after = self._channels(self._before, speech), set(self._channels(self._after, speech))
        is_affected = False
        for listener in self._hearing(before, said):
            is_affected |= self._compare(said, listener, before[0], after, speaker_goes=speaker_goes)
            self._compared += 1
            if self._compared % COMPARED_PER_TURN == 0:
                yield
        prediction.affected += said.times if is_affected else 0

    def _compare(
        self, said: Said, listener: Recipient, channel: bytes, after: set[bytes], *, speaker_goes: bool
    ) -> bool:
        """Whether a listener loses these messages."""
        speech = said.speech
        if _is_same(speech, listener.visitor):
            return False
        if speaker_goes and listener.goes:
            return True
        speaker = (speech.language, speech.client_id, speech.group_id)
        pair = self.prediction.pairs.setdefault((speaker, listener.visitor), Pair())
        pair.heard += said.times
        is_lost = speaker_goes or listener.goes or not self._still_hears(listener.visitor, after)
        if is_lost:
            pair.lost, pair.channel = pair.lost + said.times, channel.decode()
        return is_lost

    def _hearing(self, channels: Iterable[bytes], said: Said) -> Iterator[Recipient]:
        """Each client that received these messages, once."""
        met: set[Visitor] = set()
        speech = said.speech
        for channel in channels:
            audience = self._audience.get(channel, ())
            self._looked_at += len(audience)
            for listener in audience:
                visitor = listener.visitor
                is_there = listener.first <= said.last and said.first <= listener.last
                if visitor not in met and is_there and is_for(visitor.language, speech.language, speech.msg_type):
                    met.add(visitor)
                    yield listener

    def _still_hears(self, visitor: Visitor, reached: set[bytes]) -> bool:
        group, client = self._names(visitor)
        own = listens_on(visitor.language, self._after.name, group, client or "", self._addresses)
        return not reached.isdisjoint(own)

    def _channels(self, tenant: Tenant, speech: Speech) -> list[bytes]:
        content = cast(Content, {"msg_type": speech.msg_type, "target": speech.target, "to_id": speech.to_id})
        grant = cast(Any, speech.grant)
        if speech.language == "v3":
            guest = v3.Guest(tenant.name, speech.group_id, speech.client_id or "", grant)
            return channels_from_v3(content, guest, tenant, self._addresses)
        names = self._names(speech)
        old = v2.Guest(tenant.name, speech.group_id, speech.client_id or "", names[0], names[1] or "", grant)
        return channels_from_v2(content, old, tenant, self._addresses)[0]

    def _names(self, who: Visitor | Speech) -> tuple[str, str | None]:
        """The V3 names of a client and its group; the client's is `None` if it gave no id."""
        if who.language == "v3":
            return who.group_id, who.client_id
        names = self._before.names
        return names.name_of(who.group_id), None if who.client_id is None else names.name_of(who.client_id)

    @staticmethod
    def _code(tenant: Tenant, who: Visitor | Speech) -> str | None:
        return tenant.refuses_v2(who.client_id) if who.language == "v2" else tenant.refuses_v3()


def _is_same(speech: Speech, visitor: Visitor) -> bool:
    return (speech.language, speech.client_id) == (visitor.language, visitor.client_id) and speech.client_id is not None
