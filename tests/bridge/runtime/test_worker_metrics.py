"""The workers of one command answer as one."""

from __future__ import annotations

from pathlib import Path

from bridge.runtime.worker_metrics import WorkerGroup, added_up
from tests.bridge.broker.parts import running, until, until_true

FIRST = b"""# HELP bridge_messages_total Messages.
# TYPE bridge_messages_total counter
bridge_messages_total{tenant="acme"} 3.0
# HELP bridge_bus_up Up.
# TYPE bridge_bus_up gauge
bridge_bus_up 1.0
"""
SECOND = FIRST.replace(b"3.0", b"4.0").replace(b"up 1.0", b"up 0.0")


def lines(exposition: bytes) -> list[str]:
    return [line for line in exposition.decode().splitlines() if not line.startswith("#")]


def test_numbers_are_added_up_and_what_is_no_sum_is_not() -> None:
    assert lines(added_up([FIRST, SECOND])) == ['bridge_messages_total{tenant="acme"} 7.0', "bridge_bus_up 0.0"]


def test_the_numbers_of_one_are_what_they_were() -> None:
    assert added_up([FIRST]) == FIRST


def test_labels_that_only_one_worker_knows_are_kept() -> None:
    other = FIRST.replace(b"acme", b"other")
    assert 'bridge_messages_total{tenant="other"} 3.0' in lines(added_up([FIRST, other]))


async def test_each_worker_answers_for_all(tmp_path: Path) -> None:
    one, two = WorkerGroup(tmp_path, 0, -1), WorkerGroup(tmp_path, 1, -1)
    one.say(lambda: FIRST)
    two.say(lambda: SECOND)
    async with running(one, two):
        await until(lambda: len(list(tmp_path.iterdir())) == 2)
        assert await one.everyone() == await two.everyone() == added_up([FIRST, SECOND])


async def test_a_worker_that_is_gone_is_left_out(tmp_path: Path) -> None:
    one, gone = WorkerGroup(tmp_path, 0, -1), WorkerGroup(tmp_path, 1, -1)
    one.say(lambda: FIRST)
    gone.say(lambda: SECOND)
    async with running(gone):
        await until(lambda: list(tmp_path.iterdir()))
    assert await one.everyone() == FIRST


async def test_a_worker_that_comes_again_takes_its_old_place(tmp_path: Path) -> None:
    (tmp_path / "0.sock").touch()
    one, two = WorkerGroup(tmp_path, 0, -1), WorkerGroup(tmp_path, 1, -1)
    one.say(lambda: FIRST)
    two.say(lambda: SECOND)
    async with running(one):

        async def answered() -> bool:
            return await two.everyone() == added_up([FIRST, SECOND])

        await until_true(answered)
