"""Frames without end, by whom was refused and by whom has a key. A flood waits for itself, and nobody else for it."""

from __future__ import annotations

import time

import pytest

from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import api_key, with_key
from tests.end_to_end.socketio_clients import poller, v3_ids
from tests.hostile.attackers import FLOODS, Attacker, TookMore, attacking
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import ALLOWANCE, SLOWER_ALLOWANCE, SLOWER_CONFIG, TIGHT_CONFIG
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims

LET_IN = v3_path("noise", "rowdy", with_key("rowdy"))
LET_IN_ON_V2 = f"/ws/group/noise/client/7?{with_key('rowdy')}"
REFUSED = {
    "a bad key": (v3_path("noise", "rowdy", "api_key=bad"), 4401),
    "a bad key on V2": ("/ws/group/noise/client/7?api_key=bad", 4401),
    "another tenant's key": (v3_path("noise", "rowdy", with_key("rowdy") + "&x_account_id=victim"), 4403),
    "a tenant that is not there yet": (v3_path("noise", "rowdy", with_key("early")), 4404),
    "an id that is none": (v3_path("noise", "123", with_key("rowdy")), 4400),
}
SOCKETIO = "/socket.io/?EIO=4&transport=websocket"
FLOODS_OF_THE_REFUSED = ("pings", "pongs", "texts", "fragments of nothing")
FLOODS_OF_A_SESSION = ("pings", "texts of one byte")
"""What is no packet ends a session at its first."""


async def nobody_notices(bridge: Attacked, path: str, flood: str) -> Attacker:
    """The victims talk as ever, and the attacker gets no more than its allowance."""
    async with victims(bridge) as talking, attacking(bridge, path, FLOODS[flood], ALLOWANCE) as attacker:
        await talking.talk_during(attacker.excess)
    return attacker


@pytest.mark.parametrize("reason", REFUSED)
async def test_whoever_was_refused_is_not_listened_to(attacked: StartAttacked, reason: str) -> None:
    path, close_code = REFUSED[reason]
    attacker = await nobody_notices(attacked(config=TIGHT_CONFIG), path, "pings")
    assert list(attacker.close_codes) == [close_code]


@pytest.mark.parametrize("flood", FLOODS_OF_THE_REFUSED)
async def test_whatever_the_refused_goes_on_to_say_is_not_heeded(attacked: StartAttacked, flood: str) -> None:
    await nobody_notices(attacked(config=TIGHT_CONFIG), REFUSED["a bad key"][0], flood)


@pytest.mark.parametrize("flood", FLOODS)
async def test_whoever_was_let_in_spends_what_it_may(attacked: StartAttacked, flood: str) -> None:
    await nobody_notices(attacked(config=TIGHT_CONFIG), LET_IN, flood)


@pytest.mark.parametrize("flood", FLOODS_OF_THE_REFUSED)
async def test_whoever_was_let_in_on_v2_spends_the_same(attacked: StartAttacked, flood: str) -> None:
    await nobody_notices(attacked(config=TIGHT_CONFIG), LET_IN_ON_V2, flood)


@pytest.mark.parametrize("flood", [*FLOODS_OF_A_SESSION, "texts"])
async def test_a_session_of_socketio_spends_what_it_may(attacked: StartAttacked, flood: str) -> None:
    await nobody_notices(attacked("--socketio", config=TIGHT_CONFIG), SOCKETIO, flood)


@pytest.mark.parametrize("flood", FLOODS_OF_THE_REFUSED)
async def test_where_the_refused_is_still_heard_it_gets_more(attacked: StartAttacked, flood: str) -> None:
    bridge = attacked(config=TIGHT_CONFIG, without="deafness and budget")
    with pytest.raises(TookMore):
        await nobody_notices(bridge, REFUSED["a bad key"][0], flood)


@pytest.mark.parametrize("flood", FLOODS)
async def test_without_the_budget_whoever_was_let_in_gets_more(attacked: StartAttacked, flood: str) -> None:
    bridge = attacked(config=TIGHT_CONFIG, without="budget")
    with pytest.raises(TookMore):
        await nobody_notices(bridge, LET_IN, flood)


@pytest.mark.parametrize("flood", FLOODS_OF_THE_REFUSED)
async def test_without_the_budget_whoever_was_let_in_on_v2_gets_more(attacked: StartAttacked, flood: str) -> None:
    bridge = attacked(config=TIGHT_CONFIG, without="budget")
    with pytest.raises(TookMore):
        await nobody_notices(bridge, LET_IN_ON_V2, flood)


@pytest.mark.parametrize("flood", FLOODS_OF_A_SESSION)
async def test_without_the_budget_a_session_of_socketio_gets_more(attacked: StartAttacked, flood: str) -> None:
    bridge = attacked("--socketio", config=TIGHT_CONFIG, without="budget")
    with pytest.raises(TookMore):
        await nobody_notices(bridge, SOCKETIO, flood)


async def posts_take_more(bridge: Attacked) -> None:
    """Sixteen packets in each POST, one POST after the other."""
    async with poller(bridge) as io:
        await io.enter("/v3", v3_ids("rowdy", "noise", api_key=api_key("rowdy")))
        began, heeded = time.monotonic(), 0
        while heeded <= SLOWER_ALLOWANCE.most(time.monotonic() - began):
            assert (await io.post("\x1e".join(["3"] * 16))).status_code == 200
            heeded += 16
        raise TookMore(f"{heeded} packets")


async def the_rest_of_the_tenant_does_not_notice(bridge: Attacked) -> None:
    async with victims(bridge, "rowdy") as talking:
        await talking.talk_during(posts_take_more(bridge))


async def test_a_session_that_polls_spends_what_it_may(attacked: StartAttacked) -> None:
    await the_rest_of_the_tenant_does_not_notice(attacked("--socketio", config=SLOWER_CONFIG))


async def test_where_polls_do_not_wait_for_their_budget_they_get_more(attacked: StartAttacked) -> None:
    with pytest.raises(TookMore):
        await posts_take_more(attacked("--socketio", config=SLOWER_CONFIG, without="budget of polls"))
