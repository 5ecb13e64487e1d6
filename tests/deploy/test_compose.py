"""deploy/Dockerfile and deploy/compose.yaml: built, started, and spoken to over nginx."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path

import httpx
import pytest

from tests.deploy.certificate import Certificate
from tests.deploy.compose import Composition, composition
from tests.end_to_end.clients import ANSWER_SECONDS, Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.end_to_end.socketio_clients import library_client

pytestmark = pytest.mark.timeout(700)  # the first test waits for the image to be built

CONFIG = (
    QUIET
    + "socketio = true\n[tenants.acme]\n"
    + key("acme", "acme")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
COMPILERS = ("cc", "gcc", "g++", "clang", "tcc", "as", "ld", "make", "rustc", "cargo", "go")
START_SECONDS = 120


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Composition]:
    """Everything, up."""
    with composition(tmp_path_factory.mktemp("house"), CONFIG, certificate) as started:
        yield started


@pytest.fixture
async def ready(house: Composition) -> Composition:
    await eventually(house.is_ready, START_SECONDS)
    return house


@asynccontextmanager
async def joined(house: Composition, path: str) -> AsyncIterator[Client]:
    """A connection over nginx."""
    async with client(house, path, host="localhost", tls=house.tls) as one:
        yield one


async def test_v2_and_v3_talk_to_each_other(ready: Composition) -> None:
    """Four clients, whom nginx spreads over both bridges."""
    async with AsyncExitStack() as everyone:
        paths = [v3_path("team", name, with_key("acme")) for name in ("ann", "ben")]
        paths += [f"/{prefix}/group/team/client/42?{with_key('acme')}" for prefix in ("ws", "ws_redis")]
        people = [await everyone.enter_async_context(joined(ready, path)) for path in paths]
        await people[0].say({"msg_type": "msg", "target": "group", "msg": "from V3"})
        assert [(await each.hear())["msg"] for each in people] == ["from V3"] * 4
        await people[-1].say({"msg": "from V2"})
        assert [(await each.hear())["msg"] for each in people] == ["from V2"] * 4


async def test_the_image_holds_what_socketio_needs(ready: Composition) -> None:
    async with (
        library_client(ready.tls) as polling,
        joined(ready, v3_path("team", "ann", with_key("acme"))) as ann,
    ):
        who = {"api_key": api_key("acme"), "group_id": "team", "client_id": "ben"}
        url = f"https://localhost:{ready.port}"
        await polling.connect(url, transports=["polling"], auth=who, namespaces=["/v3"], wait_timeout=ANSWER_SECONDS)
        await polling.emit("message", {"msg_type": "msg", "target": "group", "msg": "by polling"}, namespace="/v3")
        assert (await ann.hear())["msg"] == "by polling"


def test_the_image_holds_no_compiler(house: Composition) -> None:
    looking = "import shutil, sys; print(*filter(shutil.which, sys.argv[1:]))"
    assert house.inside("bridge-1", "python3", "-c", looking, "sh", *COMPILERS).split() == ["sh"]


def test_the_image_holds_the_pages(house: Composition) -> None:
    asking = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8000/admin/page/main.js').status)"
    assert house.inside("bridge-1", "python3", "-c", asking).split() == ["200"]


def test_redis_is_for_the_bridges_alone_and_lets_them_lag(house: Composition) -> None:
    limits = house.inside("redis", "redis-cli", "config", "get", "client-output-buffer-limit")
    assert f"pubsub {128 * 2**20} {64 * 2**20} 60" in limits
    assert house.container("redis")["NetworkSettings"]["Ports"] in ({}, {"6379/tcp": None})
    assert list(house.container("nginx")["NetworkSettings"]["Networks"]) == [f"{house.name}_clients"]


async def test_an_operator_reaches_each_bridge_from_this_machine_and_nobody_does_from_elsewhere(
    ready: Composition,
) -> None:
    async with httpx.AsyncClient(verify=ready.tls, headers={"Authorization": f"Bearer {api_key('boss')}"}) as operator:
        for port in ready.bridge_ports:
            await eventually(partial(ready.answers, f"http://127.0.0.1:{port}/readyz"), START_SECONDS)
            for path in ("/admin", "/metrics", "/admin/api/tenants"):
                assert (await operator.get(f"http://127.0.0.1:{port}{path}")).status_code == 200
        for path in ("/admin", "/metrics", "/admin/api/tenants"):
            assert (await operator.get(f"https://localhost:{ready.port}{path}")).status_code == 403
    for service, port in zip(("bridge-1", "bridge-2"), ready.bridge_ports, strict=True):
        published = ready.container(service)["NetworkSettings"]["Ports"]["8000/tcp"]
        assert published == [{"HostIp": "127.0.0.1", "HostPort": str(port)}]


def test_doctor_has_nothing_to_mend(house: Composition) -> None:
    assert " 0 to mend" in house.inside("bridge-1", "aether-bridge", "doctor")


@pytest.mark.parametrize("command", ["serve", "doctor"])
def test_a_folder_that_docker_made_for_a_forgotten_file_is_named(
    house: Composition, command: str, tmp_path: Path
) -> None:
    there = "/etc/aether-bridge/bridge.toml"
    run = ("run", "--rm", "--volume", f"{tmp_path}:{there}", "--env", f"BRIDGE_CONFIG={there}", house.image, command)
    with pytest.raises(AssertionError, match=f"{there}: this is a folder"):
        house.docker(*run)


def test_what_was_forgotten_is_not_made_into_a_folder(
    house: Composition, tmp_path: Path, certificate: Certificate
) -> None:
    """By docker-compose, that is. The newest `docker compose` makes one: see the test before."""
    forgotten = tmp_path / "bridge.toml"
    other = Composition(["docker-compose"], house.images, forgotten, certificate)
    with pytest.raises(AssertionError, match=str(forgotten)):
        other.compose("up", "--detach", "--no-build")
    assert not forgotten.exists()
    other.compose("down", "--volumes", "--timeout", "1")


async def test_a_stage_outlives_the_redis_that_held_it(ready: Composition) -> None:
    """The container is thrown away, and another one made; only the volume stays."""
    ready.inside("bridge-1", "aether-bridge", "tenants", "stage", "acme", "drain", "--share", "25", "--yes")
    await asyncio.sleep(1.2)  # the file is flushed each second
    before = ready.container("redis")["Id"]
    ready.compose("rm", "--stop", "--force", "redis")
    ready.compose("up", "--detach", "--no-deps", "redis")
    assert ready.container("redis")["Id"] != before
    await eventually(ready.is_ready, START_SECONDS)
    assert json.loads(ready.inside("bridge-2", "aether-bridge", "tenants", "show", "acme", "--json"))["share"] == 25


async def test_each_bridge_is_healthy_and_nobody_important(house: Composition) -> None:
    for service in ("bridge-1", "bridge-2"):
        await eventually(partial(is_healthy, house, service), START_SECONDS)
        container = house.container(service)
        assert container["Config"]["User"] == "10001:10001"
        assert container["HostConfig"]["ReadonlyRootfs"]
        ids = house.inside(service, "python3", "-c", "import os; print(os.getuid(), os.getgid())")
        assert ids.split() == ["10001", "10001"]


async def is_healthy(house: Composition, service: str) -> bool:
    status: str = house.container(service)["State"]["Health"]["Status"]
    return status == "healthy"


async def test_whoever_is_on_a_container_that_stops_is_told_first(ready: Composition) -> None:
    async with AsyncExitStack() as everyone:
        people = [
            await everyone.enter_async_context(joined(ready, v3_path("team", f"client_{number}", with_key("acme"))))
            for number in range(4)
        ]
        await asyncio.to_thread(ready.compose, "stop", "bridge-1")
        codes = await asyncio.gather(*(ended_with(one) for one in people))
    assert set(codes) == {0, 1012}  # some were on the other bridge, and stay
    state = ready.container("bridge-1")["State"]
    assert (state["ExitCode"], state["OOMKilled"]) == (0, False)
    ready.compose("start", "bridge-1")


async def ended_with(one: Client) -> int:
    """The code of its close, which has come by now; 0 where it is still served."""
    try:
        return await one.close_code(0.5)
    except TimeoutError:
        return 0 if await one.is_served() else -1


async def test_no_log_holds_a_key(ready: Composition) -> None:
    async with joined(ready, v3_path("team", "ann", with_key("acme"))) as ann:
        assert await ann.is_served()
    logs = ready.compose("logs", "--no-color")
    assert '"GET /v3/ws/group/team/client/ann" 101 ' in logs
    assert api_key("acme") not in logs
