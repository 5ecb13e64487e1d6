"""Rows that are held elsewhere can fail: the tests that hold them do, without what defends against the fault."""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Protocol

import pytest
from websockets.exceptions import ConnectionClosed

from tests.compat import test_address
from tests.end_to_end import test_bus, test_ends, test_slow_readers, test_socketio_hostile, test_socketio_return
from tests.faults.scene import FaultyBridge

SOON_SECONDS = 4.0
"""What is waited for here does not come."""
PATIENCE_SECONDS = 30.0
"""Of a test that waits on and on."""


class Undefended(Protocol):
    """A factory of bridges without this defence."""

    def __call__(self, defence: str) -> Callable[..., FaultyBridge]: ...


@pytest.fixture
def undefended(tmp_path: Path, redis_url: str, prefix: str) -> Iterator[Undefended]:
    numbers = count()
    with ExitStack() as ends:

        def without(defence: str) -> Callable[..., FaultyBridge]:
            def start(*options: str, config: str = "", redis: str = redis_url) -> FaultyBridge:
                home = tmp_path / f"undefended-{next(numbers)}"
                settings = {"BRIDGE_PREFIX": prefix, "BRIDGE_DATA_DIR": str(home / "data")}
                bridge = FaultyBridge(home, "--redis", redis, *options, config=config, environment=settings)
                bridge.without = defence
                ends.callback(bridge.kill)
                bridge.start()
                return bridge

            return start

        yield without


@dataclass(frozen=True)
class Held:
    """A row: the test that holds it, what that is given beside its fixtures, and the defence."""

    test: Callable[..., Awaitable[None]]
    without: str
    given: Mapping[str, Any] = field(default_factory=dict)


ROWS = {
    "slow reader": Held(test_ends.test_a_client_that_never_reads_is_cut_and_holds_up_nobody, "judgement of readers"),
    "B9": Held(test_slow_readers.test_one_of_the_largest_messages_ends_nobody_who_hears_it, "room for the largest"),
    "B10": Held(
        test_slow_readers.test_a_burst_is_heard_by_healthy_readers_and_ends_those_who_do_not_read, "time to drain"
    ),
    "B11": Held(test_bus.test_two_databases_of_one_redis_under_one_prefix_do_not_hear_each_other, "database in names"),
    "B18": Held(
        test_socketio_hostile.test_as_many_packets_as_fit_are_taken_in_one_post_and_each_is_answered,
        "packets of a post",
    ),
    "B19": Held(
        test_socketio_return.test_pythons_asynchronous_client_comes_back,
        "ends that call back",
        {"transports": "polling"},
    ),
}


@pytest.mark.parametrize("row", ROWS)
async def test_a_row_that_is_held_elsewhere_fails_without_its_defence(
    undefended: Undefended, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, row: str
) -> None:
    held = ROWS[row]
    monkeypatch.setattr(inspect.getmodule(held.test), "ANSWER_SECONDS", SOON_SECONDS, raising=False)
    names = set(inspect.signature(held.test).parameters) - {"bridge", *held.given}
    fixtures = {name: request.getfixturevalue(name) for name in names}
    with pytest.raises((AssertionError, TimeoutError, ConnectionClosed)):
        async with asyncio.timeout(PATIENCE_SECONDS):
            await held.test(bridge=undefended(held.without), **fixtures, **held.given)


def test_a_recipient_that_is_not_read_leniently_is_everybody(monkeypatch: pytest.MonkeyPatch) -> None:
    """B1, B2."""
    monkeypatch.setattr("compat.upgrade.address_of", lambda *_arguments, **_named: None)
    with pytest.raises(AssertionError):
        test_address.test_its_recipient_is_read('{"to":"alice","msg":"x \\ud83d"}')
