"""What one process writes down, on a real Redis: who is there, who speaks to whom, what becomes of it; never words."""

from __future__ import annotations

import time
from collections import Counter
from typing import Any, NamedTuple

import pytest

from bridge.records import recorder as chronicles
from bridge.records.counters import Counts
from bridge.records.recorder import LONGEST_KEY, TOUCH_SECONDS, Chronicle
from bridge.records.refusals import SLICE_LIFETIME_SECONDS, SLICE_SECONDS
from bridge.records.rows import Conversion, Noted, ProprietaryKey, Sample, Speech, Visitor
from bridge.records.store import Roll
from tests.bridge.admin.desk import DAY, TENANT, Clock, Desk, at_a_desk, now, v2, v3
from tests.bridge.broker.parts import running, until, until_true
from tests.conftest import StartRedis

SPEECH = Speech("v2", "42", "lobby", "msg", "group", None, "none")
OLD, NEW = v2("42"), v3("ann")


class Talker(NamedTuple):
    """A guest, as far as the chronicle knows it. One that gave no id has none here."""

    tenant: str
    client_id: Any
    group_id: str
    grant: str


class Book:
    """The chronicle of one process, and what it has written."""

    def __init__(self, desk: Desk, *, words: str = "", is_kept: bool = True) -> None:
        self.desk = desk
        self.clock = Clock()
        self.counts = Counts()
        self._talkers: dict[tuple[str, Talker], Talker] = {}
        self.chronicle: Chronicle = desk.chronicle(self.counts, self.clock.seconds, words=words, is_kept=is_kept)

    def say(self, speech: Speech = SPEECH, times: int = 1) -> None:
        talker = Talker(TENANT, speech.client_id, speech.group_id, speech.grant)
        talker = self._talkers.setdefault((speech.language, talker), talker)  # the same object for a whole connection
        content: Any = {"msg_type": speech.msg_type, "target": speech.target, "to_id": speech.to_id}
        for _ in range(times):
            self.chronicle.spoke(speech.language, talker, content)

    async def written(self, roll: Roll) -> dict[str, Noted]:
        """What a roll holds once everything is written, by key."""
        self.chronicle.flush()
        await self.desk.settled()
        return {noted.key: noted for noted in await self.desk.noted(roll)}

    async def census(self) -> dict[str, Noted]:
        return await self.written(self.desk.rolls.census)

    async def speeches(self) -> dict[str, Noted]:
        return await self.written(self.desk.rolls.speeches)

    async def ledger(self) -> dict[str, Noted]:
        return await self.written(self.desk.rolls.ledger)


@pytest.fixture
async def book(desk: Desk) -> Book:
    return Book(desk)


def between(first: int, moment: int, last: int) -> bool:
    return first <= moment <= last


# Who speaks to whom.


async def test_a_speech_is_one_row_however_often_it_is_said(book: Book) -> None:
    begun = book.clock.milliseconds
    book.say(times=3)
    book.clock.ahead_seconds = 5
    book.say(times=2)
    (noted,) = (await book.speeches()).values()
    assert (noted.key, noted.count) == (SPEECH.key(), 5)
    assert between(begun, noted.first, begun + 1_000)
    assert between(noted.first + 5_000, noted.last, noted.first + 6_000)
    book.say()
    assert (await book.speeches())[SPEECH.key()].count == 6


async def test_speeches_are_told_apart_by_speaker_type_audience_and_grant(book: Book) -> None:
    others = [
        Speech("v3", "42", "lobby", "msg", "group", None, "none"),
        Speech("v2", None, "lobby", "msg", "group", None, "none"),
        Speech("v2", "42", "team", "msg", "group", None, "none"),
        Speech("v2", "42", "lobby", "heartbeat", "group", None, "none"),
        Speech("v2", "42", "lobby", "msg", "direct", "ann", "none"),
        Speech("v2", "42", "lobby", "msg", "broadcast", None, "tenant"),
    ]
    for speech in (SPEECH, *others):
        book.say(speech)
    assert set(await book.speeches()) == {speech.key() for speech in (SPEECH, *others)}


