"""What one message costs in the bridge's process, step by step: `python -m tests.bench.budget`.

Each step is the real function, fed with messages of 150 bytes that come 64 at a time; nothing is connected to anything.
Numbers are processor time for one message, so they can be read beside each other, and not beside those of another
machine. With `--write` the table in the README beside this is written anew.
"""

import asyncio
import socket
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Annotated, Any, Final, cast

import hiredis
import typer

from bridge.broker.addresses import Addresses
from bridge.broker.bus import Bus
from bridge.broker.history import History, HistoryOptions
from bridge.broker.link import Link, pool
from bridge.broker.message import BusMessage, read, said
from bridge.broker.subscriber import Subscriber
from bridge.budget.accounts import UNBOUNDED
from bridge.budget.budget import Budget, Limits
from bridge.budget.drain import OutboxBounds
from bridge.messaging.hub import Hub, Listener
from bridge.messaging.publisher import Publisher
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.routing import listens_on
from bridge.messaging.v2 import V2Publisher, V2Renderer
from bridge.records.backlog import Backlog
from bridge.records.counters import Counts, Refusals
from bridge.records.recorder import Recorder
from bridge.records.retention import Tables
from bridge.runtime.clock import WallClock
from bridge.sockets.framing import text_frame
from bridge.sockets.keepalive import Keepalive
from bridge.sockets.last_words import LastWords
from bridge.sockets.strangers import Strangers
from bridge.sockets.websocket_protocol import WebSocketProtocol
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from compat.upgrade import upgrade_text
from legacy_v2 import ports as v2
from legacy_v2.session import Session as V2Session
from v3 import ports as v3
from v3.messages import Content
from v3.said import read_content
from v3.session import Session as V3Session

README: Final = Path(__file__).parent / "README.md"
BEGIN, END = "<!-- budget -->\n", "<!-- end of budget -->\n"
TOGETHER: Final = 64
TENANT, GROUP = "acme", "lobby"
ADDRESSES: Final = Addresses("bench")
FILLING: Final = "x" * 70
TEXTS: Final = [
    f'{{"msg_type":"msg","target":"group","msg":"{FILLING}","payload":{{"mark":"{number:012d}"}}}}'
    for number in range(TOGETHER)
]
V2_TEXTS: Final = [
    f'{{"type":"msg","msg":"{FILLING}","data":{{"mark":"{number:012d}"}},"room":"lobby"}}' for number in range(TOGETHER)
]

Step = Callable[[], float]
"""Does something for `TOGETHER` messages; returns the seconds of processor time that it took."""


class Nobody:
    """Stands for all that a step does not measure: whatever is asked of it, it does nothing."""

    is_leaving = False
    is_kept = True
    left_out = 0
    reads_binary = True

    def __init__(self) -> None:
        self.holder = free_budget().key(TENANT, "")

    def sign_of_life(self, _guest: object) -> Callable[[], None]:
        return nothing

    def __getattr__(self, _name: str) -> Callable[..., Any]:
        return nothing


def nothing(*_arguments: object, **_named: object) -> Any:
    return 0


class Unlimited:
    def spend(self) -> v3.Pace:
        return "within"


