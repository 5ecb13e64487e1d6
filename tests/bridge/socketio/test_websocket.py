"""A websocket under an Engine.IO session: what it carries, how it takes a session over, and what ends it."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from bridge.socketio import websocket
from bridge.socketio.session import Session
from bridge.sockets.framing import text_frame
from bridge.sockets.ports import ASGI_EXTENSION, VOUCH
from tests.bridge.broker.parts import ANSWER_SECONDS, until
from tests.bridge.socketio.parts import EVENT, MESSAGE_BYTES, POLLING, Wire, code_of, heard
from tests.bridge.socketio.visits import Visit

WEBSOCKET = "EIO=4&transport=websocket"
GONE = {"type": "websocket.disconnect", "code": 1006}


class Browser(Wire):
    """The far end of a websocket, as ASGI and our server show it."""

    def __init__(self, query: str) -> None:
        super().__init__()
        self.saying: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.saying.put_nowait({"type": "websocket.connect"})
        self.sent: list[str] = []
        self.vouched = 0
        self.most_bytes = MESSAGE_BYTES
        self.scope = {
            "type": "websocket",
            "path": "/",
            "query_string": query.encode(),
            "headers": [(b"connection", b"Upgrade"), (b"upgrade", b"websocket")],
            "extensions": {ASGI_EXTENSION: self, VOUCH: self.vouch, "websocket.http.response": {}},
        }

    def vouch(self) -> None:
        self.vouched += 1

    def take_messages_up_to(self, most_bytes: int) -> None:
        self.most_bytes = most_bytes

    def say(self, packet: str) -> None:
        self.saying.put_nowait({"type": "websocket.receive", "text": packet})

    def go(self) -> None:
        self.saying.put_nowait(GONE)

    def begin_close(self, code: int, reason: str, last: bytes = b"") -> None:
        super().begin_close(code, reason, last)
        self.go()  # the client answers the close

    async def send(self, message: Any) -> None:
        self.sent.append(message["type"])
        if "status" in message:
            self.status = message["status"]

    async def hears(self, number: int) -> list[str]:
        """The next packets, so many."""
        await until(lambda: len(self.heard) >= number)
        said, self.written = self.heard, b"".join(text_frame(one.encode()) for one in self.heard[number:])
        return said[:number]

    def connect(self, visit: Visit) -> asyncio.Task[None]:
        return asyncio.create_task(visit.endpoint(self.scope, self.saying.get, self.send))


def upgrading(session: Session) -> Browser:
    return Browser(f"{WEBSOCKET}&sid={session.sid}")


async def over(task: asyncio.Task[None]) -> None:
    await asyncio.wait_for(task, ANSWER_SECONDS)


async def probed(visit: Visit, session: Session) -> tuple[Browser, asyncio.Task[None]]:
    """A websocket that may take the session over; the open poll has ended."""
    browser, poll = upgrading(session), asyncio.create_task(heard(session))
    await asyncio.sleep(0)
    task = browser.connect(visit)
    browser.say("2probe")
    assert (await browser.hears(1), browser.sent) == (["3probe"], ["websocket.accept"])
    assert await poll == ["6"]
    return browser, task


async def upgraded(visit: Visit, session: Session) -> tuple[Browser, asyncio.Task[None]]:
    browser, task = await probed(visit, session)
    browser.say("5")
    await until(lambda: bool(browser.attached))
    return browser, task


async def test_a_websocket_carries_what_polls_would(visit: Visit) -> None:
    browser = Browser(WEBSOCKET)
    task = browser.connect(visit)
    assert (await browser.hears(1))[0].startswith("0{")
    browser.say("40/v3,{}")
    assert (await browser.hears(1))[0].startswith("40/v3,")
    (session,) = visit.home.sessions.all()
    session.write(b"\x1e".join([EVENT] * 20))
    assert await browser.hears(20) == [EVENT.decode()] * 20
    await until(lambda: bool(browser.attached))
    browser.attached[0].receive('42/v3,["message",1]')
    browser.attached[0].alive()
    (guest,) = visit.home.v3.guests
    assert (guest.received[0][0], guest.pongs) == ("1", 1)
    browser.attached[0].lost()
    await over(task)
    assert (guest.losses, visit.home.sids) == (1, [])


async def test_whoever_joins_last_pays_for_what_is_read(visit: Visit) -> None:
    browser, task = await upgraded(visit, await visit.home.joined("/v3"))
    paid_before = len(browser.payers)
    browser.attached[0].receive("40/v2,{}")
    await until(lambda: bool(visit.home.v2.guests))
    assert len(browser.payers) == paid_before + 1
    browser.attached[0].lost()
    await over(task)


async def test_until_it_is_in_a_namespace_a_websocket_is_a_strangers(visit: Visit) -> None:
    visit.home.v3.refusal = ("No.", {"code": "forbidden"})
    browser = Browser(WEBSOCKET)
    task = browser.connect(visit)
    for packet in ("3", "40/v3,{}", "40/v4,{}"):
        browser.say(packet)
    assert [said[:5] for said in await browser.hears(3)][1:] == ["44/v3", "44/v4"]
    assert (browser.attached, browser.vouched) == ([], 0)
    browser.go()
    await over(task)
    assert visit.home.sids == []


async def test_a_frame_may_be_longer_than_a_message_by_what_is_around_it(visit: Visit) -> None:
    browser = Browser(WEBSOCKET)
    assert browser.most_bytes == MESSAGE_BYTES
    task = browser.connect(visit)
    await browser.hears(1)
    assert browser.most_bytes == MESSAGE_BYTES + 1_024
    browser.go()
    await over(task)


async def test_a_session_is_upgraded_and_loses_nothing(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    browser, task = await probed(visit, session)
    session.write(EVENT)
    assert await heard(session) == ["6"]
    assert (browser.vouched, len(browser.payers)) == (1, 1)
    browser.say("5")
    assert await browser.hears(2) == ["6", EVENT.decode()]
    await until(lambda: bool(browser.attached))
    visit.home.v3.guests[0].wire.begin_close(4410, "v2_retired")
    assert (browser.heard, browser.closes) == (["41/v3,", "1"], [(4410, "v2_retired")])
    await over(task)


@pytest.mark.parametrize("said", ["2", "2probes", "3", "42[]", "", "4" + "[" * 50_000, "2" + "[" * 50_000])
async def test_a_probe_that_is_none_closes_the_session(visit: Visit, said: str) -> None:
    session = await visit.home.joined("/v3")
    browser = upgrading(session)
    task = browser.connect(visit)
    browser.say(said)
    await over(task)
    assert (browser.heard, browser.closes) == ([], [(1002, "broken packet")])
    assert code_of(session) == 1002


@pytest.mark.parametrize("how_far", [[], ["2probe"]])
async def test_an_upgrade_that_is_given_up_leaves_the_session_polling(visit: Visit, how_far: list[str]) -> None:
    session = await visit.home.joined("/v3")
    browser = upgrading(session)
    task = browser.connect(visit)
    for said in how_far:
        browser.say(said)
    browser.go()
    await over(task)
    if how_far:
        assert await heard(session) == ["6"]
    session.write(EVENT)
    assert await heard(session) == [EVENT.decode()]
    assert session.transport.candidate is None


async def test_an_upgrade_that_swallows_its_probe_ends_and_hinders_no_poll(
    visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(websocket, "PROBE_SECONDS", 0.05)
    session = await visit.home.joined("/v3")
    browser = upgrading(session)
    task = browser.connect(visit)
    await until(lambda: session.transport.candidate is browser)
    session.write(EVENT)
    assert await heard(session) == [EVENT.decode()]
    await over(task)
    assert (session.transport.candidate, browser.closes) == (None, [(1000, "")])


async def test_a_second_websocket_of_a_session_is_turned_away(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    first, task = await probed(visit, session)
    for is_upgraded in (False, True):
        if is_upgraded:
            first.say("5")
            await until(lambda: bool(first.attached))
        second = upgrading(session)
        await over(second.connect(visit))
        assert second.status == 400
        assert not session.is_over
    first.attached[0].lost()
    await over(task)


@pytest.mark.parametrize("said", ["5", "2", "2probe", "6", "", "x", "4", "4[", "3" + "[" * 50_000, "4" * 5_000])
async def test_what_may_not_come_over_a_websocket_closes_the_session(visit: Visit, said: str) -> None:
    """A flood of upgrades would be answered packet by packet, and the answers would wait for who never reads."""
    browser, task = await upgraded(visit, await visit.home.joined("/v3"))
    await browser.hears(1)
    browser.attached[0].receive(said)
    assert (browser.heard, browser.closes) == (["1"], [(1002, "broken packet")])
    await over(task)


async def test_bytes_that_are_no_text_are_no_packet(visit: Visit) -> None:
    browser = Browser(WEBSOCKET)
    task = browser.connect(visit)
    browser.saying.put_nowait({"type": "websocket.receive", "bytes": b"42/v3,[]"})
    await over(task)
    assert browser.closes == [(1002, "broken packet")]


async def test_a_session_that_ends_while_it_is_upgraded_ends_both(visit: Visit) -> None:
    session = await visit.home.joined("/v3")
    browser, task = await probed(visit, session)
    session.abort()
    assert (browser.closes, browser.aborts) == ([(1011, "aborted")], 1)
    await over(task)


async def test_a_server_without_a_wire_of_ours_serves_polls_alone(visit: Visit) -> None:
    browser = Browser(WEBSOCKET)
    del browser.scope["extensions"][ASGI_EXTENSION]  # type: ignore[attr-defined]
    await over(browser.connect(visit))
    assert (browser.status, visit.home.sids) == (400, [])


@pytest.mark.parametrize("query", [WEBSOCKET, f"{POLLING}&sid="])
async def test_a_client_that_is_gone_before_it_is_answered_does_no_harm(visit: Visit, query: str) -> None:
    session = await visit.home.joined("/v3")
    browser = Browser(WEBSOCKET) if query == WEBSOCKET else upgrading(session)

    async def fails(_message: Any) -> None:
        raise OSError

    browser.say("2probe")
    browser.go()
    await over(asyncio.create_task(visit.endpoint(browser.scope, browser.saying.get, fails)))
    assert not session.is_over
    session.write(EVENT)
    assert await heard(session) == [EVENT.decode()]
