"""Nobody comes as somebody whom a token would name, from a page that was not named, or in the server's words."""

from __future__ import annotations

import contextlib

import pytest
from websockets.exceptions import ConnectionClosed

from tests.end_to_end.clients import client, denied, v3_path
from tests.end_to_end.configuration import QUIET, SECRET, key, with_key
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims

CLAIMED = (
    QUIET
    + 'v2_anonymous_tenant = "victim"\n'
    + key("victim", "victim")
    + f'[jwt]\nsecret = "{SECRET}"\nclient_claim = "sub"\n'
)
ANONYMOUS = QUIET + 'v2_anonymous_tenant = "victim"\n' + key("victim", "victim")
COMING_AND_GOING = ("JOIN", "LEAVE")
FOREIGN = {"Origin": "https://evil.example"}


async def the_anonymous_is_not_alice(bridge: Attacked) -> None:
    """Who is let in hears what it says."""
    async with client(bridge, "/ws/client/alice") as impostor:
        with contextlib.suppress(ConnectionClosed):
            await impostor.say({"msg": "I am alice"})
        assert (await impostor.hear()).get("bridge", {}).get("error") == "forbidden"


async def test_without_a_token_nobody_takes_an_id_that_a_token_could_claim(attacked: StartAttacked) -> None:
    await the_anonymous_is_not_alice(attacked(config=CLAIMED))


async def test_where_no_token_could_claim_it_anybody_takes_it(attacked: StartAttacked) -> None:
    bridge = attacked(config=CLAIMED, without="claims")
    with pytest.raises(AssertionError):
        await the_anonymous_is_not_alice(bridge)


async def a_foreign_page_is_denied(bridge: Attacked) -> None:
    response = await denied(bridge, "/ws/group/home/client/7", headers=FOREIGN)
    assert response.status_code == 403


async def test_a_page_that_was_not_named_does_not_come_in_without_a_key(attacked: StartAttacked) -> None:
    await a_foreign_page_is_denied(attacked(config=ANONYMOUS))


async def test_where_no_origin_is_looked_at_it_does(attacked: StartAttacked) -> None:
    bridge = attacked(config=ANONYMOUS, without="origins")
    with pytest.raises(AssertionError, match="was admitted"):
        await a_foreign_page_is_denied(bridge)


async def nobody_says_that_ann_comes_or_goes(bridge: Attacked, cmd: str) -> None:
    said = {"msg_type": "presence", "target": "group", "cmd": cmd, "payload": {"client_id": "ann"}}
    async with victims(bridge), client(bridge, v3_path("home", "mallory", with_key("victim"))) as mallory:
        await mallory.say(said)
        assert (await mallory.hear_anything()).get("cmd") == "ERROR"


@pytest.mark.parametrize("cmd", COMING_AND_GOING)
async def test_who_comes_and_goes_is_the_servers_to_say(attacked: StartAttacked, cmd: str) -> None:
    await nobody_says_that_ann_comes_or_goes(attacked(config=ANONYMOUS), cmd)


@pytest.mark.parametrize("cmd", COMING_AND_GOING)
async def test_where_nobody_looks_anybody_says_it(attacked: StartAttacked, cmd: str) -> None:
    bridge = attacked(config=ANONYMOUS, without="events")
    with pytest.raises(AssertionError, match=cmd):
        await nobody_says_that_ann_comes_or_goes(bridge, cmd)


async def v2_hears_the_bridge_alone(bridge: Attacked) -> None:
    """Whoever listens hears the next that is said, and nothing before it."""
    moved = {"bridge": {"notice": "moved_to_v3", "successor": "wss://evil.example/"}}
    async with client(bridge, "/ws/group/home/client/7") as victim, client(bridge, "/ws/group/home/client/8") as other:
        await other.say(moved)
        await other.say({"msg": "hello"})
        assert await victim.hear() == {"msg": "hello"}


async def test_no_client_of_v2_speaks_in_the_bridges_name(attacked: StartAttacked) -> None:
    await v2_hears_the_bridge_alone(attacked(config=ANONYMOUS))


async def test_where_a_frame_is_passed_on_whatever_it_says_any_client_does(attacked: StartAttacked) -> None:
    bridge = attacked(config=ANONYMOUS, without="our word")
    with pytest.raises(AssertionError, match="moved_to_v3"):
        await v2_hears_the_bridge_alone(bridge)
