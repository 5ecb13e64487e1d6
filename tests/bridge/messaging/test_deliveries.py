"""What was heard on the bus, on its way to the listeners."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from bridge.broker.addresses import Addresses
from bridge.broker.message import BusMessage, read
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.config.tables import Key
from bridge.messaging import deliveries as module
from bridge.messaging import waiting_batches
from bridge.messaging.deliveries import Deliveries
from bridge.messaging.hub import Hub, Listener
from tests.bridge.broker.parts import until
from v3.messages import write

KEYS = tuple(Key(name=name, sha256=name[0] * 64, tenants=(name,)) for name in ("acme", "beta"))
ADDRESSES = Addresses("test")
SENT_AT = "2026-01-02T03:04:05.{:06d}Z"


def message(number: int, size: int = 0) -> BusMessage:
    content: Any = {"msg_type": "msg", "target": "group", "msg": f"{number}" + "x" * size}
    return read(write(content, "ann", "g", SENT_AT.format(number)), str)


class Renderer:
    """Says the numbers of the messages."""

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        return b"".join(str(one.heard.msg).rstrip("x").encode() + b" " for one in batch)


class World:
    """Listeners of two tenants; what each hears is in `heard`."""

    def __init__(self, milliseconds: float = 20) -> None:
        table = {"tenant": {"milliseconds": milliseconds, "bytes": 0, "frames": 0}}
        self.budget = Budget(Settings.model_validate({"budget": table, "keys": KEYS}).limits)
        self.hub = Hub()
        self.gaps: list[tuple[set[bytes], str]] = []
        self.deliveries = Deliveries(
            self.hub, self.budget, ADDRESSES, lambda *gap: self.gaps.append((set(gap[0]), gap[1]))
        )
        self.heard = {tenant: list[bytes]() for tenant in ("acme", "beta")}
        for tenant, heard in self.heard.items():
            channels = [ADDRESSES.group(tenant, "g"), ADDRESSES.broadcast(tenant)]
            self.hub.join(Listener(Renderer(), heard.append, channels, None, "g", "ann"))

    def deliver(self, tenant: str, *numbers: int, size: int = 0) -> None:
        self.deliveries.deliver(ADDRESSES.group(tenant, "g"), [message(number, size) for number in numbers])

    def numbers(self, tenant: str) -> list[int]:
        return [int(number) for blob in self.heard[tenant] for number in blob.split()]

    def overdraw(self, milliseconds: float = 50) -> None:
        self.budget.tenant("acme").spend(0, 0, milliseconds)


async def test_in_peace_a_batch_is_delivered_at_once() -> None:
    world = World()
    world.deliver("acme", 1, 2)
    assert world.numbers("acme") == [1, 2]


async def test_what_it_takes_is_charged_to_the_tenant() -> None:
    world = World()
    world.deliver("acme", 1)
    assert world.budget.spent_by_tenant()["acme"].spent_milliseconds > 0
    assert "beta" not in world.budget.spent_by_tenant()


async def test_a_tenant_that_hears_too_much_waits_in_order_and_another_does_not() -> None:
    world = World()
    world.overdraw()
    for number in range(5):
        world.deliver("acme", number)
    world.deliver("beta", 7)
    await until(lambda: bool(world.numbers("beta")))
    assert (world.numbers("acme"), world.numbers("beta")) == ([], [7])
    await until(lambda: len(world.numbers("acme")) == 5)
    assert world.numbers("acme") == [0, 1, 2, 3, 4]
    world.deliver("acme", 5)
    await until(lambda: world.numbers("acme")[-1] == 5)
    assert world.gaps == []


async def test_beyond_the_bound_the_newest_are_left_out_and_announced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_WAITING_BYTES", 10_000)
    world = World()
    world.overdraw()
    for number in range(20):
        world.deliver("acme", number, size=1_000)
    await until(lambda: bool(world.gaps))
    heard = world.numbers("acme")
    assert heard == list(range(len(heard)))
    assert 5 <= len(heard) < 20
    assert world.gaps == [({ADDRESSES.group("acme", "g")}, SENT_AT.format(len(heard)))]
    assert world.deliveries.left_out == 20 - len(heard)


async def test_a_large_batch_waits_in_pieces() -> None:
    world = World()
    world.overdraw()
    world.deliver("acme", *range(10), size=20_000)
    await until(lambda: len(world.numbers("acme")) == 10)
    assert len(world.heard["acme"]) >= 3
    assert world.numbers("acme") == list(range(10))


async def test_what_waits_on_one_channel_is_written_together_up_to_the_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting_batches, "PIECE_BYTES", 3 * len(message(1).line))
    world = World()
    world.overdraw()
    for number in range(1, 6):
        world.deliver("acme", number)
    await until(lambda: len(world.numbers("acme")) == 5)
    assert world.heard["acme"] == [b"1 2 3 ", b"4 5 "]


async def test_what_waits_is_not_put_together_across_what_was_said_elsewhere_or_is_to_be_called() -> None:
    world = World()
    world.overdraw()
    world.deliver("acme", 1)
    world.deliveries.deliver(ADDRESSES.broadcast("acme"), [message(2)])
    world.deliver("acme", 3)
    world.deliveries.after_all("acme", lambda: world.heard["acme"].append(b"0 "))
    world.deliver("acme", 4)
    await until(lambda: len(world.numbers("acme")) == 5)
    assert world.heard["acme"] == [b"1 ", b"2 ", b"3 ", b"0 ", b"4 "]


async def test_what_waits_is_said_at_once_before_an_end() -> None:
    world = World()
    world.overdraw(10_000)
    world.deliver("acme", 1, 2)
    assert world.numbers("acme") == []
    world.deliveries.flush()
    assert world.numbers("acme") == [1, 2]


async def test_what_is_to_follow_everything_that_waits_follows_at_once_where_nothing_waits() -> None:
    world, called = World(), list[str]()
    world.deliveries.after_all("acme", lambda: called.append("before anything"))
    world.deliver("acme", 1)
    assert world.deliveries.is_idle("acme")
    world.deliveries.after_all("acme", lambda: called.append("after one"))
    assert called == ["before anything", "after one"]


async def test_what_is_to_follow_everything_that_waits_follows_it_and_nothing_else() -> None:
    world, called = World(), list[tuple[str, list[int]]]()
    world.overdraw()
    world.deliver("acme", 1, 2)
    world.deliveries.after_all("acme", lambda: called.append(("acme", world.numbers("acme"))))
    world.deliver("acme", 3)
    world.deliveries.after_all("beta", lambda: called.append(("beta", world.numbers("acme"))))
    assert not world.deliveries.is_idle("acme")
    assert called == [("beta", [])]
    await until(lambda: world.deliveries.is_idle("acme"))
    assert called == [("beta", []), ("acme", [1, 2])]
    assert world.numbers("acme") == [1, 2, 3]


async def test_what_is_to_follow_is_called_when_the_process_stops() -> None:
    world, called = World(), list[int]()
    world.overdraw(10_000)
    world.deliver("acme", 1)
    world.deliveries.after_all("acme", lambda: called.extend(world.numbers("acme")))
    world.deliveries.flush()
    assert called == [1]


async def test_between_batches_nobody_has_heard_what_others_have_not(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where two tenants' messages take their turns, one's may be half said when the other's are said."""
    monkeypatch.setattr(module, "TURN_SECONDS", 0.0)
    monkeypatch.setattr("bridge.messaging.hub.SLICE_BYTES", 1)
    world = World(0)
    heard = [list[bytes]() for _ in range(20)]
    for number, one in enumerate(heard):
        channel = ADDRESSES.group("acme" if number < 15 else "beta", "g")
        world.hub.join(Listener(Renderer(), one.append, [channel], None, "g", "ben"))
    heard_it = list[int]()

    def look() -> None:
        heard_it.append(sum(map(bool, heard[:15])))

    world.deliveries.between_batches(["acme", "beta", "nobody"], look)
    assert heard_it == [0]
    world.deliver("acme", 1)
    world.deliver("acme", 2)
    world.deliver("beta", 3)
    world.deliveries.after_all("beta", look)
    world.deliveries.after_all("beta", lambda: world.deliveries.between_batches(["acme", "beta"], look))
    await until(lambda: len(heard_it) == 3)
    assert 0 < heard_it[1] < 15
    assert heard_it[2] == 15
    await until(lambda: all(b"".join(one) == b"1 2 " for one in heard[:15]))


