"""Front ends that live through a migration, each in its own way, and its own book of what happened to it.

Must never import the bridge's packages: what these books say is held against what the bridge says.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Literal
from zlib import crc32

from websockets.exceptions import ConnectionClosed, InvalidStatus

from tests.end_to_end.clients import Client, Server, client, refused

Way = Literal["follows", "knocks", "leaves"]
"""What a client does that is told to move: it goes where it is told, comes back to V2 again and again, or goes home."""
KNOCK_SECONDS = 0.3
HERE = {"msg_type": "msg", "msg": "here"}
MOVED = (4410, 4426)
STAGE_LEGACY = 4404
COME_BACK = range(4500, 5000)


@dataclass
class Migrant:
    """One front end. `place`: where its socket is open now; `codes`: with what each of its sockets was closed."""

    tenant: str
    client_id: str
    way: Way
    api_key: str
    servers: Sequence[Server]
    place: Literal["v2", "v3", ""] = ""
    was_moved: bool = False
    has_arrived: bool = False
    codes: list[int] = field(default_factory=list)

    @property
    def agent(self) -> str:
        return {"follows": "Page/2.0", "knocks": "Kiosk/1.0", "leaves": "Batch/3.1"}[self.way]

    @property
    def bucket(self) -> float:
        """Its place among the shares of a drain, as the specification has it."""
        number = crc32(self.client_id.encode())
        return number % 100 + number // 100 % 100 / 100

    async def live(self) -> None:
        """Connect to V2 and go on as its way is, until nothing is left to try."""
        path = f"/ws/group/floor/client/{self.client_id}"
        while path:
            try:
                path = await self._stay(path)
            except (OSError, TimeoutError, InvalidStatus):  # a machine so busy that it had no answer in time
                await asyncio.sleep(KNOCK_SECONDS)

    async def _stay(self, path: str) -> str:
        """Hold one connection until it ends; where to connect next, if anywhere."""
        server = self.servers[len(self.codes) % len(self.servers)]
        async with client(server, f"{path}?api_key={self.api_key}", headers={"User-Agent": self.agent}) as connected:
            successor = await self._listen(connected, "v3" if path.startswith("/v3") else "v2")
        code = self.codes[-1]
        if code in MOVED:
            self.was_moved = True
            return await self._after_a_move(path, successor)
        return path if code == 1012 or code in COME_BACK else ""

    async def _after_a_move(self, path: str, successor: str) -> str:
        if self.way == "follows":
            return successor
        if self.way == "leaves":
            return ""
        await asyncio.sleep(KNOCK_SECONDS)  # the pause of a kiosk that was never told of 4426
        return path

    async def _listen(self, connected: Client, language: Literal["v2", "v3"]) -> str:
        """Say something to oneself, and note what is heard until the end; the address of the last notice."""
        successor = ""
        try:
            here = HERE | ({"to": self.client_id} if language == "v2" else {"target": "echo"})
            await connected.say(here)
            while True:
                heard = json.loads(await connected.connection.recv())
                notice = heard.get("bridge", {})
                if heard.get("msg") == "here":
                    self._settle(language)
                elif notice.get("error") == "bus_down":
                    await connected.say(here)
                successor = notice.get("successor", successor)
        except ConnectionClosed as closed:
            self.codes.append(closed.rcvd.code if closed.rcvd is not None else 1006)
            return successor
        finally:
            self.place = ""

    def _settle(self, language: Literal["v2", "v3"]) -> None:
        """It is in: it hears what others say."""
        self.place = language
        if language == "v3":
            self.has_arrived = True


@asynccontextmanager
async def living(migrants: Sequence[Migrant]) -> AsyncIterator[None]:
    """All of them, from the moment they connect until the end of the context."""
    tasks = [asyncio.create_task(migrant.live()) for migrant in migrants]
    try:
        yield
    finally:
        for task in tasks:
            task.cancel()
        for ended in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(ended, BaseException) and not isinstance(ended, asyncio.CancelledError):
                raise ended


async def is_known(server: Server, api_key: str) -> bool:
    """Whether a key that was just made works here. Its tenant is in stage `legacy`: for that V3 refuses it then."""
    return (await refused(server, f"/v3/ws/group/floor/client/nobody?api_key={api_key}"))[1] == STAGE_LEGACY
