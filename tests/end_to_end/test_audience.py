"""Who hears what: each cell of the audience table. JOIN and LEAVE are in `test_join_and_leave.py`.

Everyone who is not named by a row must hear nothing, and whoever is named must hear one frame and no second.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.configuration import QUIET
from tests.end_to_end.people import CONFIG, MEMBERS, TENANTS
from tests.end_to_end.population import Member, Population, population
from tests.servers import BridgeProcess

Audience = Callable[[Member, Member], bool]


def nobody(_speaker: Member, _member: Member) -> bool:
    return False


def sender(speaker: Member, member: Member) -> bool:
    return member == speaker


def group(speaker: Member, member: Member) -> bool:
    return tenant(speaker, member) and member.group == speaker.group


def tenant(speaker: Member, member: Member) -> bool:
    return member.tenant == speaker.tenant


def platform(_speaker: Member, _member: Member) -> bool:
    return True


def client(client_id: str) -> Audience:
    return lambda speaker, member: tenant(speaker, member) and member.client_id == client_id


@pytest.fixture(scope="module")
def bridges(module_bridge: StartBridge) -> list[BridgeProcess]:
    return [module_bridge(config=QUIET + CONFIG), module_bridge(config=QUIET + CONFIG)]


@pytest.fixture(scope="module")
async def everyone(
    anyio_backend: Any, bridges: list[BridgeProcess], redis_url: str, module_prefix: str
) -> AsyncIterator[Population]:
    async with population(bridges, MEMBERS, redis_url, module_prefix) as people:
        yield people


@dataclass(frozen=True)
class Row:
    """What one member says, and who hears it: on V3, and on V2 under either routing."""

    speaker: str
    said: Any
    v3: Audience
    v2_global: Audience
    v2_group: Audience

    def audience(self, speaker: Member) -> set[Member]:
        v2 = self.v2_global if speaker.tenant == "wide" else self.v2_group
        hears = {"v3": self.v3, "v2": v2}
        return {member for member in MEMBERS if hears[member.language](speaker, member)}

    def __str__(self) -> str:
        return f"{self.speaker}: {self.said if isinstance(self.said, str) else json.dumps(self.said)}"


def v3_row(v3: Audience, v2_global: Audience, v2_group: Audience, speaker: str = "ann", **said: Any) -> Row:
    return Row(speaker, said, v3, v2_global, v2_group)


V2_SPEAKER = "/ws/group/team/client/42"
BORN_ON_V3 = (
    v3_row(group, tenant, group, msg_type="msg", target="group", msg="hi"),
    v3_row(group, tenant, group, msg_type="cmd", target="group", cmd="RELOAD", payload={"force": True}),
    v3_row(group, tenant, group, "cat", msg_type="msg", target="group", msg="from another group"),
    v3_row(client("dev_1"), client("dev_1"), client("dev_1"), msg_type="msg", target="direct", to_id="dev_1"),
    v3_row(client("v2-42"), client("v2-42"), client("v2-42"), msg_type="msg", target="direct", to_id="v2-42"),
    v3_row(nobody, client("v2-7"), client("v2-7"), msg_type="cmd", target="direct", to_id="v2-7", cmd="GO"),
    v3_row(client("ben"), nobody, nobody, msg_type="msg", target="direct", to_id="ben"),
    v3_row(sender, nobody, nobody, msg_type="msg", target="direct", to_id="ann"),
    v3_row(tenant, tenant, tenant, msg_type="cmd", target="broadcast", cmd="MAINTENANCE_WARNING"),
    v3_row(platform, platform, platform, "operator", msg_type="msg", target="broadcast", msg="to all"),
    v3_row(group, tenant, group, "operator", msg_type="msg", target="group", msg="to some"),
    v3_row(sender, nobody, nobody, msg_type="msg", target="echo", msg="ping"),
    v3_row(sender, nobody, nobody, msg_type="cmd", target="echo", cmd="PING"),
    v3_row(sender, nobody, nobody, msg_type="heartbeat", target="echo"),
    v3_row(sender, nobody, nobody, msg_type="heartbeat", target="group"),
    v3_row(sender, nobody, nobody, msg_type="heartbeat", target="broadcast"),
    v3_row(sender, nobody, nobody, msg_type="heartbeat", target="direct", to_id="ben"),
    v3_row(sender, nobody, nobody, msg_type="presence", target="echo"),
    v3_row(group, nobody, nobody, msg_type="presence", target="group", msg="away"),
    v3_row(tenant, nobody, nobody, msg_type="presence", target="broadcast", msg="away"),
    v3_row(client("dev_1"), nobody, nobody, msg_type="presence", target="direct", to_id="dev_1", msg="away"),
)
BORN_ON_V2 = (
    Row(V2_SPEAKER, {"msg": "hi"}, group, tenant, group),
    Row(V2_SPEAKER, '{ "msg" :  "hi",\t"z":1, "a":[ 1.0 ] }', group, tenant, group),
    Row(V2_SPEAKER, "no JSON at all", group, tenant, group),
    Row(V2_SPEAKER, "[1, 2]", group, tenant, group),
    Row(V2_SPEAKER, {"command": "RELOAD", "data": {"force": True}}, group, tenant, group),
    Row(V2_SPEAKER, {"type": "presence", "msg": "away"}, group, tenant, group),
    Row(V2_SPEAKER, {"target": "group", "msg": "hi"}, group, tenant, group),
    Row(V2_SPEAKER, {"target": "direct", "msg": "to nobody in particular"}, group, tenant, group),
    Row(V2_SPEAKER, {"type": "heartbeat"}, nobody, tenant, group),
    Row(V2_SPEAKER, {"type": "ping", "to": "dev_1"}, nobody, tenant, client("dev_1")),
    Row("/ws_redis/a%20b", {"msg": "from the lobby"}, group, tenant, group),
    Row("/ws_redis", {"msg": "from a generated id"}, group, tenant, group),
    Row("/ws/group/team/client/anonymous", {"msg": "from one without a key"}, group, tenant, group),
    Row(V2_SPEAKER, {"to": 7, "msg": "an integer"}, nobody, tenant, client("v2-7")),
    Row(V2_SPEAKER, {"to_id": "7", "msg": "its digits"}, nobody, tenant, client("v2-7")),
    Row(V2_SPEAKER, {"to_client_id": 42, "msg": "oneself"}, nobody, tenant, client("v2-42")),
    Row(V2_SPEAKER, {"recipient_id": "dev_1", "text": "a string"}, client("dev_1"), tenant, client("dev_1")),
    Row(V2_SPEAKER, {"target": "direct", "to": "ben", "msg": "of V3"}, client("ben"), tenant, nobody),
    Row(V2_SPEAKER, {"target": "direct", "to": "a b", "msg": "escaped"}, nobody, tenant, client("v2-a_20b")),
    Row(V2_SPEAKER, {"target": "group", "to": "ben", "msg": "a group after all"}, group, tenant, group),
    Row(V2_SPEAKER, {"target": "broadcast", "msg": "granted"}, tenant, tenant, tenant),
    Row("/ws/group/team/client/operator", {"target": "broadcast", "msg": "operator"}, tenant, tenant, tenant),
    Row("/ws/group/team/client/muted", {"target": "broadcast", "msg": "no grant"}, group, tenant, tenant),
    Row("/ws/group/team/client/anonymous", {"target": "broadcast", "msg": "no key"}, group, tenant, tenant),
)
NOT_STRICT = (
    Row(V2_SPEAKER, r'{"to":"dev_1","msg":"x \ud83d"}', client("dev_1"), tenant, client("dev_1")),
    Row(V2_SPEAKER, '{"to":"ben","x":NaN}', client("ben"), tenant, nobody),
    Row(V2_SPEAKER, '\ufeff{"to":7.0,"msg":"x"}\0', nobody, tenant, client("v2-7")),
    Row(V2_SPEAKER, '{"to":7e0,"msg":"x"}', nobody, tenant, client("v2-7")),
    Row(V2_SPEAKER, '{"to":"dev_1","a":' + "[" * 3_000 + "]" * 3_000 + "}", client("dev_1"), tenant, client("dev_1")),
    Row(V2_SPEAKER, '{"msg":"a\nb","to":"dev_1"', client("dev_1"), tenant, client("dev_1")),
    Row(V2_SPEAKER, '{"target":"broadcast","x":1e400}', tenant, tenant, tenant),
    Row(V2_SPEAKER, '{"msg":"for the group","x":NaN}', group, tenant, group),
)
BOTH_TENANTS = pytest.mark.parametrize("name", TENANTS)


def speaker_of(row: Row, name: str) -> Member:
    return next(member for member in MEMBERS if member.tenant == name and member.label == row.speaker)


@BOTH_TENANTS
@pytest.mark.parametrize("row", BORN_ON_V3, ids=str)
async def test_what_v3_says_is_heard_once_by_whom_the_table_names(everyone: Population, name: str, row: Row) -> None:
    speaker = speaker_of(row, name)
    heard = await everyone.heard(speaker, row.said)
    assert set(heard) == row.audience(speaker)
    assert {len(frames) for frames in heard.values()} == {1}
    assert len({frames[0] for member, frames in heard.items() if member.language == "v3"}) <= 1
    for member, (text,) in heard.items():
        frame = json.loads(text)
        assert frame["group_id"] == speaker.group
        if member.language == "v2":
            assert frame["client_id"] == speaker.client_id
        else:
            assert frame["from_id"] == speaker.client_id
            assert all(frame[name] == value for name, value in row.said.items())


@BOTH_TENANTS
@pytest.mark.parametrize("row", BORN_ON_V2 + NOT_STRICT, ids=lambda row: str(row)[:60])
async def test_what_v2_says_is_heard_once_by_whom_the_table_names(everyone: Population, name: str, row: Row) -> None:
    speaker = speaker_of(row, name)
    said = row.said if isinstance(row.said, str) else json.dumps(row.said)
    heard = await everyone.heard(speaker, said)
    assert set(heard) == row.audience(speaker)
    assert {len(frames) for frames in heard.values()} == {1}
    for member, (text,) in heard.items():
        if member.language == "v2":
            assert text == said
        else:
            assert json.loads(text)["group_id"] == speaker.group
            assert speaker.client_id is None or json.loads(text)["from_id"] == speaker.client_id


@pytest.mark.parametrize("to_id", ["gone", "v2-4711", "hermit-narrow"])
async def test_a_v3_message_to_nobody_of_ones_tenant_is_refused_and_heard_by_nobody(
    everyone: Population, to_id: str
) -> None:
    speaker = speaker_of(BORN_ON_V3[0], "wide")
    heard = await everyone.heard(speaker, {"msg_type": "msg", "target": "direct", "to_id": to_id})
    assert set(heard) == {speaker}
    (text,) = heard[speaker]
    refused = {"msg_type": "msg", "target": "direct", "to_id": to_id}
    assert json.loads(text)["payload"] == {"code": "not_connected", "retry": True, "detail": [], "refused": refused}


@pytest.mark.parametrize("to_id", ["gone", 4711])
async def test_a_v2_frame_to_nobody_is_heard_by_all_of_v2_under_global_routing(
    everyone: Population, to_id: str | int
) -> None:
    speaker = speaker_of(BORN_ON_V2[0], "wide")
    heard = await everyone.heard(speaker, {"to": to_id, "msg": "is anyone there?"})
    assert set(heard) == {member for member in MEMBERS if member.tenant == "wide" and member.language == "v2"}


@pytest.mark.parametrize("said", ['{"to":"gone"}', '{"to":4711}', '{"to":NaN}', '{"to":"dev_1\\ud83d"}', '{"to":"dev'])
async def test_a_v2_frame_to_nobody_is_refused_under_group_routing(everyone: Population, said: str) -> None:
    speaker = speaker_of(BORN_ON_V2[0], "narrow")
    heard = await everyone.heard(speaker, said)
    assert set(heard) == {speaker}
    (text,) = heard[speaker]
    assert json.loads(text)["bridge"]["error"] == "not_connected"


@BOTH_TENANTS
async def test_a_v3_broadcast_without_a_grant_is_refused_and_heard_by_nobody(everyone: Population, name: str) -> None:
    speaker = speaker_of(replace(BORN_ON_V3[0], speaker="muted"), name)
    heard = await everyone.heard(speaker, {"msg_type": "msg", "target": "broadcast", "msg": "not allowed"})
    assert set(heard) == {speaker}
    (text,) = heard[speaker]
    assert json.loads(text)["payload"]["code"] == "not_allowed"


async def test_what_v2_hears_of_v3_is_in_words_of_v2(everyone: Population) -> None:
    speaker = speaker_of(BORN_ON_V3[0], "wide")
    said = {"msg_type": "cmd", "target": "direct", "to_id": "v2-42", "cmd": "GO", "msg": "m", "payload": {"a": 1}}
    heard = await everyone.heard(speaker, said)
    frames = [json.loads(text) for texts in heard.values() for text in texts]
    expected = {"type": "cmd", "to_id": 42, "cmd": "GO", "msg": "m", "a": 1, "client_id": "ann", "group_id": "team"}
    assert [{name: value for name, value in frame.items() if name != "sent_at"} for frame in frames] == [expected] * 2


async def test_messages_of_one_sender_keep_their_order_for_everyone(everyone: Population) -> None:
    speaker = speaker_of(BORN_ON_V2[0], "wide")
    for number in range(49):
        await everyone.say(speaker, {"msg": "counted", "number": number})
    heard = await everyone.heard(speaker, {"msg": "counted", "number": 49})
    assert set(heard) == BORN_ON_V2[0].audience(speaker)
    for member, texts in heard.items():
        frames = [json.loads(text) for text in texts]
        numbers = [frame["number"] if member.language == "v2" else frame["payload"]["number"] for frame in frames]
        assert numbers == list(range(50))
