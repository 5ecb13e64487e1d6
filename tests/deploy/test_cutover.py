"""The runbook is executed: each command of its console blocks, in order, beside a tenant whose clients live through it.

What a command prints is held against what the page says. A command that changes nothing is asked again until it says
so, for what clients do takes a moment; any other is given once.
"""

from __future__ import annotations

import asyncio
import os
import re
import sys
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from functools import partial
from pathlib import Path

import pytest

from tests.conftest import StartRedis
from tests.console import Step, steps
from tests.documents import CUTOVER, ROOT
from tests.end_to_end.clients import client, eventually
from tests.end_to_end.migrants import Migrant, Way, is_known, living
from tests.servers import BridgeProcess, RedisServer

CLIENTS: Mapping[str, Way] = {
    **{f"page-{number}": "follows" for number in range(1, 9)},
    **{f"kiosk-{number}": "knocks" for number in (1, 2)},
}
CHANGES = re.compile(
    r"keys new|tenants stage(?!.*--dry-run)|rollback|--why|--undo|ids acme \S+$"
    r"|record |export |printf |echo |systemctl"
)
KEY_OF_CLIENTS = re.compile(r"(aether_\S+)")
CHATTER_SECONDS = 0.3
COMMAND_SECONDS = 60.0
PATIENCE_SECONDS = 40.0
COMMAND = f"""
aether-bridge() {{ "{sys.executable}" -m bridge.cli.main "$@"; }}
systemctl() {{ kill -HUP "$BRIDGE_PID"; }}
"""


class Terminal:
    """Where the operator types: what a command exports is there for the next."""

    def __init__(self, directory: Path, environment: Mapping[str, str]) -> None:
        self._directory = directory
        self._environment = dict(environment)

    async def types(self, command: str) -> str:
        """What the command prints, on either output."""
        after = self._directory / ".exported"
        script = f"{COMMAND}\n{command}\nstatus=$?\nexport -p > {after}\nexit $status"
        before = f"[ -f {after} ] && . {after}\n"
        process = await asyncio.create_subprocess_exec(
            "bash",
            "-c",
            before + script,
            cwd=self._directory,
            env=self._environment,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        printed, _ = await asyncio.wait_for(process.communicate(), COMMAND_SECONDS)
        return printed.decode()


@pytest.fixture
def redis(redis_server: StartRedis) -> RedisServer:
    return redis_server()


@pytest.mark.alone
@pytest.mark.timeout(400)
async def test_the_runbook_does_what_it_says(redis: RedisServer, tmp_path: Path) -> None:
    example = (ROOT / "deploy" / "bridge.example.toml").read_text()
    bridge = BridgeProcess(tmp_path / "bridge", "--redis", redis.url, config=example, environment={})
    bridge.start()
    terminal = Terminal(bridge.directory, bridge.environment() | {"BRIDGE_PID": str(bridge.pid), "COLUMNS": "200"})
    try:
        await follow(terminal, bridge, redis)
    finally:
        bridge.close()


async def follow(terminal: Terminal, bridge: BridgeProcess, redis: RedisServer) -> None:
    """Do what the page says, from its first command to its last. The clients come once there is a key for them."""
    everybody: list[Migrant] = []
    async with AsyncExitStack() as ends:
        for step in steps(CUTOVER):
            printed = await do(terminal, step, redis)
            if "keys new" in step.command and not everybody:
                (api_key,) = KEY_OF_CLIENTS.findall(printed)
                await eventually(partial(is_known, bridge, api_key))
                everybody += (Migrant("acme", name, way, api_key, [bridge]) for name, way in CLIENTS.items())
                await ends.enter_async_context(living(everybody))
                await eventually(partial(are_in, everybody))
                talk = asyncio.create_task(chatter(bridge, api_key))
                ends.callback(talk.cancel)


async def are_in(everybody: Sequence[Migrant]) -> bool:
    return all(one.place == "v2" for one in everybody)


async def chatter(bridge: BridgeProcess, api_key: str) -> None:
    """A page that says something all the time, with a word of its own."""
    async with client(
        bridge, f"/ws/group/floor/client/page-8?api_key={api_key}", headers={"User-Agent": "Page/2.0"}
    ) as one:
        with suppress(Exception):
            while True:
                await one.say({"caption": "hello", "reload": True})
                await asyncio.sleep(CHATTER_SECONDS)


async def do(terminal: Terminal, step: Step, redis: RedisServer) -> str:
    """Type one command; it must print what the page says, and a report in the end."""
    command = step.command.replace("redis://127.0.0.1:6379/0", redis.url)
    printed = await terminal.types(command)
    deadline = asyncio.get_running_loop().time() + PATIENCE_SECONDS
    while not step.prints(printed) and not CHANGES.search(command) and asyncio.get_running_loop().time() < deadline:
        printed = await terminal.types(command)
    if os.environ.get("SHOW"):
        print(f"$ {step.command}\n{printed}", flush=True)
        return printed
    assert step.prints(printed), (
        f"CUTOVER.md, line {step.line}: {command}\n\nprinted\n{printed}\ninstead of\n{step.printed}"
    )
    return printed
