"""Who is attacked: two clients of another tenant that go on talking, each message said once the last one was heard."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Awaitable
from contextlib import asynccontextmanager
from typing import Any

from tests.end_to_end.clients import Client, Server, client, v3_path
from tests.end_to_end.configuration import with_key

LEAST_MESSAGES = 20
PAUSE_SECONDS = 0.02  # so that the rate allows it
LEAST_SECONDS = 0.7
PATIENCE_SECONDS = 20.0


class Victims:
    """A sender and a listener."""

    def __init__(self, sender: Client, listener: Client) -> None:
        self._sender = sender
        self._listener = listener
        self.heard = 0

    async def talk(self, messages: int = LEAST_MESSAGES, seconds: float = LEAST_SECONDS) -> None:
        """At least so many messages, for at least so long. Each is heard by both, in order, and nothing else is."""
        first, until = self.heard, time.monotonic() + seconds
        while self.heard - first < messages or time.monotonic() < until:
            said = {"msg_type": "msg", "target": "group", "payload": {"number": self.heard}}
            await self._sender.say(said)
            for each in (self._sender, self._listener):
                heard = await hear(each)
                assert heard.get("payload") == said["payload"], heard
            self.heard += 1
            await asyncio.sleep(PAUSE_SECONDS)

    async def talk_during(self, attack: Awaitable[Any]) -> None:
        """As `talk`; what the attack raises meanwhile is raised."""
        talking, attacking = asyncio.ensure_future(self.talk()), asyncio.ensure_future(attack)
        try:
            await asyncio.wait((talking, attacking), return_when=asyncio.FIRST_COMPLETED)
            if attacking.done():
                attacking.result()
            await talking
        finally:
            for task in (talking, attacking):
                task.cancel()
            await asyncio.gather(talking, attacking, return_exceptions=True)


async def hear(client: Client) -> dict[str, Any]:
    """What a client hears next that is no JOIN or LEAVE."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            with contextlib.suppress(TimeoutError):
                return await client.hear()


@asynccontextmanager
async def victims(server: Server, key: str = "victim") -> AsyncIterator[Victims]:
    """Two that are there before the attack begins."""
    query = with_key(key)
    async with (
        client(server, v3_path("home", "ann", query)) as sender,
        client(server, v3_path("home", "bob", query)) as listener,
    ):
        talking = Victims(sender, listener)
        await talking.talk(1, 0)
        yield talking
        await talking.talk(5, 0)
