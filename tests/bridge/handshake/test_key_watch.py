"""What a process knows of the keys in Redis, and what it puts back there."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.handshake.api_keys import ApiKeys
from bridge.handshake.key_watch import KeyWatch
from bridge.handshake.stored_keys import StoredKey, add, new_key, revoke
from tests.bridge.broker.parts import running, until


class House:
    """Two processes at one Redis."""

    def __init__(self, redis: Redis, prefix: str) -> None:
        self.redis, self.addresses = redis, Addresses(prefix)
        self.keys, self.other_keys = ApiKeys(), ApiKeys()
        self.watch = KeyWatch(redis, self.addresses, self.keys)
        self.other = KeyWatch(redis, self.addresses, self.other_keys)

    async def make(self, name: str) -> StoredKey:
        key = new_key(name, ("acme",), "tenant", "none", "ann")[1]
        await add(self.redis, self.addresses, key)
        return key

    async def look(self) -> None:
        await self.watch.look()
        await self.other.look()


@pytest.fixture
async def house(redis_url: str, prefix: str) -> AsyncIterator[House]:
    async with Redis.from_url(redis_url, protocol=2) as redis:
        yield House(redis, prefix)


async def test_what_is_made_and_revoked_is_known_to_every_process(house: House) -> None:
    async with running(house.watch, house.other):
        key = await house.make("web")
        await until(lambda: key in house.keys and key in house.other_keys)
        await revoke(house.redis, house.addresses, "web")
        await until(lambda: not len(house.keys) and not len(house.other_keys))
    assert house.keys.are_live


async def test_a_look_without_a_change_reads_no_keys(house: House) -> None:
    told = list[int]()
    await house.make("web")
    house.keys.changed.add(lambda: told.append(1))
    for _ in range(3):
        await house.watch.look()
    assert told == [1]


async def test_before_a_look_it_is_not_known_which_keys_there_are(house: House) -> None:
    known = [house.keys.are_read]
    assert await house.watch.look_once()
    assert [*known, house.keys.are_read, house.keys.are_live] == [False, True, False]


@pytest.mark.parametrize("loss", ["all", "one", "another type", "the version"])
async def test_what_redis_has_lost_is_put_back(house: House, loss: str) -> None:
    keys = {await house.make("web"), await house.make("kiosk")}
    await house.look()
    match loss:
        case "all":
            await house.redis.delete(house.addresses.keys)
        case "one":
            await house.redis.hdel(house.addresses.keys, "web")
        case "the version":
            await house.redis.hdel(house.addresses.keys, "")
        case _:
            await house.redis.set(house.addresses.keys, "junk")
    await house.look()
    fresh = ApiKeys()
    await KeyWatch(house.redis, house.addresses, fresh).look()
    assert set(house.keys) == set(house.other_keys) == set(fresh) == keys
    await house.look()


async def test_a_key_that_was_revoked_while_a_process_was_away_does_not_come_back(house: House) -> None:
    await house.make("web")
    await house.look()
    await revoke(house.redis, house.addresses, "web")
    await house.watch.look()
    await house.redis.delete(house.addresses.keys)
    await house.other.look()  # it knows the older version alone
    await house.look()
    await house.look()
    assert len(house.keys) == len(house.other_keys) == 0


async def test_junk_that_comes_and_goes_changes_nothing(house: House) -> None:
    key = await house.make("web")
    await house.look()
    await house.redis.hset(house.addresses.keys, "junk", "junk")
    await house.look()
    await house.redis.hdel(house.addresses.keys, "junk")
    await house.look()
    assert set(house.keys) == {key}


async def test_while_redis_cannot_be_reached_what_was_known_is(house: House) -> None:
    key = await house.make("web")
    await house.watch.look()
    async with Redis.from_url("redis://127.0.0.1:1/0") as nobody:
        house.watch._redis = nobody
        assert not await house.watch.look_once()
    assert set(house.keys) == {key}
