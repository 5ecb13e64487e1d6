"""The listeners of each channel in this process, and the fan-out of a batch to them. Synchronous; it knows no Redis.

A batch is rendered once for each renderer (V3, or V2 for one tenant), never once for each listener: all listeners of a
renderer are written the same bytes object. Nothing is queued here: what a socket does not take waits in its own buffer,
and the outbox bounds that.

A batch is for those who listen when its delivery begins, however many slices that takes. So it is known of each channel
up to which number its listeners have been sent everything.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from bridge.broker.addresses import said_on
from bridge.broker.message import BusMessage, last_number

Write = Callable[[bytes], object]

SLICE_BYTES: Final = 524_288
SLICE_LISTENERS: Final = 256
"""One slice: at most so many bytes in all, and so many listeners, written in one go. About 1 to 2 milliseconds of work.

A slice has at least one listener, however large the batch.
"""


class Renderer(Protocol):
    """Turns messages into the frames of some listeners. Equal renderers share one rendering of a batch."""

    def __hash__(self) -> int: ...

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        """The batch as framed bytes; empty when V2 or V3 cannot express any message of it."""


class Listener:
    """One connection in the hub. `group` and `client` are V3 names; `write` takes framed bytes.

    `wide_channel`: the wide channel, if it listens on one. There it skips messages that also reach it by its group's
    or its client's channel.
    """

    __slots__ = ("channels", "client", "group", "renderer", "wide_channel", "write")

    def __init__(
        self,
        renderer: Renderer,
        write: Write,
        channels: Sequence[bytes],
        wide_channel: bytes | None,
        group: str,
        client: str,
    ) -> None:
        self.renderer: Final = renderer
        self.write: Final = write
        self.channels: Final = tuple(channels)
        self.wide_channel: Final = wide_channel
        self.group: Final = group
        self.client: Final = client


class _Channel:
    """The listeners of one channel, by renderer and, where it matters, by group. `number`: of its last message."""

    __slots__ = ("listeners", "number")

    def __init__(self) -> None:
        self.listeners: dict[tuple[Renderer, str], dict[Listener, Write]] = {}
        self.number = 0

    def key(self, listener: Listener) -> tuple[Renderer, str]:
        """All listeners with the same key are written the same bytes."""
        return listener.renderer, ""

    def add(self, listener: Listener) -> None:
        self.listeners.setdefault(self.key(listener), {})[listener] = listener.write

    def remove(self, listener: Listener) -> None:
        key = self.key(listener)
        alike = self.listeners.get(key, {})
        alike.pop(listener, None)
        if not alike:
            self.listeners.pop(key, None)

    def deliver(self, batch: Sequence[BusMessage]) -> Iterator[int]:
        """Write the batch, one slice at each step; yields to how many listeners the slice was written."""
        for (renderer, _), listeners, present in self._now():
            yield from _write_in_slices(renderer.render(batch), listeners, present)

    def _now(self) -> list[tuple[tuple[Renderer, str], list[Listener], Mapping[Listener, Write]]]:
        """Key, listeners at this moment, and a mapping of those who are still there when it is looked at."""
        return [(key, list(alike), alike) for key, alike in self.listeners.items()]


class _WideChannel(_Channel):
    """A channel on which each listener skips messages that also reach it by another of its channels.

    Listeners are kept by group, since all of a group skip the same messages; only messages to one client (target
    `direct`) are skipped by that client alone.
    """

    __slots__ = ()

    def key(self, listener: Listener) -> tuple[Renderer, str]:
        return listener.renderer, listener.group

    def deliver(self, batch: Sequence[BusMessage]) -> Iterator[int]:
        batch = [message for message in batch if message.target != "broadcast"]
        groups = {message.group_id for message in batch if message.target == "group"}
        recipients = {message.to_id for message in batch if message.target == "direct"}
        everything: dict[Renderer, bytes] = {}
        for (renderer, group), listeners, present in self._now():
            apart = [listener for listener in listeners if listener.client in recipients] if recipients else []
            if group in groups:
                blob = renderer.render(_others(batch, group, None))
            else:
                if renderer not in everything:
                    everything[renderer] = renderer.render(batch)
                blob = everything[renderer]
            yield from _write_in_slices(
                blob, [one for one in listeners if one not in apart] if apart else listeners, present
            )
            for listener in apart:
                yield _write_all(renderer.render(_others(batch, group, listener.client)), [listener.write])


def _others(batch: Sequence[BusMessage], group: str, client: str | None) -> list[BusMessage]:
    """The messages that a listener of `group` does not also get by its group's channel, or by that of `client`."""
    return [
        message
        for message in batch
        if not (message.target == "group" and message.group_id == group)
        and not (message.target == "direct" and client is not None and message.to_id == client)
    ]


