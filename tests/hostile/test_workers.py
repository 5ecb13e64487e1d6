"""What strangers ask of a command with workers: for a session of a worker that there is not, at a host that is none.

Only the first has its twin: against the other stands nothing but what an `except` names.
"""

from __future__ import annotations

import pytest

from tests.end_to_end.configuration import QUIET
from tests.end_to_end.raw import HANDSHAKE, raw_socket, request
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked

POLL, SOCKET = "/socket.io/?EIO=4&transport=polling&sid=", "/socket.io/?EIO=4&transport=websocket&sid="
SIDS = ("7" * 300, "1e9", "-1", "007", "..%2f0", "%00", "0%0a")
"""Before the dot, where the number of a worker belongs."""
HOSTS = ("x:99999", "[", "a b", "")
TIMES = 4
"""On a connection each: the kernel gives it to whichever worker it likes."""


async def is_a_bad_request(bridge: Attacked, target: str, fields: dict[str, str]) -> None:
    for _ in range(TIMES):
        async with raw_socket(bridge) as raw:
            await raw.send(request(target, fields))
            assert (await raw.answer()).status == 400
    assert "Traceback" not in bridge.log


@pytest.mark.parametrize("number", SIDS)
async def test_a_session_of_no_worker_is_a_bad_request(attacked: StartAttacked, number: str) -> None:
    bridge = attacked("--socketio", "--workers", "2", config=QUIET)
    await is_a_bad_request(bridge, f"{POLL}{number}.x", {"Host": "a"})
    await is_a_bad_request(bridge, f"{SOCKET}{number}.x", HANDSHAKE)


@pytest.mark.parametrize("host", HOSTS)
@pytest.mark.parametrize("worker", [0, 1])
async def test_a_host_that_is_none_is_a_bad_request(attacked: StartAttacked, host: str, worker: int) -> None:
    bridge = attacked("--socketio", "--workers", "2", config=QUIET)
    await is_a_bad_request(bridge, f"{SOCKET}{worker}.x", HANDSHAKE | {"Host": host})


async def test_where_any_number_is_a_workers_it_is_an_error_of_ours(attacked: StartAttacked) -> None:
    bridge = attacked("--socketio", "--workers", "2", config=QUIET, without="known workers")
    with pytest.raises(AssertionError, match="500"):
        await is_a_bad_request(bridge, f"{POLL}{'7' * 300}.x", {"Host": "a"})
