"""Whether the running processes go by one configuration, and by the one that was read."""

from __future__ import annotations

import asyncio
import signal

import pytest

from bridge.cli.checks import running_processes
from bridge.cli.checks.running_processes import judge
from bridge.config.settings import load
from tests.conftest import StartBridge
from tests.end_to_end.clients import eventually


@pytest.mark.parametrize(
    ("marks", "levels", "said"),
    [
        ({}, [], ""),
        ({"a": "1", "b": "1"}, ["ok"], "all 2 running processes"),
        ({"a": "1", "b": "2"}, ["warn"], "differ: 1: a; 2: b"),
        ({"a": "2", "b": "2"}, ["warn"], "no running process goes by 1: 2 is in effect"),
        ({"a": "2", "b": "3"}, ["warn", "warn"], "differ: 2: a; 3: b"),
    ],
)
def test_who_differs_is_named(marks: dict[str, str], levels: list[str], said: str) -> None:
    findings = list(judge("1", marks))
    assert [finding.level for finding in findings] == levels
    assert said in " ".join(finding.said for finding in findings)


async def test_a_bridge_that_has_not_read_the_file_yet_is_seen_until_it_has(
    bridge: StartBridge, redis_url: str, prefix: str
) -> None:
    first, second = bridge(config="burst = 7\n"), bridge(config="burst = 7\n")

    async def levels() -> list[str]:
        settings = load(first.config_file, prefix=prefix)
        return [one.level for one in await asyncio.to_thread(lambda: list(running_processes.look(redis_url, settings)))]

    async def is_said(*expected: str) -> bool:
        return await levels() == list(expected)

    await eventually(lambda: is_said("ok", "ok"))
    first.config_file.write_text("burst = 8\n")
    await eventually(lambda: is_said("ok", "warn"))
    first.process.send_signal(signal.SIGHUP)
    await eventually(lambda: is_said("ok", "warn"))
    second.config_file.write_text("burst = 8\n")
    second.process.send_signal(signal.SIGHUP)
    await eventually(lambda: is_said("ok", "ok"))


def test_a_redis_that_cannot_be_asked_says_nothing_of_processes() -> None:
    findings = list(running_processes.look("redis://127.0.0.1:1/0", load()))
    assert [finding.level for finding in findings] == ["ok"]
