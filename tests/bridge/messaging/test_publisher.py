"""Who hears what is said, and what its sender is told of it."""

from typing import Any, cast

import pytest

from bridge.tenants.tenant import Routing, Tenant
from tests.bridge.messaging.saying import BROADCAST, GROUP, V2, V2_IN_G, V3, Grant, say, say_frame, stage
from tests.bridge.population import ADDRESSES, NOW, Stage
from v3.messages import write


@pytest.mark.parametrize(
    ("fields", "grant", "v3_hears", "v2_hears", "v2_hears_by_group"),
    [
        pytest.param(GROUP, "none", {"ann, V3 in G"}, V2, V2_IN_G, id="group"),
        pytest.param(GROUP | {"msg_type": "cmd"}, "tenant", {"ann, V3 in G"}, V2, V2_IN_G, id="command to the group"),
        pytest.param({"target": "direct", "to_id": "cat"}, "none", {"cat, V3 in H"}, set(), set(), id="direct to V3"),
        pytest.param(
            {"target": "direct", "to_id": "dan"}, "none", set(), {"dan, V2 in H"}, {"dan, V2 in H"}, id="direct to V2"
        ),
        pytest.param(
            {"target": "direct", "to_id": "v2-42"},
            "none",
            {"42's twin, V3 in H"},
            {"42, V2 in G"},
            {"42, V2 in G"},
            id="direct to a client on both",
        ),
        pytest.param(
            {"target": "direct", "to_id": "ann"}, "none", {"ann, V3 in G"}, set(), set(), id="direct to oneself"
        ),
        pytest.param({"target": "direct", "to_id": "nobody"}, "none", set(), set(), set(), id="direct to nobody"),
        pytest.param(BROADCAST, "tenant", V3, V2, V2, id="broadcast"),
        pytest.param(
            BROADCAST,
            "platform",
            V3 | {"ann elsewhere, V3 in G"},
            V2 | {"bob elsewhere, V2 in G"},
            V2 | {"bob elsewhere, V2 in G"},
            id="broadcast to the platform",
        ),
        pytest.param(GROUP | {"msg_type": "presence"}, "none", {"ann, V3 in G"}, set(), set(), id="presence"),
        pytest.param(BROADCAST | {"msg_type": "presence"}, "tenant", V3, set(), set(), id="presence to everyone"),
        pytest.param(
            {"target": "direct", "to_id": "v2-42", "msg_type": "presence"},
            "none",
            {"42's twin, V3 in H"},
            set(),
            set(),
            id="presence to one",
        ),
    ],
)
def test_who_hears_what_v3_says(
    fields: dict[str, Any], grant: Grant, v3_hears: set[str], v2_hears: set[str], v2_hears_by_group: set[str]
) -> None:
    """Protocol 4, born on V3; `echo` and heartbeats never reach the crossing."""
    for routing, on_v2 in (("global", v2_hears), ("group", v2_hears_by_group)):
        told = stage(cast(Routing, routing))
        say(told, fields, grant)
        assert told.heard() == sorted(v3_hears | on_v2)


def test_presence_is_not_even_spoken_to_v2_everywhere() -> None:
    told = stage("global")
    say(told, GROUP | {"msg_type": "presence"})
    assert told.bus.published[0].channels == [ADDRESSES.group("acme", "G")]


def test_what_v3_says_travels_as_its_line_alone() -> None:
    told = stage()
    say(told, GROUP | {"msg": "hi"})
    assert told.bus.published[0].data == write({"msg_type": "msg", "target": "group", "msg": "hi"}, "ann", "G", NOW)


def test_a_tenant_that_nobody_configured_is_bridged() -> None:
    told = Stage()
    say(told, GROUP)
    assert told.bus.published[0].channels == [ADDRESSES.group("acme", "G"), ADDRESSES.everyone_on_v2("acme")]


@pytest.mark.parametrize("fields", [GROUP, BROADCAST])
def test_a_message_to_many_that_nobody_hears_is_said_all_the_same(fields: dict[str, Any]) -> None:
    told = stage()
    say(told, fields)
    say_frame(told, fields)
    for published in told.bus.published:
        published.receipt(0)


def test_a_direct_message_that_nobody_hears_is_not_connected() -> None:
    told, codes = stage(), list[str]()
    say(told, {"target": "direct", "to_id": "nobody"}, refused=codes.append)
    told.bus.published[0].receipt(0)
    assert codes == ["not_connected"]


def test_a_direct_message_that_somebody_hears_is_not_answered() -> None:
    told = stage()
    say(told, {"target": "direct", "to_id": "cat"})
    told.bus.published[0].receipt(1)


def test_a_recipient_that_is_here_and_did_not_hear_is_the_buss_fault() -> None:
    told, codes = Stage(Tenant("acme"), here=[ADDRESSES.client("acme", "cat")]), list[str]()
    say(told, {"target": "direct", "to_id": "cat"}, refused=codes.append)
    told.bus.published[0].receipt(0)
    assert codes == ["bus_down"]


def test_what_may_not_have_been_said_is_bus_down() -> None:
    told, codes = stage(), list[str]()
    say(told, GROUP, refused=codes.append)
    say_frame(told, "hello", refused=codes.append)
    for published in told.bus.published:
        published.receipt(None)
    assert codes == ["bus_down", "bus_down"]


def test_whoever_asks_is_told_that_it_was_heard() -> None:
    told, heard = stage(), list[str]()
    for fields, receivers in ((GROUP, 0), ({"target": "direct", "to_id": "cat"}, 1)):
        say(told, fields, heard=lambda: heard.append("heard"))
        told.bus.published[-1].receipt(receivers)
    assert heard == ["heard", "heard"]


def test_every_message_and_every_conversion_is_counted() -> None:
    told = stage()
    say(told, GROUP)
    for frame in ({"msg": "hi"}, "text", {"from_id": "boss"}, {"type": "ping"}, {"type": "ping", "from_id": "boss"}):
        say_frame(told, frame)
    assert told.counts.messages == {("acme", "v3"): 1, ("acme", "v2"): 5}
    assert told.counts.conversions == {
        ("acme", "v2_to_v3", "exact"): 2,
        ("acme", "v2_to_v3", "stashed"): 1,
        ("acme", "v2_to_v3", "suppressed"): 2,
    }


def test_a_payload_of_that_name_is_no_word_of_the_bridge_on_the_other_side() -> None:
    on = stage()
    say(on, {**GROUP, "payload": {"bridge": {"error": "going_away"}}})
    assert b'"bridge"' in on.bus.published[0].data
