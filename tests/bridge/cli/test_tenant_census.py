"""`tenants census|turned-away`, as an operator reads them and as a program does."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import pytest

from bridge.cli.tenant_census import MOST_ROWS
from bridge.records.rows import Facts, Noted, RefusedName
from tests.bridge.admin.desk import Desk, now, v2, v3
from tests.bridge.cli.running import sentence
from tests.bridge.cli.tenant_configuration import Command
from tests.bridge.cli.test_tenant_reports import Ask


@pytest.fixture
def ask(tenants: Command) -> Ask:
    return Ask(tenants)


def refused(client_id: str, code: str = "moved_to_v3", moved: int = 0, knocks: int = 0, **more: Any) -> Noted:
    facts = json.dumps(asdict(Facts(code, "kiosk/1", "192.0.2.0/24", "lobby", "v2", **more)))
    return Noted(RefusedName("v2", client_id).key(), now() - 9, now() - 9, 3, f"{moved} {knocks} 0 {facts}")


async def test_the_census_is_a_line_for_each_client_that_is_still_on_v2(desk: Desk, ask: Ask) -> None:
    await desk.met(v2("42"), now() - 60_000, now() - 1_000, 1_234, "kiosk/1")
    await desk.met(v2(None, "team", "phone/2"), now() - 60_000, now() - 2_000)
    await desk.met(v3("ann"), now(), now())
    said, status = await ask("census", "acme")
    first, _, head, named, unnamed = said.splitlines()
    counts = "2 clients still on V2, 0 arrived on V3, 0 moved and not arrived; 0 turned away"
    assert (first, status) == (counts, 0)
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
    assert said.startswith(f"{MOST_ROWS + 5} clients still on V2")
    assert said.endswith("and 5 more: --json lists them\n")


def test_a_protocol_that_there_is_not_is_one_sentence(tenants: Command) -> None:
    assert "a protocol is one of v2, v3, socketio, or all" in sentence(tenants("census", "acme", "--protocol", "v4"))


async def test_each_list_has_its_clients_and_what_tells_most_of_them(desk: Desk, ask: Ask) -> None:
    at = now() - 60_000
    for client_id in ("still", "arrived", "lost"):
        await desk.met(v2(client_id), at - 9, at, 7, "kiosk/1")
    await desk.met(v3("arrived"), at + 5_000, at + 9_000)
    await desk.note(desk.tables.refused, refused("lost", moved=at, knocks=2))
    await desk.note(desk.tables.strangers, refused("nobody", "unauthenticated"))
    found = {}
    for name in ("still", "arrived", "not_arrived", "turned_away"):
        said, _ = await ask("census", "acme", "--list", name)
        title, _, head, *lines = said.splitlines()
        assert title == "1 client still on V2, 1 arrived on V3, 1 moved and not arrived; 2 turned away"
        found[name] = sorted(line.split()[0] for line in lines)
        assert head.endswith("USER AGENT")
    assert found == {
        "still": ["still"],
        "arrived": ["arrived"],
        "not_arrived": ["lost"],
        "turned_away": ["lost", "nobody"],
    }
    said, _ = await ask("census", "acme", "--list", "turned_away")
    (line,) = [line for line in said.splitlines() if line.startswith("nobody")]
    assert line.split()[3:5] == ["3", "unauthenticated"]
    assert line.split()[-2:] == ["192.0.2.0/24", "kiosk/1"]


async def test_a_row_in_json_has_the_fields_of_the_admin_api(desk: Desk, ask: Ask) -> None:
    await desk.met(v2("42"), now(), now(), 7)
    (row,) = json.loads((await ask("census", "acme", "--json"))[0])["clients"]
    assert list(row) == [
        *("client_id", "user_agent", "group_id", "protocol", "first_seen", "last_seen", "messages"),
        *("moved_at", "arrived_at", "knocks", "refused", "code"),
    ]


async def test_who_is_refused_before_its_tenant_is_known_has_a_list_of_its_own(
    desk: Desk, ask: Ask, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await ask("turned-away") == ("0 clients turned away\n", 0)
    monkeypatch.setattr("tests.bridge.admin.desk.TENANT", "")
    await desk.note(desk.tables.strangers, refused("nobody", "unauthenticated"))
    said, _ = await ask("turned-away")
    assert said.startswith("1 client turned away")
    assert "nobody" in said


def test_a_list_that_there_is_not_is_one_sentence(tenants: Command) -> None:
    said = sentence(tenants("census", "acme", "--list", "gone"))
    assert said.endswith("a list is one of still, arrived, not_arrived, turned_away")
