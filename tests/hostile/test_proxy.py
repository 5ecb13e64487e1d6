"""What nginx keeps from a bridge, as deploy/nginx.conf has it, and without the line that does.

Two handshakes in a row are allowed instead of thousands; nobody real stands behind it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence

import pytest

from tests.deploy.conftest import StartNginx
from tests.deploy.named_server import named_server
from tests.deploy.nginx import Nginx
from tests.deploy.test_nginx_limits import BELIEVE, POLLING, RARELY, SID, listener, somebody, statuses
from tests.end_to_end.raw import raw_socket, request

SELDOM = {words: instead for words, instead in RARELY.items() if words in ("rate=100r/s", "burst=2000 delay=200;")}
BEYOND = [200, 200, 503]
SESSION = r'"~(^|&)sid=[A-Za-z0-9_-]{20}(&|$)" 1;'
NETWORK = r'"~^(?s)(?<network>.{8}).{8}\z" $network;'
OF_SOCKETIO = r'"~^/socket\.io/.* 1$" "";'

NOTHING = "nothing"
WITHOUT: Mapping[str, Mapping[str, str]] = {
    NOTHING: {},
    "what a sid is": {SESSION: '"~*(^|&)sid=" 1;'},
    "where a sid counts": {OF_SOCKETIO: '"~ 1$" "";'},
    "networks": {NETWORK: ""},
}
ATTACKS: Mapping[str, tuple[str, Sequence[str]]] = {
    "what a sid is": ("one", [f"/socket.io/?{POLLING}&sid=1", f"/socket.io/?{POLLING}&SID=1"]),
    "where a sid counts": ("one", [f"/v3/ws/group/g/client/c?api_key=bad&sid={SID}", f"/ws/client/c?sid={SID}"]),
    "networks": ("network", ["/ws/client/c", "/socket.io/"]),
}
"""What is taken out -> who attacks, one address or one network, and what they ask for."""


StartWithout = Callable[[str], Nginx]


@pytest.fixture(scope="module")
def proxy_without(nginx: StartNginx) -> Iterator[StartWithout]:
    """A factory of nginxes with something taken out, or nothing; asked twice for the same, it gives the same."""
    started: dict[str, Nginx] = {}
    with named_server("bridge") as bridge:

        def start(without: str) -> Nginx:
            if without not in started:
                changes = {**BELIEVE, **SELDOM, **WITHOUT[without]}
                started[without] = nginx(bridge, bridge, changes=changes)
            return started[without]

        yield start


def addresses(attacker: str) -> list[str]:
    """Three, of one visitor."""
    if attacker == "one":
        return [somebody()] * 3
    a, b = somebody().split(".")[1:3]
    return [f"2001:db8:{a}:{b}::{number}" for number in range(1, 4)]


async def there_is_a_limit(proxy: Nginx, attacker: str, target: str) -> None:
    assert await statuses(proxy, *((address, target) for address in addresses(attacker))) == BEYOND


CASES = [(name, attacker, target) for name, (attacker, targets) in ATTACKS.items() for target in targets]


@pytest.mark.parametrize(("name", "attacker", "target"), CASES)
async def test_nothing_that_a_stranger_writes_lifts_a_limit(
    proxy_without: StartWithout, name: str, attacker: str, target: str
) -> None:
    await there_is_a_limit(proxy_without(NOTHING), attacker, target)


@pytest.mark.parametrize(("name", "attacker", "target"), CASES)
async def test_where_that_line_is_missing_it_does(
    proxy_without: StartWithout, name: str, attacker: str, target: str
) -> None:
    proxy = proxy_without(name)
    with pytest.raises(AssertionError):
        await there_is_a_limit(proxy, attacker, target)


LIES = {"Host": "LOCALHOST:9999", "X-Forwarded-For": "127.0.0.1", "Connection": "close"}
BELIEVED = {
    "Host": {"Host $host;": "Host $http_host;"},
    "X-Forwarded-For": {"X-Forwarded-For $remote_addr;": "X-Forwarded-For $http_x_forwarded_for;"},
}


async def is_believed(nginx: StartNginx, field: str, changes: Mapping[str, str]) -> bool:
    """Whether a bridge hears what a client wrote into that field."""
    async with listener() as (address, heads):
        proxy = await asyncio.to_thread(nginx, address, address, changes={**BELIEVE, **changes})
        async with raw_socket(proxy, proxy.tls) as one:
            await one.send(request("/ws/client/c", LIES | {"X-Test-Address": somebody()}))
            assert (await one.answer()).status == 200
    return f"{field}: {LIES[field]}\r\n" in heads[0]


@pytest.mark.parametrize("field", BELIEVED)
async def test_a_bridge_hears_nothing_that_a_stranger_writes_about_itself(nginx: StartNginx, field: str) -> None:
    assert not await is_believed(nginx, field, {})


@pytest.mark.parametrize("field", BELIEVED)
async def test_where_it_is_passed_on_it_does(nginx: StartNginx, field: str) -> None:
    assert await is_believed(nginx, field, BELIEVED[field])
