"""What `aether-bridge serve` does: binds the port and runs the processes until SIGTERM.

If no Redis is named, it also runs a private server. Only `serve` imports this: it is most of the bridge, and the other
commands start twice as quickly without it.
"""

import contextlib
import os
import signal
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, Never

import structlog
import typer

from bridge.broker.cluster import SENTENCE, is_cluster
from bridge.broker.private_server import EmbeddedError, PrivateServer
from bridge.cli.about import version_installed
from bridge.cli.early import import_is_over
from bridge.cli.options import fail, read_settings
from bridge.config.redaction import redact
from bridge.config.reload import Source, read_anew
from bridge.config.settings import Settings, SettingsError
from bridge.runtime import logs
from bridge.runtime.app import Application
from bridge.runtime.hangup import HANGUP
from bridge.runtime.reload import NO_FILE
from bridge.runtime.server import serve as run_server
from bridge.runtime.shutdown import threads_waited_for
from bridge.runtime.worker_metrics import WorkerGroup
from bridge.runtime.workers import ENDS, Workers
from bridge.system import open_files

log = structlog.get_logger(__name__)

NOT_FOR_US: Final = (signal.SIGUSR1, signal.SIGUSR2)
"""Nothing answers to these. A script that sends one (to have a log opened anew, say) shall not end everybody."""
UNREAD_BYTES: Final = 32_768
"""The kernel's receive buffer of each socket. The kernel keeps this much unread data, or up to half as much again; one
read does not return more than that."""


def run(config: Path | None, data_dir: Path | None, given: dict[str, Any]) -> Never:
    """Serve until SIGTERM, and exit. `given`: the settings that the command line names, or `None` for each."""
    _take_signals()
    settings = read_settings(config, **given, data_dir=data_dir)
    source = Source(config and config.absolute(), {**given, "data_dir": data_dir})
    logs.configure(settings.log_format, settings.log_level)
    _open_enough_files()
    with _bound(settings) as listener, _redis(settings) as redis_url:
        _greet(settings, listener)
        if settings.workers == 1:
            status = _run_one(Application(settings, redis_url, source=source), listener)
        else:
            status = _run_many(LatestSettings(source, settings), redis_url, listener)
    _leave(status)


def _take_signals() -> None:
    HANGUP.install()
    import_is_over()
    for number in NOT_FOR_US:
        signal.signal(number, lambda _number, _frame: None)


def _leave(status: int) -> Never:
    """Exit with this status at once. Python would wait for threads that still run, but nobody needs their results.

    A second signal changes nothing about it: Python would give it its fatal meaning back before the end.
    """
    HANGUP.ignore()
    for number in ENDS:
        signal.signal(number, signal.SIG_IGN)
    if threads_waited_for():
        logs.flush()
        os._exit(status)
    raise typer.Exit(status)


def _open_enough_files() -> None:
    """Raise the limit of open files as far as possible: each socket is one. Ends the command if it stays too low."""
    open_files.allow_most()
    most, _ = open_files.limits()
    if most < open_files.LEAST:
        remedy = "raise the limit (`ulimit -n 65536`, LimitNOFILE= in systemd, ulimits: in compose)"
        fail(f"{most} open files are too few, {open_files.LEAST} the least that a bridge starts with: {remedy}")


def _run_one(application: Application, listener: socket.socket) -> int:
    return 0 if run_server(application, [listener]) else 1


class LatestSettings:
    """What the command that runs workers knows of the configuration: a worker that starts later begins with it."""

    def __init__(self, source: Source, settings: Settings) -> None:
        self.source: Final = source
        self.settings = settings

    def again(self) -> bool:
        """Read it anew. Returns whether the workers are to do so too; a mistake is logged once, here."""
        if self.source.file is None:
            log.error("configuration_refused", reason=NO_FILE)
            return False
        try:
            self.settings = read_anew(self.source, self.settings).settings
        except (SettingsError, OSError, RecursionError) as error:
            log.error("configuration_refused", reason=str(error))  # noqa: TRY400 - its sentence says all
            return False
        return True


def _run_many(latest: LatestSettings, redis_url: str, reserved: socket.socket) -> int:
    """Run the workers; the exit status.

    The parent keeps the port. Each worker has its own listening socket on it, so that the kernel spreads connections.
    """
    host, port = reserved.getsockname()[:2]
    with tempfile.TemporaryDirectory(prefix="aether-bridge-") as directory:

        def work(number: int) -> int:
            group = WorkerGroup(Path(directory), number, workers.heart)
            with _listener(host, port, shared=True) as listener:
                return _run_one(Application(latest.settings, redis_url, group, latest.source), listener)

        workers = Workers(latest.settings.workers, work, latest.again)
        return workers.run()


@contextlib.contextmanager
def _bound(settings: Settings) -> Iterator[socket.socket]:
    """The socket that holds the port. Ends the command if another process has the port.

    The port is first bound without SO_REUSEPORT, so that a second bridge is refused.
    """
    try:
        with _listener(settings.host, settings.port, shared=False) as alone:
            port = alone.getsockname()[1]
            if settings.workers == 1:
                yield alone
                return
        with _listener(settings.host, port, shared=True) as reserved:
            yield reserved
    except PortTaken as error:
        fail(str(error))


class PortTaken(OSError):
    """The port cannot be bound; the message says why, and what to do."""


def _listener(host: str, port: int, *, shared: bool) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, UNREAD_BYTES)
    if shared:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    try:
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTaken(
            f"cannot listen on {host}:{port}: {error.strerror}; choose another with --port or --host"
        ) from None
    return listener


@contextlib.contextmanager
def _redis(settings: Settings) -> Iterator[str]:
    if settings.redis_url is not None:
        if is_cluster(settings.redis_url):
            fail(f"{redact(settings.redis_url)}: {SENTENCE}")
        yield settings.redis_url
        return
    try:
        with PrivateServer(settings.data_dir) as server:
            yield server.url
    except EmbeddedError as error:
        fail(str(error))


def _greet(settings: Settings, listener: socket.socket) -> None:
    """Say where the bridge listens: one line of the log, and on a terminal some lines for a person."""
    host, port = listener.getsockname()[:2]
    where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    log.info(
        "started",
        address=f"http://{where}",
        version=version_installed(),
        workers=settings.workers,
        is_open=settings.is_open,
        socketio=settings.socketio,
    )
    if logs.are_json(settings.log_format):
        return
    typer.echo(f"Aether Bridge on http://{where}")
    typer.echo(f"  V3  ws://{where}/v3/ws/group/{{group_id}}/client/{{client_id}}")
    typer.echo(f"  V2  ws://{where}/ws/group/{{group_id}}/client/{{client_id}}")
    if settings.is_open:
        typer.echo("  open: no keys are configured, so everyone who reaches this address is let in (tenant `default`)")
