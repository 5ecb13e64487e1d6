"""What every test may ask for: a Redis, names of its own in it, servers to maltreat, bridges, a browser."""

from __future__ import annotations

import asyncio
import functools
import gc
import inspect
import os
import secrets
from collections.abc import Generator, Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from itertools import count, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

import httpx
import pytest
import redis
from hypothesis import HealthCheck, settings
from xdist.workermanage import WorkerController

from tests.alone import Room, is_alone, last
from tests.machine import chromium_program
from tests.redis_source import RedisSource, RedisUnavailable, choose_redis
from tests.seclusion import secluded
from tests.servers import BridgeProcess, RedisServer

REDIS_SOURCE = pytest.StashKey[RedisSource]()
ROOM = pytest.StashKey[Room]()
ROOM_FOLDER = pytest.StashKey[TemporaryDirectory[str]]()
SESSION_PREFIX = f"test-{secrets.token_hex(6)}"
TESTS = Path(__file__).parent
OF_PROCESSES = {"deploy", "end_to_end", "faults", "hostile"}
NO_ADDITIONS: Mapping[str, str] = {}

# A busy machine is no failure. In CI the parent of all is Hypothesis' own profile `ci`: the same examples each time.
IS_FUZZING = os.environ.get("BRIDGE_TEST_FUZZ") == "true"
EXAMPLES, EXAMPLES_OF_LAWS = (
    (1_000, 10_000) if IS_FUZZING else (100, 10_000) if os.environ.get("CI") == "true" else (50, 500)
)
settings.register_profile("suite", max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("fuzz", settings.get_profile("suite"), derandomize=False, print_blob=True)
settings.load_profile("fuzz" if IS_FUZZING else "suite")
settings.register_profile("laws", max_examples=EXAMPLES_OF_LAWS)

# What HTTPX waits for an answer unless told: its own 5 s are a bound that a busy machine breaks.
PATIENCE: httpx.Timeout = inspect.signature(httpx.Client).parameters["timeout"].default
PATIENCE.connect = PATIENCE.read = PATIENCE.write = PATIENCE.pool = 50.0

# Each client of HTTPX reads every certificate of its authorities, 30 ms long, unless it is given them: here, once.
AUTHORITIES = httpx.create_ssl_context()
for of_httpx in (httpx.Client.__init__, httpx.AsyncClient.__init__, httpx.get, httpx.head, httpx.post, httpx.put):
    cast(dict[str, Any], of_httpx.__kwdefaults__)["verify"] = AUTHORITIES


def pytest_configure(config: pytest.Config) -> None:
    """Choose where the session's Redis comes from, or end the session saying why there is none."""
    try:
        config.stash[REDIS_SOURCE] = choose_redis(
            {**os.environ, **getattr(config, "workerinput", {}).get("chosen", {})}
        )
    except RedisUnavailable as error:
        raise pytest.UsageError(f"No Redis for the tests: {error}") from error

    if (folder := getattr(config, "workerinput", {}).get("room")) is not None:
        room = config.stash[ROOM] = Room(Path(folder))
        config.add_cleanup(room.close)


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: WorkerController) -> None:
    """Workers start a Redis each, from where the session's header says, and share a room."""
    node.workerinput["chosen"] = {"BRIDGE_TEST_REDIS": node.config.stash[REDIS_SOURCE].name}
    if ROOM_FOLDER not in node.config.stash:
        folder = node.config.stash[ROOM_FOLDER] = TemporaryDirectory(prefix="aether-bridge-tests-")
        node.config.add_cleanup(folder.cleanup)
    node.workerinput["room"] = node.config.stash[ROOM_FOLDER].name


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """What `-n auto` is: more than there are cores, for tests wait; none for files, which start sooner without."""
    if all(Path(argument.partition("::")[0]).is_file() for argument in config.args):
        return 0
    return 2 * (os.cpu_count() or 1) + 1


def pytest_report_header(config: pytest.Config) -> list[str]:
    """The session's header says which Redis it is, and how hard the laws are tried."""
    examples = f"laws: {EXAMPLES_OF_LAWS:,} examples each, other properties {EXAMPLES}"
    return [f"redis: {config.stash[REDIS_SOURCE].description}", examples]


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> None:
    """A coroutine that hangs ends by its loop's clock: uvloop keeps to itself what the handler of a signal raises."""
    if inspect.iscoroutinefunction(test := pyfuncitem.obj):
        marker = pyfuncitem.get_closest_marker("timeout")
        seconds = float(marker.args[0] if marker else cast(str, pyfuncitem.config.getini("timeout")))

        @functools.wraps(test)
        async def ended(**arguments: Any) -> None:
            async with asyncio.timeout(seconds):
                await test(**arguments)

        pyfuncitem.obj = ended


