"""Keys in Redis: how they are made and revoked there, and what is read of what others have written."""

from __future__ import annotations

import hashlib
import json
from collections.abc import AsyncIterator

import pytest
from pydantic import ValidationError
from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.handshake import stored_keys
from bridge.handshake.stored_keys import (
    NameTaken,
    StoredKey,
    TooManyKeys,
    add,
    new_key,
    read_keys,
    read_standing,
    restore,
    revoke,
)


@pytest.fixture
async def redis(redis_url: str) -> AsyncIterator[Redis]:
    async with Redis.from_url(redis_url, protocol=2) as client:
        yield client


@pytest.fixture
def addresses(prefix: str) -> Addresses:
    return Addresses(prefix)


def made(name: str = "web", *tenants: str) -> StoredKey:
    return new_key(name, tenants or ("acme",), "tenant", "viewer", "ann@host")[1]


async def test_a_key_is_read_as_it_was_made_and_its_text_is_nowhere(redis: Redis, addresses: Addresses) -> None:
    text, key = new_key("web", ("acme", "*"), "platform", "operator", "ann@host")
    await add(redis, addresses, key)
    assert (await read_keys(redis, addresses)).keys == (key,)
    assert (key.rights, key.made_by, key.sha256) == ("operator", "ann@host", hashlib.sha256(text.encode()).hexdigest())
    assert text not in str(await redis.hgetall(addresses.keys))


async def test_without_a_name_it_is_called_by_its_hash() -> None:
    key = made("")
    assert key.name == f"key {key.sha256[:8]}"


@pytest.mark.parametrize("name", ["a\nb", " web", "web ", "x" * 129, "\x1b]0;x\x07", "a\u200bb"])
async def test_what_cannot_be_seen_is_no_name(name: str) -> None:
    with pytest.raises(ValidationError):
        made(name)


@pytest.mark.parametrize("tenant", ["", "a b", "x" * 65])
async def test_tenants_are_checked_as_in_the_file(tenant: str) -> None:
    with pytest.raises(ValidationError):
        made("web", tenant)


async def test_a_name_is_there_once_and_each_change_raises_the_version(redis: Redis, addresses: Addresses) -> None:
    assert await read_standing(redis, addresses) == (0, 0)
    await add(redis, addresses, made("web"))
    with pytest.raises(NameTaken):
        await add(redis, addresses, made("web"))
    assert await read_standing(redis, addresses) == (1, 2)
    assert await revoke(redis, addresses, "web")
    assert not await revoke(redis, addresses, "web")
    assert await read_standing(redis, addresses) == (2, 1)
    assert (await read_keys(redis, addresses)).keys == ()


async def test_there_is_a_bound(redis: Redis, addresses: Addresses, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stored_keys, "MOST_KEYS", 2)
    for name in ("a", "b"):
        await add(redis, addresses, made(name))
    with pytest.raises(TooManyKeys):
        await add(redis, addresses, made("c"))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"{",
        b"\xff",
        b"7",
        b"null",
        b"[" * 100_000,
        b'{"sha256": "short", "tenants": ["acme"]}',
        json.dumps({"sha256": "0" * 64, "tenants": []}).encode(),
        json.dumps({"sha256": "0" * 64, "tenants": ["a b"]}).encode(),
        json.dumps({"sha256": "0" * 64, "tenants": ["acme"], "role": "king"}).encode(),
        json.dumps({"sha256": "0" * 64, "tenants": ["acme"], "role": "viewer", "admin": True}).encode(),
        json.dumps({"sha256": "0" * 64, "tenants": ["acme"], "made_by": "x" * 70_000}).encode(),
    ],
)
async def test_what_is_no_key_is_passed_over_and_counted(redis: Redis, addresses: Addresses, text: bytes) -> None:
    key, before = made(), unreadable.skipped["api_key"]
    await add(redis, addresses, key)
    await redis.hset(addresses.keys, "junk", text)
    assert (await read_keys(redis, addresses)).keys == (key,)
    assert unreadable.skipped["api_key"] == before + 1


async def test_a_name_that_cannot_be_one_is_passed_over_too(redis: Redis, addresses: Addresses) -> None:
    for name in ("a\nb", b"\xff", "x" * 129):
        await redis.hset(addresses.keys, name, made().as_json())
    assert (await read_keys(redis, addresses)).keys == ()


async def test_something_of_another_type_is_no_table_of_keys(redis: Redis, addresses: Addresses) -> None:
    await redis.set(addresses.keys, "junk")
    assert await read_standing(redis, addresses) == (0, 0)
    await redis.set(addresses.keys, "junk")
    await add(redis, addresses, made())
    assert len((await read_keys(redis, addresses)).keys) == 1


async def test_what_was_lost_is_put_back_but_not_over_something_later(redis: Redis, addresses: Addresses) -> None:
    key = made()
    assert await restore(redis, addresses, 7, [key])
    table = await read_keys(redis, addresses)
    assert (table.version, table.keys) == (7, (key,))
    assert not await restore(redis, addresses, 6, [])
    assert (await read_keys(redis, addresses)).keys == (key,)


@pytest.mark.parametrize("version", ["-1", "1e300", "0.5", "nan", "x"])
async def test_a_version_that_cannot_be_one_keeps_nothing_from_being_put_back(
    redis: Redis, addresses: Addresses, version: str
) -> None:
    await redis.hset(addresses.keys, "", version)
    assert await restore(redis, addresses, 7, [made()])
    assert (await read_standing(redis, addresses))[0] == 7
