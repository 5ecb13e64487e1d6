"""A file that a running bridge reads anew: what takes effect at once, what waits for a restart, who is sent away."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.servers import PROJECT, BridgeProcess

BOSS = key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
FILE = QUIET + "[tenants.acme]\n[tenants.beta]\n" + BOSS + key("acme", "acme") + key("beta", "beta")
WITHOUT_BETA = QUIET + "[tenants.acme]\n" + BOSS + key("acme", "acme")
SOON_SECONDS = 2.0


async def configuration_of(bridge: BridgeProcess) -> str:
    async with httpx.AsyncClient() as http:
        return str((await http.get(f"{bridge.url}/readyz")).json()["configuration"])


async def reload(bridge: BridgeProcess, name: str = "boss") -> httpx.Response:
    async with httpx.AsyncClient(base_url=bridge.url) as http:
        return await http.post("/admin/api/reload", headers={"Authorization": f"Bearer {api_key(name)}"})


async def has_logged(bridge: BridgeProcess, event: str) -> None:
    async def said() -> bool:
        return event in bridge.log

    await eventually(said)


async def test_a_hangup_has_the_file_read_and_who_is_not_in_it_is_sent_away(bridge: StartBridge) -> None:
    running = bridge(config=FILE)
    paths = [v3_path("g", "ann", with_key("beta")), f"/ws/group/g/client/42?{with_key('beta')}"]
    async with (
        client(running, paths[0]) as v3,
        client(running, paths[1]) as v2,
        client(running, v3_path("g", "ann", with_key("acme"))) as stays,
        client(running, v3_path("g", "ann", with_key("boss") + "&x_account_id=beta")) as of_boss,
    ):
        running.config_file.write_text(WITHOUT_BETA)
        running.process.send_signal(signal.SIGHUP)
        assert await asyncio.gather(*(one.close_code(SOON_SECONDS) for one in (v3, v2, of_boss))) == [4401, 4401, 4403]
        assert await stays.is_served()
    assert (await refused(running, paths[0]))[1] == 4401
    assert (await refused(running, v3_path("g", "ann", with_key("boss") + "&x_account_id=beta")))[1] == 4403
    await has_logged(running, "configuration_reloaded")


async def test_what_is_new_in_the_file_is_there_at_once_for_everybody(bridge: StartBridge) -> None:
    running = bridge(config=WITHOUT_BETA)
    gamma = '[tenants.gamma]\nhosts = ["127.0.0.1"]\ndialect.reload = { cmd = "RELOAD_UI" }\n' + key("gamma", "gamma")
    running.config_file.write_text(WITHOUT_BETA + gamma)
    answer = await reload(running)
    assert (answer.status_code, answer.json()["changed"]) == (200, ["keys", "tenants"])
    assert answer.json()["configuration"] == await configuration_of(running)
    async with client(running, v3_path("g", "ann", with_key("gamma"))) as v3, client(running, "/ws/group/g") as v2:
        await v2.say({"reload": 7})
        heard = await v3.hear()
        assert (heard["cmd"], heard["payload"]) == ("RELOAD_UI", {"value": 7})
        async with httpx.AsyncClient(base_url=running.url) as http:
            of_gamma = {"X-Api-Key": api_key("gamma")}
            members = (await http.get("/v3/presence/group/g", headers=of_gamma)).json()["members"]
            assert {one["protocol"] for one in members} == {"v2", "v3"}
            boss = {"Authorization": f"Bearer {api_key('boss')}"}
            assert (await http.get("/admin/api/tenants/gamma", headers=boss)).json()["stage"] == "bridge"


async def test_an_open_bridge_answers_every_name_once_the_file_has_a_key_or_says_so(bridge: StartBridge) -> None:
    running = bridge(config=QUIET)
    elsewhere = {"Host": "acme.example.com", "X-Api-Key": api_key("acme")}
    async with httpx.AsyncClient(base_url=running.url, headers=elsewhere) as http:
        for text, status in ((QUIET, 403), ("open_admission = true\n", 200), (QUIET, 403), (FILE, 200)):
            running.config_file.write_text(text)
            running.process.send_signal(signal.SIGHUP)

            async def is_obeyed(status: int = status) -> bool:
                return (await http.get("/v3/presence/group/g")).status_code == status

            await eventually(is_obeyed)


async def test_keys_of_tokens_are_fetched_as_soon_as_their_address_is_read(bridge: StartBridge) -> None:
    running = bridge(config=FILE)
    running.config_file.write_text(FILE + '[jwt]\nalgorithms = ["RS256"]\njwks_url = "http://127.0.0.1:1/jwks"\n')
    assert (await reload(running)).status_code == 200
    await has_logged(running, "keys_unreachable")


async def test_a_mistake_is_said_and_what_was_goes_on(bridge: StartBridge) -> None:
    running = bridge(config=FILE)
    before = await configuration_of(running)
    running.config_file.write_text("burst = 'many'\n" + FILE)
    answer = await reload(running)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_configuration")
    assert "burst" in answer.json()["msg"]
    await has_logged(running, "configuration_refused")
    assert await configuration_of(running) == before
    async with client(running, v3_path("g", "ann", with_key("beta"))) as beta:
        assert await beta.is_served()


async def test_what_needs_a_restart_is_named(bridge: StartBridge) -> None:
    running = bridge(config=FILE)
    running.config_file.write_text("drain_seconds = 1\nsocketio = true\n" + FILE)
    assert (await reload(running)).json()["needs_restart"] == ["drain_seconds", "socketio"]
    await has_logged(running, "configuration_needs_restart")


async def test_only_a_key_of_the_platform_may_ask_for_it(bridge: StartBridge) -> None:
    chief = key("chief", "acme").replace("broadcast", "admin = true\nbroadcast")
    viewer = key("viewer", "*").replace("broadcast", 'role = "operator"\nbroadcast')
    running = bridge(config=FILE + chief + viewer)
    for name, status in (("chief", 403), ("viewer", 403), ("acme", 403), ("nobody", 401)):
        assert (await reload(running, name)).status_code == status, name


def children(pid: int) -> list[int]:
    """The process ids of a process's children."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def test_every_worker_reads_it_and_a_later_one_begins_with_it(bridge: StartBridge) -> None:
    running = bridge("--workers", "2", config=FILE)
    before = await configuration_of(running)
    running.config_file.write_text(WITHOUT_BETA)
    assert (await reload(running)).status_code == 200

    async def is_everywhere() -> bool:
        return before not in {await configuration_of(running) for _ in range(8)}

    await eventually(is_everywhere)
    first = children(running.pid)
    os.kill(first[0], signal.SIGKILL)

    async def is_replaced() -> bool:
        now = children(running.pid)
        return len(now) == 2 and first[0] not in now and running.is_ready()

    await eventually(is_replaced)
    await eventually(is_everywhere)