def _write_in_slices(blob: bytes, everyone: list[Listener], present: Mapping[Listener, Write]) -> Iterator[int]:
    """Write `blob` to all that are still in `present` when their slice is written; one slice at each step."""
    number = max(1, min(SLICE_LISTENERS, SLICE_BYTES // (len(blob) or 1)))
    for start in range(0, len(everyone) if blob else 0, number):
        yield _write_all(blob, [present[one] for one in everyone[start : start + number] if one in present])


def _write_all(blob: bytes, writes: Sequence[Write]) -> int:
    """Write `blob` to each, and return how many writes succeeded. A failing write does not stop the others."""
    if not blob:
        return 0
    written = 0
    for write in writes:
        try:
            write(blob)
        except Exception:  # noqa: BLE001 - only this listener is affected: its transport is gone, its connection ends
            continue
        written += 1
    return written


class Hub:
    """The channels of this process and their listeners."""

    def __init__(self) -> None:
        self._channels: dict[bytes, _Channel] = {}
        self.listeners: set[Listener] = set()
        self.deliveries = 0
        self._followers: dict[bytes, Callable[[Sequence[BusMessage]], None]] = {}
        self._parts: dict[bytes, dict[bytes, None]] = {}
        """Channel of Redis -> the channels on which it is heard part by part."""

    def join(self, listener: Listener) -> None:
        """Add a listener to all of its channels."""
        self.listeners.add(listener)
        for name in listener.channels:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = _WideChannel() if name == listener.wide_channel else _Channel()
                self._note_part(name)
            channel.add(listener)

    def leave(self, listener: Listener) -> None:
        """Remove a listener from all of its channels; harmless when repeated."""
        if listener not in self.listeners:
            return
        self.listeners.discard(listener)
        for name in listener.channels:
            channel = self._channels[name]
            channel.remove(listener)
            if not channel.listeners:
                del self._channels[name]

    def deliver(self, name: bytes, batch: Sequence[BusMessage]) -> None:
        """Write a batch to all listeners of a channel."""
        for _ in self.slices(name, batch):
            pass

    def slices(self, name: bytes, batch: Sequence[BusMessage]) -> Iterator[None]:
        """Write a batch to all listeners of a channel, one slice at each step of the iterator."""
        if name in self._followers:
            self._followers[name](batch)
        channel = self._channels.get(name)
        if channel is not None:
            channel.number = last_number(batch) or channel.number
            for written in channel.deliver(batch):
                self.deliveries += written * len(batch)
                yield

    def has(self, name: bytes) -> bool:
        """Whether anybody in this process takes what is said on the channel."""
        return name in self._channels or name in self._followers

    def parts_of(self, whole: bytes) -> Sequence[bytes]:
        """The channels on which somebody hears a part of this one."""
        parts = self._parts.get(whole)
        if not parts:
            return ()
        self._parts[whole] = {name: None for name in parts if self.has(name)}
        return tuple(self._parts[whole])

    def _note_part(self, name: bytes) -> None:
        if (whole := said_on(name)) != name:
            self._parts.setdefault(whole, {})[name] = None

    def number_of(self, name: bytes) -> int:
        """The number of the last message that the channel's listeners were sent; 0 if it is not known."""
        channel = self._channels.get(name)
        return 0 if channel is None else channel.number

    def follow(self, name: bytes, begins: Callable[[Sequence[BusMessage]], None]) -> None:
        """Call `begins` with each batch of the channel when its delivery begins. There is one follower at most."""
        self._followers[name] = begins
        self._note_part(name)

    def unfollow(self, name: bytes) -> None:
        """End that; harmless when repeated."""
        self._followers.pop(name, None)

    def tell_everyone(self, batch: Sequence[BusMessage]) -> None:
        """Write a batch once to every listener of this process, on any channel."""
        self._tell(list(self.listeners), batch)

    def tell_listeners(self, names: Iterable[bytes], batch: Sequence[BusMessage]) -> None:
        """Write a batch to the listeners of these channels: once to each, however many of them it is on."""
        channels = [self._channels[name] for name in names if name in self._channels]
        self._tell({one: None for channel in channels for alike in channel.listeners.values() for one in alike}, batch)

    def _tell(self, listeners: Iterable[Listener], batch: Sequence[BusMessage]) -> None:
        blobs: dict[Renderer, bytes] = {}
        for listener in listeners:
            if listener.renderer not in blobs:
                blobs[listener.renderer] = listener.renderer.render(batch)
            _write_all(blobs[listener.renderer], [listener.write])
