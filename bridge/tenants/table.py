"""The tenants as they are now: the configuration, and what Redis holds of them. It is updated every second.

Each look asks Redis for the versions of the known tenants, and reads only the tenants that changed. Tenants that are
configured or have connections come first, so that each of their changes takes effect at the next look. Other tenants
are found a few at a time, and at most `MOST_OTHERS` of them are kept, because a program that can write to Redis can
write any number of names. Whoever comes by a change, before the next look, is met by `renew`.

Versions only grow. What Redis lost (flushed, deleted, overwritten with another type) is written again from memory,
unless Redis has a later version. It never decides what a stage means.
"""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from time import monotonic
from typing import Final

import structlog
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from bridge.broker.addresses import Addresses
from bridge.broker.link import end_if_cancelled
from bridge.system.background import run_in_background
from bridge.system.observers import Observers
from bridge.system.shared_answer import SharedAnswer
from bridge.tenants.stored_state import Changing, read_state, write_state
from bridge.tenants.tenant import Tenant, TenantState
from bridge.tenants.versions import TenantVersions, number

LOOK_SECONDS: Final = 1.0
RENEW_SECONDS: Final = 0.5
LOOKS_PER_ROUND: Final = 10
MOST_OTHERS: Final = 1_000
"""Tenants that are kept without being configured or having connections: half a megabyte, and 1% of a core."""
OTHERS_PER_LOOK: Final = 200
OTHERS_SECONDS: Final = 0.5
"""The longest time that one look spends on other tenants, so that the next look for the first ones is not late."""
VERIFIED_PER_COMMAND: Final = 100

log = structlog.get_logger(__name__)


