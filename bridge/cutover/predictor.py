"""Predicts what a step changes: which clients it refuses, and which no longer receive the messages of others. Pure.

It calls the functions that route (`messaging/routing.py`) and refuse (`tenants/tenant.py`), both for the tenant as it
is and as it would be, for each client in the records and each message that was sent while the client could have been
connected.

Decided here: clients that have left V2 already, by arriving on V3 or by being moved, are not met again as V2 clients.
The pairs assume that no client that moves arrives on V3. Two clients that are both refused are no silenced pair then,
since neither of them stays; nor is a client that receives its own messages. `missed` assumes that all of them arrive,
speak on as they did, and hear what V3 hears.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final, NamedTuple, cast

from bridge.broker.addresses import Addresses, said_on
from bridge.cutover.prediction import MOST_LISTED, Pair, Prediction, Recipient, Refusal, language_after
from bridge.cutover.totals import Who
from bridge.messaging.routing import HEARTBEAT, channels_from_v2, channels_from_v3, is_for, listens_on
from bridge.records.rows import Language, Said, Seen, Speech, Visitor
from bridge.tenants.share import bucket
from bridge.tenants.tenant import Tenant, successor_path
from legacy_v2 import ports as v2
from v3 import ports as v3
from v3.messages import Content

MOST_COMPARED: Final = 100_000
"""Comparisons of a speaker with a listener, the most frequent messages first; beyond, the prediction is not whole."""
MOST_LOOKED_AT: Final = 5_000_000
"""Listeners that were looked at for this; beyond, the prediction is not whole either.

There can be many more than comparisons, because most listeners of a channel may have been there at another time."""
COMPARED_PER_TURN: Final = 500
MET_PER_TURN: Final = 1_000


class _Step(NamedTuple):
    """What becomes of some messages. `speaker_language` and `arrived`: after the step, if all that move arrive."""

    before: list[bytes]
    after: set[bytes]
    speaker_goes: bool
    speaker_language: Language | None
    arrived: set[bytes]


def _no(_client_id: str | None, _user_agent: str) -> bool:
    """Nobody has left V2."""
    return False


class Predictor:
    """Predicts one step of one tenant: either `predict`, or `expect`, then `meet` for each page, then `listen`."""

    def __init__(
        self, before: Tenant, after: Tenant, addresses: Addresses, is_gone: Callable[[str | None, str], bool] = _no
    ) -> None:
        """`is_gone`: whether the V2 client with this id and user agent has left V2 already."""
        self._before = before
        self._after = after
        self._addresses = addresses
        self._is_gone = is_gone
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
            if not self._is_silent(said.speech):
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
        if self._code(self._before, visitor) is not None or self._has_gone(visitor, seen.user_agent):
            return
        group, client = self._names(visitor)
        code = self._code(self._after, visitor)
        listener = Recipient(visitor, seen.user_agent, seen.first, seen.last, code is not None)
        for channel in self._listens_on(visitor.language, self._before.name, group, client):
            if channel in self._audience:
                self._audience[channel].append(listener)
        if code is None:
            return
        self.prediction.moved.add(Who.of(visitor, seen.user_agent))
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
        if self._is_silent(speech):
            return
        if self._compared > MOST_COMPARED or self._looked_at > MOST_LOOKED_AT:
            prediction.is_whole = False
            return
        step = self._step(speech)
        is_affected = False
        for listener in self._hearing(step.before, said):
            is_affected |= self._compare(said, listener, step)
            self._compared += 1
            if self._compared % COMPARED_PER_TURN == 0:
                yield
        prediction.affected += said.times if is_affected else 0

    def _step(self, speech: Speech) -> "_Step":
        goes = self._code(self._after, speech) is not None
        language = language_after(speech.language, goes=goes)
        after = self._channels(self._after, speech)
        arrived = self._channels_of_arrived(speech) if goes and language == "v3" else after
        return _Step(self._channels(self._before, speech), set(after), goes, language, set(arrived))

    def _compare(self, said: Said, listener: Recipient, step: "_Step") -> bool:
        """Whether a listener loses these messages."""
        speech, visitor = said.speech, listener.visitor
        if _is_same(speech, visitor):
            return False
        speaker = (speech.language, speech.client_id, speech.group_id)
        self.prediction.listeners[visitor] = listener
        if not self._hears_arrived(speech, listener, step):
            self.prediction.missed.add((speaker, visitor))
        if step.speaker_goes and listener.goes:
            return True
        pair = self.prediction.pairs.setdefault((speaker, visitor), Pair())
        pair.heard += said.times
        is_lost = step.speaker_goes or listener.goes or not self._hears(visitor, visitor.language, step.after)
        if is_lost:
            pair.lost, pair.channel = pair.lost + said.times, step.before[0].decode()
            pair.said_to = self._addresses.audience_of(step.before[0])
        return is_lost

    def _hears_arrived(self, speech: Speech, listener: Recipient, step: "_Step") -> bool:
        """Whether a listener hears these messages after the step if all clients that move arrive."""
        born_on, language = step.speaker_language, listener.language_after
        if born_on is None or language is None or not is_for(language, born_on, speech.msg_type):
            return False
        return self._hears(listener.visitor, language, step.arrived)

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

    def _hears(self, visitor: Visitor, language: Language, reached: set[bytes]) -> bool:
        group, client = self._names(visitor)
        return not reached.isdisjoint(self._listens_on(language, self._after.name, group, client))

    def _listens_on(self, language: Language, tenant: str, group: str, client: str | None) -> Iterator[bytes]:
        return map(said_on, listens_on(language, tenant, group, client or "", self._addresses))

    def _channels(self, tenant: Tenant, speech: Speech) -> list[bytes]:
        content = cast(Content, {"msg_type": speech.msg_type, "target": speech.target, "to_id": speech.to_id})
        grant = cast(Any, speech.grant)
        if speech.language == "v3":
            guest = v3.Guest(tenant.name, speech.group_id, speech.client_id or "", grant)
            return channels_from_v3(content, guest, tenant, self._addresses)
        names = self._names(speech)
        old = v2.Guest(tenant.name, speech.group_id, speech.client_id or "", names[0], names[1] or "", grant)
        return channels_from_v2(content, old, tenant, self._addresses)[0]

    def _channels_of_arrived(self, speech: Speech) -> list[bytes]:
        """Where a V2 client says this once it has arrived on V3: a broadcast that it has no grant for, in its group."""
        if speech.msg_type == HEARTBEAT:
            return []
        target = "group" if speech.target == "broadcast" and speech.grant == "none" else speech.target
        group, client = self._names(speech)
        return self._channels(
            self._after, replace(speech, language="v3", client_id=client, group_id=group, target=target)
        )

    def _is_silent(self, speech: Speech) -> bool:
        """Whether its speaker is not there any more, under these ids."""
        return self._code(self._before, speech) is not None or self._has_gone(speech, "")

    def _has_gone(self, who: Visitor | Speech, user_agent: str) -> bool:
        return who.language == "v2" and self._is_gone(who.client_id, user_agent)

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