def pytest_itemcollected(item: pytest.Item) -> None:
    """What is tried on bridges that are processes of their own is not covered: measuring would only take time."""
    if item.path.relative_to(TESTS).parts[0] in OF_PROCESSES:
        item.add_marker(pytest.mark.no_cover)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items[:] = last(items)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, object, object]:
    """Before its time begins: no test is late for having waited."""
    room = item.config.stash.get(ROOM, None)
    with nullcontext() if room is None else room.entered(alone=is_alone(item)):
        return (yield)


@pytest.hookimpl(trylast=True)
def pytest_collection_finish() -> None:
    """Thousands of tests stay to the end: a garbage collector that looks at them each time finds nothing."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    """Coroutine tests run on the event loop that the bridge runs on."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """The session's Redis, shared by all tests: each keeps to its `prefix`, and none disturbs the server itself.

    A worker's session has one of its own, unless somebody else runs it.
    """
    with pytestconfig.stash[REDIS_SOURCE].running() as url:
        yield url
        sweep(url)


def sweep(url: str) -> None:
    """Take the session's keys out of the server: it may be somebody's own."""
    with redis.Redis.from_url(url) as client:
        keys = client.scan_iter(match=f"{SESSION_PREFIX}-*", count=1000)
        while some := list(islice(keys, 1000)):
            client.delete(*some)


@pytest.fixture
def prefix() -> str:
    """What all Redis names of this test begin with; no other test's do."""
    return f"{SESSION_PREFIX}-{secrets.token_hex(4)}"


class StartRedis(Protocol):
    """Start a private Redis with these options of its program."""

    def __call__(self, *options: str) -> RedisServer: ...


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[StartRedis]:
    """A factory of running servers that the test alone uses, and may kill, freeze, or restart empty."""
    numbers = count()
    with ExitStack() as ends:

        def start(*options: str) -> RedisServer:
            server = RedisServer(tmp_path / f"redis-{next(numbers)}", *options)
            ends.callback(server.kill)
            server.start()
            return server

        yield start


class StartBridge(Protocol):
    """Start a bridge: options of `serve`, the text of its bridge.toml, its Redis (None: the embedded one), its names.

    With `wait=False` it is handed over before it is ready.
    """

    def __call__(
        self,
        *options: str,
        config: str = "",
        redis: str | None = ...,
        prefix: str = ...,
        environment: Mapping[str, str] = ...,
        wait: bool = True,
    ) -> BridgeProcess: ...


@pytest.fixture
def bridge(tmp_path: Path, redis_url: str, prefix: str) -> Iterator[StartBridge]:
    """A factory of bridges, each a process of its own, all on the session's Redis under the test's prefix unless told.

    At the end of the test each is ended by SIGTERM and must exit with 0 and without a traceback in its log.
    """
    with starting_bridges(tmp_path, redis_url, prefix) as start:
        yield start


@pytest.fixture(scope="module")
def module_prefix() -> str:
    """As `prefix`, for what the tests of one file share."""
    return f"{SESSION_PREFIX}-{secrets.token_hex(4)}"


@pytest.fixture(scope="module")
def module_bridge(
    tmp_path_factory: pytest.TempPathFactory, redis_url: str, module_prefix: str
) -> Iterator[StartBridge]:
    """As `bridge`, for bridges that the tests of one file share."""
    with starting_bridges(tmp_path_factory.mktemp("bridges"), redis_url, module_prefix) as start:
        yield start


@contextmanager
def starting_bridges(directory: Path, redis_url: str, own_prefix: str) -> Iterator[StartBridge]:
    """A factory of bridges; at the end each is held to what it owes."""
    numbers = count()
    with ExitStack() as ends:

        def start(
            *options: str,
            config: str = "",
            redis: str | None = redis_url,
            prefix: str = own_prefix,
            environment: Mapping[str, str] = NO_ADDITIONS,
            wait: bool = True,
        ) -> BridgeProcess:
            home = directory / f"bridge-{next(numbers)}"
            settings = {"BRIDGE_PREFIX": prefix, "BRIDGE_DATA_DIR": str(home / "data")}
            place = ("--redis", redis) if redis else ()
            started = BridgeProcess(home, *place, *options, config=config, environment=settings | dict(environment))
            started.start(wait=False)
            ends.callback(started.close)
            if wait:
                started.wait_until_ready()
            return started

        yield start


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Path of the Chromium for Playwright's `executable_path`; without one the test is skipped, and fails in CI."""
    return secluded(chromium_program(), tmp_path_factory.mktemp("chromium"))
