"""To which bridge nginx takes a Socket.IO session. Two servers that say only who they are stand for bridges."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.deploy.conftest import StartNginx
from tests.deploy.named_server import named_server
from tests.deploy.nginx import Nginx
from tests.end_to_end.raw import raw_socket, request

HELLO = "EIO=4&transport=polling"
UPGRADE = "EIO=4&transport=websocket&sid=abc"


@pytest.fixture(scope="module")
def proxy(nginx: StartNginx) -> Iterator[Nginx]:
    with ExitStack() as servers:
        yield nginx(*(servers.enter_context(named_server(name)) for name in ("first", "second")))


async def bridge_of(proxy: Nginx, query: str, agent: str = "browser") -> str:
    """Which of the two answers a request with this query."""
    async with raw_socket(proxy, proxy.tls) as one:
        await one.send(request(f"/socket.io/?{query}", {"Host": "localhost", "User-Agent": agent}))
        name, target = (await one.answer()).body.decode().split()
    assert target == f"/socket.io/?{query}"
    return name


async def test_a_session_stays_on_its_bridge(proxy: Nginx) -> None:
    """From the first poll to the WebSocket, which some clients open under another name of their own."""
    for number in range(10):
        person = f"group_id=team&client_id=client_{number}"
        first = await bridge_of(proxy, f"{person}&{HELLO}")
        later = [
            await bridge_of(proxy, f"{person}&{HELLO}&t=Pq{number}&sid=abc"),
            await bridge_of(proxy, f"{UPGRADE}&{person}", "another"),
        ]
        assert later == [first, first]


async def test_clients_behind_one_address_are_spread(proxy: Nginx) -> None:
    # How many each gets hangs on its port; of so many it is a quarter whatever that is.
    by_id = [await bridge_of(proxy, f"client_id=client_{number}&{HELLO}") for number in range(100)]
    by_token = [await bridge_of(proxy, f"jwt=token-{number}&{HELLO}") for number in range(100)]
    for names in (by_id, by_token):
        assert 25 <= names.count("first") <= 75


async def test_whoever_names_nobody_goes_by_the_address(proxy: Nginx) -> None:
    names = {await bridge_of(proxy, f"api_key=a&{HELLO}&t={number}", str(number)) for number in range(20)}
    assert len(names) == 1
