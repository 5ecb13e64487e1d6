"""Whatever of deploy/compose.yaml is restarted, in turn or all at once: everybody is back in ten seconds.

Everybody comes back as ours do (`crowd.py`), and is there when it hears what one of them says to all.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence

import pytest

from tests.deploy.certificate import Certificate
from tests.deploy.compose import Composition, composition
from tests.deploy.crowd import Crowd, crowd
from tests.end_to_end.configuration import QUIET, api_key, key

pytestmark = pytest.mark.timeout(240)

CONFIG = QUIET + "socketio = true\n[tenants.acme]\n" + key("acme", "acme")
CREDENTIALS = {"api_key": api_key("acme")}
SECONDS = 10.0
EACH_BRIDGE = (("restart", "bridge-1"), ("restart", "bridge-2"))


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[Composition]:
    with composition(tmp_path_factory.mktemp("house"), CONFIG, certificate) as started:
        yield started


async def restarted(house: Composition, everyone: Crowd, *orders: Sequence[str]) -> float:
    """Give compose these orders; the seconds from the last of them until everybody is back."""
    everyone.reset()
    began = time.monotonic()
    for order in orders:
        await asyncio.to_thread(house.compose, *order)
    ordered = time.monotonic() - began
    seconds = await everyone.back_within(30)
    print(
        f"{orders}: took {ordered:.1f} s, whole {seconds:.1f} s later; longest absence "
        f"{everyone.longest_absence_seconds:.1f} s; {everyone.number_open} of {everyone.number}; "
        f"returned {sum(p.returns for p in everyone.people)}"
    )
    return seconds


async def test_walk(house: Composition) -> None:
    for websockets, polls in ((200, 0), (160, 40)):
        async with crowd(house, CREDENTIALS, websockets, polls) as everyone:
            print("begin", await everyone.back_within(60))
            for order in EACH_BRIDGE:
                await restarted(house, everyone, order)
                await asyncio.sleep(5)
            if polls:
                await restarted(house, everyone, ("restart", "nginx"))
                await restarted(house, everyone, ("exec", "-T", "nginx", "nginx", "-s", "reload"))
                await restarted(house, everyone, ("restart", "redis"))
                await restarted(house, everyone, ("restart",))
                await restarted(house, everyone, ("restart",))
                await restarted(house, everyone, ("down",), ("up", "--detach"))
