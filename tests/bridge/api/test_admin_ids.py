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

from bridge.api import admin_ids
from bridge.api.admin_ids import MAX_IDS_BYTES, MOST_IDS, Maps, Reader, ids_in
from bridge.api.admin_refusals import AdminRefusal

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
    with pytest.raises(AdminRefusal) as refused:
        ids_in(body)
    return refused.value.status, refused.value.body["code"], refused.value.body["msg"]


def test_a_map_is_taken_whole() -> None:
    ids = {"42": "Xk3dQ", "a b": "Yk3dQ"}
    assert ids_in(json.dumps({"ids": ids}).encode()) == ids
    assert ids_in(b'{"ids": {}}') == {}


@given(st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20)), st.sampled_from([None, 1, "\t"]))
def test_what_json_writes_is_read(ids: dict[str, str], indent: int | str | None) -> None:
    text = json.dumps({"ids": ids}, indent=indent, ensure_ascii=indent is None)
    assert list(Reader(text).ids()) == list(ids.items())


def test_more_ids_than_may_be_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_ids, "MOST_IDS", 2)
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


class Slow:
    """A request whose body comes when it is let."""

    def __init__(self) -> None:
        self.is_let = asyncio.Event()

    async def stream(self) -> AsyncIterator[bytes]:
        yield b'{"ids": '
        await self.is_let.wait()
        yield b'{"42": "Xk3dQ"}}'


async def test_one_map_is_taken_at_a_time() -> None:
    maps, slow = Maps(), Slow()
    taking = asyncio.create_task(maps.take(cast(Request, slow)))
    await asyncio.sleep(0)
    with pytest.raises(AdminRefusal) as refused:
        await maps.take(cast(Request, Slow()))
    assert (refused.value.status, refused.value.body["code"]) == (503, "overloaded")
    slow.is_let.set()
    assert await taking == {"42": "Xk3dQ"}


async def test_a_body_that_does_not_come_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admin_ids, "BODY_SECONDS", 0.05)
    maps, never, slow = Maps(), Slow(), Slow()
    with pytest.raises(AdminRefusal) as refused:
        await maps.take(cast(Request, never))
    assert refused.value.status == 408
    slow.is_let.set()
    assert await maps.take(cast(Request, slow)) == {"42": "Xk3dQ"}


async def test_everyone_else_is_served_while_a_large_map_is_read() -> None:
    body = json.dumps({"ids": {f"{number}": f"Xk{number}" for number in range(MOST_IDS)}}).encode()
    assert len(body) < MAX_IDS_BYTES

    class Large:
        async def stream(self) -> AsyncIterator[bytes]:
            yield body

    taking, turns = asyncio.create_task(Maps().take(cast(Request, Large()))), 0
    while not taking.done():
        await asyncio.sleep(0)
        turns += 1
    assert len(await taking) == MOST_IDS
    assert turns > 50
