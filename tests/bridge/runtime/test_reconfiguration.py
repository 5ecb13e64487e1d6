"""What the parts of a process go by once it is configured anew. What that means outside is in `tests/end_to_end/`."""

from __future__ import annotations

from typing import Any

from bridge.budget.budget import Budget
from bridge.config.reload import Configuration
from bridge.config.settings import Settings
from bridge.runtime.limits import strangers
from bridge.runtime.reconfiguration import Reconfiguration
from bridge.sockets.part import Sockets
from tests.bridge.assembled import assembled
from tests.bridge.handshake.credentials import KEYS, key


def configuration(**given: Any) -> Configuration:
    return Configuration.of(Settings(**given))


async def test_every_part_goes_by_it(redis_url: str, prefix: str) -> None:
    settings, told = Settings(prefix=prefix), list[Settings]()
    budget, sockets = Budget(settings.limits), Sockets(strangers(settings))
    async with assembled(redis_url, prefix) as process:
        parts = Reconfiguration(Configuration.of(settings), process, budget, sockets, told.append)
        after = configuration(
            prefix=prefix,
            keys=KEYS,
            tenants={"acme": {"hosts": ["acme.example.com"]}},
            max_sockets=99,
            presence_events_members=3,
            outboxes_bytes=5_000_000,
            budget={"turn_milliseconds": 2},
        )
        await parts.take(after)
        assert process.handshakes.authentication.keys.of(KEYS[0].sha256) is KEYS[0]
        placed = process.tenants.table.of_host("acme.example.com")
        assert (placed and placed.name, process.broker.events.most_members) == ("acme", 3)
        assert (sockets.strangers.most, budget.outboxes.most_bytes, budget.turns.turn_seconds) == (99, 5_000_000, 0.002)
        assert told == [after.settings]


async def test_a_key_has_its_share_as_soon_as_there_is_another_in_redis_too(redis_url: str, prefix: str) -> None:
    settings = Settings(prefix=prefix, keys=KEYS[:1])
    budget, sockets = Budget(settings.limits), Sockets(strangers(settings))
    async with assembled(redis_url, prefix, keys=KEYS[:1]) as process:
        Reconfiguration(Configuration.of(settings), process, budget, sockets, lambda _: None)
        holder = budget.key("acme", "the key one")
        holder.spend(0, 0, 1_000_000)
        assert holder.wait_seconds(0) == 0
        process.handshakes.authentication.keys.take_of_redis([key("more", "acme")])
        holder.spend(0, 0, 1_000_000)
        assert holder.wait_seconds(0) > 0
