"""What a tenant may have of a process, at each door. That others are served meanwhile is in `tests/hostile/`."""

from __future__ import annotations

import asyncio
import json
import signal
import time
from contextlib import AsyncExitStack
from itertools import count
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.http11 import Response

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, denied, eventually, v3_path
from tests.end_to_end.configuration import QUIET, api_key, key, with_key
from tests.end_to_end.socketio_clients import refusal_of, v3_ids, visitor
from tests.end_to_end.test_rate import code_of
from tests.servers import BridgeProcess

LIMITS = """
[tenants.small]
max_connections = 1
[tenants.rare]
max_connections = 3
budget.handshakes = 1
[tenants.slow]
budget.messages = 2
"""
KEYS = "".join(key(name, name) for name in ("small", "rare", "slow", "other"))
CONFIG = QUIET + LIMITS + KEYS
ECHO = {"msg_type": "msg", "target": "echo"}
GROUP = {"msg_type": "msg", "target": "group", "msg": "hi"}
MANY, SLOW_PER_SECOND = 100, 2
CROWD = 200


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge("--socketio", config=CONFIG)


def paths(tenant: str, client_id: str = "7") -> dict[str, str]:
    """Both doors for a client of this tenant."""
    return {
        "v3": v3_path("team", f"v2-{client_id}", with_key(tenant)),
        "v2": f"/ws/group/team/client/{client_id}?{with_key(tenant)}",
    }


def is_told_to_come_back(answer: Response, why: str) -> bool:
    said = json.loads(answer.body or b"")
    return (
        (answer.status_code, said["code"]) == (503, "overloaded")
        and why in said["msg"]
        and int(answer.headers["Retry-After"]) > 0
    )


@pytest.mark.parametrize("language", ["v3", "v2"])
async def test_who_is_one_too_many_of_its_tenant_is_told_to_come_back(shared: BridgeProcess, language: str) -> None:
    path = paths("small")[language]
    async with client(shared, path):
        assert is_told_to_come_back(await denied(shared, path), "as many connections as it may")
        async with client(shared, paths("other")[language]):
            pass
    await eventually(lambda: is_let_in(shared, path))


async def refusal_in_http(bridge: BridgeProcess, path: str) -> Response | None:
    """Of a handshake; `None` where it is let in."""
    try:
        async with client(bridge, path):
            return None
    except InvalidStatus as invalid:
        return invalid.response


async def is_let_in(bridge: BridgeProcess, path: str) -> bool:
    return await refusal_in_http(bridge, path) is None


@pytest.mark.parametrize("transports", ["polling", "websocket"])
@pytest.mark.parametrize("namespace", ["/v3", "/v2"])
async def test_over_socketio_it_hears_the_same(shared: BridgeProcess, namespace: str, transports: str) -> None:
    await eventually(lambda: is_let_in(shared, paths("small")["v3"]))
    async with client(shared, paths("small")["v3"]):
        refusal = await refusal_of(shared, namespace, transports, **v3_ids("io"), api_key=api_key("small"))
        assert refusal["code"] == "overloaded"
        assert refusal.get("bridge", refusal)["retry_after_ms"] > 0


@pytest.mark.parametrize("language", ["v3", "v2"])
async def test_who_connects_again_and_again_is_told_to_come_back(shared: BridgeProcess, language: str) -> None:
    path = paths("rare")[language]

    tries = [await refusal_in_http(shared, path) for _ in range(MANY)]
    refused = [answer for answer in tries if answer is not None]
    assert refused
    assert all(is_told_to_come_back(answer, "connect at once") for answer in refused)
    assert await is_let_in(shared, paths("other")[language])
    await eventually(lambda: is_let_in(shared, path))


def passed_at_most(began: float) -> float:
    """Of the messages of the slow tenant, since then."""
    return SLOW_PER_SECOND * (2 + time.monotonic() - began)


@pytest.mark.parametrize("language", ["v3", "v2"])
async def test_what_a_tenant_says_too_fast_is_refused_and_closes_nobody(shared: BridgeProcess, language: str) -> None:
    said = {"v3": ECHO, "v2": {"msg": "hi"}}[language]
    one, another = (paths("slow", number)[language] for number in ("7", "8"))
    async with client(shared, one) as first, client(shared, another) as second:
        began = time.monotonic()
        codes = await codes_of(first, said) if language == "v3" else []
        for _ in range(MANY):
            await second.say(said)
        codes += [code_of(await second.hear()) for _ in range(MANY)]
        assert set(codes) <= {None, "rate_limited"}
        assert codes.count(None) <= 2 * passed_at_most(began)
        assert codes.count("rate_limited") > 0
        async with client(shared, paths("other")[language]) as other:
            await other.say(said)
            assert code_of(await other.hear()) is None


async def codes_of(speaker: Client, said: Any) -> list[str | None]:
    for _ in range(MANY):
        await speaker.say(said)
    return [code_of(await speaker.hear()) for _ in range(MANY)]


