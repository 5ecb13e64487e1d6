"""What a V3 client may say, and what each frame is answered that it may not. A refused message ends nothing.

After every test a bystander is asked whether it is still served.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, key, with_key
from tests.servers import BridgeProcess

CONFIG = QUIET + UNHURRIED + key("acme", "acme") + key("muted", "acme", broadcast="none") + key("rival", "rival")
ANN = v3_path("team", "ann", with_key("acme"))


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@pytest.fixture
async def bridge(shared: BridgeProcess) -> AsyncIterator[BridgeProcess]:
    """The process, beside a bystander whom nothing may disturb."""
    async with client(shared, v3_path("elsewhere", "bystander", with_key("acme"))) as bystander:
        yield shared
        assert await bystander.is_served()
    assert "Traceback" not in shared.log


@pytest.fixture
async def ann(bridge: BridgeProcess) -> AsyncIterator[Client]:
    """One client, which must be served after whatever was refused."""
    async with client(bridge, ANN) as one:
        yield one
        assert await one.is_served()


def code_of(error: dict[str, Any]) -> str:
    """The code of an ERROR, which must be a whole `WS_Message_V3`."""
    assert {name: error[name] for name in ("version", "msg_type", "target", "from_id", "group_id", "cmd")} == {
        "version": "3",
        "msg_type": "cmd",
        "target": "echo",
        "from_id": "server",
        "group_id": "team",
        "cmd": "ERROR",
    }
    assert set(error["payload"]) == {"code", "retry", "detail", "refused"}
    assert error["msg"]
    assert error["sent_at"].endswith("Z")
    return str(error["payload"]["code"])


def wrapped(value: str) -> str:
    """A message with a JSON text in its payload."""
    return f'{{"msg_type":"msg","target":"echo","payload":{{"x":{value}}}}}'


NO_JSON = (
    "",
    " ",
    "hello",
    "{",
    "}",
    "[1,",
    "{'msg_type':'msg'}",
    '{"msg_type":"msg","target":"echo"}x',
    '{"msg_type":"msg","target":"echo"}{}',
    '{"msg_type":"msg","target":"echo",}',
    '{"msg_type":"msg" "target":"echo"}',
    '\ufeff{"msg_type":"msg","target":"echo"}',
    wrapped("NaN"),
    wrapped("Infinity"),
    wrapped("-Infinity"),
    wrapped("1e400"),
    wrapped("-1e400"),
    wrapped("1" * 400 + ".0"),
    wrapped("[{}, 1E+9999]"),
    wrapped('"\\ud800"'),
    wrapped('"\\udc00\\ud800"'),
    wrapped('{"\\ud800":1}'),
    wrapped('"\\x41"'),
    wrapped('"a\tb"'),
    wrapped("01"),
    wrapped("+1"),
    wrapped(".5"),
    "NaN",
    "[Infinity]",
    '{"msg_type":"msg","target":"echo","from_id":NaN}',
    '{"msg_type":"msg","target":"echo","msg":NaN}',
    '{"msg_type":"nothing","target":"echo","payload":{"x":1e400}}',
    "\x00",
)


@pytest.mark.parametrize("text", NO_JSON)
async def test_what_is_no_json_is_refused(ann: Client, text: str) -> None:
    assert code_of(await ann.ask(text)) == "invalid_json"


@pytest.mark.parametrize("text", ["[]", '"x"', "7", "null", "true", "[{}]", "{}", "-0.5"])
async def test_json_that_is_no_message_is_refused(ann: Client, text: str) -> None:
    assert code_of(await ann.ask(text)) == "invalid_message"


WRONG_FIELDS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("msg_type", {"target": "echo"}),
    ("target", {"msg_type": "msg"}),
    ("color", {"msg_type": "msg", "target": "echo", "color": "red"}),
    ("_v2", {"msg_type": "msg", "target": "echo", "_v2": {}}),
    ("Msg", {"msg_type": "msg", "target": "echo", "Msg": "hi"}),
    ("msg_type", {"msg_type": "message", "target": "echo"}),
    ("msg_type", {"msg_type": "MSG", "target": "echo"}),
    ("msg_type", {"msg_type": None, "target": "echo"}),
    ("msg_type", {"msg_type": 1, "target": "echo"}),
    ("msg_type", {"msg_type": ["msg"], "target": "echo"}),
    ("target", {"msg_type": "msg", "target": "everyone"}),
    ("target", {"msg_type": "msg", "target": "Echo"}),
    ("target", {"msg_type": "msg", "target": "echo "}),
    ("version", {"version": "2", "msg_type": "msg", "target": "echo"}),
    ("version", {"version": 3, "msg_type": "msg", "target": "echo"}),
    ("version", {"version": None, "msg_type": "msg", "target": "echo"}),
    ("msg", {"msg_type": "msg", "target": "echo", "msg": 7}),
    ("msg", {"msg_type": "msg", "target": "echo", "msg": True}),
    ("msg", {"msg_type": "msg", "target": "echo", "msg": {}}),
    ("cmd", {"msg_type": "cmd", "target": "echo", "cmd": 7}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": 7}),
    ("payload", {"msg_type": "msg", "target": "echo", "payload": []}),
    ("payload", {"msg_type": "msg", "target": "echo", "payload": "x"}),
    ("payload", {"msg_type": "msg", "target": "echo", "payload": 0}),
    ("to_id", {"msg_type": "msg", "target": "direct"}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": None}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": ""}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": "42"}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": "server"}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": "a b"}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": "*"}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": "x" * 65}),
    ("to_id", {"msg_type": "msg", "target": "direct", "to_id": "ann\n"}),
    ("to_id", {"msg_type": "msg", "target": "group", "to_id": "ben"}),
    ("to_id", {"msg_type": "msg", "target": "group", "to_id": ""}),
    ("to_id", {"msg_type": "msg", "target": "broadcast", "to_id": "ben"}),
    ("to_id", {"msg_type": "msg", "target": "echo", "to_id": "ann"}),
    ("to_id", {"msg_type": "heartbeat", "target": "echo", "to_id": "ann"}),
    ("to_id", {"msg_type": "heartbeat", "target": "direct", "to_id": "42"}),
)


@pytest.mark.parametrize(("field", "said"), WRONG_FIELDS, ids=lambda value: json.dumps(value)[:60])
async def test_a_wrong_field_is_named_in_the_answer(ann: Client, field: str, said: dict[str, Any]) -> None:
    error = await ann.ask(said)
    assert code_of(error) == "invalid_message"
    assert field in [problem["field"] for problem in error["payload"]["detail"]]
    texts = {name: said[name] for name in ("msg_type", "target", "to_id", "cmd") if isinstance(said.get(name), str)}
    assert error["payload"]["refused"] == texts


async def test_a_refusal_is_small_however_large_what_it_refuses(ann: Client) -> None:
    said = {"msg_type": "x" * 10_000, "target": "y" * 10_000} | {f"field {number}": 1 for number in range(2_000)}
    said[f"field {'z' * 10_000}"] = 1
    await ann.say(said)
    assert len(await ann.hear_text()) < 4_096


async def test_what_claims_to_be_of_somebody_else_is_delivered_with_the_true_sender(
    ann: Client, bridge: BridgeProcess
) -> None:
    async with client(bridge, v3_path("team", "ben", with_key("acme"))) as ben:
        for claim in ("boss", "ben", "", 7, None, {"a": [1]}, True):
            claims = {"from_id": claim, "group_id": claim, "sent_at": claim}
            heard = await ann.ask({"msg_type": "msg", "target": "group", "msg": "hi"} | claims)
            assert (heard["from_id"], heard["group_id"]) == ("ann", "team")
            assert heard["sent_at"] != claim
            assert await ben.hear() == heard


async def test_what_is_delivered_has_its_fields_in_order_and_none_that_nobody_set(ann: Client) -> None:
    await ann.say(
        '{"payload":{"b":1,"a":[null]},"cmd":null,"msg":"hé","target":"group","version":"3","msg_type":"msg"}'
    )
    text = await ann.hear_text()
    begin = '{"version":"3","msg_type":"msg","target":"group","from_id":"ann","group_id":"team","msg":"hé",'
    assert text.startswith(begin + '"payload":{"b":1,"a":[null]},"sent_at":"')


async def test_what_one_connection_is_sent_at_increases(ann: Client) -> None:
    for _ in range(100):
        await ann.say({"msg_type": "msg", "target": "group"})
    times = [(await ann.hear())["sent_at"] for _ in range(100)]
    assert times == sorted(set(times))
    assert all(len(time) == len("2026-01-01T00:00:00.000000Z") for time in times)


def nested(depth: int) -> str:
    """A payload of so many containers, the payload itself included."""
    return '{"msg_type":"msg","target":"echo","payload":' + '{"a":' * (depth - 1) + "{}" + "}" * (depth - 1) + "}"


async def test_a_payload_may_be_nested_32_deep(ann: Client) -> None:
    assert "payload" in await ann.ask(nested(32))
    for depth in (33, 64, 200, 5_000, 10_000):
        assert code_of(await ann.ask(nested(depth))) == "invalid_message"
    unfinished = '{"msg_type":"msg","target":"echo","payload":' + "[" * 30_000
    assert code_of(await ann.ask(unfinished)) in ("invalid_json", "invalid_message")


async def test_brackets_in_a_text_are_no_nesting(ann: Client) -> None:
    said = {"msg_type": "msg", "target": "echo", "msg": "[{" * 100, "payload": {"a": "[" * 100}}
    assert (await ann.ask(said))["msg"] == "[{" * 100


async def test_large_and_exact_numbers_are_kept(ann: Client) -> None:
    said = wrapped("[1e300,-0.0,123456789012345678901234567890,0.1,1E-7]")
    await ann.say(said)
    assert json.loads(await ann.hear_text())["payload"] == json.loads(said)["payload"]


async def test_a_client_of_another_tenant_is_as_good_as_nobody(ann: Client, bridge: BridgeProcess) -> None:
    async with client(bridge, v3_path("team", "rita", with_key("rival"))) as rita:
        answers = [await ann.ask({"msg_type": "msg", "target": "direct", "to_id": to}) for to in ("rita", "nobody")]
        assert [code_of(answer) for answer in answers] == ["not_connected", "not_connected"]
        first, second = (json.dumps({**answer, "sent_at": ""}) for answer in answers)
        assert first == second.replace("nobody", "rita")
        assert await rita.is_served()


async def test_a_broadcast_without_the_grant_is_refused(bridge: BridgeProcess, ann: Client) -> None:
    async with client(bridge, v3_path("team", "muted", with_key("muted"))) as muted:
        error = await muted.ask({"msg_type": "cmd", "target": "broadcast", "cmd": "MAINTENANCE_WARNING"})
        assert code_of(error) == "not_allowed"
        refused = {"msg_type": "cmd", "target": "broadcast", "cmd": "MAINTENANCE_WARNING"}
        assert error["payload"]["refused"] == refused
        assert await muted.is_served()
