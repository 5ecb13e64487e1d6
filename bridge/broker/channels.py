"""Keeps track of the channels that this process wants, and of those that Redis has confirmed. It has no link itself.

A channel is wanted while at least one caller holds it. Commands are collected for one turn of the event loop. After a
link was lost, all wanted channels are subscribed again.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from bridge.broker.commands import pack

CHANNELS_PER_COMMAND: Final = 500


class Channels:
    """The channels of one subscriber. `ask` is called when there are commands to take in this turn of the loop."""

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._holders: Counter[bytes] = Counter()
        self.are_wanted: Final[Callable[[bytes], bool]] = self._holders.__contains__
        """Whether anybody holds a channel."""
        self._confirmed: set[bytes] = set()
        self._outstanding: Counter[bytes] = Counter()
        self._waiting: dict[bytes, list[asyncio.Future[None]]] = {}
        self._leaving: dict[bytes, list[asyncio.Future[None]]] = {}
        self._unsent: list[tuple[str, bytes]] = []

    def __len__(self) -> int:
        """How many channels are wanted."""
        return len(self._holders)

    def __contains__(self, channel: object) -> bool:
        """Whether a channel is wanted."""
        return channel in self._holders

    @property
    def are_confirmed(self) -> bool:
        """Whether Redis has confirmed every wanted channel."""
        return len(self._confirmed) >= len(self._holders)

    def hold(self, channels: Iterable[bytes]) -> list["asyncio.Future[None]"]:
        """Want these channels. Each future that is returned is done when its channel is confirmed.

        Each `hold` needs its `release`.
        """
        unconfirmed = []
        for channel in channels:
            self._holders[channel] += 1
            if self._holders[channel] == 1:
                self._order("SUBSCRIBE", channel)
            if channel not in self._confirmed:
                unconfirmed.append(self._confirmation(channel))
        return unconfirmed

    def release(self, channels: Iterable[bytes]) -> None:
        """Take back one `hold`; the last one unsubscribes."""
        for channel in channels:
            self._holders[channel] -= 1
            if self._holders[channel] <= 0:
                del self._holders[channel]
                self._confirmed.discard(channel)
                self._waiting.pop(channel, None)
                self._order("UNSUBSCRIBE", channel)

    def leave(self, channel: bytes) -> "asyncio.Future[None]":
        """Take back one `hold`. The future is done when nothing of the channel can arrive any more, if it was the last.

        It is done at once if others hold the channel, and when the link is lost.
        """
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.release([channel])
        if channel in self._holders:
            future.set_result(None)
        else:
            self._leaving.setdefault(channel, []).append(future)
        return future

    def left(self, channel: bytes) -> None:
        """Redis has confirmed an UNSUBSCRIBE of this channel: everything that it sent before has arrived."""
        _finish(self._leaving.pop(channel, ()))

    def confirm(self, channel: bytes) -> None:
        """Redis has confirmed one SUBSCRIBE of this channel. Only the confirmation of the latest one counts."""
        self._outstanding[channel] -= 1
        if self._outstanding[channel] > 0:
            return  # an UNSUBSCRIBE and another SUBSCRIBE are still on their way
        del self._outstanding[channel]
        if channel in self._holders:
            self._confirmed.add(channel)
        _finish(self._waiting.pop(channel, ()))

    def renew(self) -> None:
        """There is a new link: subscribe to all wanted channels."""
        self.lose()
        for channel in self._holders:
            self._order("SUBSCRIBE", channel)

    def lose(self) -> None:
        """The link is lost: forget all confirmations, and all commands that were not sent."""
        self._confirmed.clear()
        self._outstanding.clear()
        self._unsent.clear()
        for channel in tuple(self._leaving):
            self.left(channel)

    def take_commands(self) -> list[bytes]:
        """The commands to send now, packed. Neighbouring channels with the same command share one."""
        orders, self._unsent = self._unsent, []
        commands, start = [], 0
        for end in range(1, len(orders) + 1):
            command = orders[start][0]
            if end == len(orders) or orders[end][0] != command or end - start == CHANNELS_PER_COMMAND:
                commands.append(pack(command, *(channel for _, channel in orders[start:end])))
                start = end
        return commands

    def _confirmation(self, channel: bytes) -> "asyncio.Future[None]":
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(channel, []).append(future)
        return future

    def _order(self, command: str, channel: bytes) -> None:
        if not self._unsent:
            self._ask()
        self._unsent.append((command, channel))
        if command == "SUBSCRIBE":
            self._outstanding[channel] += 1


def _finish(futures: Iterable["asyncio.Future[None]"]) -> None:
    for future in futures:
        if not future.done():
            future.set_result(None)
