"""The publishing connection to Redis. Commands of one turn of the event loop are sent in one write; replies keep order.

A PUBLISH is never retried, because listeners could get the message twice. When a command could not be sent, or it is
not known whether Redis executed it, its callback gets `None`, at most two seconds after the call, whatever Redis does.
Time in which this process itself was late does not count, because Redis may have answered meanwhile.

Several times a second the bus asks Redis for a write. If Redis refuses it (a master that was demoted, a full disk), the
link ends, and another is made by the name of the server: it is used once Redis takes a write on it.
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Final

import structlog
from redis.asyncio.connection import ConnectionPool

from bridge.broker.awaited_replies import AwaitedReplies, Done
from bridge.broker.commands import pack, pack_publish
from bridge.broker.link import Keeper, Replies
from bridge.broker.refusal import refusal_in
from bridge.broker.trial import WriteTrial, refusal_of_write, write_nothing
from bridge.system.observers import Observers

ANSWER_SECONDS: Final = 1.4
"""How long the oldest command may wait for its reply."""
CHECK_SECONDS: Final = 0.2
"""Pause between two checks of the oldest command."""
GRACE_SECONDS: Final = 0.05
"""Before a link is ended, replies that have arrived unread get so long to be read."""
POLL_SECONDS: Final = 0.01
MAX_WAITING_COMMANDS: Final = 200_000
MAX_WAITING_BYTES: Final = 32 * 1024 * 1024
_PING: Final = pack("PING")

log = structlog.get_logger(__name__)


class Bus:
    """The publishing side of this process.

    Bounded: when more than `MAX_WAITING_COMMANDS` or `MAX_WAITING_BYTES` wait, every call is answered `None` at once.
    """

    def __init__(self, links: ConnectionPool, probe: bytes) -> None:
        """`probe`: the name of a key and of a channel that nobody uses. They show whether Redis takes what is said."""
        self._keeper = Keeper(links, self._replied, "bus", WriteTrial(probe))
        self._write: Final = write_nothing(probe)
        self._publish: Final = pack("PUBLISH", probe, b"")
        self._loop = asyncio.get_running_loop()
        self.replies: Final = AwaitedReplies()
        self._unsent: list[bytes] = []
        self._at_end: Callable[[], None] | None = None
        self.back: Final = Observers[[]]()
        """Called each time that a link to Redis opens."""
        self.taken: Final = Observers[[float]]()
        """Called when Redis has taken a write, with the time of the event loop at which it was asked."""
        self.refused: Final = Observers[[]]()
        """Called when Redis refuses what it took before; the link has ended."""
        self._late_seconds = 0.0
        self.lost_at = self._loop.time()
        """When the last link ended: by the time of the event loop. Nothing was said on it later."""
        self.published = 0

    async def run(self) -> None:
        """Keep the link open, and check that Redis answers on it. Ends only by cancellation."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._keeper.run(self._opened, self._lost))
            tasks.create_task(self._watch())

    @property
    def is_up(self) -> bool:
        """Whether there is a link; Redis took a write on it."""
        return self._keeper.link is not None

    @property
    def is_linked(self) -> bool:
        """Whether Redis answers, even if it refuses what is said."""
        return self.is_up or self.refusal is not None

    @property
    def refusal(self) -> str | None:
        """While the bus is not up: what Redis said when it refused, if it did."""
        return self._keeper.refusal

    @property
    def reconnects(self) -> int:
        """How often the link was lost."""
        return self._keeper.reconnects

    async def wait_until_up(self, seconds: float) -> bool:
        """Wait for the first link, at most for so long; return whether there is one."""
        deadline = self._loop.time() + seconds
        while self._keeper.link is None and self._loop.time() < deadline:  # noqa: ASYNC110 - only at the start
            await asyncio.sleep(POLL_SECONDS)
        return self._keeper.link is not None

    async def wait_until_answered(self) -> None:
        """Wait until everything sent before was answered.

        Replies keep order, so a PING sent now is answered after all of them.
        """
        answered: asyncio.Future[None] = self._loop.create_future()
        self.command(_PING, lambda _: None if answered.done() else answered.set_result(None))
        await answered

    def publish(self, channels: Sequence[bytes], data: bytes, done: Done) -> None:
        """Publish `data` on each channel.

        `done` gets how many processes received it in all, or `None` if it was not sent, failed, or was not answered.
        """
        self.published += 1
        if not channels:
            self._loop.call_soon(self.replies.answer, done, 0)
        elif self._may_send():
            for channel in channels:
                self._unsent.append(pack_publish(channel, data))
            self.replies.await_sum(len(channels), done)
        else:
            self._loop.call_soon(self.replies.fail, done)

    def command(self, command: bytes, done: Done) -> None:
        """Send one packed command.

        `done` gets the reply, Redis's error as an exception, or `None` if it was not sent or not answered.
        """
        if self._may_send():
            self._unsent.append(command)
            self.replies.await_one(done)
        else:
            self._loop.call_soon(self.replies.answer, done, None)

    def at_end_of_turn(self, add: Callable[[], None]) -> None:
        """Call `add` once, before this turn's commands are written, and before any further one: it may add commands."""
        self._add_rest()
        self._at_end = add
        self._loop.call_soon(self.flush)

    def _add_rest(self) -> None:
        add, self._at_end = self._at_end, None
        if add is not None:
            add()

    def leave(self, reason: str) -> None:
        """End the link, which does not lead where it should; another is made by the name of the server."""
        self._keeper.end_link(reason)
        self._lost()

    def _may_send(self) -> bool:
        """Whether commands may be sent now. Then they are written at the end of this turn."""
        self._add_rest()
        link = self._keeper.link
        if link is None or len(self.replies) >= MAX_WAITING_COMMANDS or link.waiting_bytes() > MAX_WAITING_BYTES:
            return False
        if not self._unsent:
            self._loop.call_soon(self.flush)
        return True

    def flush(self) -> None:
        """Write the commands of this turn of the event loop now, instead of at its end."""
        self._add_rest()
        unsent, self._unsent = self._unsent, []
        if unsent and self._keeper.link is not None:
            self._keeper.link.write(b"".join(unsent))
            self.replies.sent(self._lived_seconds() + ANSWER_SECONDS)

    def _replied(self, replies: Replies) -> None:
        if not self.replies.take(replies):
            # A reply without a command: from now on replies could be matched to the wrong commands.
            self._keeper.end_link()

    def _opened(self) -> None:
        said, self._at_end = self._at_end, None
        self.back()  # what begins a link comes before what waits to be said on it
        self._add_rest()
        self._at_end = said
        self._ask()

    def _lost(self) -> None:
        self.lost_at = self._loop.time()
        self._unsent.clear()
        self.replies.lose()

    async def _watch(self) -> None:
        """Check every `CHECK_SECONDS`; end a link whose oldest command waits too long.

        Redis is then frozen, or the network drops packets.
        """
        while True:
            due_at = self._loop.time() + CHECK_SECONDS
            await asyncio.sleep(CHECK_SECONDS)
            self._late_seconds += max(0.0, self._loop.time() - due_at)
            link = self._keeper.link
            if link is None:
                continue
            self._ask()
            if self._is_overdue():
                # If this process itself stood still, the replies may have arrived unread: read them before judging.
                await asyncio.sleep(GRACE_SECONDS)
                if link is self._keeper.link and self._is_overdue():
                    self._keeper.end_link()

    def _ask(self) -> None:
        """Ask whether Redis still takes a write and a PUBLISH."""
        asked_at = self._loop.time()
        self.command(self._write, lambda reply: self._judge(refusal_of_write(reply)))
        self.command(self._publish, lambda reply: self._judge(refusal_in(reply), reply, asked_at))

    def _judge(self, refusal: str | None, reply: object = None, asked_at: float = 0.0) -> None:
        if refusal is not None:
            self.leave(refusal)
            self.refused()
        elif reply is not None:
            self.taken(asked_at)

    def _is_overdue(self) -> bool:
        return self.replies.are_overdue(self._lived_seconds())

    def _lived_seconds(self) -> float:
        """The event loop's time, minus the time by which this process was late."""
        return self._loop.time() - self._late_seconds
