import json
from typing import Any, cast

import pytest

from bridge.broker.message import BusMessage, read
from bridge.broker.message import said as said_here
from bridge.messaging.gaps import gap_message
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.sockets.framing import text_frame
from bridge.tenants.tenant import Tenant, TenantState
from compat.dialect import Dialect, Rule
from tests.bridge.population import NOW, table_of
from tests.bridge.sockets.payloads import payloads
from v3.messages import Content


def said(v2_text: str | None = None, **fields: Any) -> BusMessage:
    content = cast(Content, {"msg_type": "msg", "target": "group"} | fields)
    return read(said_here(content, "Xk3dQ", "v2-7", NOW, v2_text).data, lambda: NOW)


def test_v3_hears_the_lines_own_bytes() -> None:
    batch = [said(msg="hi"), said("verbatim", msg="verbatim"), said(msg_type="presence")]
    assert V3Renderer().render(batch) == b"".join(text_frame(message.line) for message in batch)


def test_v3_hears_no_heartbeat_of_v2() -> None:
    batch = [said('{"type":"ping"}', msg_type="heartbeat"), said('{"a":1}', payload={"a": 1})]
    assert V3Renderer().render(batch) == text_frame(batch[1].line)


def test_everyone_on_v3_hears_alike() -> None:
    assert len({V3Renderer.render(V3Renderer(), [said(msg="hi")]), V3Renderer().render([said(msg="hi")])}) == 1


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
    table._take("acme", state, next(iter(table.all())).with_state(state))
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


def test_both_hear_of_a_gap() -> None:
    gap = gap_message(NOW, NOW)
    assert V3Renderer().render([gap]) == text_frame(gap.line)
    assert V2Renderer("acme", table_of(), Counts()).render([gap]) == text_frame(gap.v2_text or b"")


def test_the_renderers_of_one_tenant_are_one() -> None:
    table, counts = table_of(), Counts()
    acme = V2Renderer("acme", table, counts)
    assert acme == V2Renderer("acme", table, counts)
    assert hash(acme) == hash(V2Renderer("acme", table, counts))
    assert acme != V2Renderer("other", table, counts)
    assert acme != V3Renderer()
