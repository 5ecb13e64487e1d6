"""What each step of one message costs the bridge, in microseconds: `python -m tests.bench.steps`.

The bridge's own functions are called in this process, by the seams that its tests use: nothing is imitated but what
lies on either side of a step. `--write` puts the table into README.md beside this, between its two marks.
"""

import asyncio
import re
import socket
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from time import process_time
from typing import Annotated, Any, Final, NamedTuple

import typer
import uvloop

from bridge.broker.incoming import Incoming
from bridge.broker.message import BusMessage, read
from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.config.budget import BudgetTable
from bridge.config.settings import Settings
from bridge.messaging.hub import Hub, Listener
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Renderer
from bridge.tenants.tenant import Tenant
from compat.upgrade import upgrade_text
from legacy_v2 import ports as v2
from tests.bench.processes import CLIENT_CORE, running_redis
from tests.bench.servers import BUDGET
from tests.bridge.broker.parts import running_bus
from tests.bridge.population import NOW, Stage
from tests.bridge.sockets.protocols import protocols
from tests.v3.ports import NOW as NOW_MICROSECONDS
from tests.v3.ports import World
from v3 import ports as v3
from v3.messages import write
from v3.said import read_content
from v3.session import Session

README: Final = Path(__file__).parent / "README.md"
TABLE: Final = re.compile(r"(?<=<!-- steps -->\n).*?(?=<!-- /steps -->)", re.DOTALL)
NUMBER: Final = 256
REPEATS: Final = 40
WRITES: Final = 200
CHANNEL: Final = b"aether:acme:group:G"
MASK: Final = b"\x5a\xc3\x96\x0f"
TEXT: Final = '{"msg_type":"msg","target":"group","msg":"' + "x" * 106 + '"}'
V2_TEXT: Final = '{"type":"msg","msg":"' + "x" * 127 + '"}'
GUEST: Final = v3.Guest("acme", "G", "ann", "tenant")
V2_GUEST: Final = v2.Guest("acme", "G", "bob", "G", "bob", "tenant")
HEARD_BY: Final = (1, 10, 100)


class Step(NamedTuple):
    """A step, and the microseconds of one message."""

    title: str
    microseconds: float


def best(run: Callable[[Any], object], inputs: Callable[[], Sequence[Any]]) -> float:
    """Processor time of one call in microseconds, in the quickest pass: what disturbs a pass only makes it slower."""
    passes = []
    for _ in range(REPEATS):
        prepared = inputs()
        began = process_time()
        for each in prepared:
            run(each)
        passes.append((process_time() - began) / len(prepared))
    return min(passes) * 1e6


def same(value: object) -> Callable[[], Sequence[Any]]:
    return lambda: [value] * NUMBER


class Wire:
    """The transport of a socket that sends nothing."""

    def write(self, _data: bytes) -> None: ...

    def set_protocol(self, _protocol: object) -> None: ...

    def get_extra_info(self, _name: str, default: object = None) -> object:
        return default

    def get_write_buffer_size(self) -> int:
        return 0

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None: ...

    def is_closing(self) -> bool:
        return False

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


class Hearer:
    """What a socket carries: it takes every text and does nothing."""

    def __init__(self) -> None:
        self.holder = Holder()
        self.reads_binary = True

    def receive(self, _text: str, _receipt: object = None) -> None: ...

    def alive(self) -> None: ...

    def lost(self) -> None: ...


def frame() -> bytes:
    """TEXT as a client sends it: one masked frame."""
    payload = TEXT.encode()
    masked = bytes(byte ^ MASK[index % 4] for index, byte in enumerate(payload))
    return bytes([0x81, 0xFE]) + len(payload).to_bytes(2, "big") + MASK + masked


def of_frames() -> Iterator[Step]:
    limits = Settings(messages_per_second=0, budget=BudgetTable.model_validate(BUDGET)).limits
    nobody: Any = Strangers()
    socket_class = protocols(nobody, Budget(limits))["ws"].socket_class
    carried: Any = Hearer()
    opened = socket_class(Wire(), set(), carried.holder, is_forwarded=False)
    opened.begin(carried, b"")
    opened.attach(carried)
    yield Step("one masked frame: from `data_received` to the session", best(opened.data_received, same(frame())))
    opened.connection_lost(None)


class Strangers:
    """Nobody counts a socket that was never accepted."""

    def __getattr__(self, _name: str) -> Callable[..., None]:
        return lambda *_arguments: None


def of_sessions() -> Iterator[Step]:
    yield Step("read what was said", best(read_content, same(TEXT)))
    content = read_content(TEXT)
    yield Step("write the line", best(lambda _: write(content, "ann", "G", NOW), same(None)))
    world, stage = World(), Stage(Tenant("acme", v2_routing="group"))
    ports = v3.Ports(stage.publisher, world, world, world, world, world)
    session = Session(GUEST, world, world, ports)
    yield Step("session to publish: V3, all but the bus", best(session.receive, _cleared(stage, TEXT)))
    say = stage.v2_publisher.say_frame
    run = best(lambda text: say(V2_GUEST, text, NOW_MICROSECONDS, _ignore), _cleared(stage, V2_TEXT))
    yield Step("the same for V2: its frame to publish", run)
    yield Step("of which the upgrade to V3", best(upgrade_text, same(V2_TEXT)))


