"""A dry run, the step itself, and what was really heard before and after it: the prediction is what happens.

A dozen clients of both languages on two processes perform the same script before and after. Each step is made to a
tenant of its own, all of them at once.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple
from urllib.parse import quote

import httpx
import pytest
import redis.asyncio

from tests.conftest import StartBridge
from tests.end_to_end.clients import Client, client, eventually, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, api_key, key, with_key
from tests.end_to_end.population import Member, Population
from tests.servers import BridgeProcess

OBEYED_SECONDS = 4.0
STEPS: Mapping[str, tuple[str, dict[str, Any]]] = {
    "to_v3": ("", {"stage": "v3"}),
    "to_v3_by_group": ('v2_routing = "group"\n', {"stage": "v3"}),
    "to_drain": ("", {"stage": "drain", "share": 60}),
    "to_group": ("", {"v2_routing": "group"}),
    "to_legacy": ("", {"stage": "legacy"}),
}
"""The configuration of each tenant, and the step that is made to it."""

CONFIG = (
    QUIET
    + UNHURRIED
    + "moves_per_second = 1000\n"
    + "".join(f"[tenants.{name}]\n{table}" for name, (table, _) in STEPS.items())
    + "".join(key(f"{name}-{grant}", name, broadcast=grant) for name in STEPS for grant in ("tenant", "none"))
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)
NEW = {"ann": "team", "ben": "team", "cat": "apart", "v2-42": "apart", "dan": "v2-7"}
"""V3 clients, and their groups. One of them is also V2 client 42."""
OLD = {"42": "team", "eve": "team", "a b": "7", "dev_1": "apart", "muted": "apart", "": "team", "7": "lobby"}
"""V2 clients by the ids of their paths, one of them without."""

Who = tuple[str, str | None, str]
"""Language, client id and group, as in the path."""


def new(target: str, to_id: str | None = None, msg_type: str = "msg") -> dict[str, Any]:
    return {"msg_type": msg_type, "target": target, **({"to_id": to_id} if to_id else {})}


Line = tuple[str, str, dict[str, Any]]
CLOSING: Sequence[Line] = [
    *(("v3", client_id, new("group")) for client_id in NEW),
    *(("v2", client_id, {}) for client_id in OLD),
]
"""Each says something that it hears itself."""
OPENING: Sequence[Line] = [
    ("v3", "ann", new("direct", "v2-42")),
    ("v3", "ann", new("direct", "ben")),
    ("v3", "ann", new("direct", "v2-7", "cmd")),
    ("v3", "ann", new("broadcast")),
    ("v3", "ann", new("group", msg_type="presence")),
    ("v3", "ben", new("group", msg_type="cmd")),
    ("v3", "cat", new("direct", "eve")),
    ("v3", "v2-42", new("direct", "dev_1")),
    ("v2", "42", {"to": "ann"}),
    ("v2", "42", {"to": 7}),
    ("v2", "42", {"type": "heartbeat"}),
    ("v2", "eve", {"target": "broadcast"}),
    ("v2", "a b", {"to": "dan", "target": "direct"}),
    ("v2", "dev_1", {"to": "cat"}),
    ("v2", "", {"type": "presence"}),
    ("v2", "muted", {"target": "broadcast"}),
    *CLOSING,
]
ACTS: Sequence[Sequence[Line]] = OPENING, CLOSING
"""Who says what. After the second act each was seen later than anybody began to say something."""


class Person(NamedTuple):
    """A client, as the prediction names it, and its connection."""

    who: Who
    member: Member


@dataclass(frozen=True)
class Outcome:
    """What was predicted of a step, and what came of it."""

    predicted: dict[str, Any]
    refused: set[Who]
    losses: dict[tuple[Who, Who], tuple[int, int]]


def people_of(tenant: str) -> Iterator[Person]:
    processes = [0, 1] * (len(NEW) + len(OLD))
    granted, muted = with_key(f"{tenant}-tenant"), with_key(f"{tenant}-none")
    for client_id, group in NEW.items():
        path = v3_path(group, client_id, granted)
        yield Person(("v3", client_id, group), Member(client_id, "v3", tenant, group, None, processes.pop(), path))
    for client_id, group in OLD.items():
        path = f"/ws/group/{quote(group)}" + (f"/client/{quote(client_id)}" if client_id else "")
        path += f"?{muted if client_id == 'muted' else granted}"
        yield Person(
            ("v2", client_id or None, group), Member(client_id, "v2", tenant, group, None, processes.pop(), path)
        )


class Scene:
    """The people of one tenant, and the admin API of both processes."""

    def __init__(
        self,
        tenant: str,
        clients: Mapping[Person, Client],
        apis: Sequence[httpx.AsyncClient],
        publisher: redis.asyncio.Redis,
        channel: str,
    ) -> None:
        self.tenant = tenant
        self._clients = clients
        self._apis = apis
        self._publisher = publisher
        self._channel = channel
        self.path = f"/tenants/{tenant}"

    async def perform(self, absent: set[Who]) -> Counter[tuple[Who, Who]]:
        """How often each listener heard each speaker, oneself excepted, when all who are there say their lines."""
        there = {person.member: person.who for person in self._clients if person.who not in absent}
        clients = {person.member: own for person, own in self._clients.items() if person.who not in absent}
        everyone = Population(clients, self._publisher, self._channel)
        await everyone.settled({})  # whoever hears a fence has been noted: nothing is said before somebody is there
        heard = [pair for act in ACTS for pair in await self._act(act, everyone)]
        return Counter((there[speaker], there[member]) for member, speaker in heard if speaker != member)

    async def _act(self, act: Sequence[Line], everyone: Population) -> list[tuple[Member, Member]]:
        """Each listener and its speaker, for each line that was heard."""
        speakers: dict[int, Member] = {}
        last: dict[Member, str] = {}
        for number, (language, label, said) in enumerate(act):
            speaker = next((one for one in everyone.members if (one.language, one.label) == (language, label)), None)
            if speaker is not None:
                speakers[number], last[speaker] = speaker, f"said {number}"
                await everyone.say(speaker, {**said, "msg": last[speaker]})
        frames = await everyone.settled({member: await everyone.until(member, text) for member, text in last.items()})
        return [(member, speakers[number]) for member, texts in frames.items() for number in _numbers(texts)]

    async def step(self, order: dict[str, Any]) -> Outcome:
        """Look at it, make it, and see what it changes."""
        before = await self.perform(set())
        api = self._apis[0]
        predicted = (await api.put(f"{self.path}/stage?dry_run=true", json=order)).json()
        confirmed = {**order, "confirm": self.path.rsplit("/", 1)[-1]}
        assert (await api.put(f"{self.path}/stage", json=confirmed)).status_code == 200
        await eventually(lambda: self._is_obeyed(order), OBEYED_SECONDS)
        named = {_who(one) for one in predicted["refused"]}
        refused = {person.who for person in self._clients if person.who in named and await self._is_refused(person)}
        after = await self.perform(refused)
        both_gone = {pair for pair in before if refused.issuperset(pair)}
        losses = {pair: (number - after[pair], number) for pair, number in before.items() if pair not in both_gone}
        return Outcome(predicted, refused, {pair: loss for pair, loss in losses.items() if loss[0]})

    async def _is_obeyed(self, order: dict[str, Any]) -> bool:
        states = [(await api.get(self.path)).json() for api in self._apis]
        return all(state[name] == value for state in states for name, value in order.items())

    async def _is_refused(self, person: Person) -> bool:
        return await self._clients[person].close_code(OBEYED_SECONDS) in (4404, 4410, 4426)


def _numbers(texts: Sequence[str]) -> Iterator[int]:
    """Of the lines among what was heard: a line to somebody who is gone is answered."""
    for text in texts:
        said = json.loads(text).get("msg") or ""
        if said.startswith("said "):
            yield int(said.removeprefix("said "))


def _who(one: Mapping[str, Any]) -> Who:
    return one["protocol"], one["client_id"], one["group_id"]


@asynccontextmanager
async def scene(bridges: Sequence[BridgeProcess], tenant: str, redis_url: str, prefix: str) -> AsyncIterator[Scene]:
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with AsyncExitStack() as ends:
        apis = [
            await ends.enter_async_context(
                httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers=headers, timeout=20)
            )
            for bridge in bridges
        ]
        publisher = await ends.enter_async_context(redis.asyncio.Redis.from_url(redis_url))
        clients = {
            person: await ends.enter_async_context(client(bridges[person.member.process], person.member.path))
            for person in people_of(tenant)
        }
        yield Scene(tenant, clients, apis, publisher, f"{prefix}:{{{tenant}:b}}")


@pytest.fixture(scope="module")
async def outcomes(
    anyio_backend: Any, module_bridge: StartBridge, redis_url: str, module_prefix: str
) -> Mapping[str, Outcome]:
    bridges = [module_bridge(config=CONFIG) for _ in range(2)]

    async def made(tenant: str) -> Outcome:
        async with scene(bridges, tenant, redis_url, module_prefix) as one:
            return await one.step(STEPS[tenant][1])

    async with asyncio.TaskGroup() as tasks:
        making = {tenant: tasks.create_task(made(tenant)) for tenant in STEPS}
    return {tenant: task.result() for tenant, task in making.items()}


@pytest.fixture(params=STEPS)
def outcome(request: pytest.FixtureRequest, outcomes: Mapping[str, Outcome]) -> Outcome:
    return outcomes[request.param]


def pairs(predicted: Sequence[Mapping[str, Any]]) -> dict[tuple[Who, Who], tuple[int, int]]:
    return {(_who(one["speaker"]), _who(one["listener"])): (one["messages"], one["of"]) for one in predicted}


def test_whoever_is_predicted_to_be_refused_is_closed_and_the_others_go_on(outcome: Outcome) -> None:
    """The others have performed the whole script after the step."""
    assert {_who(one) for one in outcome.predicted["refused"]} == outcome.refused
    assert outcome.predicted["totals"]["refused"] == len(outcome.refused)


def test_the_predicted_silence_is_what_is_heard_no_more(outcome: Outcome) -> None:
    silenced = {pair: loss for pair, loss in outcome.losses.items() if loss[0] == loss[1]}
    assert pairs(outcome.predicted["silenced"]) == silenced
    assert outcome.predicted["totals"]["silenced"] == len(silenced) > 0


def test_who_is_predicted_to_hear_less_hears_so_much_less(outcome: Outcome) -> None:
    quieter = {pair: loss for pair, loss in outcome.losses.items() if loss[0] < loss[1]}
    assert pairs(outcome.predicted["quieter"]) == quieter


def test_every_line_of_the_script_is_in_the_prediction(outcome: Outcome) -> None:
    assert outcome.predicted["traffic"]["messages"] == sum(map(len, ACTS))
    assert outcome.predicted["complete"]


def test_a_step_of_each_kind_is_tried(outcomes: Mapping[str, Outcome]) -> None:
    """What the script would not show, it would not test."""
    refused = {name: len(outcome.refused) for name, outcome in outcomes.items()}
    assert (refused["to_v3"], refused["to_v3_by_group"], refused["to_legacy"]) == (len(OLD), len(OLD), len(NEW))
    assert refused["to_group"] == 0
    assert 0 < refused["to_drain"] < len(OLD)
    assert any(loss[0] < loss[1] for outcome in outcomes.values() for loss in outcome.losses.values())
