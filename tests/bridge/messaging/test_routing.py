"""On which channels a message is said and a connection listens. Who hears what in the end: `test_publisher.py`."""

from __future__ import annotations

from typing import Any, cast

import pytest

from bridge.broker.addresses import Addresses
from bridge.messaging.routing import channels_from_v2, channels_from_v3, is_for, listens_on
from bridge.records.rows import Language
from bridge.tenants.tenant import Routing, Tenant
from legacy_v2 import ports as v2
from v3 import ports as v3
from v3.messages import Content

ADDRESSES = Addresses("aether")
GROUP, EVERYONE = b"aether:{acme:g:team}", b"aether:{acme:v2}"
BEN, BROADCAST, PLATFORM = b"aether:{acme:c:ben}", b"aether:{acme:b}", b"aether:{b}"
HEARD_OF_IT = b"aether:{b}#acme"
TO_GROUP: dict[str, Any] = {"target": "group"}
TO_BEN: dict[str, Any] = {"target": "direct", "to_id": "ben"}
TO_ALL: dict[str, Any] = {"target": "broadcast"}


def tenant(routing: str) -> Tenant:
    return Tenant("acme", v2_routing=cast(Routing, routing))


def content_of(said: dict[str, Any]) -> Content:
    return cast(Content, {"msg_type": "msg", **said})


@pytest.mark.parametrize(
    ("said", "grant", "wide", "narrow"),
    [
        pytest.param(TO_GROUP, "none", [GROUP, EVERYONE], [GROUP], id="group"),
        pytest.param(TO_GROUP | {"msg_type": "presence"}, "none", [GROUP], [GROUP], id="presence"),
        pytest.param(TO_BEN, "none", [BEN], [BEN], id="direct"),
        pytest.param(TO_ALL, "tenant", [BROADCAST], [BROADCAST], id="broadcast"),
        pytest.param(TO_ALL, "platform", [PLATFORM], [PLATFORM], id="broadcast to the platform"),
    ],
)
def test_where_v3_is_said(said: dict[str, Any], grant: Any, wide: list[bytes], narrow: list[bytes]) -> None:
    guest = v3.Guest("acme", "team", "ann", grant)
    for routing, channels in (("global", wide), ("group", narrow)):
        assert channels_from_v3(content_of(said), guest, tenant(routing), ADDRESSES) == channels


@pytest.mark.parametrize(
    ("said", "grant", "wide", "narrow", "target"),
    [
        pytest.param(TO_GROUP, "none", [GROUP, EVERYONE], [GROUP], "group", id="group"),
        pytest.param(TO_GROUP | {"msg_type": "presence"}, "none", [GROUP, EVERYONE], [GROUP], "group", id="presence"),
        pytest.param(TO_GROUP | {"msg_type": "heartbeat"}, "none", [GROUP, EVERYONE], [GROUP], "group", id="heartbeat"),
        pytest.param(TO_BEN, "none", [BEN, EVERYONE], [BEN], "direct", id="direct"),
        pytest.param(TO_ALL, "tenant", [BROADCAST], [BROADCAST], "broadcast", id="broadcast"),
        pytest.param(TO_ALL, "platform", [BROADCAST], [BROADCAST], "broadcast", id="broadcast, widest grant"),
        pytest.param(TO_ALL, "none", [GROUP, EVERYONE], [GROUP, EVERYONE], "group", id="broadcast without a grant"),
    ],
)
def test_where_v2_is_said_and_as_what_v3_hears_it(
    said: dict[str, Any], grant: Any, wide: list[bytes], narrow: list[bytes], target: str
) -> None:
    guest = v2.Guest("acme", "the team", "old", "team", "old", grant)
    for routing, channels in (("global", wide), ("group", narrow)):
        content = content_of(said)
        found, heard = channels_from_v2(content, guest, tenant(routing), ADDRESSES)
        assert found == channels
        assert heard == {**content, "target": target}
        assert content == content_of(said)


@pytest.mark.parametrize(("language", "more"), [("v3", []), ("v2", [EVERYONE])])
def test_a_connection_listens_on_its_group_its_client_and_the_broadcasts_and_v2_on_its_own_channel_last(
    language: Language, more: list[bytes]
) -> None:
    assert listens_on(language, "acme", "team", "ben", ADDRESSES) == [GROUP, BEN, BROADCAST, HEARD_OF_IT, *more]


@pytest.mark.parametrize("msg_type", ["msg", "cmd", "heartbeat", "presence"])
def test_v3_has_no_word_for_heartbeats_of_v2_and_v2_none_for_presence_of_v3(msg_type: str) -> None:
    assert is_for("v2", "v2", msg_type)
    assert is_for("v3", "v3", msg_type)
    assert is_for("v3", "v2", msg_type) == (msg_type != "heartbeat")
    assert is_for("v2", "v3", msg_type) == (msg_type != "presence")
