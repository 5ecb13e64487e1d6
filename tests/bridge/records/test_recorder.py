"""What is counted on the data path, as it stands in Redis later: who is there, and who speaks to whom; never words."""

from __future__ import annotations

import pytest

from bridge.records import recorder as recorders
from bridge.records import v2 as frames
from bridge.records.recorder import TOUCH_SECONDS
from bridge.records.rows import Speech
from tests.bridge.admin.desk import TENANT, Desk, v2
from tests.bridge.records.book import NEW, OLD, SPEECH, Book


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
    monkeypatch.setattr(recorders, "MOST_WAITING", 2)
    monkeypatch.setattr(frames, "MOST_SHAPES", 2)
    for name in ("a", "b", "c", "d"):
        book.say(Speech("v2", name, "lobby", "msg", "group", None, "none"))
        book.v2.frame_keys.read(TENANT, {name: 1})
    book.say(Speech("v2", "a", "lobby", "msg", "group", None, "none"))
    assert book.backlog.left_out == 4
    assert {noted.count for noted in (await book.speeches()).values()} == {2, 1}


# Who is there.


async def test_a_client_is_in_the_census_from_its_first_to_its_last_moment(book: Book) -> None:
    begun = book.clock.milliseconds
    book.recorder.arrived(TENANT, OLD, "kiosk/1")
    assert (await book.census())[OLD.key()].remark == "kiosk/1"
    book.clock.ahead_seconds = 30
    book.recorder.left(TENANT, OLD)
    noted = (await book.census())[OLD.key()]
    assert between(begun, noted.first, begun + 1_000)
    assert between(noted.first + 30_000, noted.last, noted.first + 31_000)
    assert (noted.count, noted.remark) == (0, "kiosk/1")


async def test_a_client_is_there_from_when_it_hears_and_never_later_than_now(book: Book) -> None:
    now = book.clock.milliseconds
    book.recorder.arrived(TENANT, OLD, "", hears_since=now / 1_000 - 0.005)
    book.recorder.arrived(TENANT, NEW, "", hears_since=now / 1_000 + 60)
    census = await book.census()
    assert now - 6 <= census[OLD.key()].first <= now - 5
    assert between(now, census[NEW.key()].first, now + 1_000)


async def test_what_a_client_says_is_counted_beside_it(book: Book) -> None:
    unnamed = v2(None, user_agent="phone/2")
    for visitor in (OLD, NEW, unnamed):
        book.recorder.arrived(TENANT, visitor, "")
    book.say(times=3)
    book.say(Speech("v2", "42", "lobby", "msg", "direct", "ann", "none"))
    book.say(Speech("v3", "ann", "lobby", "cmd", "group", None, "none"), times=2)
    book.say(Speech("v2", None, "lobby", "msg", "group", None, "none"), times=7)
    census = await book.census()
    assert {key: noted.count for key, noted in census.items()} == {OLD.key(): 4, NEW.key(): 2, unnamed.key(): 7}


async def test_the_last_words_of_a_client_are_counted_beside_it_too(book: Book) -> None:
    book.recorder.arrived(TENANT, OLD, "")
    book.say(times=2)
    book.recorder.left(TENANT, OLD)
    assert (await book.census())[OLD.key()].count == 2


async def test_what_a_backend_says_is_a_speech_of_nobody_in_the_census(book: Book) -> None:
    book.say(Speech("v3", "server", "lobby", "msg", "group", None, "none"))
    assert len(await book.speeches()) == 1
    assert await book.census() == {}


async def test_a_client_with_two_connections_is_there_until_the_last_is_over(book: Book) -> None:
    for _ in range(2):
        book.recorder.arrived(TENANT, OLD, "")
    book.recorder.left(TENANT, OLD)
    book.say()
    assert (await book.census())[OLD.key()].count == 1
    book.recorder.left(TENANT, OLD)
    await book.census()
    book.say()
    assert (await book.census())[OLD.key()].count == 1


async def test_whoever_stays_and_says_nothing_was_seen_a_minute_ago_at_most(book: Book) -> None:
    book.recorder.arrived(TENANT, OLD, "kiosk/1")
    book.recorder.arrived(TENANT, NEW, "")
    first = await book.census()
    book.recorder.left(TENANT, NEW)
    book.clock.ahead_seconds = TOUCH_SECONDS + 1
    later = await book.census()
    assert later[OLD.key()].last - first[OLD.key()].last > TOUCH_SECONDS * 1_000
    assert later[OLD.key()].remark == "kiosk/1"
    assert later[NEW.key()].last - first[NEW.key()].last < 1_000


async def test_everyone_who_is_connected_is_noted_again_when_redis_has_forgotten_them(book: Book) -> None:
    book.recorder.arrived(TENANT, OLD, "")
    book.recorder.arrived(TENANT, NEW, "")
    book.recorder.left(TENANT, NEW)
    await book.census()
    name = book.desk.addresses.roll(TENANT, book.desk.tables.census.name)
    await book.desk.redis.delete(name, f"{name}:order")
    assert await book.census() == {}
    book.recorder.see_everyone_again()
    assert set(await book.census()) == {OLD.key()}


async def test_the_user_agent_is_known_again_after_a_loss(desk: Desk) -> None:
    book = Book(desk)
    book.recorder.arrived(TENANT, v2("42"), "kiosk/1")
    await book.census()
    name = desk.addresses.roll(TENANT, "census")
    await desk.redis.delete(name, f"{name}:order")
    book.recorder.see_everyone_again()
    assert (await book.census())[v2("42").key()].remark == "kiosk/1"


async def test_what_clients_without_an_id_say_is_counted_by_their_user_agent(desk: Desk) -> None:
    book = Book(desk)
    one, other = v2(None, user_agent="kiosk/1"), v2(None, user_agent="phone/2")
    book.recorder.arrived(TENANT, one, "kiosk/1", "anonymous-a")
    book.recorder.arrived(TENANT, other, "phone/2", "anonymous-b")
    book.recorder.left(TENANT, other, "anonymous-b")
    book.say(Speech("v2", "anonymous-a", "lobby", "msg", "group", None, "none"), times=3)
    assert (await book.census())[one.key()].count == 3
    assert list(await book.speeches()) == [Speech("v2", None, "lobby", "msg", "group", None, "none").key()]