async def test_beyond_its_bound_what_waits_is_only_counted_as_left_out(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicles, "MOST_WAITING", 2)
    monkeypatch.setattr(chronicles, "MOST_SHAPES", 2)
    for name in ("a", "b", "c", "d"):
        book.say(Speech("v2", name, "lobby", "msg", "group", None, "none"))
        book.chronicle.read(TENANT, {name: 1})
    book.say(Speech("v2", "a", "lobby", "msg", "group", None, "none"))
    assert book.chronicle.left_out == 4
    assert {noted.count for noted in (await book.speeches()).values()} == {2, 1}


# Who is there.


async def test_a_client_is_in_the_census_from_its_first_to_its_last_moment(book: Book) -> None:
    begun = book.clock.milliseconds
    book.chronicle.arrived(TENANT, OLD, "kiosk/1")
    assert (await book.census())[OLD.key()].remark == "kiosk/1"
    book.clock.ahead_seconds = 30
    book.chronicle.left(TENANT, OLD)
    noted = (await book.census())[OLD.key()]
    assert between(begun, noted.first, begun + 1_000)
    assert between(noted.first + 30_000, noted.last, noted.first + 31_000)
    assert (noted.count, noted.remark) == (0, "kiosk/1")


async def test_a_client_is_there_from_when_it_hears_and_never_later_than_now(book: Book) -> None:
    now = book.clock.milliseconds
    book.chronicle.arrived(TENANT, OLD, "", hears_since=now / 1_000 - 0.005)
    book.chronicle.arrived(TENANT, NEW, "", hears_since=now / 1_000 + 60)
    census = await book.census()
    assert now - 6 <= census[OLD.key()].first <= now - 5
    assert between(now, census[NEW.key()].first, now + 1_000)


async def test_what_a_client_says_is_counted_beside_it(book: Book) -> None:
    unnamed = v2(None, user_agent="phone/2")
    for visitor in (OLD, NEW, unnamed):
        book.chronicle.arrived(TENANT, visitor, "")
    book.say(times=3)
    book.say(Speech("v2", "42", "lobby", "msg", "direct", "ann", "none"))
    book.say(Speech("v3", "ann", "lobby", "cmd", "group", None, "none"), times=2)
    book.say(Speech("v2", None, "lobby", "msg", "group", None, "none"), times=7)
    census = await book.census()
    assert {key: noted.count for key, noted in census.items()} == {OLD.key(): 4, NEW.key(): 2, unnamed.key(): 7}


async def test_the_last_words_of_a_client_are_counted_beside_it_too(book: Book) -> None:
    book.chronicle.arrived(TENANT, OLD, "")
    book.say(times=2)
    book.chronicle.left(TENANT, OLD)
    assert (await book.census())[OLD.key()].count == 2


async def test_what_a_backend_says_is_a_speech_of_nobody_in_the_census(book: Book) -> None:
    book.say(Speech("v3", "server", "lobby", "msg", "group", None, "none"))
    assert len(await book.speeches()) == 1
    assert await book.census() == {}


async def test_a_client_with_two_connections_is_there_until_the_last_is_over(book: Book) -> None:
    for _ in range(2):
        book.chronicle.arrived(TENANT, OLD, "")
    book.chronicle.left(TENANT, OLD)
    book.say()
    assert (await book.census())[OLD.key()].count == 1
    book.chronicle.left(TENANT, OLD)
    await book.census()
    book.say()
    assert (await book.census())[OLD.key()].count == 1


async def test_whoever_stays_and_says_nothing_was_seen_a_minute_ago_at_most(book: Book) -> None:
    book.chronicle.arrived(TENANT, OLD, "kiosk/1")
    book.chronicle.arrived(TENANT, NEW, "")
    first = await book.census()
    book.chronicle.left(TENANT, NEW)
    book.clock.ahead_seconds = TOUCH_SECONDS + 1
    later = await book.census()
    assert later[OLD.key()].last - first[OLD.key()].last > TOUCH_SECONDS * 1_000
    assert later[OLD.key()].remark == "kiosk/1"
    assert later[NEW.key()].last - first[NEW.key()].last < 1_000


async def test_everyone_who_is_connected_is_noted_again_when_redis_has_forgotten_them(book: Book) -> None:
    book.chronicle.arrived(TENANT, OLD, "")
    book.chronicle.arrived(TENANT, NEW, "")
    book.chronicle.left(TENANT, NEW)
    await book.census()
    name = book.desk.addresses.roll(TENANT, book.desk.rolls.census.name)
    await book.desk.redis.delete(name, f"{name}:order")
    assert await book.census() == {}
    book.chronicle.see_everyone_again()
    assert set(await book.census()) == {OLD.key()}


