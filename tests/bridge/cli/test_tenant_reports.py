"""`tenants census|ledger`, as an operator reads them and as a program does."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from bridge.records.rows import ProprietaryKey
from tests.bridge.admin.desk import Desk, noted, now
from tests.bridge.cli.running import sentence
from tests.bridge.cli.tenant_configuration import Command


class Ask:
    """One command about tenants, from the loop of the test; what it printed, and its exit status."""

    def __init__(self, tenants: Command) -> None:
        self._tenants = tenants

    async def __call__(self, *words: str | Path) -> tuple[str, int]:
        result = await asyncio.to_thread(partial(self._tenants, *words))
        assert result.stderr == ""
        return result.stdout, result.exit_code


@pytest.fixture
def ask(tenants: Command) -> Ask:
    return Ask(tenants)


async def test_the_ledger_has_the_outcomes_and_the_keys_as_toml_writes_them(desk: Desk, ask: Ask) -> None:
    await desk.converted("exact", 1_234, now())
    await desk.converted("suppressed", 5, now(), "v3_to_v2")
    await desk.note(desk.tables.ledger, noted(ProprietaryKey("volume", "integer"), now() - 60_000, 1_000))
    keys = [ProprietaryKey("volume", "string"), ProprietaryKey("a b", "null")]
    await desk.note(desk.tables.ledger, *(noted(key, now(), 1_000) for key in keys))
    said, status = await ask("ledger", "acme")
    lines = said.splitlines()
    assert (lines[0].split(), status) == (["v2", "to", "v3", "exact", "1,234", "stashed", "0", "suppressed", "0"], 0)
    assert lines[1].split()[-1] == "5"
    volume, spaced = lines[-2:]
    assert volume.split()[:4] == ["volume", "2,000", "string,", "integer"]
    assert spaced.startswith('"a b"')
    assert json.loads((await ask("ledger", "acme", "--json"))[0])["outcomes"]["v2_to_v3"]["exact"] == 1_234


async def test_a_ledger_of_nothing_has_no_keys(ask: Ask) -> None:
    said, _ = await ask("ledger", "acme")
    assert len(said.splitlines()) == 2
    assert "PROPRIETARY KEY" not in said


@pytest.mark.parametrize("report", ["census", "ledger"])
def test_a_tenant_that_nobody_knows_is_one_sentence(tenants: Command, report: str) -> None:
    said = sentence(tenants(report, "nobody"))
    assert said == "no tenant 'nobody' is configured or in Redis: there are acme, other"
