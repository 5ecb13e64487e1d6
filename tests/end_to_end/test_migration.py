"""A whole migration as an operator lives it: two tenants, two bridges, 200 front ends, a way back, a guard, a forced
step, a reload, a revoked key. At the end the operator's lists say what the front ends did."""

from __future__ import annotations

import asyncio
import re
import signal
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from typing import Any

import httpx
import pytest

from tests.bridge.cli.running import run
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, eventually, refused
from tests.end_to_end.configuration import QUIET, api_key, key
from tests.end_to_end.migrants import Migrant, Way, is_known, living
from tests.servers import BridgeProcess

SETTLED_SECONDS = 60.0
CONFIG = QUIET + 'moves_per_second = 200\n[tenants.acme]\nstage = "legacy"\nv2_routing = "group"\n'
STAYS = '[tenants.stays]\nv2_routing = "group"\n'
CONFIG += STAYS + key("web", "acme") + key("others", "stays") + key("operator", "*") + 'role = "admin"\n'
ADDED = '[tenants.new]\nhosts = ["New.Example.Test."]\n'
WAYS: Sequence[tuple[Way, int]] = (("follows", 60), ("knocks", 20), ("leaves", 10))


class Operator:
    """What somebody does at a terminal, and reads over HTTP."""

    def __init__(self, bridges: Sequence[BridgeProcess], redis_url: str, prefix: str) -> None:
        self.bridges = bridges
        self._environment = {
            "BRIDGE_CONFIG": str(bridges[0].config_file),
            "BRIDGE_REDIS_URL": redis_url,
            "BRIDGE_PREFIX": prefix,
        }

    async def orders(self, *words: str) -> str:
        """A command that must succeed; what it printed."""
        done = await asyncio.to_thread(run, *words, environment=self._environment)
        assert done.exit_code == 0, done.output
        return done.stdout

    async def reads(self, path: str, of: int = -1) -> Any:
        """A report, from one of the bridges."""
        headers = {"Authorization": f"Bearer {api_key('operator')}"}
        async with httpx.AsyncClient(headers=headers) as http:
            answer = await http.get(f"{self.bridges[of].url}/admin/api/tenants/{path}")
        assert answer.status_code == 200, answer.text
        return answer.json()

    async def sees_bridge(self) -> bool:
        """Whether every process has opened V3: who is moved at once must not come where it is still closed."""
        stages = [(await self.reads("acme", number))["stage"] for number in range(len(self.bridges))]
        return set(stages) == {"bridge"}

    async def listed(self, tenant: str, which: str) -> dict[str, dict[str, Any]]:
        """A list of the census by client id."""
        census = await self.reads(f"{tenant}/census?list={which}")
        return {row["client_id"]: row for row in census["clients"]}


def people(tenant: str, api_key: str, ways: Iterable[tuple[Way, int]], called: str = "") -> list[Migrant]:
    """So many front ends of each way, with ids of their own."""
    names = ((way, f"{called or way}-{number}") for way, many in ways for number in range(many))
    return [Migrant(tenant, name, way, api_key, ()) for way, name in names]


def ids(migrants: Iterable[Migrant], holds: Callable[[Migrant], bool] = lambda _: True) -> set[str]:
    return {migrant.client_id for migrant in migrants if holds(migrant)}


async def until(holds: Callable[[], bool]) -> None:
    async def asked() -> bool:
        return holds()

    await eventually(asked, SETTLED_SECONDS)


async def until_listed(operator: Operator, tenant: str, which: str, wanted: set[str]) -> None:
    async def is_so() -> bool:
        found = (await operator.listed(tenant, which)).keys()
        return wanted == set(found)

    try:
        await eventually(is_so, SETTLED_SECONDS)
    except TimeoutError:
        assert set(await operator.listed(tenant, which)) == wanted