# What becomes of it.


async def test_the_keys_of_v2_frames_are_noted_with_the_types_of_their_values_and_never_a_value(desk: Desk) -> None:
    book = Book(desk, words="msg reload")
    book.chronicle.read(TENANT, {"msg": "secret", "reload": True, "volume": 3, "title": "secret"})
    book.chronicle.read(TENANT, {"volume": 4, "msg": "secret"})
    book.chronicle.read(TENANT, {"volume": "loud"})
    ledger = await book.ledger()
    assert {key: noted.count for key, noted in ledger.items()} == {
        ProprietaryKey("volume", "integer").key(): 2,
        ProprietaryKey("volume", "string").key(): 1,
        ProprietaryKey("title", "string").key(): 1,
    }
    everything = [await desk.redis.hgetall(desk.addresses.roll(TENANT, roll.name)) for roll in (desk.rolls.ledger,)]
    assert "secret" not in repr(everything)


@pytest.mark.parametrize("frame", [None, "text", 7, [{"a": 1}], {}])
async def test_what_has_no_keys_has_none_to_note(book: Book, frame: Any) -> None:
    book.chronicle.read(TENANT, frame)
    assert await book.ledger() == {}


async def test_a_key_that_is_too_long_is_not_noted(book: Book) -> None:
    book.chronicle.read(TENANT, {"x" * LONGEST_KEY: 1, "y" * (LONGEST_KEY + 1): 1})
    assert set(await book.ledger()) == {ProprietaryKey("x" * LONGEST_KEY, "integer").key()}


async def test_conversions_are_noted_by_day_as_they_are_counted(book: Book) -> None:
    book.clock.ahead_seconds = -(book.clock.milliseconds % DAY) / 1_000  # from the beginning of a day
    day, next_day = (time.strftime("%Y-%m-%d", time.gmtime(time.time() + more)) for more in (0, 86_400))
    book.counts.conversions[TENANT, "v2_to_v3", "stashed"] += 3
    assert [noted.count for noted in (await book.ledger()).values()] == [3]
    book.counts.conversions[TENANT, "v2_to_v3", "stashed"] += 2
    book.counts.conversions[TENANT, "v3_to_v2", "exact"] += 1
    await book.ledger()
    book.clock.ahead_seconds += DAY / 1_000
    book.counts.conversions[TENANT, "v3_to_v2", "exact"] += 7
    assert {key: noted.count for key, noted in (await book.ledger()).items()} == {
        Conversion("v2_to_v3", "stashed", day).key(): 5,
        Conversion("v3_to_v2", "exact", day).key(): 1,
        Conversion("v3_to_v2", "exact", next_day).key(): 7,
    }


async def test_messages_and_connections_are_sampled_by_the_minute_and_by_the_hour(book: Book) -> None:
    connections = {(TENANT, "v2"): 2, (TENANT, "v3"): 5}
    book.chronicle.open_by_tenant = lambda: connections
    book.clock.ahead_seconds = 1 - (book.clock.milliseconds % 3_600_000) / 1_000  # from the beginning of an hour
    book.counts.messages[TENANT, "v2"] += 4
    assert sampled(await book.written(book.desk.rolls.minutes), "connections", "v2") == []  # the minute is not over
    book.counts.messages[TENANT, "v2"] += 1
    for seconds in (20, 60, 20, 60):
        book.clock.ahead_seconds += seconds
        await book.written(book.desk.rolls.minutes)
    minutes, hours = await book.written(book.desk.rolls.minutes), await book.written(book.desk.rolls.hours)
    assert sampled(minutes, "messages", "v2") == [5]
    assert sampled(minutes, "connections", "v2") == [2, 2]
    assert sampled(minutes, "connections", "v3") == [5, 5]
    assert sampled(hours, "messages", "v2") == [5]
    assert sampled(hours, "connections", "v2") == [4]
    first, second = sorted({row.at for key in minutes if (row := Sample.of(key)) and row.what == "connections"})
    assert first.endswith(":00:00Z")
    assert second.endswith(":01:00Z")


