"""Whatever of deploy/compose.yaml is restarted, in turn or all at once: everybody is back in ten seconds.

Everybody comes back as ours do (`crowd.py`), and is there when it hears what one of them says to all. Their pauses grow
while nobody lets them in: to at most twice the time that Docker has kept them away.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence

import pytest

from tests.deploy.certificate import Certificate
from tests.deploy.compose import Composition, composition
from tests.deploy.crowd import Crowd, crowd
from tests.end_to_end.configuration import QUIET, api_key, key

pytestmark = [
    pytest.mark.alone,
    pytest.mark.timeout(600),  # nine orders to Docker, and 130 clients who come back from each
]

CONFIG = QUIET + "socketio = true\n[tenants.acme]\n" + key("acme", "acme")
CREDENTIALS = {"api_key": api_key("acme")}
SECONDS = 10.0
ORDERS = (
    [("restart", "bridge-1")],
    [("restart", "bridge-2")],
    [("kill", "bridge-1"), ("up", "--detach", "--force-recreate", "--no-deps", "bridge-1")],
    [("exec", "-T", "nginx", "nginx", "-s", "reload")],
    [("restart", "nginx")],
    [("stop", "bridge-2"), ("restart", "nginx")],  # which knows where a bridge will be that is not there
    [("start", "bridge-2"), ("restart", "redis")],
    [("restart",)],
    [("down",), ("up", "--detach")],
)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Composition]:
    with composition(tmp_path_factory.mktemp("house"), CONFIG, certificate) as started:
        yield started


async def restarted(house: Composition, everyone: Crowd, *orders: Sequence[str]) -> None:
    """Give compose these orders: soon after the end of the last, everybody is there again and hears."""
    for order in orders:
        await asyncio.to_thread(house.compose, *order)
    absence_seconds = max(person.absence_seconds for person in everyone.people)
    seconds = await everyone.back_within(SECONDS + 2 * absence_seconds)
    print(f"{orders}: {everyone.number_open} of {everyone.number} back, {seconds:.1f} s after {absence_seconds:.1f} s")
    assert everyone.is_whole, orders


async def test_websockets_alone_are_back_when_each_bridge_was_restarted_in_turn(house: Composition) -> None:
    async with crowd(house, CREDENTIALS, websockets=200) as everyone:
        await restarted(house, everyone, ("restart", "bridge-1"))
        await asyncio.sleep(3)
        await restarted(house, everyone, ("restart", "bridge-2"))


async def test_with_polls_everybody_is_back_whatever_was_restarted(house: Composition) -> None:
    async with crowd(house, CREDENTIALS, websockets=100, polls=30) as everyone:
        for orders in ORDERS:
            await restarted(house, everyone, *orders)
