"""`aether-bridge serve`: its options. What it does is in `serving.py`."""

from typing import Annotated

import typer

from bridge.cli.options import ConfigOption, DataDirOption, RedisOption


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on. [default: 127.0.0.1]")] = None,
    port: Annotated[int | None, typer.Option(help="Port; 0 takes a free one. [default: 8000]")] = None,
    workers: Annotated[int | None, typer.Option(help="Processes on one port. [default: 1]")] = None,
    redis: RedisOption = None,
    socketio: Annotated[
        bool | None, typer.Option("--socketio", help="Serve Socket.IO at /socket.io/, too.", show_default=False)
    ] = None,
    config: ConfigOption = None,
    data_dir: DataDirOption = None,
) -> None:
    """Serve V2 and V3 until SIGTERM. Without --redis a private Valkey server comes and goes with this command.

    Every setting is a line of the file, or BRIDGE_NAME in the environment; the command line wins over both. SIGHUP has
    the file read anew, and ends nobody's connection. Without keys it serves this machine alone.

    ```sh
    aether-bridge serve
    aether-bridge serve --config bridge.toml --redis redis://127.0.0.1:6379/0 --workers 4
    ```
    """
    from bridge.cli.serving import run  # noqa: PLC0415 - the other commands do not need the whole bridge

    given = {"host": host, "port": port, "workers": workers, "redis_url": redis, "socketio": socketio}
    run(config, data_dir, given)