def sampled(rows: dict[str, Noted], what: str, protocol: str) -> list[int]:
    """The counts of one kind, the oldest first."""
    known = [(row, noted) for key, noted in rows.items() if (row := Sample.of(key))]
    known.sort(key=lambda one: one[0].at)
    return [noted.count for row, noted in known if (row.what, row.protocol) == (what, protocol)]


async def test_refused_clients_are_counted_in_the_slice_of_time_in_which_they_came(book: Book) -> None:
    people = [v2(f"client-{number}") for number in range(3)]
    for each in people:
        await book.desk.met(each, now(), now())
    book.clock.ahead_seconds = SLICE_SECONDS - (book.clock.milliseconds % (SLICE_SECONDS * 1_000)) / 1_000
    number = book.clock.milliseconds // (SLICE_SECONDS * 1_000)
    for each in (people[0], people[0], people[1], v2("a stranger")):
        book.chronicle.turned_away(TENANT, each)
    book.chronicle.flush()
    book.chronicle.turned_away(TENANT, people[1])
    book.chronicle.flush()
    book.clock.ahead_seconds += SLICE_SECONDS
    book.chronicle.turned_away(TENANT, people[2])
    book.chronicle.flush()
    await book.desk.settled()
    names = [book.desk.addresses.refused(TENANT, number + later) for later in range(3)]
    assert [await book.desk.redis.pfcount(name) for name in names] == [2, 1, 0]
    assert 0 < await book.desk.redis.ttl(names[0]) <= SLICE_LIFETIME_SECONDS


async def test_of_many_that_are_refused_so_many_are_told_apart(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicles, "MOST_REFUSED", 2)
    for number in range(5):
        book.chronicle.turned_away(TENANT, v2(f"client-{number}"))
    assert len(book.chronicle._refused[TENANT]) == 2


# To Redis.


async def test_it_writes_by_itself(book: Book, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chronicles, "FLUSH_SECONDS", 0.02)
    async with running(book.chronicle):
        book.say()

        async def is_written() -> bool:
            return len(await book.desk.noted(book.desk.rolls.speeches)) == 1

        await until_true(is_written)
    assert book.chronicle.waiting == 0


async def test_much_is_written_in_steps_between_which_others_have_their_turn(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicles, "FLUSH_SECONDS", 0.02)
    number = 3 * chronicles.ROWS_PER_STEP + 7
    for index in range(number):
        book.say(Speech("v2", f"k{index}", "lobby", "msg", "group", None, "none"))
        book.chronicle.read(TENANT, {f"key {index}": 1})
    async with running(book.chronicle):

        async def is_written() -> bool:
            rolls = (book.desk.rolls.speeches, book.desk.rolls.ledger)
            return [len(await book.desk.noted(roll)) for roll in rolls] == [number, number]

        await until_true(is_written)
    assert (book.chronicle.waiting, book.chronicle.left_out) == (0, 0)


async def test_two_processes_add_to_the_same_rows(desk: Desk) -> None:
    one, other = Book(desk), Book(desk)
    for book in (one, other):
        book.chronicle.arrived(TENANT, OLD, "")
        book.say(times=2)
        book.chronicle.flush()
    assert (await one.speeches())[SPEECH.key()].count == 4
    assert (await one.census())[OLD.key()].count == 4


async def test_where_nothing_is_to_be_kept_nothing_is_noted_and_nothing_written(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicles, "FLUSH_SECONDS", 0)
    book = Book(desk, is_kept=False)
    async with running(book.chronicle):
        book.chronicle.arrived(TENANT, OLD, "kiosk/1")
        book.say()
        book.chronicle.read(TENANT, {"volume": 3})
        book.chronicle.left(TENANT, OLD)
        await desk.settled()
        assert book.chronicle.waiting == 0
    assert await book.speeches() == await book.census() == await book.ledger() == {}
    assert await desk.redis.keys(f"{desk.addresses.prefix}:*") == []


