"""The tenants as they are now: the configuration, and what Redis holds of them. Read again every second.

The versions of all tenants are one hash, so that a look costs one command; only what changed is read whole. Versions
only grow: what Redis lost (flushed, deleted, overwritten with another type) is written again from memory, unless
somebody knows better. It never decides what a stage means.
"""

import asyncio
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import Any, Final, cast

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError, WatchError

from bridge.aside import aside
from bridge.broker.addresses import Addresses
from bridge.broker.link import end_if_cancelled, is_wrong_type
from bridge.broker.stored_map import prepare_map, put_in_place, read_map
from bridge.settings import TENANT_NAME
from bridge.tenants import Tenant, TenantState, state_in

LOOK_SECONDS: Final = 1.0
LOOKS_PER_ROUND: Final = 10
_NUMBER: Final = re.compile(r"[0-9]{1,15}")
FIELDS: Final = ("version", "stage", "share", "v2_routing", "ids_version")

log = structlog.get_logger(__name__)

Changed = Callable[[Tenant, Tenant], None]


class TenantTable:
    """Every tenant that this process knows."""

    def __init__(self, redis: Redis, addresses: Addresses, configured: Mapping[str, Tenant]) -> None:
        self._redis = redis
        self._addresses = addresses
        self._configured = dict(configured)
        self._tenants: dict[str, Tenant] = dict(configured)
        self._states: dict[str, TenantState] = {}
        self._unreadable: dict[str, int] = {}
        self._changed: list[Changed] = []
        self._is_blind = False
        self._looking = asyncio.Lock()

    def get(self, name: str) -> Tenant | None:
        """The tenant as it is now, or `None` for one that the bridge does not know."""
        return self._tenants.get(name)

    def all(self) -> Iterable[Tenant]:
        """Every known tenant."""
        return self._tenants.values()

    def of_host(self, host: str) -> Tenant | None:
        """The tenant that a V2 client without credentials reaches by this host name."""
        return next((tenant for tenant in self._tenants.values() if host in tenant.hosts), None)

    def when_changed(self, call: Changed) -> None:
        """Call this, synchronously, with the tenant before and after each change."""
        self._changed.append(call)

    async def run(self) -> None:
        """Look again and again until cancelled; a look that fails leaves everything as it is."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look_once()
            end_if_cancelled()

    async def look_once(self) -> bool:
        """`look`, but what goes wrong is logged, once until it goes well again, and leaves everything as it is."""
        try:
            await self.look()
        except Exception as error:  # noqa: BLE001 - whatever stands in Redis or befalls the connection
            if not self._is_blind:
                log.warning("tenants_unreadable", reason=str(error))
            self._is_blind = True
            return False
        self._is_blind = False
        return True

    async def look(self) -> None:
        """Read what changed, and write again what Redis lost; one look at a time. Raises what redis-py raises."""
        async with self._looking:
            await self._look()

    async def _look(self) -> None:
        versions = await self._versions()
        for name, state in list(self._states.items()):
            if versions.get(name, -1) < state.version:
                await self._restore(name, state)
        for name, version in versions.items():
            known = self._states.get(name)
            if known is None or known.version < version:
                await self._read(name, version)
        await self._verify(len(self._states) // LOOKS_PER_ROUND + 1)

    async def _versions(self) -> dict[str, int]:
        try:
            versions = await self._redis.hgetall(self._addresses.tenants)
        except ResponseError as error:
            if not is_wrong_type(error):
                raise
            await self._redis.delete(self._addresses.tenants)
            return {}
        found = {name: _number(version) for name, version in _text(versions).items()}
        return {name: version for name, version in found.items() if TENANT_NAME.fullmatch(name)}

    async def _read(self, name: str, version: int) -> None:
        """What cannot be used is logged once, and leaves the tenant as it is."""
        try:
            known = self._states.get(name)
            state = await read_state(self._redis, self._addresses, name, known)
            start = self._configured.get(name) or Tenant(name)
            if known is not None and state.id_map is known.id_map:
                after = start.with_state(state, self._tenants[name].names)
            else:
                after = await aside(start.with_state, state)
            self._take(name, replace(state, version=version), replace(after, version=version))
        except Changing:
            return  # the next look finds it as it has become
        except (ResponseError, ValueError) as error:
            if self._unreadable.get(name) != version:
                self._unreadable[name] = version
                log.warning("tenant_unreadable", tenant=name, version=version, reason=str(error))

    def _take(self, name: str, state: TenantState, after: Tenant) -> None:
        before = self._tenants.get(name) or Tenant(name)
        self._states[name] = state
        self._tenants[name] = after
        for call in self._changed:
            call(before, after)

    async def _verify(self, number: int) -> None:
        """See that Redis still holds so many of the tenants; the next call looks at the next ones."""
        for name in list(self._states)[:number]:
            state = self._states[name] = self._states.pop(name)
            if not await self._is_held(name, state):
                await self._restore(name, state)

    async def _is_held(self, name: str, state: TenantState) -> bool:
        async with self._redis.pipeline(transaction=True) as pipeline:
            pipeline.hget(self._addresses.tenant(name), "version")
            pipeline.hlen(self._addresses.id_map(name))
            version, names = await pipeline.execute(raise_on_error=False)
        is_older = not isinstance(version, bytes) or _number(version.decode(errors="replace")) < state.version
        return not is_older and names == len(state.id_map)

    async def _restore(self, name: str, state: TenantState) -> None:
        if await write_state(self._redis, self._addresses, name, state):
            log.warning("tenant_restored", tenant=name, version=state.version)


class Changing(ValueError):
    """A tenant was changed while it was read."""


async def read_state(redis: Redis, addresses: Addresses, name: str, known: TenantState | None = None) -> TenantState:
    """What Redis holds of a tenant; the id map is the `known` one where that was not replaced since.

    Raises `Changing`, and what redis-py raises.
    """
    before = _text(await redis.hgetall(addresses.tenant(name)))
    state = state_in(before, {})
    ids = addresses.id_map(name)
    is_known = known is not None and state.ids_version is not None and state.ids_version == known.ids_version
    if known is not None and is_known and await cast(Any, redis.hlen(ids)) == len(known.id_map):  # not by hand since
        return replace(state, id_map=known.id_map)
    id_map = await read_map(redis, ids)
    if _text(await redis.hgetall(addresses.tenant(name))) != before:
        raise Changing("it is being changed")
    return replace(state, id_map=id_map)


async def write_state(redis: Redis, addresses: Addresses, name: str, state: TenantState) -> bool:
    """Write a tenant whole, in one transaction, unless Redis knows a later version; whether it was written."""
    fields: dict[str, Any] = {each: getattr(state, each) for each in FIELDS}
    async with redis.pipeline(transaction=True) as pipeline:
        await pipeline.watch(addresses.tenants, addresses.tenant(name))
        later = await _version_held(pipeline, addresses, name)
        is_ours = later <= state.version
        waiting = await prepare_map(pipeline, addresses.id_map(name), state.id_map if is_ours else {})
        pipeline.multi()  # type: ignore[no-untyped-call]
        if is_ours:
            pipeline.delete(addresses.tenant(name))
            pipeline.hset(
                addresses.tenant(name), mapping={key: value for key, value in fields.items() if value is not None}
            )
            put_in_place(pipeline, addresses.id_map(name), waiting)
        pipeline.hset(addresses.tenants, name, max(later, state.version))  # by which the next look finds it
        try:
            await pipeline.execute()
        except WatchError:
            return False  # somebody changed a tenant meanwhile: the next look sees which
    return is_ours


async def _version_held(pipeline: Any, addresses: Addresses, name: str) -> int:
    """The latest version of a tenant that Redis knows: what all tenants' versions say may be lost by itself."""
    found = [await pipeline.hget(addresses.tenants, name)]
    try:
        found.append(await pipeline.hget(addresses.tenant(name), "version"))
    except ResponseError as error:
        if not is_wrong_type(error):
            raise
    return max(_number(version.decode(errors="replace")) if version is not None else 0 for version in found)


def _number(text: str) -> int:
    return int(text) if _NUMBER.fullmatch(text) else 0


def _text(fields: Mapping[Any, Any]) -> dict[str, str]:
    return {key.decode(errors="replace"): value.decode(errors="replace") for key, value in fields.items()}
