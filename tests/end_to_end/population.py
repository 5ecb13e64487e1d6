"""Many clients of both languages at once, and who of them heard what. Must never sleep: silence is proven by fences.

What one speaker says reaches Redis in order. So once it has heard its own marker, everything that it said before has
been published; a fence that is published after that, on the platform's channel, follows it into every process. Each
process reads from Redis in order, but may shuffle the channels of what it read at once; a second fence, published when
everyone has heard the first, is read later than all of that. Whoever has heard the second fence hears nothing more.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from itertools import count
from typing import Any

import redis.asyncio

from tests.end_to_end.clients import ANSWER_SECONDS, Client, client
from tests.servers import BridgeProcess


@dataclass(frozen=True)
class Member:
    """One connection. `client_id` and `group` are names as V3 knows them; `None` where the server makes one up."""

    label: str
    language: str
    tenant: str
    group: str
    client_id: str | None
    process: int
    path: str
    host: str = "127.0.0.1"

    def __str__(self) -> str:
        return f"{self.tenant}/{self.label}"


class Population:
    """Every member's open connection."""

    def __init__(self, clients: Mapping[Member, Client], publisher: redis.asyncio.Redis, platform_channel: str) -> None:
        self.members: Sequence[Member] = tuple(clients)
        self._clients = clients
        self._publisher = publisher
        self._platform_channel = platform_channel
        self._numbers = count()

    async def say(self, speaker: Member, said: Any) -> None:
        """Say it, and wait for nothing."""
        await self._clients[speaker].say(said)

    async def heard(self, speaker: Member, said: Any) -> dict[Member, list[str]]:
        """What everyone heard, as text and in order, because `speaker` said this; silent members are left out."""
        await self.say(speaker, said)
        marker = f"marker {next(self._numbers)}"
        await self.say(speaker, {"msg_type": "msg", "target": "group", "msg": marker})
        return await self.settled({speaker: await self.until(speaker, marker)})

    async def settled(self, before: Mapping[Member, list[str]]) -> dict[Member, list[str]]:
        """What everyone hears until nothing more can come of what was published by now, after `before`."""
        first, second = await self._fenced(), await self._fenced()
        frames = {member: [*before.get(member, ()), *first[member], *second[member]] for member in self.members}
        return {member: texts for member, texts in frames.items() if texts}

    async def until(self, member: Member, last: str) -> list[str]:
        """What a member hears before a frame that holds `last`, markers left out."""
        texts: list[str] = []
        async with asyncio.timeout(ANSWER_SECONDS):
            while f'"{last}"' not in (text := await self._clients[member].hear_text()):
                texts.append(text)
        return [text for text in texts if '"marker ' not in text]

    async def _fenced(self) -> dict[Member, list[str]]:
        fence = f"fence {next(self._numbers)}"
        message = {"version": "3", "msg_type": "msg", "target": "broadcast", "msg": fence}
        await self._publisher.publish(self._platform_channel, json.dumps(message))
        heard = await asyncio.gather(*(self.until(member, fence) for member in self.members))
        return dict(zip(self.members, heard, strict=True))


@asynccontextmanager
async def population(
    bridges: Sequence[BridgeProcess], members: Sequence[Member], redis_url: str, prefix: str
) -> AsyncIterator[Population]:
    """All members connected, each to its process."""
    async with AsyncExitStack() as ends:
        publisher = await ends.enter_async_context(redis.asyncio.Redis.from_url(redis_url))
        clients = {
            member: await ends.enter_async_context(client(bridges[member.process], member.path, host=member.host))
            for member in members
        }
        yield Population(clients, publisher, f"{prefix}:{{b}}")
