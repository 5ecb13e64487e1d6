"""The API keys that live in Redis: made, revoked and read there. Only the SHA-256 of a key is ever stored.

One hash holds them all (name -> key), with a version that each change raises. What cannot be read is skipped and
counted. It keeps nothing in memory, and never decides who may make a key.
"""

import hashlib
import json
import secrets
from collections.abc import Iterable, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple, cast

from pydantic import ConfigDict, Field, field_validator
from redis.asyncio import Redis

from bridge.broker import unreadable
from bridge.broker.addresses import Addresses
from bridge.broker.scripts import Script
from bridge.config.tables import Grant, Key, Role

KEY_PREFIX: Final = "aether_"
KEY_BYTES: Final = 32
MOST_KEYS: Final = 10_000
LONGEST_NAME: Final = 128
LONGEST_KEY_BYTES: Final = 65_536
MOST_TENANTS: Final = 500
KEYS_PER_PAGE: Final = 500
VERSION: Final = b""
"""The field that holds the version: no key has the empty name."""
NO_HASH: Final = b"no hash"
ADD: Final = Script.in_file("bridge.handshake", "stored_keys_add")
REVOKE: Final = Script.in_file("bridge.handshake", "stored_keys_revoke")
RESTORE: Final = Script.in_file("bridge.handshake", "stored_keys_restore")


class StoredKey(Key):
    """One key in Redis: as in the configuration, and who made it, and when (ISO 8601)."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(min_length=1, max_length=LONGEST_NAME)
    tenants: tuple[str, ...] = Field(min_length=1, max_length=MOST_TENANTS)
    made_by: str = Field("", max_length=2 * LONGEST_NAME)
    made_at: str = Field("", max_length=64)

    @field_validator("name")
    @classmethod
    def _printable(cls, name: str) -> str:
        if not name.isprintable() or name != name.strip():
            raise ValueError("a key's name is text that can be seen, without spaces around it")
        return name

    def as_json(self) -> str:
        """As Redis holds it."""
        return self.model_dump_json(exclude={"name", "admin"})


class KeyTable(NamedTuple):
    """All keys in Redis at one version. `version` is 0 where there never was one; `fields`: how many the hash has."""

    version: int
    fields: int
    keys: tuple[StoredKey, ...] = ()


class NameTaken(Exception):
    """A key of this name exists."""


class TooManyKeys(Exception):
    """Redis holds as many keys as it may."""


def new_key(
    name: str, tenants: tuple[str, ...], broadcast: Grant, role: Role, made_by: str, now: datetime | None = None
) -> tuple[str, StoredKey]:
    """A random key, as its holder sends it, and what is stored of it. Without a name it is called by its hash.

    Raises `ValidationError`.
    """
    key = KEY_PREFIX + secrets.token_urlsafe(KEY_BYTES)
    digest = hashlib.sha256(key.encode()).hexdigest()
    made_at = f"{now or datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"
    facts = {"tenants": tenants, "broadcast": broadcast, "role": role, "made_by": made_by, "made_at": made_at}
    return key, StoredKey.model_validate({"name": name or f"key {digest[:8]}", "sha256": digest, **facts})


async def add(redis: Redis, addresses: Addresses, key: StoredKey) -> None:
    """Store a key. Raises `NameTaken`, `TooManyKeys`, and what redis-py raises."""
    done = await _run(redis, ADD, addresses, key.name, key.as_json(), MOST_KEYS)
    if done == 0:
        raise NameTaken
    if done < 0:
        raise TooManyKeys


async def revoke(redis: Redis, addresses: Addresses, name: str) -> bool:
    """Delete a key. Returns whether there was one of this name. Raises what redis-py raises."""
    return await _run(redis, REVOKE, addresses, name.encode(errors="surrogatepass")) > 0


async def restore(redis: Redis, addresses: Addresses, version: int, keys: Iterable[StoredKey]) -> bool:
    """Write all keys at this version, unless Redis has a later one. Raises what redis-py raises."""
    pairs = (text for key in keys for text in (key.name, key.as_json()))
    return await _run(redis, RESTORE, addresses, version, *pairs) > 0


async def read_standing(redis: Redis, addresses: Addresses) -> tuple[int, int]:
    """The version of the keys, and how many fields their hash has: 0 and 0 where there is none."""
    version: bytes | None = await unreadable.answer_of(redis.hget(addresses.keys, cast(Any, VERSION)), NO_HASH)
    if version is NO_HASH:  # something of another type stands there: it is no table of keys
        await redis.unlink(addresses.keys)
        return 0, 0
    return _number(version), await unreadable.answer_of(redis.hlen(addresses.keys), 0)


async def read_keys(redis: Redis, addresses: Addresses) -> KeyTable:
    """All keys, at most `MOST_KEYS`, read page by page: a key made or revoked meanwhile changes the version.

    Raises what redis-py raises.
    """
    version, fields = await read_standing(redis, addresses)
    found: dict[str, StoredKey] = {}
    cursor, seen = 0, 0
    while seen <= 2 * MOST_KEYS and fields:
        asked = redis.hscan(addresses.keys, cursor, count=KEYS_PER_PAGE)
        nothing: tuple[int, Mapping[bytes, bytes]] = (0, {})
        cursor, page = await unreadable.answer_of(asked, nothing)
        found |= {key.name: key for key in map(_key, page, page.values()) if key is not None}
        seen += len(page)
        if cursor == 0:
            break
    return KeyTable(version, fields, tuple(found.values())[:MOST_KEYS])


def _key(name: bytes, text: bytes) -> StoredKey | None:
    """The key in one field; `None`, and counted, if it is none."""
    if name == VERSION:
        return None
    if len(text) <= LONGEST_KEY_BYTES:
        with suppress(ValueError, TypeError, RecursionError):
            return StoredKey.model_validate({**json.loads(text), "name": name.decode()})
    unreadable.skip("api_key")
    return None


async def _run(redis: Redis, script: Script, addresses: Addresses, *arguments: str | bytes | int) -> int:
    done: int = await cast(Any, redis).eval(script.source, 1, addresses.keys, *arguments)
    return done


def _number(text: bytes | None) -> int:
    return int(text) if text is not None and text.isdigit() and len(text) <= 15 else 0