class Migration:
    """The front ends of both tenants, the operator, and what is done, in order."""

    def __init__(self, operator: Operator, old_key: str) -> None:
        self.operator = operator
        self.old_key = old_key
        self.acme = people("acme", api_key("web"), WAYS)
        self.revoked = people("acme", old_key, [("follows", 10)], "revoked")
        self.stays = people("stays", api_key("others"), [("follows", 100)])
        for one in self.everybody:
            one.servers = operator.bridges

    @property
    def movable(self) -> list[Migrant]:
        return [*self.acme, *self.revoked]

    @property
    def everybody(self) -> list[Migrant]:
        return [*self.movable, *self.stays]

    async def drain(self, share: float, *options: str) -> None:
        """To this share; whose bucket is below it is moved, and nobody else."""
        await self.operator.orders("tenants", "stage", "acme", "drain", "--share", str(share), "--yes", *options)
        await until(lambda: self.are_moved(share))

    def are_moved(self, share: float) -> bool:
        return ids(self.movable, lambda one: one.was_moved) == ids(self.movable, lambda one: one.bucket < share)

    async def take_back(self, share: float, before: float) -> None:
        """By hand, to the share before: who knocks is let in again."""
        await self.operator.orders("tenants", "rollback", "acme")
        back = ids(self.acme, lambda one: one.way == "knocks" and before <= one.bucket < share)
        await until(lambda: back <= ids(self.acme, lambda one: one.place == "v2"))

    async def be_taken_back(self, share: float, before: float) -> None:
        """By the guard, since some that were moved knock again and again."""
        await self.operator.orders("tenants", "guards", "acme", "--lost-percent", "10", "--grace-seconds", "1")
        await self.drain(share)
        await eventually(lambda: self.is_taken_back(before), SETTLED_SECONDS)

    async def is_taken_back(self, before: float) -> bool:
        newest: dict[str, Any] = (await self.operator.reads("acme/changes"))[0]
        return (newest["who"], newest["share"]) == ("guard", before)

    async def reload(self) -> None:
        """Another tenant, without a restart."""
        for bridge in self.operator.bridges:
            bridge.config_file.write_text(CONFIG + ADDED)
            bridge.process.send_signal(signal.SIGHUP)
        for bridge in self.operator.bridges:
            bridge.wait_until(partial(contains, bridge, "configuration_reloaded"), "read its file anew")
            async with client(bridge, "/ws/client/guest", host="new.example.test") as guest:
                assert (await guest.ask({"msg": "hi"}))["msg"] == "hi"

    async def revoke(self) -> None:
        """The old key: who is in with it is sent away, and nobody comes in with it."""
        await self.operator.orders("keys", "revoke", "old")
        await until(lambda: all(one.codes[-1:] == [4401] for one in self.revoked))
        for one in self.revoked:
            assert (await refused(self.operator.bridges[0], f"/ws/client/{one.client_id}?api_key={self.old_key}"))[
                1
            ] == 4401
        assert (await refused(self.operator.bridges[1], "/ws/client/stranger?api_key=nonsense"))[1] == 4401

    async def finish(self) -> None:
        """To `v3`, whatever the guards say."""
        await self.operator.orders("tenants", "stage", "acme", "v3", "--force", "--why", "it is time", "--yes")
        await until(lambda: all(one.was_moved for one in self.acme))
        follows = ids(self.acme, lambda one: one.way == "follows")
        await until(lambda: ids(self.acme, lambda one: one.place == "v3") == follows)


def contains(bridge: BridgeProcess, event: str) -> bool:
    return event in bridge.log


@pytest.mark.timeout(300)
async def test_the_lists_of_the_operator_say_what_the_front_ends_did(
    bridge: StartBridge, redis_url: str, prefix: str
) -> None:
    operator = Operator([bridge(config=CONFIG) for _ in range(2)], redis_url, prefix)
    made = await operator.orders("keys", "new", "--name", "old", "--tenant", "acme")
    migration = Migration(operator, re.findall(r"aether_\S+", made)[0])
    for one in operator.bridges:
        await eventually(partial(is_known, one, migration.old_key))
    async with living(migration.everybody):
        await until(lambda: all(one.place == "v2" for one in migration.everybody))
        await operator.orders("tenants", "stage", "acme", "bridge", "--yes")
        await eventually(operator.sees_bridge, SETTLED_SECONDS)
        await migration.drain(5.5)
        await migration.drain(30)
        await migration.take_back(30, 5.5)
        await migration.be_taken_back(60, 5.5)
        await migration.drain(60, "--force", "--why", "the kiosks are known")
        await migration.reload()
        await migration.revoke()
        await migration.finish()
        await hold(migration)


async def hold(migration: Migration) -> None:
    """Every list is what the front ends' own books say."""
    acme, revoked, stays, operator = migration.acme, migration.revoked, migration.stays, migration.operator
    await until_listed(operator, "acme", "arrived", ids(migration.movable, lambda one: one.has_arrived))
    await until_listed(operator, "acme", "not_arrived", ids(acme, lambda one: one.way != "follows"))
    await until_listed(operator, "acme", "still", ids(revoked, lambda one: not one.was_moved))
    turned_away = await operator.listed("acme", "turned_away")
    assert ids(revoked) <= turned_away.keys()
    assert ids(acme, lambda one: one.way == "knocks") <= turned_away.keys()
    await until_listed(operator, "stays", "still", ids(stays))
    assert not any(one.was_moved or one.codes for one in stays)
