"""A prediction as a person reads it: the numbers first, then guards, refusals and silences, each with where to look."""

from __future__ import annotations

import re
from typing import Any

from bridge.cli.prediction_text import MOST_ROWS, prediction_text

WHERE = {"stage": "bridge", "share": 0, "v2_routing": "global"}


def client(client_id: str | None = "42", **more: Any) -> dict[str, Any]:
    return {
        "client_id": client_id,
        "group_id": "lobby",
        "last_seen": "2026-11-24T20:03:04.000005Z",
        "messages": 1_234,
        "user_agent": "kiosk/1",
        "successor": "/v3/ws/group/lobby/client/v2-42",
        "channel": "aether:{acme:g:lobby}",
        **more,
    }


def who(client_id: str | None, protocol: str) -> dict[str, Any]:
    return {"client_id": client_id, "protocol": protocol, "group_id": "lobby"}


def pair(messages: int = 2, of: int = 5, speaker: str | None = "42") -> dict[str, Any]:
    return {
        "speaker": who(speaker, "v2"),
        "listener": who("ann", "v3"),
        "messages": messages,
        "of": of,
        "channel": "aether:{acme:c:ann}",
        "said_to": "client ann",
    }


def total(clients: int = 0, new: int = 0, listeners: int = 0, **rows: Any) -> dict[str, Any]:
    pairs = 7 * listeners
    none: dict[str, Any] = {"by_user_agent": [], "by_group": []}
    return {"clients": clients, "new": new, "listeners": listeners, "pairs": pairs, **none, **rows}


def row(name: str, value: str, *numbers: int) -> dict[str, Any]:
    return {name: value, **dict(zip(("clients", "new", "listeners"), numbers, strict=True)), "pairs": 0}


LISTS = {"refused": 0, "silenced": 0, "quieter": 0}


def text_totals(**lists: int) -> dict[str, Any]:
    return {**LISTS, **lists, "all": total(), "none": total()}


def text(**more: Any) -> str:
    nothing: dict[str, Any] = {
        "tenant": "acme",
        "from": WHERE,
        "to": WHERE | {"stage": "v3"},
        "guards": [],
        "refused": [],
        "silenced": [],
        "quieter": [],
        "totals": {**LISTS, "all": total(), "none": total()},
        "on_v2": 140,
        "traffic": {"messages": 0, "affected": 0, "share": 0.0},
        "complete": True,
    }
    return prediction_text(nothing | more)


def cells(line: str) -> list[str]:
    return re.split(" {2,}", line)


def test_where_nobody_is_touched_it_is_a_few_lines() -> None:
    assert text().splitlines() == [
        "acme: bridge -> v3, if it were done",
        "",
        "No client would have to move; nobody else misses anything.",
    ]


def test_a_standing_names_its_share_and_its_routing_where_they_matter() -> None:
    drain = {"stage": "drain", "share": 25, "v2_routing": "global"}
    assert text(**{"from": drain | {"stage": "legacy"}, "to": drain}).startswith("acme: legacy -> drain 25 %, if")
    assert text(to=WHERE | {"v2_routing": "group"}).startswith("acme: bridge -> bridge, V2 by group, if")


def test_totals_count_clients_and_say_what_becomes_of_them_in_both_cases() -> None:
    totals = {**LISTS, "silenced": 4_646, "all": total(47, 35), "none": total(47, 35, 105)}
    assert text(totals=totals).splitlines()[2:6] == [
        "35 of 140 clients on V2 would have to move to V3 with this step.",
        "12 clients had to move before this step, and did not arrive on V3 yet.",
        "If all of them arrive there, nobody else misses anything.",
        "If none arrives, 105 clients would miss some or all of what they hear now.",
    ]


def test_one_client_is_one_client_and_a_step_to_legacy_ends_v3() -> None:
    totals = {**LISTS, "all": total(1, 1, 1), "none": total(1, 1, 0)}
    said = text(totals=totals, to=WHERE | {"stage": "legacy"})
    assert "1 client would be refused by this step: V3 ends." in said
    assert "If all of them arrive there, 1 client would miss some" in said


