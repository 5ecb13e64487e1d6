"""Up to where somebody has heard everything is one text, at each door; anything else that is there proves nothing."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.socketio_clients import v3_ids, visitor
from tests.servers import BridgeProcess

NEW = {"msg_type": "msg", "target": "group", "msg": "new"}
CURSOR = {"msg_type": "heartbeat", "target": "echo", "payload": {"cursor": True}}
OLDER = "@1"
"""A position that nobody can prove anything about."""


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge("--socketio", config=QUIET)


async def cursor_at(bridge: BridgeProcess) -> str:
    """Where ann is."""
    async with client(bridge, v3_path("team", "ann")) as ann:
        cursor: str = (await ann.ask(CURSOR))["payload"]["cursor"]
        return cursor


async def is_complete(who: Any) -> bool | None:
    """What it is told first; `None` if it is not told that it has come back."""
    await who.say(NEW)
    heard = await who.hear()
    complete: bool | None = heard["payload"]["complete"] if heard.get("cmd") == "RESUMED" else None
    return complete


@pytest.mark.parametrize(
    ("sinces", "complete"),
    [
        ([], None),
        ([""], None),
        (["", ""], None),
        (["{cursor}"], True),
        (["", "{cursor}"], True),
        (["{cursor}", "{cursor}"], True),
        (["{cursor}", OLDER], False),
        ([OLDER, "{cursor}"], False),
        ([" "], False),
    ],
)
async def test_over_a_websocket(shared: BridgeProcess, sinces: list[str], complete: bool | None) -> None:  # noqa: FBT001
    cursor = await cursor_at(shared)
    query = "&".join(f"since={quote(since.format(cursor=cursor))}" for since in sinces)
    async with client(shared, v3_path("team", "ann", query)) as ann:
        assert await is_complete(ann) is complete


@pytest.mark.parametrize(
    ("since", "complete"),
    [(None, None), ("", None), *((there, False) for there in (5, 1.5, True, False, ["@1"], [], {}, {"cursor": "@1"}))],
)
async def test_over_socketio(shared: BridgeProcess, since: Any, complete: bool | None) -> None:  # noqa: FBT001
    async with visitor(shared, "/v3", "websocket", **v3_ids("ann"), since=since) as ann:
        assert await is_complete(ann) is complete


async def test_over_socketio_one_text_is_taken(shared: BridgeProcess) -> None:
    async with visitor(shared, "/v3", "websocket", **v3_ids("ann", "team"), since=await cursor_at(shared)) as ann:
        assert await is_complete(ann)


@pytest.mark.parametrize(
    ("ids", "is_gap"), [([""], False), (["", "{now}"], False), (["{now}", "{now}"], False), (["{now}", OLDER], True)]
)
async def test_over_a_stream_of_events(shared: BridgeProcess, ids: list[str], is_gap: bool) -> None:  # noqa: FBT001
    """Its first event is a gap where it is not known what was missed."""
    now = "@" + (await cursor_at(shared)).removeprefix("@g.").partition("-")[0]
    headers = [("Last-Event-ID", one.format(now=now)) for one in ids]
    async with (
        httpx.AsyncClient() as http,
        http.stream("GET", f"{shared.url}/v3/events?groups=team", headers=headers) as answer,
    ):
        await http.post(f"{shared.url}/v3/messages", json={**NEW, "group_id": "team"})
        lines = answer.aiter_lines()
        async for line in lines:
            if line.startswith("data: "):
                assert ('"GAP"' in line) is is_gap
                return
    raise AssertionError("the stream has ended")
