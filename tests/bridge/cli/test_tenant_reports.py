"""`tenants census|ledger`, as an operator reads them and as a program does."""

from __future__ import annotations

import asyncio
import json
from functools import partial
from pathlib import Path

import pytest

from bridge.cli.tenant_reports import MOST_ROWS
from bridge.records.rows import Noted, ProprietaryKey
from tests.bridge.admin.desk import Desk, noted, now, v2, v3
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


async def test_the_census_is_a_line_for_each_client_that_is_still_on_v2(desk: Desk, ask: Ask) -> None:
    await desk.met(v2("42"), now() - 60_000, now() - 1_000, 1_234, "kiosk/1")
    await desk.met(v2(None, "team", "phone/2"), now() - 60_000, now() - 2_000)
    await desk.met(v3("ann"), now(), now())
    said, status = await ask("census", "acme")
    first, _, head, named, unnamed = said.splitlines()
    assert (first, status) == ("2 clients in 35 days", 0)
    assert head.split("  ")[0] == "CLIENT"
    assert named.split()[:3] == ["42", "lobby", "v2"]
    assert named.split()[-2:] == ["1,234", "kiosk/1"]
    assert unnamed.startswith("(no id)")
    assert "ann" in (await ask("census", "acme", "--protocol", "all"))[0]


async def test_the_census_in_json_is_what_the_admin_api_answers(desk: Desk, ask: Ask) -> None:
    await desk.met(v2("42"), now(), now(), 7)
    said, _ = await ask("census", "acme", "--json")
    census = json.loads(said)
    assert (census["total"], census["clients"][0]["client_id"], census["clients"][0]["messages"]) == (1, "42", 7)
    assert json.loads((await ask("census", "acme", "--protocol", "v3", "--json"))[0])["clients"] == []


async def test_more_clients_than_fit_a_screen_are_counted(desk: Desk, ask: Ask) -> None:
    rows = [Noted(v2(f"k{number}").key(), now(), now(), 0) for number in range(MOST_ROWS + 5)]
    await desk.note(desk.tables.census, *rows)
    said, _ = await ask("census", "acme")
    assert said.startswith(f"{MOST_ROWS + 5} clients in 35 days")
    assert said.endswith("and 5 more: --json lists them\n")


def test_a_protocol_that_there_is_not_is_one_sentence(tenants: Command) -> None:
    assert "a protocol is one of v2, v3, socketio, or all" in sentence(tenants("census", "acme", "--protocol", "v4"))


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
