"""`tenants guards`, as an operator reads it and sets limits with it."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from tests.bridge.admin.desk import Desk, now
from tests.bridge.cli.running import sentence
from tests.bridge.cli.tenant_configuration import CONFIGURATION, Command

GUARDED = CONFIGURATION.replace("[tenants.other]", "guard.stashed_percent = 10\nguard.quiet_days = 1\n[tenants.other]")


class Ask:
    """One command about tenants, from the loop of the test; what it printed, and its exit status."""

    def __init__(self, tenants: Command) -> None:
        self._tenants = tenants

    async def __call__(self, *words: str | Path) -> tuple[str, int]:
        result = await asyncio.to_thread(partial(self._tenants, *words))
        return result.stdout, result.exit_code


@pytest.fixture
def ask(tenants: Command) -> Ask:
    return Ask(tenants)


@pytest.fixture
def guarded(config: Path) -> None:
    config.write_text(GUARDED)


async def test_guards_that_hold_are_said_with_status_0_and_one_that_fails_with_1(
    desk: Desk, ask: Ask, guarded: None
) -> None:
    said, status = await ask("guards", "acme")
    assert status == 0
    stashed, quiet, limits = said.splitlines()
    assert [line.split()[:2] for line in (stashed, quiet)] == [["holds", "stashed_percent"], ["holds", "quiet_days"]]
    assert limits == "limits: stashed_percent 10, quiet_days 1, grace_seconds 120, watch_minutes 10"
    await desk.converted("exact", 100, now())
    said, status = await ask("guards", "acme")
    assert status == 1
    assert [line.split()[0] for line in said.splitlines()] == ["holds", "FAILS", "limits:"]
    said, status = await ask("guards", "acme", "--json")
    assert ([guard["holds"] for guard in json.loads(said)["verdicts"]], status) == ([True, False], 1)


async def test_a_tenant_without_guards_is_told_how_to_set_one(ask: Ask) -> None:
    assert await ask("guards", "acme") == ("acme has no guards: set a limit, such as --stashed-percent 2\n", 0)
    said, status = await ask("guards", "acme", "--json")
    assert (json.loads(said)["verdicts"], json.loads(said)["grace_seconds"], status) == ([], 120, 0)


def test_limits_are_set_and_taken_away_and_are_in_the_record(tenants: Command, guarded: None) -> None:
    words = ("--lost-percent", "20", "--grace-seconds", "60", "--off", "quiet-days", "--why", "kiosks need a minute")
    set_ = tenants("guards", "acme", *words)
    assert (set_.exit_code, set_.stderr) == (0, "acme: limits set (version 1)\n")
    assert set_.stdout.splitlines()[-1] == (
        "limits: stashed_percent 10, lost_percent 20, grace_seconds 60, watch_minutes 10"
    )
    assert tenants("guards", "acme", "--off", "lost_percent", "--watch-minutes", "5").exit_code == 0
    off, on = json.loads(tenants("changes", "acme", "--json").stdout)
    assert (on["kind"], on["why"], on["from_guards"]["quiet_days"]) == ("guards", "kiosks need a minute", 1)
    assert (on["guards"]["quiet_days"], on["guards"]["lost_percent"]) == (None, 20)
    assert (off["from_guards"]["lost_percent"], off["guards"]["lost_percent"]) == (20, None)
    said = tenants("changes", "acme").stdout
    assert "(guards: lost_percent 20 -> off, watch_minutes 10 -> 5)" in said
    assert "kiosks need a minute (guards: quiet_days 1 -> off, lost_percent off -> 20, grace_seconds 120 -> 60)" in said
    assert "bridge" not in json.loads(tenants("show", "acme", "--json").stdout)["stage"]  # as it is configured


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--off", "quiet_weeks"), "there is no guard 'quiet_weeks': --off takes one of stashed_percent, quiet_days"),
        (("--off", "quiet_days", "--quiet-days", "3"), "quiet_days is given a limit and taken away at once"),
        (("--lost-percent", "101"), "lost_percent: Input should be less than or equal to 100"),
        (("--lost-percent", "5", "--grace-seconds", "600"), "grace_seconds must be less than watch_minutes"),
    ],
)
def test_a_limit_that_makes_no_sense_is_one_sentence(tenants: Command, words: tuple[str, ...], said: str) -> None:
    assert said in sentence(tenants("guards", "acme", *words))


def test_without_records_no_limit_is_set(tenants: Command, config: Path) -> None:
    config.write_text(f"records = false\n{CONFIGURATION}")
    assert "guards judge by the records" in sentence(tenants("guards", "acme", "--lost-percent", "5"))


def test_a_tenant_that_nobody_knows_is_one_sentence(tenants: Command) -> None:
    assert sentence(tenants("guards", "nobody")).startswith("no tenant 'nobody' is configured or in Redis")