async def test_a_client_of_socketio_is_told_so_too(shared: BridgeProcess) -> None:
    async with visitor(shared, "/v3", "websocket", **v3_ids("io"), api_key=api_key("slow")) as io:
        began = time.monotonic()
        answers = [await io.ask(ECHO) for _ in range(MANY)]
        assert sum("ok" in answer for answer in answers) <= passed_at_most(began)
        assert {answer["code"] for answer in answers if "ok" not in answer} == {"rate_limited"}


async def test_a_backend_is_told_so_and_when_to_come_back(shared: BridgeProcess) -> None:
    async with httpx.AsyncClient(base_url=shared.url) as http:

        async def post(tenant: str) -> httpx.Response:
            return await http.post("/v3/messages", json=GROUP, headers={"X-Api-Key": api_key(tenant)})

        answers = await asyncio.gather(*(post("slow") for _ in range(MANY)))
        refused = [answer for answer in answers if answer.status_code != 202]
        assert {answer.json()["code"] for answer in refused} == {"rate_limited"}
        assert all(int(answer.headers["Retry-After"]) > 0 for answer in refused)
        assert (await post("other")).status_code == 202


async def over_limit(bridge: BridgeProcess) -> dict[tuple[str, str, str], float]:
    """(tenant, what, whose) -> how many were refused."""
    async with httpx.AsyncClient(base_url=bridge.url) as http:
        lines = (await http.get("/metrics")).text.splitlines()
    found = {}
    for line in lines:
        if line.startswith("bridge_over_limit_total{"):
            labels, number = line.removeprefix("bridge_over_limit_total{").split("} ")
            of = dict(label.split("=") for label in labels.replace('"', "").split(","))
            found[of["tenant"], of["what"], of["whose"]] = float(number)
    return found


async def test_what_is_refused_is_counted_by_its_limit_and_told_in_the_log(bridge: StartBridge) -> None:
    running = bridge(config=CONFIG)
    async with client(running, paths("small")["v3"]):
        await denied(running, paths("small")["v3"])
    async with client(running, paths("slow")["v3"]) as slow:
        refused = (await codes_of(slow, ECHO)).count("rate_limited")
    assert await over_limit(running) == {("small", "connections", "tenant"): 1, ("slow", "messages", "tenant"): refused}
    (line,) = [json.loads(line) for line in running.log.splitlines() if '"client_refused"' in line]
    assert (line["tenant"], line["code"], line["client_id"]) == ("small", "overloaded", "v2-7")


async def test_limits_are_read_anew_and_end_nobodys_connection(bridge: StartBridge) -> None:
    running = bridge(config=QUIET + KEYS)
    async with AsyncExitStack() as ends:
        small = [await ends.enter_async_context(client(running, paths("small")["v3"])) for _ in range(3)]
        slow = await ends.enter_async_context(client(running, paths("slow")["v3"]))
        assert set(await codes_of(slow, ECHO)) == {None}
        await reload(running, CONFIG)
        assert not await is_let_in(running, paths("small")["v3"])
        assert [await one.is_served() for one in small] == [True] * 3
        assert "rate_limited" in await codes_of(slow, ECHO)
        await reload(running, QUIET + "[budget.process]\nmessages = 1\n" + KEYS)
        assert await is_let_in(running, paths("small")["v3"])
        assert "rate_limited" in await codes_of(slow, ECHO)
        await reload(running, QUIET + KEYS)
        assert set(await codes_of(small[0], ECHO)) == {None}


async def reload(bridge: BridgeProcess, text: str) -> None:
    """Write the file, send a hangup, and return once it is obeyed."""
    taken = bridge.log.count("configuration_reloaded")
    bridge.config_file.write_text(text)
    bridge.process.send_signal(signal.SIGHUP)

    async def is_taken() -> bool:
        return bridge.log.count("configuration_reloaded") > taken

    await eventually(is_taken)


async def test_when_one_of_two_bridges_ends_everybody_is_let_in_at_the_other_at_once(bridge: StartBridge) -> None:
    """All within their defaults: nobody is refused for coming back at the same moment as the others."""
    first, second = bridge(config=QUIET + KEYS), bridge(config=QUIET + KEYS)
    numbers = count()

    async def stay(bridge: BridgeProcess, ends: AsyncExitStack) -> Client:
        path = v3_path("team", f"c{next(numbers)}", with_key("other"))
        return await ends.enter_async_context(client(bridge, path))

    async with AsyncExitStack() as ends:
        everybody = await asyncio.gather(*(stay(first, ends) for _ in range(CROWD)))
        first.process.send_signal(signal.SIGTERM)
        assert set(await asyncio.gather(*(one.close_code() for one in everybody))) == {1012}
        back = await asyncio.gather(*(stay(second, ends) for _ in range(CROWD)))
        assert all(await asyncio.gather(*(one.is_served() for one in back)))
        assert await over_limit(second) == {}
