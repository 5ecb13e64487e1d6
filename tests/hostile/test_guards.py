"""A step of a migration: nobody undoes it who is not concerned."""

from __future__ import annotations

import httpx

from tests.end_to_end.configuration import QUIET, api_key, key
from tests.end_to_end.test_guards import Tenant
from tests.hostile.bridges import Attacked
from tests.hostile.conftest import StartAttacked

STRANGERS = [f"stranger-{number}" for number in range(25)]


def config(most_refusals: int) -> str:
    return (
        QUIET
        + f"[tenants.kiosks]\nguard.refusals_per_minute = {most_refusals}\n"
        + key("kiosks", "kiosks")
        + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
    )


async def whoever_knocks(bridge: Attacked, refused: int) -> None:
    """So many count as refused. Whoever is known knocks last: once that is counted, all are."""
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers=headers) as api:
        tenant = Tenant("kiosks", [bridge, bridge], [api, api])
        await tenant.meet("42")
        assert (await tenant.order(stage="v3", why="all of them are moved")).status_code == 200
        await tenant.until_it_stands_in("v3")
        await tenant.knock(*STRANGERS, *["42"] * 10)
        await tenant.until_so_many_are_refused(refused)


async def test_a_stranger_who_knocks_and_knocks_undoes_no_step(attacked: StartAttacked) -> None:
    await whoever_knocks(attacked(config=config(most_refusals=3)), refused=1)


async def test_where_every_stranger_counts_they_do(attacked: StartAttacked) -> None:
    """More refusals are allowed than ever knock: a step that is taken back meanwhile lets the rest of them in."""
    bridge = attacked(config=config(most_refusals=1_000), without="known clients")
    await whoever_knocks(bridge, refused=1 + len(STRANGERS))
