"""An event stream of a process on the test's own loop, and what its client reads. It judges nothing."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

from bridge.broker.message import said
from bridge.handshake.authentication import Identity
from bridge.handshake.event_stream import EventStream
from bridge.handshake.event_streams import Backend
from bridge.messaging.routing import backend_listens_on
from bridge.runtime.process import Process
from bridge.tenants.tenant import Tenant
from tests.bridge.broker.parts import ANSWER_SECONDS

TENANT = "default"


class Block(NamedTuple):
    """What stands between two empty lines: the value of each field, empty where it is not there."""

    data: str
    event: str
    id: str
    retry: str
    comment: str


def blocks_in(body: bytes) -> list[Block]:
    """All that is complete."""
    return [_block(text.split("\n")) for text in body.decode().split("\n\n")[:-1]]


def _block(lines: list[str]) -> Block:
    fields = {name: value for name, _, value in (line.partition(": ") for line in lines)}
    fields["comment"] = next((line for line in lines if line.startswith(":")), "")
    return Block(*(fields.get(name, "") for name in Block._fields))


class Reader:
    """A client of a stream. While `takes` is not set, nothing more is taken from the stream."""

    def __init__(self) -> None:
        self.body = b""
        self.is_complete = False
        self.aborted = 0
        self.takes = asyncio.Event()
        self.takes.set()
        self._changed = asyncio.Event()

    async def send(self, message: Any) -> None:
        await self.takes.wait()
        self.body += message["body"]
        self.is_complete = not message["more_body"]
        self._changed.set()

    def abort(self) -> None:
        self.aborted += 1
        self._changed.set()

    @property
    def blocks(self) -> list[Block]:
        return blocks_in(self.body)

    @property
    def events(self) -> list[Block]:
        return [block for block in self.blocks if block.data]

    @property
    def position(self) -> str:
        """What it would come back with."""
        return [block.id for block in self.blocks if block.id][-1]

    async def until(self, holds: Any) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            while not holds(self):
                self._changed.clear()
                await self._changed.wait()

    async def until_placed(self) -> None:
        """It has a position from which it misses nothing."""
        await self.until(lambda one: any(block.id not in ("", "@0") for block in one.blocks))


def backend(process: Process, *groups: str, since: str = "", **of_identity: Any) -> Backend:
    """Who asks for these groups of the default tenant."""

    def channels_in(tenant: Tenant) -> list[bytes] | None:
        names = [name for name in map(tenant.resolve, groups) if name is not None]
        return backend_listens_on(tenant.name, names, (), process.broker.addresses)

    tenant = process.tenants.table.of(TENANT)
    identity = Identity(TENANT, **of_identity)
    return Backend(identity, "192.0.2.1", tenant, channels_in(tenant) or [], channels_in, since)


@asynccontextmanager
async def streaming(process: Process, *groups: str, **how: Any) -> AsyncIterator[tuple[EventStream, Reader]]:
    """A stream that has begun, and its reader."""
    streams, reader = process.handshakes.event_streams, Reader()
    stream = await streams.open(backend(process, *groups, **how), reader.abort)

    async def serve() -> None:
        try:
            stream.begin()
            await stream.outbox.run(reader.send)
        finally:
            streams.close(stream)

    serving = asyncio.create_task(serve())
    try:
        yield stream, reader
    finally:
        stream.lost()
        reader.takes.set()
        await asyncio.wait_for(serving, ANSWER_SECONDS)


async def say(process: Process, group: str, text: str, **more: Any) -> None:
    """A message to a group, said and heard."""
    content: Any = {"msg_type": "msg", "target": "group", "msg": text, **more}
    taken: asyncio.Future[object] = asyncio.get_running_loop().create_future()
    now: str = process.broker.now()  # type: ignore[no-untyped-call]
    message = said(content, "ann", group, now)
    process.broker.publish([process.broker.addresses.group(TENANT, group)], message.data, taken.set_result)
    assert await asyncio.wait_for(taken, ANSWER_SECONDS) is not None
