"""`record` writes what V2 clients say to any process, a frame a line, and changes nothing for them."""

from __future__ import annotations

import asyncio
import json
import signal
import stat
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.bridge.cli.running import PROGRAM, environment_of_process, run, sentence
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET, key, with_key

CONFIG = QUIET + "[tenants.acme]\n" + key("clerk", "acme")
BY_GROUP = CONFIG.replace("[tenants.acme]", '[tenants.acme]\nv2_routing = "group"')
QUERY = with_key("clerk")


class Recorder:
    """The command as a process of its own, which is listening; `said` is what it has said on standard error."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def end(self, number: signal.Signals | None = signal.SIGINT) -> tuple[int, str]:
        """Interrupt it, or wait until it ends by itself. Its status, and its last words."""
        if number is not None:
            self._process.send_signal(number)
        _, said = await self._process.communicate()
        return self._process.returncode or 0, said.decode()


@asynccontextmanager
async def recording(config: str, tmp_path: Path, redis_url: str, *words: str) -> AsyncIterator[Recorder]:
    file = tmp_path / "bridge.toml"
    file.write_text(config)
    process = await asyncio.create_subprocess_exec(
        *PROGRAM,
        *("record", "acme", *words, "--config", str(file), "--redis", redis_url),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_of_process(),
    )
    assert process.stderr is not None
    first = await process.stderr.readline()
    assert b"listening" in first, first
    try:
        yield Recorder(process)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("config", [CONFIG, BY_GROUP], ids=["global", "group"])
async def test_what_v2_says_to_any_process_is_recorded_once_and_verbatim(
    bridge: StartBridge, tmp_path: Path, redis_url: str, prefix: str, config: str
) -> None:
    config = f'prefix = "{prefix}"\n{config}'
    bridges = [bridge(config=config) for _ in range(2)]
    file = tmp_path / "recording.jsonl"
    async with (
        recording(config, tmp_path, redis_url, str(file)) as recorder,
        client(bridges[0], f"/ws/group/a/client/42?{QUERY}") as one,
        client(bridges[1], f"/ws/group/b/client/43?{QUERY}") as other,
        client(bridges[1], v3_path("a", "ann", QUERY)) as new,
    ):
        frames = ['{"msg" : "hi"}', '{"type": "heartbeat"}', "plain text"]
        for frame in frames:
            await one.say(frame)
            assert await one.hear_text() == frame
        await other.say('{"reload": true}')
        while "reload" not in await other.hear_text():
            pass
        await new.say({"msg_type": "msg", "target": "group", "msg": "not of V2"})
        assert (await new.hear())["msg"] in ("hi", "plain text", "not of V2")
        await one.say('{"to": "nobody", "msg": "x"}')
        while not {"bridge", "to"} & (heard := await one.hear()).keys():
            pass  # what the others said
        status, said = await recorder.end()
    lines = file.read_text().splitlines()
    assert status == 0, said
    assert [line for line in lines if "nobody" not in line] == [*frames, '{"reload": true}']
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert f"{len(lines)} frames" in said
    if config.endswith(BY_GROUP):
        # A listener on the recipient's channel would have made the bridge believe that somebody is there.
        assert heard["bridge"]["error"] == "not_connected"
        assert len(lines) == 4
        assert "frames with one recipient are not in the recording" in said
    audited = run("audit", file, "--json")
    assert json.loads(audited.stdout)["frames"] == len(lines)


async def test_it_ends_when_it_is_full_or_its_time_is_over(
    bridge: StartBridge, tmp_path: Path, redis_url: str, prefix: str
) -> None:
    config = f'prefix = "{prefix}"\n{CONFIG}'
    running = bridge(config=config)
    async with (
        recording(config, tmp_path, redis_url, "--most", "2") as full,
        recording(config, tmp_path, redis_url, "--seconds", "0.1") as short,
        client(running, f"/ws/42?{QUERY}") as one,
    ):
        for number in range(3):
            await one.say(f"frame {number}")
        assert "2 frames" in (await full.end(None))[1]
        assert (await short.end(None))[0] == 0


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path, redis_url: str, prefix: str) -> None:
    config, file = tmp_path / "bridge.toml", tmp_path / "recording.jsonl"
    config.write_text(f'prefix = "{prefix}"\n{CONFIG}')
    file.write_text("dear to somebody")
    said = sentence(run("record", "acme", file, "--config", config, "--redis", redis_url))
    assert said == f"{file}: File exists"
    assert file.read_text() == "dear to somebody"
