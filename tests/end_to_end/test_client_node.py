"""The package that the bridge serves, as npm installs it: in the Nodes that people have, and under TypeScript."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import IO, Any, Final

import httpx
import pytest

from bridge.api.client_files import FOLDER
from tests.conftest import StartBridge
from tests.end_to_end.configuration import UNHURRIED
from tests.end_to_end.counting import KEPT, counting
from tests.machine import node_of_version, node_program, npm_package, npm_program
from tests.ports import free_port
from tests.proxy import stopping_proxy
from tests.servers import BridgeProcess

DRIVER: Final = Path(__file__).with_name("client_in_node.mjs")
SECONDS: Final = 60
VERSIONS: Final = (20, 22, 24)
README: Final = (FOLDER / "README.md").read_text()
TYPESCRIPT: Final = re.findall(r"```ts\n(.*?)```", README, re.DOTALL)
STRICT: Final = {
    "strict": True,
    "noUncheckedIndexedAccess": True,
    "noUnusedLocals": True,
    "noUnusedParameters": True,
    "noEmit": True,
    "target": "es2022",
    "module": "es2022",
    "lib": ["es2022", "dom"],
    "types": [],
    "moduleResolution": "bundler",
}


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """An empty project of npm."""
    (tmp_path / "package.json").write_text('{"private": true, "type": "module"}')
    return tmp_path


def install(project: Path, bridge: BridgeProcess) -> None:
    """As the guide says; from its bridge alone."""
    command = [npm_program(), "install", "--no-audit", "--no-fund", f"{bridge.url}/client/aether.tgz"]
    subprocess.run(command, cwd=project, check=True, capture_output=True, timeout=SECONDS)
    shutil.copy(DRIVER, project)
    (project / "node_modules/ws").symlink_to(npm_package("ws"))


def command(version: int, project: Path, task: str, url: str, **options: Any) -> list[str]:
    return [node_of_version(version), str(project / DRIVER.name), task, url, json.dumps(options)]


def answer(*command: str) -> Any:
    """What the program prints, once it has ended by itself."""
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=SECONDS)
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


@pytest.mark.parametrize("version", VERSIONS)
def test_it_speaks_in_node(bridge: StartBridge, project: Path, version: int) -> None:
    served = bridge("--socketio")
    install(project, served)
    said = {"heard": True, "dropped": ["too_big"], "trip": True, "members": 1}
    ways: list[dict[str, Any]] = [{"withWs": True}, {"transports": ["polling"]}, {}]
    for options in ways if version >= 22 else ways[:2]:
        assert answer(*command(version, project, "talk", served.url, **options)) == said
        host = served.url.removeprefix("http://")
        assert answer(*command(version, project, "host", served.url, host=host, **options)) == "closed"


@pytest.mark.parametrize("version", VERSIONS)
def test_a_handshake_that_fails_is_tried_again(bridge: StartBridge, project: Path, version: int) -> None:
    served = bridge()
    install(project, served)
    served.terminate()
    options = {"transports": ["websocket"], "withWs": version < 22}
    line = command(version, project, "wait", served.url, **options)
    with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as client:
        assert client.stdout is not None
        states = json.loads(client.stdout.readline())
        assert [state for state, _code in states] == ["waiting", "connecting", "waiting", "connecting"]
        assert [code for state, code in states if state == "waiting"] == [1006, 1006]
        served.start()
        assert json.loads(client.stdout.readline()) == "closed"
        assert client.wait(SECONDS) == 0


@pytest.mark.parametrize("transport", ["websocket", "polling"])
@pytest.mark.parametrize("version", VERSIONS)
def test_whenever_it_is_cut_off_it_hears_each_number_once_and_in_order(
    bridge: StartBridge, project: Path, version: int, transport: str
) -> None:
    served = bridge("--socketio", config=KEPT + UNHURRIED)
    install(project, served)
    with stopping_proxy(served.port) as proxy:
        options = {"transports": [transport], "withWs": version < 22, "last": 999}
        line = command(version, project, "follow", f"http://127.0.0.1:{proxy.port}", **options)
        with subprocess.Popen(line, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout is not None
            wait_for(client.stdout, "open")
            with counting(served, 1_000, may_end=False) as counter:
                for _ in range(2):
                    wait_for(client.stdout, "hearing")
                    proxy.lead_to(free_port())
                    proxy.cut()
                    wait_for(client.stdout, "waiting")
                    proxy.lead_to(served.port)
                counter.may_end.set()
                wait_for(client.stdout, "closed")
            told = json.loads(client.stdout.readline())
            assert client.wait(SECONDS) == 0
    assert told == {"numbers": counter.numbers, "resumed": [True, True], "gaps": 0}


def wait_for(lines: IO[str], news: str) -> None:
    """Until the client has told this."""
    while (line := lines.readline()) and json.loads(line) != news:
        pass
    assert line, f"it ended before it was {news}"


def test_what_it_misses_is_said(bridge: StartBridge, project: Path) -> None:
    served = bridge()
    install(project, served)
    assert "npm's ws" in answer(*command(20, project, "mistake", served.url))
    assert "url or a host" in answer(*command(22, project, "mistake", "/"))
    assert answer(*command(22, project, "mistake", served.url)) == "none"


def test_the_guides_typescript_compiles_with_what_the_bridge_serves(bridge: StartBridge, project: Path) -> None:
    served = bridge()
    install(project, served)
    (project / "types").mkdir()
    (project / "types/aether.d.ts").write_text(httpx.get(f"{served.url}/client/aether.d.ts").text)
    assert len(TYPESCRIPT) >= 3
    for number, text in enumerate(TYPESCRIPT):
        (project / f"example{number}.ts").write_text(text)
    paths = {"https://api.example.com/client/aether.js": ["./types/aether.d.ts"]}
    settings = {"compilerOptions": STRICT | {"paths": paths}, "include": ["*.ts"]}
    (project / "tsconfig.json").write_text(json.dumps(settings))
    compiler = npm_package("typescript") / "bin/tsc"
    done = subprocess.run(
        [node_program(), str(compiler), "-p", "."], cwd=project, check=False, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout) == (0, "")