class TenantTable:
    """Every tenant that this process knows."""

    def __init__(
        self,
        redis: Redis,
        addresses: Addresses,
        configured: Mapping[str, Tenant],
        here: Callable[[], Iterable[str]] = tuple,
    ) -> None:
        """`here` returns the names of the tenants that have connections."""
        self._redis = redis
        self._addresses = addresses
        self._versions = TenantVersions(redis, addresses)
        self._configured = dict(configured)
        self._removed: frozenset[str] = frozenset()
        self._tenants: dict[str, Tenant] = dict(configured)
        self._states: dict[str, TenantState] = {}
        self._unreadable: dict[str, int] = {}
        self._found: dict[str, int] = {}
        self._here = here
        self._is_blind = self._is_full = False
        self._looking = asyncio.Lock()
        self._renewing = SharedAnswer(self._renew)
        self.changed: Final = Observers[[Tenant, Tenant]]()
        """Called with a tenant as it was before a change, and as it is now."""

    def get(self, name: str) -> Tenant | None:
        """The tenant as it is now; `None` if the bridge does not know it."""
        return self._tenants.get(name)

    def of(self, name: str) -> Tenant:
        """The tenant as it is now; with the defaults if the bridge does not know it."""
        return self._tenants.get(name) or Tenant(name)

    def all(self) -> Iterable[Tenant]:
        """Every known tenant."""
        return self._tenants.values()

    def of_host(self, host: str) -> Tenant | None:
        """The tenant that a V2 client without credentials reaches by this host name, or `None`."""
        return next((tenant for tenant in self._tenants.values() if host in tenant.hosts), None)

    def configure(self, configured: Mapping[str, Tenant]) -> None:
        """Take these as the configured tenants, at once. Those that are not among them any more are not known.

        A tenant that was removed is not found again in Redis, which still holds its state, before a restart.
        """
        removed = self._configured.keys() - configured.keys()
        self._removed = (self._removed | removed) - configured.keys()
        self._configured = dict(configured)
        for name in removed:
            self._states.pop(name, None)
            self._tenants.pop(name, None)
        for name, start in configured.items():
            before, state = self.of(name), self._states.get(name)
            after = self._tenants[name] = start if state is None else _in_state(start, state, before)
            if after != before:
                self.changed(before, after)

    async def run(self) -> None:
        """Look every `LOOK_SECONDS`, until cancelled; a look that fails changes nothing."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look_once()
            end_if_cancelled()

    async def look_once(self, *names: str) -> bool:
        """Do `look`, and return whether it succeeded. An error changes nothing; only the first in a row is logged."""
        try:
            await self.look(*names)
        except Exception as error:  # noqa: BLE001 - any data in Redis, any fault of the connection
            if not self._is_blind:
                log.warning("tenants_unreadable", reason=str(error))
            self._is_blind = True
            return False
        self._is_blind = False
        return True

    async def renew(self, name: str) -> Tenant:
        """The tenant as Redis has it now; as it is known here if Redis does not tell within `RENEW_SECONDS`.

        All who ask at the same time share the answer. A version that was looked at is not looked at again.
        """
        with suppress(Exception):  # any data in Redis, any fault of the connection
            async with asyncio.timeout(RENEW_SECONDS):
                await self._renewing.of(name)
        return self.of(name)

    async def _renew(self, name: str) -> None:
        looked_at = max(self.of(name).version, self._unreadable.get(name, 0))
        if (await self._versions.of([name])).get(name, 0) > looked_at:
            await self.look_once(name)

    async def look_around(self, seconds: float) -> None:
        """Look until every tenant that can be kept was found, before clients connect.

        It ends early at a look that fails, or with the first look that ends after `seconds`.
        """
        ends_at = monotonic() + seconds
        while await self.look_once() and not self._is_whole and monotonic() < ends_at:
            end_if_cancelled()

    @property
    def _is_whole(self) -> bool:
        return self._is_full or (self._versions.is_around and not self._found)

    async def look(self, *names: str) -> None:
        """Read what changed, and write again what Redis lost; one look at a time. Raises what redis-py raises.

        The tenants in `names` are among those that come first.
        """
        async with self._looking:
            await self._look(dict.fromkeys((*names, *self._configured, *self._here())))

    async def _look(self, first: Mapping[str, None]) -> None:
        others_until = monotonic() + OTHERS_SECONDS
        self._let_go(first)
        others = [name for name in self._states if name not in first]
        versions = await self._versions.of([*first, *others])
        for name in filter(lambda name: self._is_due(name, versions.get(name)), first):
            await self._see(name, versions.get(name))
        due = (name for name in others if self._is_due(name, versions.get(name)))
        for name in islice(due, OTHERS_PER_LOOK):
            if monotonic() < others_until:
                await self._see(name, versions.get(name))
        await self._find_some(others_until)
        await self._verify(len(self._states) // LOOKS_PER_ROUND + 1, others_until)

    def _is_due(self, name: str, version: int | None) -> bool:
        known = self._states.get(name)
        return version is not None if known is None else version is None or version != known.version

    async def _see(self, name: str, version: int | None) -> None:
        """Bring Redis and this process to the later of their two versions."""
        known = self._states.get(name)
        if known is not None and (version is None or version < known.version):
            await self._restore(name, known)
        elif version is not None and name not in self._removed:
            await self._read(name, version)

    async def _find_some(self, until: float) -> None:
        """Find some tenants that are neither configured nor have connections, while there is room."""
        room = MOST_OTHERS - sum(name not in self._configured for name in self._states)
        if room <= 0:
            self._tell_full(await self._versions.count())
            return
        self._is_full = False
        if not self._found:
            self._found = await self._written(await self._versions.next())
        for _ in range(min(room, OTHERS_PER_LOOK, len(self._found))):
            name, version = self._found.popitem()
            if name not in self._states:
                await self._read(name, version)
            if monotonic() > until:
                return

    async def _written(self, found: Mapping[str, int]) -> dict[str, int]:
        """The unknown tenants whose own key exists, too: a name in the hash of versions alone is no tenant."""
        names = [name for name in found if name not in self._states and name not in self._removed]
        async with self._redis.pipeline(transaction=False) as pipeline:
            for name in names:
                pipeline.exists(self._addresses.tenant(name))
            there = await pipeline.execute(raise_on_error=False)
        return {name: found[name] for name, is_there in zip(names, there, strict=True) if is_there == 1}

    def _tell_full(self, names: int) -> None:
        """Log that tenants are left out: once, until there is room again."""
        if not self._is_full and names > len(self._states):
            log.warning("tenants_left_out", kept=len(self._states), names=names)
        self._is_full = True

    def _let_go(self, first: Mapping[str, None]) -> None:
        """Beyond `MOST_OTHERS`, drop tenants that have no connections any more."""
        others = [name for name in self._states if name not in self._configured]
        waiting = (name for name in others if name not in first)
        for name in islice(waiting, max(0, len(others) - MOST_OTHERS)):
            del self._states[name], self._tenants[name]

    async def _read(self, name: str, version: int) -> None:
        """Read one tenant. Data that cannot be used is logged once, and leaves the tenant as it is."""
        try:
            known, configured = self._states.get(name), self._configured.get(name)
            state = await read_state(self._redis, self._addresses, name, known)
            start = configured or Tenant(name)
            if known is not None and state.id_map is known.id_map:
                after = start.with_state(
                    state,
                    self._tenants[name].names,  # V2
                )
            else:
                after = await run_in_background(start.with_state, state)
            self._take(name, configured, replace(state, version=version), replace(after, version=version))
        except Changing:
            return  # the next look reads it again
        except (ResponseError, ValueError) as error:
            if self._unreadable.get(name) != version:
                self._note_unreadable(name, version)
                log.warning("tenant_unreadable", tenant=name, version=version, reason=str(error))

    def _note_unreadable(self, name: str, version: int) -> None:
        """Remember that this was logged. Beyond the bound the oldest note is dropped, and may be logged once more."""
        self._unreadable.pop(name, None)
        self._unreadable[name] = version
        if len(self._unreadable) > MOST_OTHERS + len(self._configured):
            del self._unreadable[next(iter(self._unreadable))]

    def _take(self, name: str, configured: Tenant | None, state: TenantState, after: Tenant) -> None:
        """Know the tenant so, unless the configuration has changed since it was `configured`: then look again."""
        if name in self._removed or self._configured.get(name) is not configured:
            return
        before = self.of(name)
        self._states[name] = state
        self._tenants[name] = after
        self.changed(before, after)

    async def _verify(self, count: int, until: float) -> None:
        """Check that Redis still holds `count` of the tenants; the next call checks the next ones.

        If so much was lost that the time ends first (`until`), later rounds write the rest again.
        """
        names = list(self._states)[:count]
        for start in range(0, count, VERIFIED_PER_COMMAND):
            some = {name: self._states.pop(name) for name in names[start : start + VERIFIED_PER_COMMAND]}
            self._states |= some
            for name in await self._not_held(some):
                await self._restore(name, some[name])
                if monotonic() > until:
                    return

    async def _not_held(self, states: Mapping[str, TenantState]) -> Sequence[str]:
        if not states:
            return []
        async with self._redis.pipeline(transaction=True) as pipeline:
            for name in states:
                pipeline.hget(self._addresses.tenant(name), "version")
                pipeline.hlen(self._addresses.id_map(name))
            held = iter(await pipeline.execute(raise_on_error=False))
        return [name for name, state in states.items() if not _is_held(state, next(held), next(held))]

    async def _restore(self, name: str, state: TenantState) -> None:
        if await write_state(self._redis, self._addresses, name, state):
            log.warning("tenant_restored", tenant=name, version=state.version)


def _in_state(start: Tenant, state: TenantState, before: Tenant) -> Tenant:
    """The configured tenant in the state that Redis holds; its names are those that it had `before`."""
    return start.with_state(
        state,
        before.names,  # V2
    )


def _is_held(state: TenantState, version: object, ids: object) -> bool:
    return isinstance(version, bytes) and number(version) >= state.version and bool(ids == len(state.id_map))
