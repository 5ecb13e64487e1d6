"""`aether-bridge record`: writes what the V2 clients of a tenant say to a file, for `audit` and `convert`.

It listens in Redis, so it hears all processes, and while it does not run it costs nothing. It never listens on the
channel of one client: the bridge tells by their listeners whether anybody is there.
"""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path
from typing import IO, Annotated, Any, Final

import typer
from redis.asyncio import Redis

from bridge.audit.recording import Recording
from bridge.broker.addresses import Addresses
from bridge.cli.options import STANDARD_INPUT, fail, with_settings
from bridge.cli.redis_connection import with_redis
from bridge.cli.tenants import TenantArgument, named, read_tenants
from bridge.config.settings import Settings

STANDARD_OUTPUT: Final = STANDARD_INPUT
PROGRESS_SECONDS: Final = 5.0
LISTEN_SECONDS: Final = 0.5
BY_GROUP: Final = "V2 is routed by group here: frames with one recipient are not in the recording"
FileArgument = Annotated[Path, typer.Argument(help="A new file, readable by you alone; - is standard output.")]
SecondsOption = Annotated[float, typer.Option(min=0.1, max=86_400, help="How long to listen.")]
MostOption = Annotated[int, typer.Option(min=1, help="At most so many frames.")]
MostBytesOption = Annotated[int, typer.Option(min=1, help="At most so many bytes.")]
LOST: Final = "the connection to Redis was lost {} times: what was said meanwhile is not in the recording"


@with_settings
def record(
    settings: Settings,
    name: TenantArgument,
    file: FileArgument = STANDARD_OUTPUT,
    seconds: SecondsOption = 60,
    most: MostOption = 100_000,
    most_bytes: MostBytesOption = 100_000_000,
) -> None:
    """Write what a tenant's V2 clients say from now on, a frame a line, for `audit` and `convert`. Ctrl-C ends it.

    It holds what people say: keep it as you keep that. Not in it are frames that the bridge refuses, and under
    `v2_routing = "group"` frames with one recipient. A line break in a frame becomes a space.

    ```sh
    aether-bridge record acme recording.jsonl --seconds 600
    ```
    """
    recording = Recording(most, most_bytes)
    with_redis(settings, lambda redis: _record(redis, settings, name, file, recording, seconds))


async def _record(
    redis: Redis, settings: Settings, name: str, file: Path, recording: Recording, seconds: float
) -> None:
    tenant = named(await read_tenants(redis, settings), name).tenant
    with _opened(file) as output:
        listener = _Listener(redis, Addresses(settings.prefix), tenant.name)
        try:
            await listener.listen(recording, output, seconds)
            output.flush()
        except BrokenPipeError:
            _tell("whoever read the recording has gone")
            os.dup2(os.open(os.devnull, os.O_WRONLY), output.fileno())  # what is left in the buffer goes nowhere
    _tell(f"{_so_far(recording)} recorded")
    if recording.folded:
        _tell(f"in {recording.folded:,} frames a line break became a space")
    if tenant.v2_routing == "group":
        _tell(BY_GROUP)
    if listener.lost:
        _tell(LOST.format(listener.lost))


class _Listener:
    """Listens to the channels on which the frames of a tenant travel. `lost`: how often its connection was lost."""

    def __init__(self, redis: Redis, addresses: Addresses, tenant: str) -> None:
        self._pubsub = redis.pubsub()
        self._channels = (addresses.everyone_on_v2(tenant), addresses.broadcast(tenant))
        self._groups = addresses.group(tenant, "*")
        self._begun = 0

    @property
    def lost(self) -> int:
        """Each time that redis-py connects anew it subscribes anew."""
        return max(0, self._begun - 1)

    async def listen(self, recording: Recording, output: IO[bytes], seconds: float) -> None:
        """Write frames until the recording is full, the time is over, or somebody interrupts."""
        stopped = _stopped_by_signals()
        ends_at, told_at = time.monotonic() + seconds, time.monotonic()
        async with self._pubsub:
            await self._pubsub.subscribe(*self._channels)
            await self._pubsub.psubscribe(self._groups)
            while not stopped.is_set() and not recording.is_full and (left := ends_at - time.monotonic()) > 0:
                self._take(await self._pubsub.get_message(timeout=min(left, LISTEN_SECONDS)), recording, output)
                if time.monotonic() - told_at >= PROGRESS_SECONDS:
                    told_at = time.monotonic()
                    _tell(f"{_so_far(recording)}, {left:.0f} s left")
                    output.flush()

    def _take(self, message: dict[str, Any] | None, recording: Recording, output: IO[bytes]) -> None:
        if message is None:
            return
        if message["type"] == "psubscribe":
            self._begun += 1
            _tell("listening; Ctrl-C ends it")
        line = recording.line_of(message["data"]) if message["type"] in ("message", "pmessage") else None
        if line is not None:
            output.write(line)


def _opened(file: Path) -> IO[bytes]:
    """The file, new and for its owner alone, or standard output. Ends the command if it cannot be made."""
    if file == STANDARD_OUTPUT:
        return os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    try:
        return os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")
    except OSError as error:
        fail(f"{file}: {error.strerror}")


def _stopped_by_signals() -> asyncio.Event:
    """An event that Ctrl-C and SIGTERM set, so that the last line is written whole."""
    stopped = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stopped.set)
    return stopped


def _so_far(recording: Recording) -> str:
    return f"{recording.frames:,} frames, {recording.bytes:,} bytes"


def _tell(words: str) -> None:
    typer.echo(f"aether-bridge: {words}", err=True)