async def test_what_nobody_listens_to_is_nobodys() -> None:
    world = World()
    world.deliveries.deliver(ADDRESSES.group("acme", "elsewhere"), [message(1)])
    assert world.budget.spent_by_tenant() == {}


async def test_what_is_said_to_everybody_waits_with_what_else_a_tenant_hears_and_not_for_other_tenants() -> None:
    """Else it would overtake, and who had heard it last would seem to have heard everything before."""
    world = World()
    for tenant, heard in world.heard.items():
        world.hub.join(Listener(Renderer(), heard.append, [ADDRESSES.platform_for(tenant)], None, "g", "ben"))
    world.overdraw()
    world.deliver("acme", 1)
    world.deliveries.deliver(ADDRESSES.platform, [message(2)])
    world.deliver("acme", 3)
    world.deliver("beta", 4)
    await until(lambda: len(world.numbers("beta")) == 2)
    assert (world.numbers("acme"), world.numbers("beta")) == ([], [2, 4])
    await until(lambda: len(world.numbers("acme")) == 3)
    assert world.numbers("acme") == [1, 2, 3]
    assert "" not in world.budget.spent_by_tenant()


async def test_many_hear_a_message_a_few_at_a_time_each_once_and_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TURN_SECONDS", 0.0)
    monkeypatch.setattr("bridge.messaging.hub.SLICE_BYTES", 1)
    world = World(0)
    heard = [list[bytes]() for _ in range(20)]
    crowd = [Listener(Renderer(), one.append, [ADDRESSES.group("acme", "g")], None, "g", "ben") for one in heard]
    for listener in crowd:
        world.hub.join(listener)
    world.deliver("acme", 1)
    world.deliver("acme", 2)
    at_first = sum(map(bool, heard))
    assert at_first < 20
    world.hub.leave(crowd[-1])
    world.deliver("beta", 3)
    await until(lambda: bool(world.numbers("beta")))
    assert sum(map(bool, heard)) < 20
    await until(lambda: b"".join(heard[-2]) == b"1 2 ")
    assert [b"".join(one) for one in heard] == [b"1 2 "] * 19 + [b""]
    assert world.numbers("acme") == [1, 2]
