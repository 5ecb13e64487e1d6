"""Who listens on which channel in this process, and how a batch reaches them. Synchronous; it knows no Redis.

A batch is rendered once per renderer (a language, for a tenant), never once per listener: all listeners of a renderer
are written the same bytes object. Nothing here is queued: what cannot be written waits in the socket's own buffer,
whose bound is the outbox's concern.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Final, Protocol

from bridge.broker.message import BusMessage

Write = Callable[[bytes], object]

SLICE_BYTES: Final = 524_288
SLICE_LISTENERS: Final = 256
"""So much is written in one go, over all who hear it, and to so many: a millisecond or two of work."""


class Renderer(Protocol):
    """The words in which some listeners hear a message. Equal renderers share one rendering."""

    def __hash__(self) -> int: ...

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        """The batch as bytes that are ready to be written; empty when this renderer has no word for any of it."""


class Listener:
    """One connection's place in the hub. `group` and `client` are V3 names."""

    __slots__ = ("channels", "client", "group", "passes_over", "renderer", "write")

    def __init__(
        self,
        renderer: Renderer,
        write: Write,
        channels: Sequence[bytes],
        passes_over: bytes | None,
        group: str,
        client: str,
    ) -> None:
        self.renderer: Final = renderer
        self.write: Final = write
        self.channels: Final = tuple(channels)
        self.passes_over: Final = passes_over
        self.group: Final = group
        self.client: Final = client


class _Channel:
    """The listeners of one channel, by renderer."""

    __slots__ = ("renderers",)

    def __init__(self) -> None:
        self.renderers: dict[Renderer, dict[Listener, Write]] = {}

    def add(self, listener: Listener) -> None:
        self.renderers.setdefault(listener.renderer, {})[listener] = listener.write

    def remove(self, listener: Listener) -> None:
        listeners = self.renderers.get(listener.renderer, {})
        listeners.pop(listener, None)
        if not listeners:
            self.renderers.pop(listener.renderer, None)

    def deliver(self, batch: Sequence[BusMessage]) -> Iterator[int]:
        """A slice at a time; to how many each was written."""
        for renderer, listeners in list(self.renderers.items()):
            yield from _write_in_slices(renderer.render(batch), listeners, listeners)


class _WideChannel(_Channel):
    """A channel on which each listener passes over what also reaches it by a narrower one.

    Kept by group, since everyone in a group passes over the same, except for what was said to one client directly.
    """

    __slots__ = ("groups",)

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[tuple[Renderer, str], dict[Listener, Write]] = {}

    def add(self, listener: Listener) -> None:
        super().add(listener)
        self.groups.setdefault((listener.renderer, listener.group), {})[listener] = listener.write

    def remove(self, listener: Listener) -> None:
        super().remove(listener)
        key = (listener.renderer, listener.group)
        listeners = self.groups.get(key, {})
        listeners.pop(listener, None)
        if not listeners:
            self.groups.pop(key, None)

    def deliver(self, batch: Sequence[BusMessage]) -> Iterator[int]:
        batch = [message for message in batch if message.target != "broadcast"]
        groups = {message.group_id for message in batch if message.target == "group"}
        recipients = {message.to_id for message in batch if message.target == "direct"}
        everything: dict[Renderer, bytes] = {}
        for (renderer, group), listeners in list(self.groups.items()):
            apart = [listener for listener in listeners if listener.client in recipients] if recipients else []
            if group in groups:
                blob = renderer.render(_others(batch, group, None))
            else:
                if renderer not in everything:
                    everything[renderer] = renderer.render(batch)
                blob = everything[renderer]
            yield from _write_in_slices(
                blob, [one for one in listeners if one not in apart] if apart else listeners, listeners
            )
            for listener in apart:
                yield _write_all(renderer.render(_others(batch, group, listener.client)), [listener.write])


def _others(batch: Sequence[BusMessage], group: str, client: str | None) -> list[BusMessage]:
    """What a listener of `group` does not also hear by its group's channel, or as `client` by its own."""
    return [
        message
        for message in batch
        if not (message.target == "group" and message.group_id == group)
        and not (message.target == "direct" and client is not None and message.to_id == client)
    ]


def _write_in_slices(blob: bytes, to: Iterable[Listener], present: Mapping[Listener, Write]) -> Iterator[int]:
    """Write to those who are still present when their slice comes; to so many at once as are soon done."""
    everyone = list(to)
    number = max(1, min(SLICE_LISTENERS, SLICE_BYTES // (len(blob) or 1)))
    for start in range(0, len(everyone) if blob else 0, number):
        yield _write_all(blob, [present[one] for one in everyone[start : start + number] if one in present])


def _write_all(blob: bytes, writes: Sequence[Write]) -> int:
    """Write to each; one that fails (its transport is gone) must not keep the others waiting."""
    if not blob:
        return 0
    written = 0
    for write in writes:
        try:
            write(blob)
        except Exception:  # noqa: BLE001 - whatever it is, it is that listener's; its connection is ending
            continue
        written += 1
    return written


class Hub:
    """The channels of this process and their listeners."""

    def __init__(self) -> None:
        self._channels: dict[bytes, _Channel] = {}
        self.listeners: set[Listener] = set()
        self.deliveries = 0

    def join(self, listener: Listener) -> None:
        """Listen on all of the listener's channels from now on."""
        self.listeners.add(listener)
        for name in listener.channels:
            channel = self._channels.get(name)
            if channel is None:
                channel = self._channels[name] = _WideChannel() if name == listener.passes_over else _Channel()
            channel.add(listener)

    def leave(self, listener: Listener) -> None:
        """Listen no more; harmless when repeated."""
        if listener not in self.listeners:
            return
        self.listeners.discard(listener)
        for name in listener.channels:
            channel = self._channels[name]
            channel.remove(listener)
            if not channel.renderers:
                del self._channels[name]

    def deliver(self, name: bytes, batch: Sequence[BusMessage]) -> None:
        """Write a batch to everyone who listens on a channel here."""
        for _ in self.slices(name, batch):
            pass

    def slices(self, name: bytes, batch: Sequence[BusMessage]) -> Iterator[None]:
        """The same, a slice of it each time that the next one is asked for."""
        channel = self._channels.get(name)
        if channel is not None:
            for written in channel.deliver(batch):
                self.deliveries += written * len(batch)
                yield

    def has(self, name: bytes) -> bool:
        """Whether anyone here listens on a channel."""
        return name in self._channels

    def tell_everyone(self, batch: Sequence[BusMessage]) -> None:
        """Write a batch to every listener once, whatever its channels."""
        blobs: dict[Renderer, bytes] = {}
        for listener in list(self.listeners):
            if listener.renderer not in blobs:
                blobs[listener.renderer] = listener.renderer.render(batch)
            _write_all(blobs[listener.renderer], [listener.write])
