"""An id map as it is sent: taken whole, or refused with what is wrong with it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import cast

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st

from bridge.admin import ids
from bridge.admin.ids import MAX_IDS_BYTES, MOST_IDS, IdMapReader, Maps, ids_in
from bridge.admin.pace import Party
from bridge.api.errors import AdminRefusal

UNREADABLE = (
    b"",
    b"hi",
    b"[]",
    b"null",
    b'{"ids": []}',
    b'{"ids": {"42": 7}}',
    b'{"ids": {"42": null}}',
    b'{"names": {}}',
    b'{"ids": {}, "more": 1}',
    b'{"ids": \xff}',
    b'{"ids": ' + b"[" * 100_000,
    b'{"ids": {}, "ids": {"42": "Xk3dQ"}}',
    b'{"ids": {"42": "Xk3dQ",}}',
    b'{"ids": {,}}',
    b'{"ids": {"42": "Xk3dQ"}',
    b'{"ids": {"42": "Xk3dQ"}} {}',
    b'{"ids": {"42" "Xk3dQ"}}',
    b'{"ids": {"42": "Xk3dQ" "43": "Yk3dQ"}}',
    b'{"ids": {"4\n2": "Xk3dQ"}}',
    b'{"ids": {"42": "' + b"x" * 100_000 + b'"}}',
    b'\xef\xbb\xbf{"ids": {}}',
)


def refusal_of(body: bytes) -> tuple[int, str, str]:
    with pytest.raises(AdminRefusal) as refusal:
        ids_in(body)
    return refusal.value.status, refusal.value.body["code"], refusal.value.body["msg"]


def test_a_map_is_taken_whole() -> None:
    ids = {"42": "Xk3dQ", "a b": "Yk3dQ"}
    assert ids_in(json.dumps({"ids": ids}).encode()) == ids
    assert ids_in(b'{"ids": {}}') == {}


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20)), st.sampled_from([None, 1, "\t"]))
def test_what_json_writes_is_read(ids: dict[str, str], indent: int | str | None) -> None:
    text = json.dumps({"ids": ids}, indent=indent, ensure_ascii=indent is None)
    assert list(IdMapReader(text).ids()) == list(ids.items())


def test_more_ids_than_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "MOST_IDS", 2)
    assert ids_in(json.dumps({"ids": {"1": "Ab", "2": "Ac"}}).encode())
    status, code, sentence = refusal_of(json.dumps({"ids": {"1": "Ab", "2": "Ac", "3": "Ad"}}).encode())
    assert (status, code) == (413, "body_too_big")
    assert "aether-bridge tenants ids" in sentence


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"ids": {"42": "Xk3dQ", "42": "Yk3dQ"}}', "42"),
        (b'{"ids": {"42": "Xk3dQ", "\\u0034\\u0032": "Xk3dQ"}}', "42"),
    ],
)
def test_a_key_that_stands_twice_is_named_though_json_would_take_the_last(body: bytes, name: str) -> None:
    status, code, sentence = refusal_of(body)
    assert (status, code) == (400, "invalid_ids")
    assert repr(name) in sentence


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_no_map_is_told_what_to_send(body: bytes) -> None:
    status, code, sentence = refusal_of(body)
    assert (status, code) == (422, "invalid_ids")
    assert sentence.startswith('Send {"ids": ')


@pytest.mark.parametrize("ids", [{"42": "Xk3dQ", "43": "Xk3dQ"}, {"42": "7"}, {"42": "server"}, {"42": "v2-7"}])
def test_a_map_that_is_not_one_to_one_is_refused_with_the_reason(ids: dict[str, str]) -> None:
    status, code, sentence = refusal_of(json.dumps({"ids": ids}).encode())
    assert (status, code) == (400, "invalid_ids")
    assert "Xk3dQ" in sentence or "Vision ID" in sentence


class Body:
    """A request whose body comes part by part as it is let, and of which nothing is left when it has ended."""

    def __init__(self, *parts: bytes) -> None:
        self._parts = parts
        self._lets: asyncio.Queue[None] = asyncio.Queue()

    def let(self) -> Body:
        """All that is to come may."""
        for _ in self._parts:
            self._lets.put_nowait(None)
        return self

    def let_one(self) -> None:
        self._lets.put_nowait(None)

    async def stream(self) -> AsyncIterator[bytes]:
        for part in self._parts:
            await self._lets.get()
            yield part


ACME, OTHER, PLATFORM = ("acme", False), ("other", False), ("acme", True)


def small() -> Body:
    return Body(b'{"ids": ', b'{"42": "Xk3dQ"}}')


def begun(maps: Maps, body: Body, party: Party) -> asyncio.Task[dict[str, str]]:
    """A map that is being taken, and used for as long as one turn of the loop."""

    async def take() -> dict[str, str]:
        async with maps.taken(cast(Request, body), party) as ids:
            await asyncio.sleep(0)
            return ids

    return asyncio.create_task(take())


async def refused(taking: asyncio.Task[dict[str, str]]) -> tuple[int, str]:
    with pytest.raises(AdminRefusal) as refusal:
        await taking
    return refusal.value.status, refusal.value.body["code"]


async def test_a_body_that_is_long_in_coming_keeps_no_other_partys_out() -> None:
    maps, slow = Maps(), small()
    taking = begun(maps, slow, ACME)
    for party in (OTHER, PLATFORM):
        assert await begun(maps, small().let(), party) == {"42": "Xk3dQ"}
    assert not taking.done()
    slow.let()
    assert await taking == {"42": "Xk3dQ"}


async def test_of_one_party_one_body_is_taken_at_a_time() -> None:
    maps, slow = Maps(), small()
    taking = begun(maps, slow, ACME)
    assert await refused(begun(maps, small(), ACME)) == (503, "overloaded")
    slow.let()
    await taking
    assert await begun(maps, small().let(), ACME) == {"42": "Xk3dQ"}


async def test_one_map_is_read_and_used_at_a_time_and_whoever_comes_meanwhile_waits() -> None:
    maps = Maps()
    using = maps.taken(cast(Request, small().let()), ACME)
    await using.__aenter__()
    waiting = [begun(maps, small().let(), (f"tenant-{number}", False)) for number in range(8)]
    await asyncio.wait(waiting, timeout=0.05)
    assert not any(each.done() for each in waiting)
    await using.__aexit__(None, None, None)
    assert await asyncio.gather(*waiting) == [{"42": "Xk3dQ"}] * len(waiting)


async def test_all_bodies_together_have_a_bound_and_those_who_send_little_are_kept_room(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ids, "MOST_BYTES", 1_000)
    monkeypatch.setattr(ids, "KEPT_BYTES", 200)
    maps = Maps()
    large = [Body(b"x" * 400, b"x" * 150) for _ in range(3)]
    coming = [begun(maps, body, (f"tenant-{number}", False)) for number, body in enumerate(large)]
    for body in large:
        body.let_one()
    assert await refused(coming[2]) == (503, "overloaded")
    assert await begun(maps, small().let(), OTHER) == {"42": "Xk3dQ"}
    large[0].let_one()
    assert await refused(coming[0]) == (503, "overloaded")
    assert not coming[1].done()
    coming[1].cancel()
    await asyncio.wait([coming[1]])
    whole = [Body(b"x" * 400, b"x").let(), Body(b"x" * 390).let()]
    assert [await refused(begun(maps, body, OTHER)) for body in whole] == [(422, "invalid_ids")] * 2


async def test_a_body_that_does_not_come_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "BODY_SECONDS", 0.05)
    maps = Maps()
    assert (await refused(begun(maps, small(), ACME)))[0] == 408
    assert await begun(maps, small().let(), ACME) == {"42": "Xk3dQ"}


async def test_everyone_else_is_served_while_a_large_map_is_read() -> None:
    body = json.dumps({"ids": {f"{number}": f"Xk{number}" for number in range(MOST_IDS)}}).encode()
    assert len(body) < MAX_IDS_BYTES
    taking, turns = begun(Maps(), Body(body).let(), ACME), 0
    while not taking.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(await taking) == MOST_IDS
    assert turns > 50
