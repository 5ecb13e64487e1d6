"""The Socket.IO door, as python-socketio's client goes through it: the same rules, said in Socket.IO's way."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from datetime import datetime
from itertools import count
from typing import Any

import httpx
import pytest

from tests.conftest import StartBridge, StartRedis
from tests.end_to_end.clients import client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, SECRET, UNHURRIED, api_key, key, token, with_key
from tests.end_to_end.raw import TEXT, frame, raw_socket
from tests.end_to_end.socketio_clients import TRANSPORTS, poller, refusal_of, v3_ids, visitor
from tests.end_to_end.test_ends import never_reading, resident_bytes
from tests.servers import BridgeProcess
from tests.stopwatch import Stopwatch

CONFIG = (
    UNHURRIED
    + "".join(f"[tenants.{name}]\n" for name in ("acme", "other", "moving", "mapped"))
    + '[tenants.old]\nstage = "legacy"\n[tenants.new]\nstage = "v3"\n[tenants.drained]\nstage = "drain"\nshare = 100\n'
    + "".join(key(name, name) for name in ("acme", "other", "moving", "mapped", "old", "new", "drained"))
    + key("mute", "acme", broadcast="none")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    + f'[jwt]\nsecret = "{SECRET}"\n'
)
ECHO = {"msg_type": "msg", "target": "echo", "msg": "still here"}
GROUP = {"msg_type": "msg", "target": "group", "msg": "hi"}
ACME = {"api_key": api_key("acme")}
MIB = 1024 * 1024
MOST_AT_ONCE = 16  # packets in the answer to a poll
by_each_transport = pytest.mark.parametrize("transports", TRANSPORTS)


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge("--socketio", config=CONFIG)


@pytest.fixture(autouse=True)
async def no_traceback(shared: BridgeProcess) -> AsyncIterator[None]:
    yield
    assert "Traceback" not in shared.log


async def administer(bridge: BridgeProcess, path: str, said: dict[str, Any]) -> None:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers=headers) as http:
        answer = await http.put(path, json=said)
        assert answer.status_code == 200, answer.text


async def asked(bridge: BridgeProcess, path: str) -> Any:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=bridge.url, headers=headers) as http:
        return (await http.get(path)).json()


@by_each_transport
async def test_a_client_is_let_in_speaks_and_is_answered(shared: BridgeProcess, transports: str) -> None:
    async with visitor(shared, "/v3", transports, **v3_ids("io"), **ACME) as io:
        answer = await io.ask(ECHO)
        heard = await io.hear()
        assert answer == {"ok": True, "sent_at": heard["sent_at"]}
        assert heard == {"version": "3", "from_id": "io", "group_id": "talk", "sent_at": heard["sent_at"]} | ECHO
        await io.say(GROUP)
        assert (await io.hear())["msg"] == "hi"
        assert io.client.transport() == ("polling" if transports == "polling" else "websocket")


@by_each_transport
async def test_credentials_may_stand_in_the_query_and_in_a_token(shared: BridgeProcess, transports: str) -> None:
    query = f"{with_key('acme')}&group_id=talk&client_id=io"
    async with visitor(shared, "/v3", transports, query=query) as io:
        assert (await io.ask(ECHO))["ok"]
    visa = token(account_id="acme")
    boss = api_key("boss")
    async with visitor(shared, "/v3", transports, **v3_ids("io"), api_key=boss, jwt=visa) as io:
        assert (await io.ask(ECHO))["ok"]
    async with visitor(shared, "/v3", transports, **v3_ids("io"), api_key=boss, x_account_id="other") as io:
        assert (await io.ask(ECHO))["ok"]


REFUSED = {
    "no key": ("/v3", v3_ids("io"), "unauthenticated"),
    "an unknown key": ("/v3", v3_ids("io", api_key="nobody"), "unauthenticated"),
    "a doubled key": ("/v3", v3_ids("io", query=f"{with_key('acme')}&{with_key('acme')}"), "unauthenticated"),
    "a token that has ended": ("/v3", v3_ids("io", **ACME, jwt=token(exp=1_000, account_id="acme")), "unauthenticated"),
    "another tenant": ("/v3", v3_ids("io", **ACME, x_account_id="other"), "forbidden"),
    "no tenant": ("/v3", v3_ids("io", api_key=api_key("boss")), "forbidden"),
    "a number": ("/v3", v3_ids("42", **ACME), "invalid_id"),
    "no ids": ("/v3", ACME, "invalid_id"),
    "a long group": ("/v3", v3_ids("io", "x" * 65, **ACME), "invalid_id"),
    "a tenant that is not on V3 yet": ("/v3", v3_ids("io", api_key=api_key("old")), "stage_legacy"),
    "V2 without a key": ("/v2", v3_ids("io"), "unauthenticated"),
    "V2 with too long an id": ("/v2", v3_ids("x" * 129, **ACME), "invalid_id"),
    "V2 of another tenant": ("/v2", v3_ids("42", **ACME, x_account_id="other"), "forbidden"),
    "V2 of a tenant that has moved": ("/v2", v3_ids("42", api_key=api_key("new")), "v2_retired"),
    "V2 of a tenant that moves": ("/v2", v3_ids("42", api_key=api_key("drained")), "moved_to_v3"),
    "another namespace": ("/v4", v3_ids("io", **ACME), "invalid_namespace"),
    "no namespace": ("/", v3_ids("io", **ACME), "invalid_namespace"),
}


@pytest.mark.parametrize("case", REFUSED)
@pytest.mark.parametrize("transports", ["polling", "websocket"])
async def test_who_is_not_let_in_hears_the_code(shared: BridgeProcess, transports: str, case: str) -> None:
    namespace, how, code = REFUSED[case]
    refused = await refusal_of(shared, namespace, transports, **how)
    assert refused["code"] == code
    if code in ("v2_retired", "moved_to_v3"):
        told = refused["bridge"]
        assert (told["error"], told["notice"]) == (code, code)
        assert told["successor"] == "/v3/ws/group/talk/client/v2-42"
    elif namespace == "/v3":
        assert refused == {"code": code, "retry": False, "detail": [], "refused": {}}


async def test_a_refused_session_is_closed_within_a_second(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        assert (await io.enter()).startswith("44/v3,")
        assert await io.ended() < 1


@by_each_transport
async def test_a_refused_message_is_the_answer_or_else_an_error(shared: BridgeProcess, transports: str) -> None:
    async with visitor(shared, "/v3", transports, **v3_ids("io", api_key=api_key("mute"))) as io:
        for said, code in (
            ({"msg_type": "msg"}, "invalid_message"),
            ("no JSON", "invalid_json"),
            ([1], "invalid_message"),
            ({**GROUP, "target": "broadcast"}, "not_allowed"),
            ({**GROUP, "target": "direct", "to_id": "nobody"}, "not_connected"),
            ({**GROUP, "payload": {"deep": json.loads("[" * 40 + "]" * 40)}}, "invalid_message"),
        ):
            answer = await io.ask(said)
            assert answer["code"] == code
            assert answer.keys() == {"code", "retry", "detail", "refused", "msg"}
            await io.say(said)
            error = await io.hear()
            assert (error["cmd"], error["payload"]["code"]) == ("ERROR", code)
            assert answer == {**error["payload"], "msg": error["msg"]}
        await io.client.emit("another event", GROUP, namespace="/v3")
        assert (await io.hear())["payload"]["code"] == "invalid_message"
        assert (await io.ask(ECHO))["ok"]


async def test_a_heartbeat_and_a_presence_echo_are_answered(shared: BridgeProcess) -> None:
    async with visitor(shared, **v3_ids("io", "beat"), **ACME) as io:
        assert (await io.ask({"msg_type": "heartbeat", "target": "group"}))["ok"]
        assert (await io.hear())["msg_type"] == "heartbeat"
        answer = await io.ask({"msg_type": "presence", "target": "echo"})
        (member,) = (await io.hear())["payload"]["members"]
        assert (answer["ok"], member["client_id"], member["protocol"]) == (True, "io", "socketio")
        assert datetime.fromisoformat(member["since"]) <= datetime.fromisoformat(answer["sent_at"])


@pytest.mark.parametrize("namespace", ["/v3", "/v2"])
@by_each_transport
async def test_it_joins_and_leaves_as_socketio(shared: BridgeProcess, transports: str, namespace: str) -> None:
    group = f"joins-{transports}-{namespace[1:]}"
    async with client(shared, v3_path(group, "raw", with_key("acme"))) as raw:
        async with visitor(shared, namespace, transports, **v3_ids("io", group), **ACME):
            joined = await raw.hear_anything()
            while joined["from_id"] != "io":
                joined = await raw.hear_anything()
        left = await raw.hear_anything()
        assert [said["cmd"] for said in (joined, left)] == ["JOIN", "LEAVE"]
        assert joined["payload"] == left["payload"]
        assert joined["payload"]["protocol"] == "socketio"


@by_each_transport
async def test_v2_says_anything_verbatim_and_hears_it_as_it_is(shared: BridgeProcess, transports: str) -> None:
    async with (
        visitor(shared, "/v2", transports, **v3_ids("42", "verbatim"), **ACME) as io,
        client(shared, f"/ws/group/verbatim/client/7?{with_key('acme')}") as raw,
        client(shared, v3_path("verbatim", "ann", with_key("acme"))) as ann,
    ):
        for said, text in (
            ({"msg": "é", "n": 1.5}, '{"msg":"\\u00e9","n":1.5}'),
            ([1, 2], "[1,2]"),
            (7, "7"),
            ("no JSON at all", "no JSON at all"),
            ("", ""),
        ):
            assert (await io.ask(said))["ok"]
            assert await raw.hear_text() == text
            assert await io.hear() == said
            assert (await ann.hear())["from_id"] == "v2-42"
        for text, heard in (
            ('{ "a" : [ 1.0 ] }', {"a": [1.0]}),
            ("plain", "plain"),
            ("NaN", "NaN"),
            ("[" * 50 + "]" * 50, "[" * 50 + "]" * 50),
            ('"\\ud800"', '"\\ud800"'),
        ):
            await raw.say(text)
            assert await io.hear() == heard
        await ann.say({**GROUP, "payload": {"a": 1}})
        assert (await io.hear()).items() >= {"type": "msg", "msg": "hi", "a": 1, "client_id": "ann"}.items()


async def test_what_a_polling_client_wrote_reaches_v2_byte_for_byte(shared: BridgeProcess) -> None:
    texts = ['{ "a":1.0,\t"a" : 2e5 }', '{"half":"\\ud83d"}', "9" * 5_000, "[" * 300 + "]" * 300, "-0", "1e400"]
    async with poller(shared) as io, client(shared, f"/ws/group/bytes/client/7?{with_key('acme')}") as raw:
        await io.enter("/v2", v3_ids("42", "bytes", **ACME))
        for text in texts:
            assert (await io.post(f'42/v2,["message", {text} ]')).text == "ok"
            assert await raw.hear_text() == text


async def test_messages_go_directly_to_and_fro(shared: BridgeProcess) -> None:
    raw_path = v3_path("elsewhere", "ann", with_key("acme"))
    async with (
        client(shared, raw_path) as ann,
        visitor(shared, "/v3", "polling", **v3_ids("tab", "direct"), **ACME) as new,
        visitor(shared, "/v2", "websocket", **v3_ids("42", "direct"), **ACME) as old,
    ):
        assert (await new.ask({**GROUP, "target": "direct", "to_id": "ann"}))["ok"]
        assert (await ann.hear())["from_id"] == "tab"
        await ann.say({**GROUP, "target": "direct", "to_id": "tab", "msg": "to new"})
        await ann.say({**GROUP, "target": "direct", "to_id": "v2-42", "msg": "to old"})
        assert (await new.hear())["msg"] == "to new"
        assert (await old.hear())["msg"] == "to old"
        assert (await old.ask({"to": "ann", "msg": "back"}))["ok"]
        assert (await ann.hear())["from_id"] == "v2-42"


async def test_one_session_may_be_in_both_namespaces(shared: BridgeProcess) -> None:
    async with poller(shared) as io:
        await io.begin()
        new, old = json.dumps(v3_ids("new", "both", **ACME)), json.dumps(v3_ids("old", "both", **ACME))
        await io.post(f"40/v3,{new}\x1e40/v2,{old}")
        heard: list[str] = []
        await io.post(f'42/v3,["message",{json.dumps(GROUP)}]')
        while len(messages := [one for one in heard if '"hi"' in one]) < 2:
            heard += await io.hear()
        assert {one[:5] for one in messages} == {"42/v3", "42/v2"}
        await io.post("41/v3,")
        assert (await io.post('42/v2,["message",{}]')).status_code == 200


async def test_a_mapped_client_is_one_person_and_comes_back_under_its_name(shared: BridgeProcess) -> None:
    query = with_key("mapped")
    mapped = {"api_key": api_key("mapped")}
    async with visitor(shared, "/v2", "websocket", **v3_ids("42", "ids"), **mapped) as io:
        await administer(shared, "/tenants/mapped/ids", {"ids": {"42": "Xk3"}})
        await io.over()
    async with (
        visitor(shared, "/v2", "websocket", **v3_ids("42", "ids"), **mapped) as io,
        client(shared, v3_path("ids", "ann", query)) as ann,
    ):
        await io.say({"msg": "hi"})
        assert (await ann.hear())["from_id"] == "Xk3"


async def test_it_is_in_the_census_and_counted(shared: BridgeProcess) -> None:
    async with visitor(shared, "/v2", "polling", **v3_ids("77", "counted"), api_key=api_key("other")):

        async def is_counted() -> bool:
            census = await asked(shared, "/admin/api/tenants/other/census?protocol=socketio")
            return "77" in [row["client_id"] for row in census["clients"]]

        await eventually(is_counted, 8)
        assert 'bridge_connections{protocol="socketio",tenant="other"} 1.0' in await metrics_of(shared)


async def metrics_of(bridge: BridgeProcess) -> str:
    async with httpx.AsyncClient() as http:
        return (await http.get(f"{bridge.url}/metrics")).text


MOVES = (
    ("drain", "/v2", "moved_to_v3"),
    ("v3", "/v2", "v2_retired"),
    ("legacy", "/v3", "stage_legacy"),
)


@pytest.mark.parametrize(("stage", "namespace", "code"), MOVES)
@by_each_transport
async def test_a_stage_moves_it_with_a_notice(
    shared: BridgeProcess, transports: str, stage: str, namespace: str, code: str
) -> None:
    stays = "/v3" if namespace == "/v2" else "/v2"
    moving, share = {"api_key": api_key("moving")}, {"share": 100} if stage == "drain" else {}
    async with (
        visitor(shared, namespace, transports, **v3_ids("42" if namespace == "/v2" else "io"), **moving) as moved,
        visitor(shared, stays, transports, **v3_ids("other"), **moving) as staying,
    ):
        await moved.say({"msg": "before"} if namespace == "/v2" else {**GROUP, "msg": "before"})
        while (await moved.hear()).get("msg") != "before":
            pass
        await administer(shared, "/tenants/moving/stage", {"stage": stage, "why": "test", "confirm": "moving"} | share)
        told = await moved.hear()
        if namespace == "/v2":
            assert told["bridge"]["notice"] == code
            assert told["bridge"]["successor"] == "/v3/ws/group/talk/client/v2-42"
        else:
            assert told["payload"]["code"] == code
        await moved.over()
        assert not staying.is_over.is_set()
        await administer(shared, "/tenants/moving/stage", {"stage": "bridge", "why": "test"})
        await eventually(lambda: is_at(shared, "bridge"))


async def is_at(bridge: BridgeProcess, stage: str) -> bool:
    """Whether the bridge lets V2 and V3 in again."""
    for path in (v3_path("talk", "probe", with_key("moving")), f"/ws/group/talk/client/9?{with_key('moving')}"):
        async with client(bridge, path) as probe:
            await probe.say({"msg_type": "msg", "target": "group", "msg": "probe"})
            if "probe" not in await probe.hear_text():
                return False
    return True


@pytest.mark.parametrize("transports", ["polling", "websocket"])
async def test_it_ends_with_its_token(shared: BridgeProcess, transports: str) -> None:
    visa = token(exp=int(time.time()) + 2, account_id="acme")
    async with visitor(shared, "/v3", transports, **v3_ids("brief", "brief"), **ACME, jwt=visa) as io:
        assert (await io.hear())["payload"]["code"] == "token_expired"
        await io.over()


async def test_what_exceeds_the_rate_is_refused_and_who_goes_on_is_sent_away(bridge: StartBridge) -> None:
    running = bridge("--socketio", config=QUIET + "messages_per_second = 5\nburst = 20\n")
    async with visitor(running, **v3_ids("loud")) as polling, visitor(running, "/v2", "websocket") as websocket:
        answer = await websocket.ask({"n": 0})
        assert answer["ok"]
        while answer.get("ok"):  # five a second come back, on a slow machine meanwhile
            answers = await asyncio.gather(*(websocket.ask({"n": number}) for number in range(25)))
            answer = answers[-1]
        assert answer["bridge"]["error"] == "rate_limited"
        stopwatch = Stopwatch()
        while not (polling.is_over.is_set() and websocket.is_over.is_set()) and stopwatch.least_seconds < 15:
            for io in (polling, websocket):
                if not io.is_over.is_set():
                    await asyncio.gather(*(io.say(ECHO) for _ in range(5)), return_exceptions=True)
            await asyncio.sleep(0.1)  # some thirty a second
        assert stopwatch.all_seconds > 9
        assert stopwatch.least_seconds < 15


async def test_who_polls_no_more_and_who_reads_no_more_are_ended_at_the_bound_of_its_outbox(
    bridge: StartBridge,
) -> None:
    running = bridge("--socketio", config=QUIET + UNHURRIED)
    async with poller(running) as silent, client(running, v3_path("talk", "talker")) as talker:
        await silent.enter("/v3", v3_ids("silent"))
        deaf = await never_reading(running, "/socket.io/?EIO=4&transport=websocket")
        connect = frame(TEXT, f"40/v3,{json.dumps(v3_ids('deaf'))}".encode())
        await asyncio.get_running_loop().sock_sendall(deaf, connect)
        await eventually(lambda: are_present(running, "deaf", "silent", "talker"))
        before = resident_bytes(running)
        text = "x" * 60_000
        numbers = count()
        while not await are_present(running, "talker"):  # however much the kernel takes of what nobody reads
            number, heard = next(numbers), dict[str, Any]()
            await talker.say({**GROUP, "msg": text, "payload": {"number": number}})
            while heard.get("payload", {}).get("number") != number:
                heard = await talker.hear_anything()

        deaf.close()
        assert resident_bytes(running) - before < 16 * MIB
        assert await talker.is_served()


async def are_present(bridge: BridgeProcess, *names: str) -> bool:
    async with httpx.AsyncClient() as http:
        members = (await http.get(f"{bridge.url}/v3/presence/group/talk")).json()["members"]
    return sorted(member["client_id"] for member in members) == sorted(names)


@by_each_transport
async def test_a_stopping_process_tells_it_and_exits_with_0(bridge: StartBridge, transports: str) -> None:
    running = bridge("--socketio", config=QUIET)
    async with (
        visitor(running, "/v3", transports, **v3_ids("new")) as new,
        visitor(running, "/v2", transports, **v3_ids("42")) as old,
        poller(running) as outside,
    ):
        await outside.begin()
        open_poll = asyncio.create_task(outside.poll())
        stopwatch = Stopwatch()
        ending = asyncio.create_task(asyncio.to_thread(running.terminate))
        told = await new.hear()
        assert told["payload"]["code"] == "going_away"
        assert 0 < told["payload"]["retry_after_ms"] < 10_000
        assert (await old.hear())["bridge"]["error"] == "going_away"
        await asyncio.gather(new.over(), old.over())
        assert (await open_poll).status_code == 400
        assert await ending == 0
        assert stopwatch.least_seconds < 8


async def test_a_stopping_process_waits_until_polls_have_taken_what_waits(bridge: StartBridge) -> None:
    running = bridge("--socketio", config=QUIET + UNHURRIED)
    async with poller(running) as slow, visitor(running, **v3_ids("talker")) as talker:
        await slow.enter("/v3", v3_ids("slow"))
        for number in range(MOST_AT_ONCE + 4):
            assert (await talker.ask({**GROUP, "payload": {"number": number}}))["ok"]
        ending = asyncio.create_task(asyncio.to_thread(running.terminate))
        heard: list[str] = []
        while not heard or "going_away" not in heard[-1]:
            heard += await slow.hear()
            await asyncio.sleep(0.1)  # between two polls
        said = [json.loads(packet.partition(",")[2])[1] for packet in heard if packet[:2] == "42"]
        numbers = [message["payload"]["number"] for message in said if message["from_id"] == "talker"]
        assert numbers == list(range(MOST_AT_ONCE + 4))
        assert said[-1]["payload"]["code"] == "going_away"
        assert await ending == 0


@pytest.mark.parametrize("namespace", ["/v3", "/v2"])
async def test_who_leaves_while_it_is_let_in_leaves_nothing_behind(bridge: StartBridge, namespace: str) -> None:
    """Nor a traceback in the log, to which the fixture holds the bridge."""
    running = bridge("--socketio", config=QUIET + UNHURRIED)
    for number in range(20):
        async with raw_socket(running) as raw:
            await raw.upgrade("/socket.io/?EIO=4&transport=websocket")
            await raw.send(frame(TEXT, f"40{namespace},{json.dumps(v3_ids(f'brief{number}'))}".encode()))
    await eventually(lambda: are_present(running))


async def test_without_redis_nobody_is_let_in_and_who_is_there_is_told(
    bridge: StartBridge, redis_server: StartRedis
) -> None:
    redis = redis_server()
    running = bridge("--socketio", config=QUIET + UNHURRIED, redis=redis.url)
    async with visitor(running, **v3_ids("stays")) as stays, poller(running) as waiting, poller(running) as late:
        assert (await stays.ask(GROUP))["ok"]
        await stays.hear()
        await waiting.begin()
        await asyncio.to_thread(redis.kill)
        assert (await stays.ask(GROUP))["code"] == "bus_down"

        async def is_refused() -> bool:
            answer = await late.begin()
            return answer.status_code == 503 and answer.json()["code"] == "bus_down" and "retry-after" in answer.headers

        await eventually(is_refused)
        await waiting.post(f"40/v3,{json.dumps(v3_ids('waiting'))}")
        (refused,) = await waiting.hear()
        assert json.loads(refused[6:])["data"]["code"] == "bus_down"
        await asyncio.to_thread(redis.start)
        assert (await stays.hear())["cmd"] == "GAP"
        await eventually(lambda: is_taken(stays))


async def is_taken(io: Any) -> bool:
    return bool((await io.ask(GROUP)).get("ok"))
