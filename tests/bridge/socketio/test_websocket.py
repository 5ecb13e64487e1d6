"""A websocket under an Engine.IO session: what it carries, how it takes a session over, and what ends it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
from websockets.server import ServerProtocol

from bridge.socketio import websocket
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.socketio.engine_parts import MESSAGE_BYTES, Home
from tests.bridge.socketio.test_session import EVENT

GONE = {"type": "websocket.disconnect", "code": 1006}


def text(packet: str) -> dict[str, Any]:
    return {"type": "websocket.receive", "text": packet}


class Browser:
    """The far end of a websocket, as ASGI shows it."""

    def __init__(self, query: str) -> None:
        self.saying: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.saying.put_nowait({"type": "websocket.connect"})
        self.heard: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.aborted = 0
        self.payers: list[object] = []
        self.conn = ServerProtocol(max_size=MESSAGE_BYTES)
        headers = [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")]
        self.scope = {
            "type": "websocket",
            "path": "/",
            "query_string": query.encode(),
            "headers": headers,
            "extensions": {"aether.wire": self},
        }

    def abort(self) -> None:
        self.aborted += 1

    def pays(self, holder: object) -> None:
        self.payers.append(holder)

    async def receive(self) -> dict[str, Any]:
        return await self.saying.get()

    async def send(self, message: dict[str, Any]) -> None:
        self.heard.put_nowait(message)

    async def hears(self) -> dict[str, Any]:
        return await asyncio.wait_for(self.heard.get(), ANSWER_SECONDS)

    def connect(self, home: Home) -> asyncio.Task[Any]:
        return asyncio.create_task(home.engine.handle_request(self.scope, self.receive, self.send))


def upgrading(sid: str) -> Browser:
    return Browser(f"EIO=4&transport=websocket&sid={sid}")


async def probed(home: Home, sid: str) -> tuple[Browser, asyncio.Task[Any]]:
    """A websocket that may take the session over; the open poll has ended."""
    browser, poll = upgrading(sid), asyncio.create_task(home.heard(sid))
    task = browser.connect(home)
    browser.saying.put_nowait(text("2probe"))
    assert [(await browser.hears())["type"], (await browser.hears())["text"]] == ["websocket.accept", "3probe"]
    assert await poll == ["6"]
    return browser, task


async def upgraded(home: Home, sid: str) -> tuple[Browser, asyncio.Task[Any]]:
    browser, task = await probed(home, sid)
    browser.saying.put_nowait(text("5"))
    await until(lambda: home.engine.sessions[sid].is_upgraded)
    return browser, task


async def test_a_websocket_carries_what_polls_would() -> None:
    home = Home()
    browser = Browser("EIO=4&transport=websocket")
    task = browser.connect(home)
    assert (await browser.hears())["type"] == "websocket.accept"
    assert (await browser.hears())["text"].startswith("0{")
    browser.saying.put_nowait(text("40/v3,{}"))
    assert (await browser.hears())["text"].startswith("40/v3,")
    (session,) = home.engine.sessions.values()
    session.write(b"\x1e".join([EVENT] * 20))
    assert [(await browser.hears())["text"] for _ in range(20)] == [EVENT.decode()] * 20
    browser.saying.put_nowait(GONE)
    await task
    assert home.v3.guests[0].losses == 1
    assert not home.engine.sessions


async def test_a_frame_may_be_longer_than_a_message_by_what_is_around_it() -> None:
    browser = Browser("EIO=4&transport=websocket")
    assert browser.conn.max_message_size == MESSAGE_BYTES
    task = browser.connect(Home())
    assert (await browser.hears())["type"] == "websocket.accept"
    assert browser.conn.max_message_size == MESSAGE_BYTES + 1_024
    browser.saying.put_nowait(GONE)
    await task


async def test_a_session_is_upgraded_and_loses_nothing() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser, task = await probed(home, sid)
    session.write(EVENT)
    assert await home.heard(sid) == ["6"]
    browser.saying.put_nowait(text("5"))
    assert (await browser.hears())["text"] == EVENT.decode()
    home.v3.guests[0].wire.begin_close(4410, "v2_retired")
    assert [(await browser.hears()).get("text") for _ in range(2)] == ["41/v3,", "1"]
    assert await browser.hears() == {"type": "websocket.close", "code": 4410, "reason": "v2_retired"}
    browser.saying.put_nowait(GONE)
    await task


@pytest.mark.parametrize("said", ["2", "2probes", "3", "42[]", "", "4" + "[" * 50_000, "2" + "[" * 50_000])
async def test_a_probe_that_is_none_closes_the_session(said: str) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)
    task = browser.connect(home)
    browser.saying.put_nowait(text(said))
    await task
    assert [(await browser.hears()).get("code") for _ in range(2)] == [None, 1002]
    assert session.code == 1002


@pytest.mark.parametrize("how_far", [[], ["2probe"]])
async def test_an_upgrade_that_is_given_up_leaves_the_session_polling(how_far: list[str]) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)
    task = browser.connect(home)
    for said in how_far:
        browser.saying.put_nowait(text(said))
    browser.saying.put_nowait(GONE)
    await task
    if how_far:
        assert await home.heard(sid) == ["6"]
    session.write(EVENT)
    assert await home.heard(sid) == [EVENT.decode()]
    assert session.websocket is None


async def test_an_upgrade_that_swallows_its_probe_ends_and_hinders_no_poll(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket, "PROBE_SECONDS", 0.05)
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)
    task = browser.connect(home)
    assert (await browser.hears())["type"] == "websocket.accept"
    session.write(EVENT)
    assert await home.heard(sid) == [EVENT.decode()]
    await asyncio.wait_for(task, ANSWER_SECONDS)
    assert session.websocket is None


async def test_a_second_websocket_of_a_session_is_turned_away() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    first, second = upgrading(sid), upgrading(sid)
    task = first.connect(home)
    assert (await first.hears())["type"] == "websocket.accept"
    await second.connect(home)
    assert (await second.hears())["type"] == "websocket.close"
    first.saying.put_nowait(GONE)
    await task
    assert session.ended_at is None


@pytest.mark.parametrize("said", ["5", "2", "2probe", "6", "", "x", "4", "4[", "3" + "[" * 50_000, "4" * 5_000])
async def test_what_may_not_come_over_a_websocket_closes_the_session(said: str) -> None:
    """A flood of upgrades would be answered packet by packet, and the answers would wait for who never reads."""
    home = Home()
    sid, _ = await home.entered("/v3")
    browser, task = await upgraded(home, sid)
    browser.saying.put_nowait(text(said))
    assert (await browser.hears())["text"] == "1"
    assert (await browser.hears())["code"] == 1002
    await asyncio.wait_for(task, ANSWER_SECONDS)


async def test_bytes_that_another_server_hands_over_are_no_packet() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser, task = await upgraded(home, sid)
    browser.saying.put_nowait({"type": "websocket.receive", "bytes": b"42/v3,[]"})
    await asyncio.wait_for(task, ANSWER_SECONDS)
    assert session.code == 1002


async def test_an_aborted_websocket_is_cut_off() -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser, task = await upgraded(home, sid)
    session.abort()
    assert browser.aborted == 1
    browser.saying.put_nowait(GONE)
    await asyncio.wait_for(task, ANSWER_SECONDS)


@pytest.mark.parametrize("error", [OSError, RuntimeError])
async def test_a_client_that_is_gone_before_it_is_answered_does_no_harm(error: Callable[[], Exception]) -> None:
    home = Home()
    sid, session = await home.entered("/v3")
    browser = upgrading(sid)

    async def fails(_message: Any) -> None:
        raise error()

    browser.saying.put_nowait(text("2probe"))
    browser.saying.put_nowait(GONE)
    await home.engine.handle_request(browser.scope, browser.receive, fails)
    assert session.ended_at is None
    assert await home.heard(sid) == ["6"]