class RecordingLink:
    """Keeps what is written to Redis."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.write = self.written.append

    def waiting_bytes(self) -> int:
        return 0


def free_budget() -> Budget:
    return Budget(Limits(UNBOUNDED, UNBOUNDED, UNBOUNDED, UNBOUNDED, UNBOUNDED, 3_600.0, 1 << 30))


def each(function: Callable[[Any], object], values: Sequence[Any]) -> Step:
    """A step that calls the function with each value."""

    def step() -> float:
        began = time.process_time()
        for value in values:
            function(value)
        return time.process_time() - began

    return step


class Way:
    """The way of a message through one process: from a session to the bus, and back from the bus."""

    def __init__(self, *, has_history: bool = False) -> None:
        links = pool("redis://localhost", "bench")
        self._bus = Bus(links, ADDRESSES.probe)
        self._link = RecordingLink()
        self._bus._keeper.link = cast(Link, self._link)
        self._subscriber = Subscriber(links, nothing, nothing, str, 1 << 20, ADDRESSES.probe, ADDRESSES.kind_of)
        self.counts = Counts()
        self.table = TenantTable(cast(Any, None), ADDRESSES, {TENANT: Tenant(TENANT, v2_routing="group")})
        self._recorder = Recorder(cast(Tables, None), cast(Backlog, Nobody()), time.time)
        history = History(self._bus, ADDRESSES, HistoryOptions(seconds=120)) if has_history else None
        publish = self._bus.publish if history is None else history.publish
        of_process = ADDRESSES, self.table, self.counts, self._recorder
        self._publisher = Publisher(publish, *of_process, nothing, self._subscriber.expect)

    def v3_session(self) -> V3Session:
        nobody = cast(Any, Nobody())
        ports = v3.Ports(self._publisher, nobody, WallClock(), nobody, Refusals(self.counts, "v3"), nobody)
        return V3Session(v3.Guest(TENANT, GROUP, "ann", "none"), nobody, Unlimited(), ports)

    def v2_session(self) -> V2Session:
        nobody = cast(Any, Nobody())
        of_process = ADDRESSES, self.table, self.counts, self._recorder
        bus = V2Publisher(self._publisher, *of_process, cast(Any, nothing))
        guest = v2.Guest(TENANT, GROUP, "bob", GROUP, "bob", "none")
        return V2Session(guest, nobody, Unlimited(), v2.Ports(bus, nobody, WallClock(), Refusals(self.counts, "v2")))

    def said(self, session: V3Session | V2Session, texts: Sequence[str]) -> Step:
        """What a session is given, up to the write to Redis."""

        def step() -> float:
            self._forget()
            began = time.process_time()
            for text in texts:
                session.receive(text)
            self._bus.flush()
            return time.process_time() - began

        return step

    def answered(self) -> Step:
        """What Redis answers to that."""
        say = self.said(self.v3_session(), TEXTS)

        def step() -> float:
            say()
            began = time.process_time()
            self._bus._replied([1] * TOGETHER)
            return time.process_time() - began

        return step

    def heard(self, *, is_own: bool) -> Step:
        """What Redis hands back, up to the hub."""
        session = self.v3_session()
        say = self.said(session, TEXTS)

        def step() -> float:
            say()
            reader = hiredis.Reader()
            for written in self._link.written:
                reader.feed(written)
            replies = []
            while command := reader.gets():
                data = command[2] if is_own else command[2].replace(b'"ann"', b'"eve"')
                replies.append([b"message", command[1], data])
            began = time.process_time()
            self._subscriber._replied(replies)
            return time.process_time() - began

        return step

    def _forget(self) -> None:
        self._bus.replies.lose()
        self._link.written.clear()
        self._subscriber._incoming.recent.turn()


def read_from_socket() -> Step:
    budget = free_budget()
    kept = {"budget": budget, "strangers": Strangers(9, 9, 9), "heard_out": LastWords(), "keepalive": Keepalive(0)}
    own = {"__slots__": (), "outbox_bounds": OutboxBounds(), "most_message_bytes": 65_536}
    kind: type[WebSocketProtocol] = type("Socket", (WebSocketProtocol,), kept | own)
    nobody = Nobody()
    one = kind(cast(asyncio.Transport, nobody), set(), budget.key(TENANT, ""), is_forwarded=False)
    one._carried, one.may_read = cast(Any, nobody), True
    masked = [b"\x81\xfe" + len(text).to_bytes(2, "big") + bytes(4) + text.encode() for text in TEXTS]
    return each(one.data_received, masked)


def delivered(listeners: int) -> Step:
    """Each message by itself, to so many; without the writes."""
    hub, channel = Hub(), ADDRESSES.group(TENANT, GROUP)
    for number in range(listeners):
        channels = listens_on("v3", TENANT, GROUP, f"c{number}", ADDRESSES)
        hub.join(Listener(V3Renderer(), len, channels, None, GROUP, f"c{number}"))
    return each(lambda message: hub.deliver(channel, [message]), messages())


def rendered_for_v2() -> Step:
    way = Way()
    renderer = V2Renderer(TENANT, way.table, way.counts)

    def step() -> float:
        return each(lambda message: renderer.render([message]), messages())()

    return step


def _said(content: Content) -> BusMessage:
    return said(content, "eve", GROUP, "2026-01-01T00:00:00.000000Z")


def messages() -> list[BusMessage]:
    """As another process has said them."""
    return [read(_said(read_content(text)).line, str) for text in TEXTS]


def written() -> Step:
    """One system call for one listener, over loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    frame = text_frame(messages()[0].line)

    def step() -> float:
        spent = each(lambda _: one.send(frame), range(TOGETHER))()
        other.recv(1 << 20)
        return spent

    return step


def steps() -> dict[str, Step]:
    """Name -> step, in the order of the way."""
    way, kept = Way(), Way(has_history=True)
    return {
        "a frame, from the socket to its session": read_from_socket(),
        "read what was said": each(read_content, TEXTS),
        "write the line that is published": each(_said, list(map(read_content, TEXTS))),
        "V3: session, crossing and publish in all": way.said(way.v3_session(), TEXTS),
        "the same where it is kept for who comes back": kept.said(kept.v3_session(), TEXTS),
        "V2: upgrade of a frame": each(upgrade_text, V2_TEXTS),
        "V2: session, crossing and publish in all": way.said(way.v2_session(), V2_TEXTS),
        "the answer of Redis": way.answered(),
        "a message of this process comes back, up to the hub": way.heard(is_own=True),
        "a message of another process, up to the hub": way.heard(is_own=False),
        "the hub, 1 listener, without the write": delivered(1),
        "the hub, 10 listeners": delivered(10),
        "the hub, 100 listeners": delivered(100),
        "what V3 says, in the words of V2": rendered_for_v2(),
        "one write to one listener: the system call": written(),
    }


async def measure(rounds: int) -> dict[str, float]:
    """Name -> microseconds for one message. The steps take turns; of the rounds the median counts."""
    taken: dict[str, list[float]] = {}
    prepared = steps()
    for number in range(rounds + 3):
        for name, step in prepared.items():
            seconds = step()
            if number >= 3:  # the first are slower
                taken.setdefault(name, []).append(seconds / TOGETHER * 1e6)
        await asyncio.sleep(0)
    return {name: median(values) for name, values in taken.items()}


def table(measured: dict[str, float]) -> str:
    rows = [f"| {name} | {microseconds:.2f} |" for name, microseconds in measured.items()]
    return "\n".join(["| step | µs |", "| --- | ---: |", *rows]) + "\n"


def main(
    *,
    rounds: Annotated[int, typer.Option(min=1, help="How often each step is measured, 64 messages each time.")] = 200,
    write: Annotated[bool, typer.Option("--write", help="Write the table in the README beside this anew.")] = False,
) -> None:
    """Print what one message costs in the bridge's process, step by step, in microseconds of processor time."""
    told = table(asyncio.run(measure(rounds)))
    typer.echo(told)
    if write:
        before, _, rest = README.read_text().partition(BEGIN)
        README.write_text(f"{before}{BEGIN}{told}{END}{rest.partition(END)[2]}")


if __name__ == "__main__":
    typer.run(main)
