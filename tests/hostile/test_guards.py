"""A step of a migration: nobody undoes it who is not concerned."""

from __future__ import annotations

import httpx

from tests.end_to_end.configuration import QUIET, api_key, key
from tests.end_to_end.test_guards import AGAIN_AND_AGAIN, Tenant
from tests.hostile.conftest import StartAttacked

STRANGERS = [f"stranger-{number}" for number in range(25)]


CONFIG = (
    QUIET
    + "[tenants.kiosks]\nguard.lost_percent = 60\nguard.grace_seconds = 0\n"
    + key("kiosks", "kiosks")
    + key("boss", "*").replace("broadcast", "admin = true\nbroadcast")
)


async def test_a_stranger_who_knocks_and_knocks_undoes_no_step(attacked: StartAttacked) -> None:
    """Of two clients that are known, one knocks on and on. Strangers who do so too make it no more than that half."""
    bridge = attacked(config=CONFIG)
    headers = {"Authorization": f"Bearer {api_key('boss')}"}
    async with httpx.AsyncClient(base_url=f"{bridge.url}/admin/api", headers=headers) as api:
        tenant = Tenant("kiosks", [bridge, bridge], [api, api])
        await tenant.meet("42", "43")
        assert (await tenant.order(stage="v3", why="all of them are moved")).status_code == 200
        await tenant.until_it_stands_in("v3")
        await tenant.knock("43", *STRANGERS * AGAIN_AND_AGAIN, *["42"] * 10)
        await tenant.until_so_many_percent_are_lost(50)
        assert [change["kind"] for change in await tenant.record()] == ["change"]
