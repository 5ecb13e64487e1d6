"""The two laws of the translation, as two connections of one person see them: V2 client 42, and V3 client `v2-42`.

Whatever V2 says is in what V3 hears; and what V3 says, said again in the words in which V2 heard it, is the same.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, key, with_key
from tests.servers import BridgeProcess

pytestmark = pytest.mark.fuzz

DIALECT = """
dialect.reload = { cmd = "RELOAD_UI" }
dialect.caption = { field = "msg" }
dialect.hush = { cmd = "MUTE", speak = false }
"""
CONFIG = QUIET + UNHURRIED + key("plain", "plain") + key("dialect", "dialect") + f"[tenants.dialect]\n{DIALECT}"
COMMANDS = {"plain": {}, "dialect": {"reload": "RELOAD_UI", "hush": "MUTE"}}
TEXTS = {"plain": (), "dialect": ("caption",)}

TYPES = {"msg": "msg", "message": "msg", "chat": "msg", "text": "msg", "cmd": "cmd", "command": "cmd"}
TYPES |= {"heartbeat": "heartbeat", "ping": "heartbeat", "presence": "presence"}
CONTENT = ("msg_type", "target", "to_id", "cmd", "msg", "payload")
SAID_BY_THE_SERVER = ("client_id", "group_id", "sent_at")
RECIPIENTS = ("to_id", "to_client_id", "to", "recipient_id")
WORDS: tuple[str, ...] = (
    *(*CONTENT, *SAID_BY_THE_SERVER, *RECIPIENTS, "type", "command", "message", "text", "data", "from_id", "version"),
    *("_v2", "bridge", "value", "reload", "caption", "hush", "a", "__proto__"),
)

leaves = (
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20)
    | st.sampled_from(["group", "direct", "broadcast", "echo", *TYPES])
)
names = st.sampled_from(WORDS) | st.text(max_size=5)
values = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=8
)
recipients: st.SearchStrategy[Any] = st.sampled_from([42, "42", "", True, None, 1.5, [], {}])
"""Nobody but the person itself: whatever is said must be heard by the test."""

documents = st.dictionaries(names, values, max_size=8).flatmap(
    lambda document: st.fixed_dictionaries(
        {name: recipients if name in RECIPIENTS else st.just(value) for name, value in document.items()}
    )
)
contents = st.fixed_dictionaries(
    {"msg_type": st.sampled_from(["msg", "cmd"])},
    optional={
        "cmd": st.text(max_size=10) | st.sampled_from(["RELOAD_UI", "MUTE"]),
        "msg": st.text(max_size=20),
        "payload": st.dictionaries(names, values, max_size=5),
    },
).flatmap(
    lambda content: st.sampled_from(
        [{"target": "group"}, {"target": "broadcast"}, {"target": "direct", "to_id": "v2-42"}]
    ).map(lambda address: {**content, **address})
)


@dataclass(frozen=True)
class Person:
    """The same person on both sides."""

    old: Client
    new: Client

    async def upgraded(self, document: dict[str, Any]) -> dict[str, Any]:
        """What V3 hears of a V2 frame: its content."""
        await self.old.say(document)
        assert json.loads(await self.old.hear_text()) == document
        return await self.heard()

    async def downgraded(self, content: dict[str, Any]) -> dict[str, Any]:
        """What V2 hears of a V3 message, without what only the server says."""
        await self.new.say(content)
        assert same(await self.heard(), content)
        frame = await self.old.hear()
        return {name: value for name, value in frame.items() if name not in SAID_BY_THE_SERVER}

    async def heard(self) -> dict[str, Any]:
        message = await self.new.hear()
        return {name: message[name] for name in CONTENT if name in message}


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=CONFIG)


@pytest.fixture(scope="module", params=["plain", "dialect"])
async def tenant(
    request: pytest.FixtureRequest, anyio_backend: Any, shared: BridgeProcess
) -> AsyncIterator[tuple[str, Person]]:
    query = with_key(request.param)
    async with AsyncExitStack() as ends:
        old = await ends.enter_async_context(client(shared, f"/ws/group/team/client/42?{query}"))
        new = await ends.enter_async_context(client(shared, v3_path("team", "v2-42", query)))
        yield request.param, Person(old, new)
    assert "Traceback" not in shared.log


def same(first: Any, second: Any) -> bool:
    """Equal as JSON: `1`, `1.0` and `true` are three values."""
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(same(first[name], second[name]) for name in first)
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(same, first, second))
    return type(first) is type(second) and bool(first == second)


def is_kept(name: str, value: Any, content: dict[str, Any], tenant: str) -> bool:
    """Whether a member of a V2 object is in a V3 content: as the field that it means, in payload, or in the stash."""
    payload = content.get("payload", {})
    stash = payload.get("_v2")
    stashed = isinstance(stash, dict) and name in stash and same(stash[name], value)
    return stashed or (name in payload and same(payload[name], value)) or is_field(name, value, content, tenant)


def is_field(name: str, value: Any, content: dict[str, Any], tenant: str) -> bool:
    """Whether it is the value of a field of V3, or of the payload as a whole."""
    payload = content.get("payload", {})
    if name in ("payload", "data") and isinstance(value, dict):
        return all(member in payload and is_member(payload, member, value[member]) for member in value)
    if name in COMMANDS[tenant]:
        return content.get("cmd") == COMMANDS[tenant][name] and "value" in payload and same(payload["value"], value)
    if name in RECIPIENTS:
        return content.get("to_id") == f"v2-{value}"
    fields = {"msg_type": "msg_type", "type": "msg_type", "target": "target", "cmd": "cmd", "command": "cmd"}
    fields |= dict.fromkeys(("msg", "message", "text", *TEXTS[tenant]), "msg")
    word = TYPES.get(value) if name == "type" and isinstance(value, str) else value
    return name in fields and word is not None and same(content.get(fields[name]), word)


def is_member(payload: dict[str, Any], name: str, value: Any) -> bool:
    """A `_v2` that was there before a stash was needed is in the stash."""
    if same(payload[name], value):
        return True
    return name == "_v2" and isinstance(payload["_v2"], dict) and same(payload["_v2"].get("_v2"), value)


def is_heartbeat(document: dict[str, Any]) -> bool:
    """V3 hears nothing of it."""
    said = document.get("msg_type")
    if said in ("msg", "cmd", "heartbeat", "presence"):
        return bool(said == "heartbeat")
    return isinstance(document.get("type"), str) and TYPES.get(document["type"]) == "heartbeat"


quickly = settings(suppress_health_check=list(HealthCheck))


@quickly
@given(document=documents)
@example(document={"payload": {"_v2": 1, "a": 2}, "a": 3, "_v2": 4})
@example(document={"reload": True, "payload": {"value": 1}, "caption": "c", "msg": "m"})
@example(document={"msg": "one", "text": "two", "to": 42, "to_id": "42", "target": "broadcast"})
async def test_nothing_that_v2_says_is_lost_for_v3(tenant: tuple[str, Person], document: dict[str, Any]) -> None:
    name, person = tenant
    if is_heartbeat(document) or isinstance(document.get("bridge"), dict):  # that word is the server's
        return
    content = await person.upgraded(document)
    lost = {member: value for member, value in document.items() if not is_kept(member, value, content, name)}
    assert not lost, content


@quickly
@given(content=contents)
@example(content={"msg_type": "msg", "target": "group", "payload": {}})
@example(content={"msg_type": "msg", "target": "group", "cmd": "RELOAD_UI", "payload": {"value": None}})
@example(content={"msg_type": "cmd", "target": "direct", "to_id": "v2-42", "payload": {"to": 7, "bridge": {}}})
async def test_what_v3_says_comes_back_from_v2_as_it_was(tenant: tuple[str, Person], content: dict[str, Any]) -> None:
    _, person = tenant
    frame = await person.downgraded(content)
    assert same(await person.upgraded(frame), content), frame


@quickly
@given(document=documents)
async def test_what_v2_said_goes_to_v2_and_back_as_it_was(tenant: tuple[str, Person], document: dict[str, Any]) -> None:
    _, person = tenant
    if is_heartbeat(document) or isinstance(document.get("bridge"), dict):  # that word is the server's
        return
    content = await person.upgraded(document)
    if content["msg_type"] == "presence":
        return
    frame = await person.downgraded(content)
    assert same(await person.upgraded(frame), content), frame