async def test_what_redis_did_not_take_waits_and_is_counted_together_until_it_is_back(
    redis_server: StartRedis, prefix: str
) -> None:
    server = redis_server()
    async with at_a_desk(server.url, prefix) as desk:
        book = Book(desk)
        book.chronicle.arrived(TENANT, OLD, "kiosk/1")
        book.say(times=2)
        server.kill()
        book.chronicle.flush()  # it is not yet known to be away
        await until(lambda: not desk.bus.is_up)
        waiting = book.chronicle.waiting
        assert waiting == 2
        book.say(times=3)
        book.chronicle.flush()
        assert book.chronicle.waiting == waiting
        server.start()
        await until(lambda: desk.bus.is_up)
        speeches, census = await book.speeches(), await book.census()
        assert speeches[SPEECH.key()].count == 5
        assert (census[OLD.key()].count, census[OLD.key()].remark) == (5, "kiosk/1")
        assert (book.chronicle.waiting, book.chronicle.left_out) == (0, 0)


async def test_while_redis_is_away_no_more_than_so_many_rows_wait(
    redis_server: StartRedis, prefix: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicles, "MOST_WAITING", 3)
    server = redis_server()
    async with at_a_desk(server.url, prefix) as desk:
        book = Book(desk)
        server.kill()
        await until(lambda: not desk.bus.is_up)
        for number in range(5):
            book.chronicle.arrived(TENANT, v2(f"k{number}"), "")
        assert (book.chronicle.waiting, book.chronicle.left_out) == (3, 2)
        server.start()
        await until(lambda: desk.bus.is_up)
        assert set(await book.census()) == {v2(f"k{number}").key() for number in range(3)}


async def test_the_rolls_of_two_tenants_are_kept_apart(desk: Desk) -> None:
    book = Book(desk)
    book.chronicle.arrived(TENANT, OLD, "")
    book.chronicle.arrived("other", Visitor("v2", "v2", "7", "lobby"), "")
    assert set(await book.census()) == {OLD.key()}
    other = [row.key async for row in desk.rolls.census.newest(desk.redis, desk.addresses, "other")]
    assert Counter(other) == Counter([v2("7").key()])


async def test_the_last_words_count_though_they_are_written_in_steps(desk: Desk) -> None:
    book, last = Book(desk), v2("k250")
    book.chronicle.arrived(TENANT, last, "")
    for number in range(300):
        book.say(Speech("v2", f"k{number}", "lobby", "msg", "group", None, "none"))
    steps = book.chronicle._write_down()
    next(steps)
    book.chronicle.left(TENANT, last)
    for _ in steps:
        pass
    assert (await book.census())[last.key()].count == 1


async def test_the_user_agent_is_known_again_after_a_loss(desk: Desk) -> None:
    book = Book(desk)
    book.chronicle.arrived(TENANT, v2("42"), "kiosk/1")
    await book.census()
    name = desk.addresses.roll(TENANT, "census")
    await desk.redis.delete(name, f"{name}:order")
    book.chronicle.see_everyone_again()
    assert (await book.census())[v2("42").key()].remark == "kiosk/1"


async def test_where_nothing_is_kept_nothing_is_written_at_the_end_either(desk: Desk) -> None:
    book = Book(desk, is_kept=False)
    book.counts.conversions[TENANT, "v2_to_v3", "exact"] += 3
    book.chronicle.flush()  # as `Process._say_last_words` does
    await desk.settled()
    assert await desk.redis.keys(f"{desk.addresses.prefix}:*") == []


async def test_what_clients_without_an_id_say_is_counted_by_their_user_agent(desk: Desk) -> None:
    book = Book(desk)
    one, other = v2(None, user_agent="kiosk/1"), v2(None, user_agent="phone/2")
    book.chronicle.arrived(TENANT, one, "kiosk/1", "anonymous-a")
    book.chronicle.arrived(TENANT, other, "phone/2", "anonymous-b")
    book.chronicle.left(TENANT, other, "anonymous-b")
    book.say(Speech("v2", "anonymous-a", "lobby", "msg", "group", None, "none"), times=3)
    assert (await book.census())[one.key()].count == 3
    assert list(await book.speeches()) == [Speech("v2", None, "lobby", "msg", "group", None, "none").key()]


async def test_no_more_names_are_noted_in_a_second_than_can_be_written_down(
    book: Book, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chronicles, "MOST_NAMES", 5)
    for name in ("a", "b", "a"):
        book.chronicle.read(TENANT, {f"{name}{number}": 1 for number in range(3)})
    assert book.chronicle.left_out == 1
    book.chronicle.flush()
    book.chronicle.read(TENANT, {f"b{number}": 1 for number in range(3)})
    assert book.chronicle.left_out == 1
