"""With `v2_replay` a V2 client that comes back hears what it missed, or that it may have missed something.

The latter where nobody has seen it go: then who comes back may be it, or another of the same name.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import with_key
from tests.end_to_end.test_faults import metric
from tests.end_to_end.test_last_words import CONFIG as WITH_BOSS
from tests.end_to_end.test_last_words import order
from tests.servers import BridgeProcess

CONFIG = "v2_replay = true\n" + WITH_BOSS
PATH = f"/ws/group/talk/client/42?{with_key('acme')}"


@dataclass
class Scene:
    """Two processes, and at the other somebody who speaks to the group of a client that comes and goes."""

    here: BridgeProcess
    other: BridgeProcess
    speaker: Client
    stack: AsyncExitStack = field(default_factory=AsyncExitStack)

    async def come(self, there: BridgeProcess) -> Client:
        """The client connects there."""
        return await self.stack.enter_async_context(client(there, PATH))

    async def say(self, text: str) -> None:
        await self.speaker.say({"msg_type": "msg", "target": "group", "msg": text})
        while (await self.speaker.hear()).get("msg") != text:
            pass

    async def are_here(self, number: int) -> None:
        """So many connections are open here."""

        async def are() -> bool:
            return await metric(self.here, "bridge_connections") == number

        await eventually(are)


@pytest.fixture
async def scene(bridge: StartBridge) -> AsyncIterator[Scene]:
    here, other = bridge(config=CONFIG), bridge(config=CONFIG)
    async with client(other, v3_path("talk", "ann", with_key("acme"))) as ann, AsyncExitStack() as stack:
        yield Scene(here, other, ann, stack=stack)


async def first_words(scene: Scene, back: Client) -> list[str]:
    """What a client that is back hears, until what is said now; a GAP as `GAP`."""
    await scene.say("now")
    heard: list[str] = []
    while heard[-1:] != ["now"]:
        told = await back.hear()
        heard.append(told.get("cmd") or told["msg"])
    return heard


async def test_who_has_never_been_there_is_told_nothing(scene: Scene) -> None:
    await scene.say("before")
    assert await first_words(scene, await scene.come(scene.here)) == ["now"]


async def test_who_has_closed_and_comes_back_hears_what_it_missed(scene: Scene) -> None:
    async def hears_it() -> bool:
        tab = await scene.come(scene.here)
        await asyncio.sleep(0.2)  # in which it becomes known where it is; on a busy machine perhaps not yet
        await tab.connection.close()
        await scene.are_here(0)
        await scene.say("missed")
        back = await scene.come(scene.here)
        words = await first_words(scene, back)
        await back.connection.close()
        await scene.are_here(0)
        return words == ["missed", "now"]

    await eventually(hears_it)


async def test_who_comes_back_while_its_socket_is_dead_and_nobody_knows_hears_a_gap(scene: Scene) -> None:
    gone = await scene.come(scene.here)
    gone.connection.transport.pause_reading()
    await scene.say("missed")
    assert await first_words(scene, await scene.come(scene.other)) == ["GAP", "now"]
    gone.connection.transport.abort()


async def test_who_comes_back_from_a_process_that_was_killed_hears_a_gap(scene: Scene) -> None:
    await scene.come(scene.here)
    scene.here.kill()
    await scene.say("missed")
    assert await first_words(scene, await scene.come(scene.other)) == ["GAP", "now"]


async def test_of_two_tabs_that_were_cut_off_the_second_that_is_back_hears_a_gap_too(scene: Scene) -> None:
    for tab in (await scene.come(scene.here), await scene.come(scene.here)):
        tab.connection.transport.abort()
    await scene.are_here(0)
    await scene.say("missed")
    first, second = [await first_words(scene, await scene.come(scene.here)) for _ in range(2)]
    assert first != ["now"]
    assert second == ["GAP", "now"]


async def test_who_has_to_go_back_to_v2_hears_a_gap_there(scene: Scene) -> None:
    """It cannot say there where it was on V3."""
    async with client(scene.here, v3_path("talk", "v2-42", with_key("acme"))) as moved:
        await order(scene.here, "legacy")
        assert await moved.close_code() == 4404
    assert (await (await scene.come(scene.here)).hear())["cmd"] == "GAP"
