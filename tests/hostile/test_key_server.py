"""A server of keys that has turned bad: those whose key is known do not notice, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from tests.bridge.key_server import KeyServer, key_server
from tests.end_to_end.clients import ANSWER_SECONDS, client, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, key, token, with_key
from tests.hostile.attackers import TookMore
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked
from tests.hostile.test_requests import stays_small

KEY = ec.generate_private_key(ec.SECP256R1())
TWIN_SECONDS = 2


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as running:
        running.keys["known"] = KEY.public_key()
        yield running


def configuration(server: KeyServer) -> str:
    return QUIET + key("acme", "acme") + f'[jwt]\nalgorithms = ["ES256"]\njwks_url = "{server.url}"\n'


def path_with(name: str) -> str:
    """The way in with a token that names this key, and is signed by the good one."""
    signed = token(KEY, "ES256", {"kid": name}, account_id="acme")
    return v3_path("home", "ann", f"{with_key('acme')}&jwt={signed}")


async def is_let_in(bridge: Attacked) -> None:
    async with client(bridge, path_with("known")) as ann:
        assert await ann.is_served()


async def the_known_come_in_meanwhile(bridge: Attacked, server: KeyServer, patience_seconds: float) -> None:
    """A stranger names keys until that makes the bridge ask a server that drips, and then waits for its end."""
    await is_let_in(bridge)
    server.mood, asked = "dripping", len(server.asked)
    stranger = asyncio.ensure_future(knock_until_asked(bridge, server))
    try:
        await eventually(lambda: is_asked(server, asked))
        async with asyncio.timeout(patience_seconds):
            await is_let_in(bridge)
            assert await stranger == 4401
    finally:
        stranger.cancel()
        await asyncio.gather(stranger, return_exceptions=True)


async def is_asked(server: KeyServer, before: int) -> bool:
    return len(server.asked) > before


async def knock_until_asked(bridge: Attacked, server: KeyServer) -> int:
    before = len(server.asked)
    while True:
        _, close_code = await refused(bridge, path_with("unheard-of"))
        if len(server.asked) > before:
            return close_code


async def test_while_the_server_drips_the_known_come_in_and_strangers_wait_for_seconds(
    attacked: StartAttacked, server: KeyServer
) -> None:
    await the_known_come_in_meanwhile(attacked(config=configuration(server)), server, ANSWER_SECONDS)


async def test_where_everyone_waits_for_it_nobody_comes_in(attacked: StartAttacked, server: KeyServer) -> None:
    bridge = attacked(config=configuration(server), without="keys meanwhile")
    with pytest.raises(TimeoutError):
        await the_known_come_in_meanwhile(bridge, server, TWIN_SECONDS)


async def keys_without_end_take_no_memory(bridge: Attacked, server: KeyServer) -> None:
    server.mood = "endless"

    async def attack() -> None:
        _, close_code = await refused(bridge, path_with("known"))
        assert close_code == 4401

    await stays_small(bridge, attack)


async def test_keys_without_end_take_no_memory(attacked: StartAttacked, server: KeyServer) -> None:
    await keys_without_end_take_no_memory(attacked(config=configuration(server)), server)


async def test_where_they_are_read_to_their_end_they_do(attacked: StartAttacked, server: KeyServer) -> None:
    bridge = attacked(config=configuration(server), without="size of keys")
    with pytest.raises(TookMore):
        await keys_without_end_take_no_memory(bridge, server)
