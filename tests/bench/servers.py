"""How each server is started, and which words the load client speaks to it. Starts nothing itself."""

import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

PEERS = Path(__file__).parent / "peers"
V2_PATH = "/ws/group/{group}/client/{client}"
BY_GROUP = '{"default": {"v2_routing": "group"}}'
BRIDGE_COMMAND = shlex.join([sys.executable, "-c", "from bridge.cli.main import main; main()"])


@dataclass(frozen=True)
class Place:
    """Where a server is to run. `spare_port`: what it must listen on besides; `node_directory` holds node_modules."""

    port: int
    spare_port: int
    redis_url: str
    bridge_command: str = BRIDGE_COMMAND
    node_directory: Path | None = None


@dataclass(frozen=True)
class Launch:
    """A command line and its environment; `path` only where the dialect has no path of its own."""

    command: list[str]
    dialect: str
    path: str | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Server:
    title: str
    launch: Callable[[Place], Launch]


def _bridge_with(place: Place, dialect: str, path: str | None = None, **settings: str) -> Launch:
    serve = ["serve", "--port", str(place.port), "--redis", place.redis_url]
    environment = {"BRIDGE_MESSAGES_PER_SECOND": "0", **settings}
    return Launch(shlex.split(place.bridge_command) + serve, dialect, path, environment)


def _bridge(place: Place) -> Launch:
    return _bridge_with(place, "v3")


def _bridge_without_records(place: Place) -> Launch:
    return _bridge_with(place, "v3", BRIDGE_RECORDS="false")


def _bridge_without_history(place: Place) -> Launch:
    return _bridge_with(place, "v3", BRIDGE_HISTORY_SECONDS="0")


def _bridge_v2(place: Place) -> Launch:
    return _bridge_with(place, "raw", V2_PATH, BRIDGE_TENANTS=BY_GROUP)


def _bridge_v2_without_records(place: Place) -> Launch:
    return _bridge_with(place, "raw", V2_PATH, BRIDGE_TENANTS=BY_GROUP, BRIDGE_RECORDS="false")


def _nats(place: Place) -> Launch:
    ports = {"NATS_PORT": str(place.spare_port), "NATS_WEBSOCKET_PORT": str(place.port)}
    return Launch(["nats-server", "-c", str(PEERS / "nats.conf")], "nats", environment=ports)


def _socketio(place: Place) -> Launch:
    environment = {
        "PORT": str(place.port),
        "REDIS_URL": place.redis_url,
        "NODE_ENV": "production",
        "NODE_PATH": f"{place.node_directory}/node_modules",
    }
    return Launch(["node", str(PEERS / "socketio" / "server.js")], "socketio", environment=environment)


def _usual_fastapi(place: Place) -> Launch:
    uvicorn = [sys.executable, "-m", "uvicorn", "--app-dir", str(PEERS), "--log-level", "warning"]
    command = [*uvicorn, "--port", str(place.port), "usual_fastapi:app"]
    return Launch(command, "raw", path="/ws/{group}/{client}", environment={"REDIS_URL": place.redis_url})


ALL: Mapping[str, Server] = {
    "bridge": Server("Aether Bridge", _bridge),
    "bridge-without-records": Server("Aether Bridge, no census and ledger", _bridge_without_records),
    "bridge-without-history": Server("Aether Bridge, nothing kept for who comes back", _bridge_without_history),
    "bridge-v2": Server("Aether Bridge, V2", _bridge_v2),
    "bridge-v2-without-records": Server("Aether Bridge, V2, no census and ledger", _bridge_v2_without_records),
    "nats": Server("NATS server (Go) websocket", _nats),
    "socketio": Server("Socket.IO + Redis adapter (Node)", _socketio),
    "fastapi": Server("usual FastAPI + Redis", _usual_fastapi),
}