@pytest.mark.parametrize("workers", ["1", "2"])
async def test_a_hangup_ends_no_process_while_it_starts_serves_or_stops(bridge: StartBridge, workers: str) -> None:
    running = bridge("--workers", workers, config=FILE, wait=False)
    await has_logged(running, '"event": "started"')  # before it is ready; earlier, see `tests/bridge/cli/test_early.py`
    hangups = asyncio.create_task(hang_up_for_ever(running))
    await asyncio.to_thread(running.wait_until_ready)
    async with client(running, v3_path("g", "ann", with_key("acme"))) as ann:
        assert await ann.is_served()
    assert await asyncio.to_thread(running.terminate) == 0
    hangups.cancel()


async def hang_up_for_ever(bridge: BridgeProcess) -> None:
    with contextlib.suppress(ProcessLookupError):
        while True:
            os.kill(bridge.pid, signal.SIGHUP)
            await asyncio.sleep(0.01)


async def test_a_rate_counts_at_once_and_the_size_of_messages_for_who_connects_later(bridge: StartBridge) -> None:
    running = bridge(config=FILE)
    running.config_file.write_text("max_message_bytes = 200\nmessages_per_second = 0.001\nburst = 1\n" + FILE)
    async with client(running, v3_path("g", "ann", with_key("acme"))) as before:
        assert (await reload(running)).status_code == 200
        async with client(running, v3_path("g", "ben", with_key("acme"))) as after:
            for one in (before, after):
                assert [await one.is_served() for _ in range(2)] == [True, False]
            refusal = await before.ask({"msg_type": "msg", "target": "echo", "msg": "x" * 300})
            assert refusal["payload"]["code"] == "rate_limited"
            await after.say("x" * 300)
            assert await after.close_code() == 1009


def test_without_a_file_it_says_that_there_is_nothing_to_read(tmp_path: Path) -> None:
    """Also with a private server of its own."""
    command = [sys.executable, "-m", "bridge.cli.main", "serve", "--port", "0", "--data-dir", str(tmp_path / "data")]
    with subprocess.Popen(command, cwd=PROJECT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as running:
        assert running.stdout is not None
        assert '"event": "started"' in running.stdout.readline()
        running.send_signal(signal.SIGHUP)
        line = next(line for line in running.stdout if "configuration_refused" in line)
        assert "nothing to read" in line
        running.terminate()
        assert running.wait(60) == 0
