"""Sessions of Socket.IO that are begun and left alone: whoever begins thousands keeps nobody out."""

from __future__ import annotations

import pytest

from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import RawSocket, raw_socket, request
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked

CONFIG = f'{QUIET}trusted_proxies = ["127.0.0.1"]\n[budget.address]\nmilliseconds = 0\n'
POLL = "/socket.io/?EIO=4&transport=polling"
SESSIONS, AT_ONCE = 2_000, 100
NEIGHBOUR, CROWD = "192.0.2.1", "198.51.100.1"


def of(address: str) -> dict[str, str]:
    return {"Host": "localhost", "X-Forwarded-For": address}


async def begin(raw: RawSocket, address: str, number: int = 1) -> bytes:
    """So many sessions; what the last is told."""
    await raw.send(request(POLL, of(address)) * number)
    answers = [await raw.answer() for _ in range(number)]
    assert {answer.status for answer in answers} == {200}
    return answers[-1].body


async def a_crowd_displaces_itself(bridge: Attacked) -> None:
    """The neighbour has waited longest of all."""
    async with raw_socket(bridge) as neighbour, raw_socket(bridge) as crowd:
        sid = (await begin(neighbour, NEIGHBOUR)).partition(b'"sid":"')[2].partition(b'"')[0].decode()
        for _ in range(SESSIONS // AT_ONCE):
            await begin(crowd, CROWD, AT_ONCE)
        fields = of(NEIGHBOUR) | {"Content-Length": "2"}
        await neighbour.send(request(f"{POLL}&sid={sid}", fields, "POST") + b"40")
        assert (await neighbour.answer()).status == 200


@pytest.mark.alone
async def test_whoever_begins_thousands_of_sessions_displaces_its_own(attacked: StartAttacked) -> None:
    await a_crowd_displaces_itself(attacked("--socketio", config=CONFIG))


async def test_where_the_longest_waiting_goes_it_displaces_others(attacked: StartAttacked) -> None:
    bridge = attacked("--socketio", config=CONFIG, without="sessions of an address")
    with pytest.raises(AssertionError, match="400"):
        await a_crowd_displaces_itself(bridge)
