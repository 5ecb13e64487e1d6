"""The trial of a publishing link: Redis must take a write and a PUBLISH on it before anything else is said there.

A link that opens and is refused again is not "back". So a replica, a server that is loading, full or read-only, and one
that does not permit what we do, are found out before a sender relies on them.

The trial also ends the link before this one at the server. What that link had not delivered may wait anywhere on the
way (a proxy, another kernel) and would be published later than what is said on this one. A user who may not give
CLIENT KILL does without.
"""

import asyncio
import re
from collections.abc import Sequence
from typing import Final

from bridge.broker.commands import pack
from bridge.broker.link import CONNECT_SECONDS, Link, Replies
from bridge.broker.refusal import LinkError, refusal_in

_NAME_AT_REDIS: Final = re.compile(rb"id=(\d+) addr=([^/ ]\S*) ")
"""In the answer to CLIENT INFO. A connection over a Unix socket has no address of its own, and needs none of this."""


def write_nothing(key: bytes) -> bytes:
    """A packed write that changes nothing, so that it is neither replicated nor kept: Redis refuses it as any other."""
    return pack("ZADD", key, "XX", 0, "")


def refusal_of_write(reply: object) -> str | None:
    """What Redis said if it refused `write_nothing`. That another type stands under the key is no refusal."""
    refusal = refusal_in(reply)
    return None if refusal is None or refusal.startswith("WRONGTYPE") else refusal


class WriteTrial:
    """The trial of the links of one bus. `probe`: the name of a key and of a channel that nobody uses."""

    def __init__(self, probe: bytes) -> None:
        self._questions: Final = [pack("CLIENT", "INFO"), write_nothing(probe), pack("PUBLISH", probe, b"")]
        self._earlier: Sequence[bytes] = ()

    async def stand(self, link: Link) -> None:
        """Ask on this link. Raises `LinkError`, and ends the link, if Redis refuses or does not answer in time."""
        try:
            *_, client, write, publish = await _replies(link, [*self._earlier, *self._questions])
            _require(refusal_of_write(write) or refusal_in(publish))
        except BaseException:
            link.end()
            raise
        self._earlier = _killing(client)


def _require(refusal: str | None) -> None:
    if refusal is not None:
        raise LinkError(refusal, refusal)


def _killing(client: object) -> list[bytes]:
    """The command that ends this connection at Redis, given its CLIENT INFO. The address is there for safety.

    The same number may be another connection's at another server, or after a restart.
    """
    found = _NAME_AT_REDIS.match(client) if isinstance(client, bytes) else None
    return [] if found is None else [pack("CLIENT", "KILL", "ID", found[1], "ADDR", found[2])]


async def _replies(link: Link, commands: Sequence[bytes]) -> list[object]:
    """The replies to these commands, which are the first on the link."""
    first = _FirstReplies(len(commands))
    link.hand_over(first.take, first.lose)
    link.write(b"".join(commands))
    try:
        async with asyncio.timeout(CONNECT_SECONDS):
            return await first.all
    except TimeoutError:
        raise LinkError("no answer to the first commands") from None


class _FirstReplies:
    """Collects so many replies; `all` is done with the last."""

    def __init__(self, number: int) -> None:
        self._number = number
        self._replies: list[object] = []
        self.all: Final[asyncio.Future[list[object]]] = asyncio.get_running_loop().create_future()

    def take(self, replies: Replies) -> None:
        self._replies += replies
        if len(self._replies) >= self._number and not self.all.done():
            self.all.set_result(self._replies)

    def lose(self) -> None:
        if not self.all.done():
            self.all.set_exception(LinkError("the connection was lost"))
