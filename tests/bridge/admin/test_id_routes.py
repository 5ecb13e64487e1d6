"""The id map over HTTP: added to, replaced, taken back; tried first; and what an answer names."""

from __future__ import annotations

import httpx

from tests.bridge.admin.test_routes import bridges, http, state  # noqa: F401 - fixtures
from tests.servers import BridgeProcess

# ruff: noqa: F811


async def test_an_id_map_is_replaced_whole_or_not_at_all(bridges: list[BridgeProcess], http: httpx.AsyncClient) -> None:
    answer = await http.put("/tenants/acme/ids", json={"ids": {"42": "Xk3dQ", "43": "Yk3dQ"}})
    assert (answer.status_code, answer.json()["added"]) == (200, 2)
    assert (await state(http))["ids"] == 2
    refused = await http.put("/tenants/acme/ids", json={"ids": {"42": "Xk3dQ", "43": "Xk3dQ"}})
    assert refused.status_code == 400
    assert "one name, one person" in refused.json()["msg"]
    assert (await state(http))["ids"] == 2


async def test_ids_are_added_and_only_a_replacement_takes_some_away(http: httpx.AsyncClient) -> None:
    await http.put("/tenants/acme/ids", json={"ids": {"42": "Xk3dQ", "43": "Yk3dQ"}})
    added = (await http.put("/tenants/acme/ids?why=one%20more", json={"ids": {"44": "Zk3dQ"}})).json()
    assert (added["ids"], added["added"], added["removed"]) == (3, 1, 0)
    refused = await http.put("/tenants/acme/ids", json={"ids": {"42": "Other", "45": "Zk3dQ", "46": "New"}})
    assert (refused.status_code, refused.json()["code"]) == (409, "ids_in_conflict")
    assert [one["field"] for one in refused.json()["detail"]] == ["42", "45"]
    foreseen = await http.put("/tenants/acme/ids?replace=true&dry_run=true", json={"ids": {"42": "Xk3dQ"}})
    assert foreseen.json()["removed"] == 2
    assert (await state(http))["ids"] == 3
    await http.put("/tenants/acme/ids?replace=true", json={"ids": {"42": "Xk3dQ"}})
    assert (await state(http))["ids"] == 1
    assert (await http.post("/tenants/acme/ids/undo")).json()["added"] == 2
    assert (await state(http))["ids"] == 3
    lines = [line["why"] for line in (await http.get("/tenants/acme/changes")).json() if line["kind"] == "ids"]
    assert lines[:2] == ["ids: 2 added, 0 removed, 0 changed", "ids: 0 added, 2 removed, 0 changed"]
    assert "ids: 1 added, 0 removed, 0 changed: one more" in lines


async def test_ids_that_were_never_changed_are_not_taken_back(http: httpx.AsyncClient) -> None:
    answer = await http.post("/tenants/other/ids/undo")
    assert (answer.status_code, answer.json()["code"]) == (409, "nothing_to_roll_back")


async def test_an_answer_names_some_of_the_ids_and_counts_them_all(http: httpx.AsyncClient) -> None:
    many = {f"{number:03}": f"Name{number}" for number in range(150)}
    foreseen = (await http.put("/tenants/acme/ids?dry_run=true", json={"ids": many})).json()
    assert foreseen["added"] == 150
    assert foreseen["named"] == {"added": sorted(many)[:100], "removed": [], "changed": []}
    await http.put("/tenants/acme/ids", json={"ids": {"1": "Xk3dQ", "2": "Yk3dQ"}})
    replaced = await http.put("/tenants/acme/ids?replace=true", json={"ids": {"2": "Zk3dQ"}})
    assert replaced.json()["named"] == {"added": [], "removed": ["1"], "changed": ["2"]}
    back = (await http.post("/tenants/acme/ids/undo?dry_run=true")).json()
    assert back["named"] == {"added": ["1"], "removed": [], "changed": ["2"]}
    assert (await state(http))["ids"] == 1
