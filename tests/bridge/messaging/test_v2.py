"""The V2 half of the data path: who hears what V2 says, and what V2 hears."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.tenants.tenant import Routing, Tenant, TenantState
from compat.dialect import Dialect, Rule
from compat.identity import Names
from tests.bridge.messaging.rendering import said
from tests.bridge.messaging.saying import (
    BROADCAST,
    V2,
    V2_IN_G,
    V3,
    Grant,
    refuse,
    say_frame,
    stage,
)
from tests.bridge.population import ADDRESSES, NOW, Stage, table_of
from tests.bridge.sockets.payloads import payloads


@pytest.mark.parametrize(
    ("frame", "grant", "v3_hears", "v2_hears", "v2_hears_by_group"),
    [
        pytest.param({"msg": "hi"}, "none", {"ann, V3 in G"}, V2, V2_IN_G, id="anything"),
        pytest.param({"target": "group", "to": "dan"}, "none", {"ann, V3 in G"}, V2, V2_IN_G, id="group, said"),
        pytest.param("hello", "platform", {"ann, V3 in G"}, V2, V2_IN_G, id="text"),
        pytest.param("[]", "none", {"ann, V3 in G"}, V2, V2_IN_G, id="a list"),
        pytest.param("", "none", {"ann, V3 in G"}, V2, V2_IN_G, id="nothing"),
        pytest.param({"type": "presence"}, "none", {"ann, V3 in G"}, V2, V2_IN_G, id="presence"),
        pytest.param({"to": "cat"}, "none", {"cat, V3 in H"}, V2, set(), id="with a recipient on V3"),
        pytest.param({"to": "dan"}, "none", set(), V2, {"dan, V2 in H"}, id="with a recipient on V2"),
        pytest.param({"to": 42}, "none", {"42's twin, V3 in H"}, V2, {"42, V2 in G"}, id="with a recipient on both"),
        pytest.param({"to": "bob"}, "none", set(), V2, {"bob, V2 in G"}, id="to oneself"),
        pytest.param({"to": "nobody"}, "none", set(), V2, set(), id="to nobody"),
        pytest.param(BROADCAST, "tenant", V3, V2, V2, id="broadcast"),
        pytest.param(BROADCAST, "platform", V3, V2, V2, id="broadcast with the widest grant"),
        pytest.param(BROADCAST, "none", {"ann, V3 in G"}, V2, V2, id="broadcast without a grant"),
        pytest.param({"type": "ping"}, "none", set(), V2, V2_IN_G, id="heartbeat"),
        pytest.param({"type": "heartbeat", "to": 42}, "none", set(), V2, {"42, V2 in G"}, id="heartbeat to one"),
        pytest.param({"type": "heartbeat"} | BROADCAST, "tenant", set(), V2, V2, id="heartbeat to everyone"),
    ],
)
def test_who_hears_what_v2_says(
    frame: Any, grant: Grant, v3_hears: set[str], v2_hears: set[str], v2_hears_by_group: set[str]
) -> None:
    """Protocol 4, born on V2."""
    for routing, on_v2 in (("global", v2_hears), ("group", v2_hears_by_group)):
        told = stage(cast(Routing, routing))
        say_frame(told, frame, grant)
        assert told.heard() == sorted(v3_hears | on_v2)


def test_a_broadcast_without_a_grant_is_heard_as_the_groups() -> None:
    told = stage()
    say_frame(told, BROADCAST, "none")
    assert json.loads(told.bus.published[0].data.partition(b"\n")[0])["target"] == "group"


@pytest.mark.parametrize("text", ['{ "msg" :\n"hi" }', "two\nlines", "", "\n", "é\x00🜁", '{"from_id":"boss"}'])
def test_what_v2_says_travels_as_v3_and_verbatim(text: str) -> None:
    told = stage()
    say_frame(told, text)
    line, _, verbatim = told.bus.published[0].data.partition(b"\n")
    assert verbatim == text.encode()
    heard = json.loads(line)
    assert (heard["from_id"], heard["group_id"], heard["sent_at"]) == ("bob", "G", NOW)


def test_a_tenants_names_and_dialect_are_those_of_now() -> None:
    tenant = Tenant("acme", names=Names({"42": "Xk3dQ"}), dialect=Dialect({"reload": Rule(cmd="RELOAD_UI")}))
    told = Stage(tenant)
    say_frame(told, {"to": 42, "reload": 1})
    assert told.bus.published[0].channels[0] == ADDRESSES.client("acme", "Xk3dQ")
    assert json.loads(told.bus.published[0].data.partition(b"\n")[0])["cmd"] == "RELOAD_UI"


def test_a_frame_to_nobody_is_refused_only_where_nobody_at_all_heard_it() -> None:
    narrow, wide, codes = stage("group"), stage(), list[str]()
    say_frame(narrow, {"to": "nobody"}, refused=codes.append)
    say_frame(wide, {"to": "nobody"}, refused=refuse)
    narrow.bus.published[0].receipt(0)
    wide.bus.published[0].receipt(0)
    assert codes == ["not_connected"]


@pytest.mark.parametrize("frame", [{"bridge": {"error": "going_away"}}, '{"\\u0062ridge":{},"a":NaN}'])
def test_a_v2_frame_that_speaks_as_the_bridge_is_refused_and_heard_by_nobody(frame: Any) -> None:
    on = stage()
    codes: list[str] = []
    say_frame(on, frame, refused=codes.append)
    assert (codes, on.bus.published) == (["not_allowed"], [])


def test_v2_hears_v2_verbatim() -> None:
    counts = Counts()
    texts = ['{ "msg": "hi" }', "", "é\n", '{"type":"ping"}']
    batch = [said(text, msg_type="heartbeat" if "ping" in text else "msg", msg=text) for text in texts]
    blob = V2Renderer("acme", table_of(Tenant("acme")), counts).render(batch)
    assert [payload.decode() for payload in payloads(blob)] == texts
    assert not counts.conversions


def test_v2_hears_v3_in_the_tenants_words_and_names_of_now() -> None:
    table = table_of(Tenant("acme", dialect=Dialect({"reload": Rule(cmd="RELOAD_UI")})))
    renderer, message = V2Renderer("acme", table, Counts()), said(msg_type="cmd", cmd="RELOAD_UI", payload={"value": 1})
    expected = {"type": "cmd", "reload": 1, "client_id": "Xk3dQ", "group_id": 7, "sent_at": NOW}
    assert [json.loads(payload) for payload in payloads(renderer.render([message]))] == [expected]
    state = TenantState(1, id_map={"42": "Xk3dQ"})
    (acme,) = table.all()
    table._take("acme", acme, state, acme.with_state(state))
    assert [json.loads(payload) for payload in payloads(renderer.render([message]))] == [expected | {"client_id": 42}]


def test_a_tenant_that_nobody_configured_speaks_standard_v2() -> None:
    blob = V2Renderer("acme", table_of(), Counts()).render([said(msg="hi")])
    assert json.loads(next(iter(payloads(blob))))["msg"] == "hi"


@pytest.mark.parametrize("fields", [{"msg_type": "presence"}, {"msg_type": "heartbeat"}, {"target": "echo"}])
def test_what_v2_has_no_word_for_is_suppressed_and_counted(fields: dict[str, str]) -> None:
    counts = Counts()
    batch = [said(**fields), said(msg="hi"), said(msg="ho")]
    blob = V2Renderer("acme", table_of(), counts).render(batch)
    assert [json.loads(payload)["msg"] for payload in payloads(blob)] == ["hi", "ho"]
    assert counts.conversions == {("acme", "v3_to_v2", "suppressed"): 1, ("acme", "v3_to_v2", "exact"): 2}


def test_the_renderers_of_one_tenant_are_one() -> None:
    table, counts = table_of(), Counts()
    acme = V2Renderer("acme", table, counts)
    assert acme == V2Renderer("acme", table, counts)
    assert hash(acme) == hash(V2Renderer("acme", table, counts))
    assert acme != V2Renderer("other", table, counts)
    assert acme != V3Renderer()
