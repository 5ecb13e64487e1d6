"""What a client takes before it is let in, and that nothing of it stays where it is not let in."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from bridge.broker.bus import Bus
from bridge.broker.history import HistoryOptions
from bridge.broker.presence import Place, Presence
from bridge.broker.subscriber import Subscriber
from bridge.budget.shares import Owner
from bridge.config.settings import Settings
from bridge.continuity.departures import Departures
from bridge.continuity.handed_on import HandedOn
from bridge.handshake import subscriptions as module
from bridge.handshake.api_keys import ApiKeys
from bridge.handshake.subscriptions import Listening, Subscriptions, Unavailable
from bridge.handshake.tenant_limits import TenantLimits
from bridge.runtime.app import Application
from bridge.sockets.ports import nothing
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.handshake.conftest import process_of
from tests.bridge.population import ADDRESSES

OWNER = Owner("acme", "", "192.0.2.1")
ANN = Place("acme", "team", "ann", "v3")


class Mute:
    """A subscriber and a presence of which one never answers; they note what is held."""

    def __init__(self, mute: str) -> None:
        self.held: list[bytes] = []
        self.present: list[Place] = []
        self.asked = asyncio.Event()
        self._mute = mute

    async def hold(self, channels: list[bytes]) -> None:
        self.held += channels
        if self._mute == "subscriber":
            self.asked.set()
            await asyncio.Event().wait()

    def release(self, channels: list[bytes]) -> None:
        for channel in channels:
            self.held.remove(channel)

    def enter(self, place: Place, _done: Any, listens: asyncio.Future[None]) -> None:
        self.listens = listens
        self.present.append(place)
        self.asked.set()

    def leave(self, place: Place) -> None:
        self.present.remove(place)


async def test_both_links_are_asked_in_one_turn_and_the_client_joins_when_it_listens() -> None:
    mute = Mute("subscriber")
    taking = asyncio.create_task(subscriptions_of(mute, limits()).take(OWNER, ANN, "v3"))
    await asyncio.sleep(0)
    assert (mute.present, len(mute.held), mute.listens.done()) == ([ANN], 4, False)
    taking.cancel()
    await asyncio.gather(taking, return_exceptions=True)


class NeverLeft:
    """A subscriber that is never told that it has left a channel."""

    def leave(self, _channel: bytes) -> asyncio.Future[None]:
        return asyncio.get_running_loop().create_future()


WITHOUT_HISTORY = Departures(cast(Bus, None), ADDRESSES, cast(HandedOn, None), HistoryOptions())


def limits(most: int = 8) -> TenantLimits:
    return TenantLimits(Settings(), most, ApiKeys(()))


def subscriptions_of(mute: Mute, of: TenantLimits) -> Subscriptions:
    return Subscriptions(of, cast(Subscriber, mute), cast(Presence, mute), ADDRESSES, WITHOUT_HISTORY)


async def test_what_is_taken_is_confirmed_and_what_is_given_back_is_gone(app: Application) -> None:
    process = process_of(app)
    taken = limits()
    subscriptions = Subscriptions(
        taken,
        process.broker.subscriber,
        process.broker.presence,
        process.broker.addresses,
        process.continuity.departures,
    )
    channels = await asyncio.wait_for(subscriptions.take(OWNER, ANN, "v3"), ANSWER_SECONDS)
    members: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()
    process.broker.presence.members("acme", "team", members.set_result)
    assert b'"ann"' in (await asyncio.wait_for(members, ANSWER_SECONDS) or b"")
    assert (len(channels), taken.shares.taken) == (4, 1)
    subscriptions.give_back(OWNER, ANN, channels)
    assert taken.shares.taken == 0
    await asyncio.wait_for(process.broker.presence.wait_until_empty(), ANSWER_SECONDS)


async def test_who_finds_no_room_holds_nothing() -> None:
    mute, full = Mute("nobody"), limits(0)
    with pytest.raises(Unavailable) as unavailable:
        await subscriptions_of(mute, full).take(OWNER, ANN, "v3")
    assert (unavailable.value.code, mute.held, full.shares.taken) == ("overloaded", [], 0)


@pytest.mark.parametrize("mute_one", ["subscriber", "presence"])
async def test_where_redis_does_not_confirm_in_time_nothing_is_held(
    mute_one: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "SUBSCRIPTION_SECONDS", 0.01)
    mute, taken = Mute(mute_one), limits()
    with pytest.raises(Unavailable) as unavailable:
        await subscriptions_of(mute, taken).take(OWNER, ANN, "v2")
    assert unavailable.value.code == "bus_down"
    assert (mute.held, mute.present, taken.shares.taken) == ([], [], 0)
    assert mute.listens.done()  # so the JOIN that may have been due comes before the LEAVE


@pytest.mark.parametrize("mute_one", ["subscriber", "presence"])
async def test_who_goes_away_meanwhile_holds_nothing(mute_one: str) -> None:
    mute, taken = Mute(mute_one), limits()
    taking = asyncio.create_task(subscriptions_of(mute, taken).take(OWNER, ANN, "v3"))
    await until(mute.asked.is_set)
    taking.cancel()
    with pytest.raises(asyncio.CancelledError):
        await taking
    assert (mute.held, mute.present, taken.shares.taken) == ([], [], 0)


async def test_who_withdraws_is_called_when_redis_has_confirmed_and_the_rest_is_given_back_later(
    app: Application,
) -> None:
    process = process_of(app)
    subscriptions = Subscriptions(
        limits(), process.broker.subscriber, process.broker.presence, ADDRESSES, process.continuity.departures
    )
    channels = await subscriptions.take(OWNER, ANN, "v3")
    own, before = ADDRESSES.client(ANN.tenant, ANN.client), process.broker.subscriber.channels
    done = asyncio.Event()
    subscriptions.withdraw(Listening(ANN, channels, nothing), is_expected=False, then=lambda _cursor: done.set())
    assert not done.is_set()
    await asyncio.wait_for(done.wait(), ANSWER_SECONDS)
    assert (own in channels, process.broker.subscriber.channels) == (False, before - 1)
    subscriptions.give_back(OWNER, ANN, channels)


@pytest.mark.parametrize(("has_gone", "told"), [(False, 1), (True, 0)])
async def test_what_a_client_has_heard_that_goes_while_it_withdraws_is_not_known(
    app: Application,
    monkeypatch: pytest.MonkeyPatch,
    has_gone: bool,  # noqa: FBT001
    told: int,
) -> None:
    """It has no listener any more whose position that would be: what it has heard would be told again."""
    process = process_of(app)
    subscriber, presence, departures = process.broker.subscriber, process.broker.presence, process.continuity.departures
    subscriptions, cursors = Subscriptions(limits(), subscriber, presence, ADDRESSES, departures), list[str | None]()
    parted = list[Place]()
    monkeypatch.setattr(departures, "keeps_all", False)
    monkeypatch.setattr(departures, "expect", lambda _place, _channels, then: then(7))
    monkeypatch.setattr(departures, "part", lambda place, *_known: parted.append(place))
    channels = await subscriptions.take(OWNER, ANN, "v3")
    subscriptions.withdraw(Listening(ANN, channels, nothing), is_expected=True, then=cursors.append)
    if has_gone:
        subscriptions.give_back(OWNER, ANN, channels)
    await until(lambda: cursors == [None])
    assert len(parted) == told
    if not has_gone:
        subscriptions.give_back(OWNER, ANN, channels)


async def test_who_withdraws_does_not_wait_for_a_redis_that_does_not_answer() -> None:
    subscriptions, done = subscriptions_of(cast(Mute, NeverLeft()), limits()), asyncio.Event()
    own = ADDRESSES.client(ANN.tenant, ANN.client)
    subscriptions.withdraw(Listening(ANN, [own], nothing), is_expected=False, then=lambda _cursor: done.set())
    await asyncio.wait_for(done.wait(), ANSWER_SECONDS)


@pytest.mark.parametrize("direct", [1, 0])
async def test_who_is_expected_hears_nothing_more_before_what_is_said_to_it_alone_passes_it_by(
    redis_url: str, prefix: str, direct: int
) -> None:
    """Or it would come back with what it heard later. Where that is not kept it hears what it can."""
    app = Application(Settings(prefix=prefix, history_direct=bool(direct)), redis_url)
    async with app.router.lifespan_context(app):
        broker, departures = process_of(app).broker, process_of(app).continuity.departures
        subscriptions = Subscriptions(limits(), broker.subscriber, broker.presence, broker.addresses, departures)
        channels = await subscriptions.take(OWNER, ANN, "v3")
        before, done = broker.subscriber.channels, asyncio.Event()
        told = list[int]()
        subscriptions.withdraw(
            Listening(ANN, channels, lambda: told.append(broker.subscriber.channels)),
            is_expected=True,
            then=lambda _cursor: done.set(),
        )
        await asyncio.wait_for(done.wait(), ANSWER_SECONDS)
        assert told == [before][:direct]
        subscriptions.give_back(OWNER, ANN, channels)
