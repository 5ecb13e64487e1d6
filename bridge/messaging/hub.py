"""The listeners of each channel in this process, and the fan-out of a batch to them. Synchronous; it knows no Redis.

A batch is rendered once for each renderer (V3, or V2 for one tenant), never once for each listener: all listeners of a
renderer are written the same bytes object. Nothing is queued here: what a socket does not take waits in its own buffer,
and the outbox bounds that.

A batch is for those who listen when its delivery begins, however many slices that takes. So it is known of each channel
up to which number its listeners have been sent everything.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Final, NamedTuple, Protocol

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


class _Audience(NamedTuple):
    """Listeners who are written the same bytes: those with one renderer and, on a wide channel, of one group."""

    renderer: Renderer
    group: str
    listeners: list[Listener]
    writes: list[Write]


class _Channel:
    """The listeners of one channel. `number`: of its last message."""

    __slots__ = ("_audiences", "listeners", "number")

    def __init__(self) -> None:
        self.listeners: dict[Listener, None] = {}
        self.number = 0
        self._audiences: list[_Audience] | None = None
        """Who is written what, worked out at the first delivery after somebody has joined or left."""

    def add(self, listener: Listener) -> None:
        self.listeners[listener] = self._audiences = None

    def remove(self, listener: Listener) -> None:
        self.listeners.pop(listener, None)
        self._audiences = None

    def deliver(self, batch: Sequence[BusMessage]) -> int | Iterator[int]:
        """Write the batch in one go if it is for few, and return to how many it was written.

        Otherwise return an iterator that writes one slice at each step, and yields to how many.
        """
        audiences = self._now()
        if len(self.listeners) > SLICE_LISTENERS:
            return self._in_slices(batch, audiences)
        blobs, size_bytes = [], 0
        for audience in audiences:
            blob = audience.renderer.render(batch)
            blobs.append(blob)
            size_bytes += len(blob) * len(audience.writes)
        if size_bytes > SLICE_BYTES:
            parts = zip(blobs, audiences, strict=True)
            return chain.from_iterable(self._write_in_slices(blob, audience.listeners) for blob, audience in parts)
        written = 0
        for blob, audience in zip(blobs, audiences, strict=True):
            written += _write_all(blob, audience.writes)
        return written

    def _now(self) -> list[_Audience]:
        """The audiences at this moment. What is returned does not change when somebody joins or leaves."""
        if self._audiences is None:
            found: dict[tuple[Renderer, str], _Audience] = {}
            for listener in self.listeners:
                key = self._key(listener)
                audience = found.get(key)
                if audience is None:
                    audience = found[key] = _Audience(*key, [], [])
                audience.listeners.append(listener)
                audience.writes.append(listener.write)
            self._audiences = list(found.values())
        return self._audiences

    def _key(self, listener: Listener) -> tuple[Renderer, str]:
        return listener.renderer, ""

    def _in_slices(self, batch: Sequence[BusMessage], audiences: Sequence[_Audience]) -> Iterator[int]:
        for audience in audiences:
            yield from self._write_in_slices(audience.renderer.render(batch), audience.listeners)

    def _write_in_slices(self, blob: bytes, everyone: Sequence[Listener]) -> Iterator[int]:
        """Write `blob` to all who still listen when their slice is written; one slice at each step."""
        number, present = max(1, min(SLICE_LISTENERS, SLICE_BYTES // (len(blob) or 1))), self.listeners
        for start in range(0, len(everyone) if blob else 0, number):
            yield _write_all(blob, [one.write for one in everyone[start : start + number] if one in present])


class _WideChannel(_Channel):
    """A channel on which each listener skips messages that also reach it by another of its channels.

    Listeners are kept by group, since all of a group skip the same messages; only messages to one client (target
    `direct`) are skipped by that client alone.
    """

    __slots__ = ()

    def _key(self, listener: Listener) -> tuple[Renderer, str]:
        return listener.renderer, listener.group

    def deliver(self, batch: Sequence[BusMessage]) -> Iterator[int]:
        return self._in_slices([message for message in batch if message.target != "broadcast"], self._now())

    def _in_slices(self, batch: Sequence[BusMessage], audiences: Sequence[_Audience]) -> Iterator[int]:
        groups = {message.group_id for message in batch if message.target == "group"}
        recipients = {message.to_id for message in batch if message.target == "direct"}
        everything: dict[Renderer, bytes] = {}
        for renderer, group, listeners, _ in audiences:
            apart = [listener for listener in listeners if listener.client in recipients] if recipients else []
            if group in groups:
                blob = renderer.render(_others(batch, group, None))
            else:
                if renderer not in everything:
                    everything[renderer] = renderer.render(batch)
                blob = everything[renderer]
            others = [one for one in listeners if one not in apart] if apart else listeners
            yield from self._write_in_slices(blob, others)
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
        for _ in self.begin(name, batch):
            pass

    def begin(self, name: bytes, batch: Sequence[BusMessage]) -> Iterable[None]:
        """Write a batch to the listeners of a channel, if it is for few: then nothing is returned to iterate over.

        Otherwise one slice of them is written at each step of what is returned.
        """
        if name in self._followers:
            self._followers[name](batch)
        channel = self._channels.get(name)
        if channel is None:
            return ()
        channel.number = last_number(batch) or channel.number
        written = channel.deliver(batch)
        if isinstance(written, int):
            self.deliveries += written * len(batch)
            return ()
        return self._count(written, len(batch))

    def _count(self, slices: Iterable[int], messages: int) -> Iterator[None]:
        for written in slices:
            self.deliveries += written * messages
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
        self._tell({one: None for channel in channels for one in channel.listeners}, batch)

    def _tell(self, listeners: Iterable[Listener], batch: Sequence[BusMessage]) -> None:
        blobs: dict[Renderer, bytes] = {}
        for listener in listeners:
            if listener.renderer not in blobs:
                blobs[listener.renderer] = listener.renderer.render(batch)
            _write_all(blobs[listener.renderer], [listener.write])
