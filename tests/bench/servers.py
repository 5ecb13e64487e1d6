"""How each server is started, and which words the load client speaks to it. Starts nothing itself."""

import json
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Final

from tests.bench import peers
from tests.bench.peers import PEERS, Peers

KEY: Final = "the key of a benchmark"
TENANT: Final = "bench"
WITHOUT_BOUND: Final = {"bytes": 0, "frames": 0, "milliseconds": 0}
BUDGET: Final = {
    **dict.fromkeys(("connection", "key", "address"), WITHOUT_BOUND),
    **{holder: {**WITHOUT_BOUND, "messages": 0, "handshakes": 0} for holder in ("tenant", "process")},
}
BRIDGE_COMMAND: Final = shlex.join([sys.executable, "-c", "from bridge.cli.main import main; main()"])


@dataclass(frozen=True)
class Place:
    """Where a server is to run. `spare_port`: what it must listen on besides; `directory` is its own."""

    port: int
    spare_port: int
    redis_url: str
    directory: Path
    peers: Peers
    bridge_command: str = BRIDGE_COMMAND


@dataclass(frozen=True)
class Launch:
    """A command line and its environment, and what the load client is told.

    `path`: only where the dialect has none of its own. `other`: the dialect of the second half of each group.
    """

    command: list[str]
    dialect: str
    path: str | None = None
    other: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    """`missing` says in one line what is to be installed before it can start, or nothing."""

    title: str
    launch: Callable[[Place], Launch]
    missing: Callable[[Peers], str] = peers.nothing


def _bridge(
    dialect: str = "v3", *, other: str | None = None, routing: str = "group", **settings: str
) -> Callable[[Place], Launch]:
    """One worker with an API key, everything on but the limits of rate, and the history only where it is asked for."""
    tenants = {TENANT: {"v2_routing": routing}}
    keys = [{"name": "bench", "sha256": sha256(KEY.encode()).hexdigest(), "tenants": [TENANT]}]
    environment = {
        "BRIDGE_MESSAGES_PER_SECOND": "0",
        "BRIDGE_HISTORY_SECONDS": "0",
        "BRIDGE_BUDGET": json.dumps(BUDGET),
        "BRIDGE_TENANTS": json.dumps(tenants),
        "BRIDGE_KEYS": json.dumps(keys),
        "BRIDGE_V2_ANONYMOUS_TENANT": TENANT,
        **settings,
    }
    path = f"/v3/ws/group/{{group}}/client/{{client}}?api_key={KEY.replace(' ', '+')}" if dialect == "v3" else None

    def launch(place: Place) -> Launch:
        serve = ["serve", "--port", str(place.port), "--redis", place.redis_url]
        return Launch(shlex.split(place.bridge_command) + serve, dialect, path, other, environment)

    return launch


def _floor(place: Place) -> Launch:
    return Launch([str(place.peers.floor), str(place.port)], "raw", path="/{group}")


def _bun(place: Place) -> Launch:
    command = [str(place.peers.bun), str(PEERS / "bun.js")]
    return Launch(command, "raw", path="/{group}", environment={"PORT": str(place.port), "NODE_ENV": "production"})


def _nats(place: Place) -> Launch:
    ports = {"NATS_PORT": str(place.spare_port), "NATS_WEBSOCKET_PORT": str(place.port)}
    return Launch(["nats-server", "-c", str(PEERS / "nats.conf")], "nats", environment=ports)


def _nchan(place: Place) -> Launch:
    values = {"MODULE": str(peers.nchan_module()), "DIRECTORY": str(place.directory), "PORT": str(place.port)}
    text = (PEERS / "nchan.conf").read_text()
    for name, value in values.items():
        text = text.replace(name, value)
    configuration = place.directory / "nchan.conf"
    configuration.write_text(text)
    nginx = peers.nginx()
    command = [str(nginx), "-c", str(configuration), "-p", str(place.directory), "-e", "stderr"]
    return Launch(command, "raw", path="/{group}")


def _socketio(place: Place) -> Launch:
    environment = {
        "PORT": str(place.port),
        "REDIS_URL": place.redis_url,
        "NODE_ENV": "production",
        "NODE_PATH": str(place.peers.node_modules),
    }
    return Launch(["node", str(PEERS / "node" / "socketio.js")], "socketio", environment=environment)


def _wse(place: Place) -> Launch:
    command = [str(place.peers.wse_python), str(PEERS / "wse.py")]
    return Launch(command, "wse", environment={"PORT": str(place.port)})


def _uvicorn(application: str, dialect: str, path: str | None = None) -> Callable[[Place], Launch]:
    def launch(place: Place) -> Launch:
        uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", str(PEERS), "--log-level", "warning"]
        command = [*uvicorn, "--port", str(place.port), application]
        return Launch(command, dialect, path, environment={"REDIS_URL": place.redis_url})

    return launch


ALL: Final[Mapping[str, Server]] = {
    "bridge": Server("Aether Bridge", _bridge()),
    "bridge-history": Server("Aether Bridge, history on", _bridge(BRIDGE_HISTORY_SECONDS="120")),
    "bridge-v2": Server("Aether Bridge, V2", _bridge("v2")),
    "bridge-half": Server("Aether Bridge, half on V2, `group`", _bridge(other="v2")),
    "bridge-half-global": Server("Aether Bridge, half on V2, `global`", _bridge(other="v2", routing="global")),
    "bridge-without-records": Server("Aether Bridge, no census and ledger", _bridge(BRIDGE_RECORDS="false")),
    "floor": Server("the floor (C)", _floor),
    "bun": Server("Bun (uWebSockets)", _bun, peers.without_bun),
    "nats": Server("NATS (Go)", _nats, peers.without("nats-server", "apt-get install nats-server")),
    "wse": Server("wse-server (Rust in Python)", _wse, peers.without_wse),
    "nchan": Server("nchan (nginx)", _nchan, peers.without_nchan),
    "socketio": Server("Socket.IO + Redis (Node)", _socketio, peers.without_node_modules),
    "python-socketio": Server("python-socketio + Redis", _uvicorn("python_socketio:app", "socketio")),
    "fastapi": Server("FastAPI + redis-py, as usual", _uvicorn("usual_fastapi:app", "raw", "/ws/{group}/{client}")),
}
USUAL: Final = tuple(name for name in ALL if name != "bridge-without-records")
