"""A group that goes on talking while its servers are maltreated, and what each of its members heard. Never judges.

Each talker says numbered messages; every member keeps the numbers that it heard from each, in order, the gaps that were
announced to it, and what it was refused. Whether anything was lost, doubled or shuffled follows from that.
"""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from websockets.exceptions import ConnectionClosed

from tests.end_to_end.clients import Client, client, v3_path
from tests.servers import BridgeProcess
from tests.stopwatch import within

PAUSE_SECONDS = 0.01


class Member:
    """One connection and all that it heard."""

    def __init__(self, name: str, own: Client) -> None:
        self.name = name
        self.own = own
        self.heard: dict[str, list[int]] = defaultdict(list)
        self.gaps = 0
        self.gap_times: list[tuple[str, str]] = []
        self.refusals: list[str] = []
        self.others: list[dict[str, Any]] = []
        self.closed: ConnectionClosed | None = None
        self._changed = asyncio.Event()

    async def listen(self) -> None:
        """Note every frame until the connection ends."""
        try:
            while True:
                self._note(json.loads(await self.own.connection.recv()))
                self._changed.set()
        except ConnectionClosed as closed:
            self.closed = closed
            self._changed.set()

    async def until(self, holds: Any, seconds: float) -> None:
        """Wait until something holds of this member."""
        async with within(seconds):
            while not holds(self):
                await self._changed.wait()
                self._changed.clear()

    async def until_heard(self, talker: str, number: int, seconds: float) -> None:
        """Wait until a number, or a later one, of a talker was heard."""
        await self.until(lambda member: member.heard[talker] and member.heard[talker][-1] >= number, seconds)

    @property
    def is_told_of_loss(self) -> bool:
        """Whether something that it said was refused, or something may have been missed."""
        return bool(self.gaps or self.refusals)

    async def until_heard_or_told(self, talker: str, number: int, seconds: float) -> None:
        """Wait until a number, or a later one, of a talker was heard, or a loss was told at any time."""
        await self.until(lambda one: one.is_told_of_loss or one.heard[talker][-1:] >= [number], seconds)

    def _note(self, frame: dict[str, Any]) -> None:
        payload = frame.get("payload") or {}
        if "number" in payload or "number" in frame:
            said = payload if "number" in payload else frame
            self.heard[said["talker"]].append(said["number"])
        elif frame.get("cmd") == "GAP":
            assert {"from", "to"} <= payload.keys()
            self.gaps += 1
            self.gap_times.append((payload["from"], payload["to"]))
        elif frame.get("cmd") == "ERROR":
            self.refusals.append(payload["code"])
        elif "error" in frame.get("bridge", {}):
            self.refusals.append(frame["bridge"]["error"])
        else:
            self.others.append(frame)


class Talk:
    """The members, and the talkers among them that are saying numbers."""

    def __init__(self, members: Sequence[Member]) -> None:
        self.members = members
        self.said: dict[str, int] = defaultdict(int)

    async def say_next(self, member: Member) -> int:
        """Say the next number, in the member's language."""
        self.said[member.name] += 1
        number = self.said[member.name]
        said = {"talker": member.name, "number": number}
        is_v3 = member.name.startswith("v3")
        await member.own.say({"msg_type": "msg", "target": "group", "payload": said} if is_v3 else said)
        return number

    async def go_on(self, member: Member) -> None:
        """Say one number after the other, until cancelled or closed."""
        try:
            while True:
                await self.say_next(member)
                await asyncio.sleep(PAUSE_SECONDS)
        except ConnectionClosed:
            return

    async def until_all_hear(self, talker: Member, seconds: float) -> None:
        """Wait until everyone hears a number that is said only now."""
        async with within(seconds):
            while True:
                number = await self.say_next(talker)
                try:
                    await asyncio.gather(*(member.until_heard(talker.name, number, 0.2) for member in self.members))
                except TimeoutError:
                    continue
                return

    def nothing_is_doubled_or_shuffled(self) -> bool:
        """Whether each member heard each talker's numbers in order, none of them twice."""
        return all(numbers == sorted(set(numbers)) for member in self.members for numbers in member.heard.values())

    def members_who_missed(self) -> list[Member]:
        """Those who did not hear every number between the first and the last that they heard of a talker.

        Talkers who were told that something may not have been said are left out.
        """
        refused = {member.name for member in self.members if "bus_down" in member.refusals}
        return [
            member
            for member in self.members
            if any(
                numbers and len(numbers) != numbers[-1] - numbers[0] + 1
                for talker, numbers in member.heard.items()
                if talker not in refused
            )
        ]


@asynccontextmanager
async def talk(bridges: Sequence[BridgeProcess], v3: int, v2: int) -> AsyncIterator[Talk]:
    """Members of both languages in one group, spread over the processes, all listening."""
    async with AsyncExitStack() as ends:
        members = []
        for number in range(v3 + v2):
            name = f"v3_{number}" if number < v3 else f"v2_{number}"
            path = v3_path("talk", name) if number < v3 else f"/ws/group/talk/client/{name}"
            own = await ends.enter_async_context(client(bridges[number % len(bridges)], path))
            members.append(Member(name, own))
        async with asyncio.TaskGroup() as tasks:
            listening = [tasks.create_task(member.listen()) for member in members]
            try:
                yield Talk(members)
            finally:
                for task in listening:
                    task.cancel()


@asynccontextmanager
async def talking(conversation: Talk, talkers: Sequence[Member]) -> AsyncIterator[None]:
    """While this lasts, these members say one number after the other."""
    async with asyncio.TaskGroup() as tasks:
        running = [tasks.create_task(conversation.go_on(member)) for member in talkers]
        try:
            yield
        finally:
            for task in running:
                task.cancel()
