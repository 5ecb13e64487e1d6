"""Adds ids to a tenant's id map. Whether they can stand beside those that are there is decided here.

Decided here: to add is not to change. An id that is mapped to another name already is a conflict, as is a name that
somebody else has: only a replacement changes them. This module is deleted together with V2.
"""

from collections.abc import Mapping
from functools import partial
from typing import Final

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.tenants.id_map import Line, Replacement, change_id_map
from compat.identity import check_id_map, encode


class Conflicts(Exception):
    """Ids that cannot be added to the map that is there: V2 id -> a sentence."""

    def __init__(self, sentences: Mapping[str, str]) -> None:
        ids = "1 id is" if len(sentences) == 1 else f"{len(sentences):,} ids are"
        super().__init__(f"{ids} in conflict with those that are mapped already")
        self.sentences: Final = dict(sentences)


async def add_to_id_map(
    redis: Redis,
    addresses: Addresses,
    tenant: str,
    id_map: Mapping[str, str],
    *,
    line: Line | None = None,
    dry_run: bool = False,
) -> Replacement:
    """Add ids to the map, or none of them. Raises `Conflicts`, and what `check_id_map` and redis-py raise."""
    return await change_id_map(redis, addresses, tenant, partial(_added, given=id_map), line, dry_run=dry_run)


def _added(stored: Mapping[str, str], given: Mapping[str, str]) -> Mapping[str, str]:
    """Both maps in one. Raises `Conflicts`, and what `check_id_map` raises."""
    owners = {name: v2_id for v2_id, name in stored.items()}
    computed = {encode(v2_id): v2_id for v2_id in stored}
    sentences = {}
    for v2_id, name in given.items():
        if stored.get(v2_id, name) != name:
            sentences[v2_id] = f"{v2_id!r} is mapped to {stored[v2_id]!r} already"
        elif owners.get(name, v2_id) != v2_id:
            sentences[v2_id] = f"{name!r} is given to {owners[name]!r} already: one name, one person"
        elif computed.get(name, v2_id) != v2_id or owners.get(encode(v2_id), v2_id) != v2_id:
            sentences[v2_id] = f"{v2_id!r} and an id that is mapped already would share a name: choose another"
    if sentences:
        raise Conflicts(sentences)
    id_map = {**stored, **given}
    check_id_map(id_map)
    return id_map