def test_a_share_that_reaches_nobody_new_says_so() -> None:
    totals = {**LISTS, "all": total(3), "none": total(3)}
    assert "None of 140 clients on V2 would have to move" in text(totals=totals)
    nobody_left = text(totals=totals, on_v2=0)
    assert "No client is on V2 any more: this step moves nobody.\n3 clients had to move before this step" in nobody_left


def test_totals_are_told_by_user_agent_and_by_group() -> None:
    none = total(
        3,
        2,
        5,
        by_user_agent=[row("user_agent", "kiosk/1", 3, 2, 1), row("user_agent", "", 0, 0, 4)],
        by_group=[row("group_id", "team", 3, 2, 5)],
    )
    everyone = total(3, 2, 1, by_user_agent=[row("user_agent", "kiosk/1", 3, 2, 1)])
    lines = text(totals={**LISTS, "all": everyone, "none": none}).splitlines()
    found = [cells(line) for line in lines if line.startswith(("BY", "kiosk", "(none)", "team"))]
    assert found == [
        ["BY USER AGENT", "MOVE NOW", "MOVED BEFORE", "MISS SOMETHING IF ALL ARRIVE", "IF NONE ARRIVES"],
        ["kiosk/1", "2", "1", "1", "1"],
        ["(none)", "0", "0", "0", "4"],
        ["BY GROUP", "MOVE NOW", "MOVED BEFORE", "MISS SOMETHING IF ALL ARRIVE", "IF NONE ARRIVES"],
        ["team", "2", "1", "0", "5"],
    ]


def test_each_guard_says_whether_it_holds() -> None:
    guards = [{"holds": True, "msg": "All is well."}, {"holds": False, "msg": "It is not."}]
    assert "guard holds: All is well.\nguard FAILS: It is not." in text(guards=guards)


def test_a_refused_client_is_named_with_where_it_goes() -> None:
    said = text(refused=[client(), client(None, successor=None)], totals=text_totals(refused=2))
    head, named, unnamed = (cells(line) for line in said.splitlines() if "lobby" in line or "GOES TO" in line)
    assert head == ["WOULD BE REFUSED", "GROUP", "LAST SEEN", "MESSAGES", "USER AGENT", "GOES TO"]
    assert named == ["42", "lobby", "2026-11-24T20:03:04", "1,234", "kiosk/1", "/v3/ws/group/lobby/client/v2-42"]
    assert (unnamed[0], unnamed[-1]) == ("(no id)", "(V3 wants an id)")


def test_a_silence_names_both_and_how_much_is_lost_and_to_whom_it_was_said() -> None:
    said = text(silenced=[pair(5, 5)], quieter=[pair(speaker=None)])
    silenced, quieter = (cells(line) for line in said.splitlines() if line.startswith("ann"))
    assert silenced == ["ann (v3, lobby)", "42 (v2, lobby)", "5 of 5", "client ann"]
    assert quieter == ["ann (v3, lobby)", "(no id) (v2, lobby)", "2 of 5", "client ann"]
    assert said.index("WOULD NO LONGER HEAR") < said.index("WOULD HEAR LESS OF")


def test_more_rows_than_fit_a_screen_are_counted() -> None:
    number = MOST_ROWS + 7
    totals = text_totals(refused=number, silenced=number, quieter=number)
    everyone = [client(f"k{index}") for index in range(number)]
    said = text(refused=everyone, silenced=[pair()] * number, quieter=[pair()] * number, totals=totals)
    assert said.count("and 7 more: --json lists them") == 3
    assert f"k{MOST_ROWS - 1} " in said
    assert f"k{MOST_ROWS} " not in said


def test_a_record_that_has_forgotten_some_is_not_taken_for_whole() -> None:
    assert "there may be more" not in text()
    assert text(complete=False).endswith("The record is bounded and has forgotten some: there may be more.")
