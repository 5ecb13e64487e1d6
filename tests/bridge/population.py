"""A small population to be spoken to: two tenants, both languages, the same groups and clients in each.

It hears as protocol 9 says that listeners do: by the channels that a message was said on, each passing over on the
tenant's `v2` channel what reaches it by a narrower one, and in its own language or not at all.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple, cast

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.message import BusMessage, read
from bridge.messaging.publisher import Publisher
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Publisher, V2Renderer
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.records.rows import Language, Speech
from bridge.records.speech import Speaker
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from v3.messages import Content

ADDRESSES: Final = Addresses("aether")
NOW: Final = "2026-01-01T00:00:00.000000Z"


def table_of(*tenants: Tenant) -> TenantTable:
    """A table that holds these and never looks into Redis."""
    return TenantTable(cast(Redis, None), ADDRESSES, {tenant.name: tenant for tenant in tenants})


class Published(NamedTuple):
    """One call of `Bus.publish`."""

    channels: list[bytes]
    data: bytes
    receipt: Callable[[int | None], None]


@dataclass
class RecordingBus:
    """A bus that keeps what is said, and whose receipts the test gives."""

    published: list[Published] = field(default_factory=list)

    def publish(self, channels: Sequence[bytes], data: bytes, done: Callable[[int | None], None]) -> None:
        self.published.append(Published(list(channels), data, done))


@dataclass
class KeepingRecorder:
    """A recorder that keeps what it is told."""

    speeches: list[tuple[str, Speech]] = field(default_factory=list)
    frames: list[tuple[str, Any]] = field(default_factory=list)

    def spoke(self, language: Language, speaker: Speaker, content: Content) -> None:
        to_whom = content["msg_type"], content["target"], content.get("to_id")
        speech = Speech(language, speaker.client_id, speaker.group_id, *to_whom, speaker.grant)
        self.speeches.append((speaker.tenant, speech))

    def read(self, tenant: str, frame: Any) -> None:
        self.frames.append((tenant, frame))


class Listener(NamedTuple):
    """One connection. `group` and `client` are V3 names."""

    language: Literal["v2", "v3"]
    tenant: str
    group: str
    client: str

    def channels(self) -> set[bytes]:
        common = {
            ADDRESSES.group(self.tenant, self.group),
            ADDRESSES.client(self.tenant, self.client),
            ADDRESSES.broadcast(self.tenant),
            ADDRESSES.platform,
        }
        return common | ({ADDRESSES.everyone_on_v2(self.tenant)} if self.language == "v2" else set())

    def wide_channel(self, channel: bytes, message: BusMessage) -> bool:
        return channel == ADDRESSES.everyone_on_v2(self.tenant) and (
            (message.target == "group" and message.group_id == self.group)
            or (message.target == "direct" and message.to_id == self.client)
            or message.target == "broadcast"
        )


POPULATION: Final = {
    "ann, V3 in G": Listener("v3", "acme", "G", "ann"),
    "cat, V3 in H": Listener("v3", "acme", "H", "cat"),
    "42's twin, V3 in H": Listener("v3", "acme", "H", "v2-42"),
    "bob, V2 in G": Listener("v2", "acme", "G", "bob"),
    "42, V2 in G": Listener("v2", "acme", "G", "v2-42"),
    "dan, V2 in H": Listener("v2", "acme", "H", "dan"),
    "ann elsewhere, V3 in G": Listener("v3", "other", "G", "ann"),
    "bob elsewhere, V2 in G": Listener("v2", "other", "G", "bob"),
}


class Stage:
    """The publishers of one process, and who hears what is said through it."""

    def __init__(self, *tenants: Tenant, here: Sequence[bytes] = ()) -> None:
        self.bus = RecordingBus()
        self.counts = Counts()
        self.table = table_of(*tenants)
        self.recorder = KeepingRecorder()
        self.expected: dict[bytes, BusMessage] = {}
        recorder = cast(Recorder, self.recorder)
        self.publisher = Publisher(
            self.bus.publish,
            ADDRESSES,
            self.table,
            self.counts,
            recorder,
            lambda channel, done: done(channel not in here),
            self.expected.__setitem__,
        )
        of_records = self.counts, recorder, self.recorder.read
        self.v2_publisher = V2Publisher(self.publisher, ADDRESSES, self.table, *of_records)

    def heard(self) -> list[str]:
        """Who has heard what was published, each as often as it was heard."""
        return sorted(
            name
            for published in self.bus.published
            for channel in published.channels
            for name, listener in POPULATION.items()
            if channel in listener.channels() and self._hears(listener, channel, published.data)
        )

    def _hears(self, listener: Listener, channel: bytes, data: bytes) -> bool:
        message = read(data, lambda: NOW)
        renderer = V3Renderer() if listener.language == "v3" else V2Renderer(listener.tenant, self.table, Counts())
        return not listener.wide_channel(channel, message) and renderer.render([message]) != b""