def _ignore(_code: str) -> None: ...


def _cleared(stage: Stage, value: object) -> Callable[[], Sequence[Any]]:
    def inputs() -> Sequence[Any]:
        stage.bus.published.clear()
        stage.expected.clear()
        stage.recorder.speeches.clear()
        stage.recorder.frames.clear()
        return [value] * NUMBER

    return inputs


async def of_publishing(redis_url: str) -> list[Step]:
    """Publish, the write, the reply, the receipt; Redis's own time is not in it."""
    data, passes = said(0), []
    async with running_bus(redis_url) as bus:
        for _ in range(REPEATS):
            began = process_time()
            for _ in range(NUMBER // 64):
                answered: asyncio.Future[None] = asyncio.get_running_loop().create_future()
                for _ in range(63):
                    bus.publish([CHANNEL], data, lambda _reply: None)
                bus.publish([CHANNEL], data, lambda _reply, done=answered: done.set_result(None))  # type: ignore[misc]
                await answered
            passes.append((process_time() - began) / (NUMBER // 64 * 64))
    return [Step("publish and its receipt, 64 in one turn", min(passes) * 1e6)]


def said(number: int) -> bytes:
    """A message as it is on the bus; each number is another."""
    return write(read_content(TEXT), "ann", "G", f"2026-01-01T00:00:00.{number:06d}Z")


def arrived() -> Sequence[BusMessage]:
    return [read(said(number), lambda: NOW) for number in range(NUMBER)]


def of_hearing() -> Iterator[Step]:
    lines = [said(number) for number in range(NUMBER)]
    replies = [[[b"message", CHANNEL, line]] for line in lines]
    incoming = Incoming(lambda: NOW, 100_000)
    hear = best(lambda reply: incoming.read(reply, _never), lambda: replies)
    yield Step("subscriber: a message of another process", hear)
    messages = [read(line, lambda: NOW) for line in lines]

    def expected() -> Sequence[Any]:
        for line, message in zip(lines, messages, strict=True):
            incoming.recent.keep(line, message)
        return replies

    yield Step("subscriber: a message of its own", best(lambda reply: incoming.read(reply, _never), expected))


def _never(reply: object) -> None:
    raise AssertionError(reply)


def of_fan_out() -> Iterator[Step]:
    for listeners in HEARD_BY:
        hub = Hub()
        for number in range(listeners):
            hub.join(Listener(V3Renderer(), _take, [CHANNEL], None, "G", f"c{number}"))
        microseconds = best(lambda message, hub=hub: hub.deliver(CHANNEL, [message]), arrived)  # type: ignore[misc]
        yield Step(f"hub: {listeners} on V3, without the writes", microseconds)
    stage = Stage(Tenant("acme"))
    renderer = V2Renderer("acme", stage.table, stage.counts)
    yield Step("a message of V3 rendered for V2", best(lambda message: renderer.render([message]), arrived))


def _take(_frames: bytes) -> None: ...


async def of_writes() -> list[Step]:
    """`write` to sockets whose other ends read what they are sent, outside of the time."""
    loop, frames, passes = asyncio.get_running_loop(), b"x" * 244, []
    pairs = [_connected() for _ in range(WRITES)]
    transports = [(await loop.create_connection(asyncio.Protocol, sock=ours))[0] for ours, _ in pairs]
    for _ in range(REPEATS):
        began = process_time()
        for transport in transports:
            transport.write(frames)
        passes.append((process_time() - began) / len(transports))
        for _, theirs in pairs:
            await loop.sock_recv(theirs, 4096)
    for transport in transports:
        transport.abort()
    for _, theirs in pairs:
        theirs.close()
    return [Step("one write to one listener: the system call", min(passes) * 1e6)]


def _connected() -> tuple[socket.socket, socket.socket]:
    """Both ends of a TCP connection on loopback."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        theirs = socket.create_connection(server.getsockname())
        ours, _ = server.accept()
    for end in (ours, theirs):
        end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        end.setblocking(False)
    return ours, theirs


async def measure(redis_url: str) -> list[Step]:
    """All steps, in the order of a message's way."""
    return [
        *of_frames(),
        *of_sessions(),
        *await of_publishing(redis_url),
        *of_hearing(),
        *of_fan_out(),
        *await of_writes(),
    ]


def table(steps: Sequence[Step]) -> str:
    rows = [f"| {step.title} | {step.microseconds:.2f} |" for step in steps]
    return "\n".join(["| step | µs |", "|---|---:|", *rows, ""])


def main(
    *, write: Annotated[bool, typer.Option("--write", help="Write the table into README.md beside this.")] = False
) -> None:
    """Print what each step of one message costs."""
    with (
        tempfile.TemporaryDirectory(prefix="aether-steps-") as directory,
        running_redis(CLIENT_CORE, Path(directory) / "redis.log") as (_, redis_url),
        asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
    ):
        text = table(runner.run(measure(redis_url)))
    typer.echo(text)
    if write:
        README.write_text(TABLE.sub(lambda _: text, README.read_text()))


if __name__ == "__main__":
    typer.run(main)
