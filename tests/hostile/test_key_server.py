"""A server of keys that has turned bad: those whose key is known do not notice, and nobody waits for ever."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from jwt.algorithms import RSAAlgorithm

from tests.bridge.handshake.key_server import KeyServer, key_server
from tests.end_to_end.clients import ANSWER_SECONDS, client, eventually, refused, v3_path
from tests.end_to_end.configuration import QUIET, key, token, with_key
from tests.hostile.attackers import TookMore
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked
from tests.hostile.test_requests import stays_small

KEY = ec.generate_private_key(ec.SECP256R1())
TWIN_SECONDS = 2
RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
RSA_KEYS = 32
MOST_TIMES = 3
NOISE_SECONDS = 0.2


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with key_server() as running:
        running.keys["known"] = KEY.public_key()
        yield running


def configuration(server: KeyServer) -> str:
    return QUIET + key("acme", "acme") + f'[jwt]\nalgorithms = ["ES256", "RS256"]\njwks_url = "{server.url}"\n'


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
            assert await stranger == 4503
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


async def keys_without_end_take_no_memory(bridge: Attacked) -> None:
    async def attack() -> None:
        _, close_code = await refused(bridge, path_with("known"))
        assert close_code == 4503

    await stays_small(bridge, attack)


async def test_keys_without_end_take_no_memory(attacked: StartAttacked, server: KeyServer) -> None:
    server.mood = "endless"
    await keys_without_end_take_no_memory(attacked(config=configuration(server)))


async def test_where_they_are_read_to_their_end_they_do(attacked: StartAttacked, server: KeyServer) -> None:
    server.mood = "endless"
    bridge = attacked(config=configuration(server), without="size of keys")
    with pytest.raises(TookMore):
        await keys_without_end_take_no_memory(bridge)


async def cpu_seconds_of_a_fetch(bridge: Attacked, server: KeyServer) -> float:
    """What the process spends on the knock for which the server is asked."""
    asked = len(server.asked)
    while True:
        before = bridge.cpu_seconds
        await refused(bridge, path_with("unheard-of"))
        if len(server.asked) > asked:
            return bridge.cpu_seconds - before


async def private_keys_cost_what_public_ones_cost(bridge: Attacked, server: KeyServer) -> None:
    server.keys |= {f"rsa-{number}": RSA_KEY.public_key() for number in range(RSA_KEYS)}
    public = await cpu_seconds_of_a_fetch(bridge, server)
    server.besides = {"d": RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True)["d"]}
    private = await cpu_seconds_of_a_fetch(bridge, server)
    assert private < MOST_TIMES * public + NOISE_SECONDS, f"{private:.3f} s against {public:.3f} s"
    await is_let_in(bridge)


async def test_private_keys_cost_what_public_ones_cost(attacked: StartAttacked, server: KeyServer) -> None:
    await private_keys_cost_what_public_ones_cost(attacked(config=configuration(server)), server)


async def test_where_they_are_read_they_cost_seconds(attacked: StartAttacked, server: KeyServer) -> None:
    bridge = attacked(config=configuration(server), without="public members")
    with pytest.raises(AssertionError, match="against"):
        await private_keys_cost_what_public_ones_cost(bridge, server)
