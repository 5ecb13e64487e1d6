"""The change log of a tenant: makes each change of its standing or its guards exactly once, by version, and records it.

A change is one Lua script: it checks that the tenant is at the version that the author saw, writes the tenant, and adds
a line to its log. Each tenant has its own log, so that the lines of one tenant cannot push out those of another. The
log also says when Redis has lost its lines. A line that cannot be read is skipped and counted. It never judges whether
a change is wise.
"""

import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.commands import pack
from bridge.broker.scripts import Script
from bridge.broker.unreadable import answer_of
from bridge.tenants.guard_rules import GuardRules
from bridge.tenants.share import Share
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import MAX_DIGITS, Routing, Stage, Tenant

RECORD_LENGTH: Final = 1_000
"""Lines in the log of one tenant; beyond, the oldest line is deleted."""
PAGE: Final = 50
ADOPTED_PER_CALL: Final = 200
LOSER: Final = "aether-bridge"
LOSS: Final = "Redis came back without its data: census, ledger, history and the record from before are lost"
REPLACED: Final = "Something else stood in Redis under the name of the {}: what it held is lost"

Kind = Literal["change", "rollback", "loss", "guards", "ids"]

CHANGE: Final = Script.in_file("bridge.tenants", "change_log_make")
ADOPT: Final = Script.in_file("bridge.tenants", "change_log_adopt")


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the log. `when` is ISO 8601. `rolls_back`: the version that this change undoes, if it is a rollback.

    `version`: the tenant's version after the change; before the change is made, the version that its author saw.
    `forced`: the names of the guards that neither held the change up nor may take it back, because it was forced.
    `guards`: those before and those after, if the guards were changed; the standing then stays as it is.
    """

    tenant: str
    version: int
    who: str
    when: str
    before: Standing
    after: Standing
    why: str
    kind: Kind = "change"
    rolls_back: int | None = None
    forced: tuple[str, ...] = ()
    guards: tuple[GuardRules, GuardRules] | None = None

    def as_json(self) -> dict[str, Any]:
        """As a JSON object of the admin API, of the command line, and of the log in Redis."""
        return {
            "version": self.version,
            "who": self.who,
            "when": self.when,
            "from": self.before.stage,
            "to": self.after.stage,
            "from_share": self.before.share,
            "share": self.after.share,
            "from_v2_routing": self.before.v2_routing,
            "v2_routing": self.after.v2_routing,
            "why": self.why,
            "kind": self.kind,
            "rolls_back": self.rolls_back,
            "forced": list(self.forced),
            **self._guards_as_json(),
        }

    def _guards_as_json(self) -> dict[str, Any]:
        if self.guards is None:
            return {}
        before, after = self.guards
        return {"from_guards": before.model_dump(), "guards": after.model_dump()}

    def fields(self) -> dict[str, str | float]:
        """The fields of the tenant in Redis that this change writes."""
        if self.guards is not None:
            return {"guards": self.guards[1].model_dump_json()}
        return dict(self.after.as_json())


class NewestChanges(NamedTuple):
    """Changes, the newest first, and how many lines among them could not be read."""

    changes: list[Change]
    unreadable: int


class Step(NamedTuple):
    """A change that moved the tenant. `at`: when Redis took it (ms since the epoch), by its clock, not its author's."""

    change: Change
    at: int


class _Said(BaseModel):
    """A line of the log as it is in Redis. It is validated, because another program may have written it."""

    model_config = ConfigDict(strict=True)

    version: int = Field(ge=0)
    who: str
    when: str
    before: Stage = Field(alias="from")
    to: Stage
    from_share: Share
    share: Share
    from_v2_routing: Routing
    v2_routing: Routing
    why: str
    kind: Kind
    rolls_back: int | None
    forced: tuple[str, ...] = ()
    from_guards: GuardRules | None = None
    guards: GuardRules | None = None

    def change(self, tenant: str, version: int) -> Change:
        """The change that this line records, with the given tenant and version."""
        before = Standing.settled(self.before, self.from_share, self.from_v2_routing)
        after = Standing.settled(self.to, self.share, self.v2_routing)
        guards = (self.from_guards, self.guards) if self.from_guards and self.guards else None
        facts = (self.who, self.when, before, after, self.why, self.kind, self.rolls_back, self.forced, guards)
        return Change(tenant, version, *facts)


class Stale(Exception):
    """The tenant was changed meanwhile; `version` is its version now."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the tenant was changed meanwhile: it is at version {version} now")
        self.version = version


async def make(redis: Redis, addresses: Addresses, change: Change) -> Change:
    """Make a change at `change.version`; return it with the tenant's new version. Raises `Stale`, redis-py's errors."""
    keys = [addresses.tenants, addresses.tenant(change.tenant), addresses.record(change.tenant), addresses.changes]
    fields = [word for field in change.fields().items() for word in field]
    arguments = [change.tenant, change.version, _text(change), RECORD_LENGTH, *fields]
    made, version = await cast(Any, redis).eval(CHANGE.source, len(keys), *keys, *arguments)
    if made < 0:  # older lines must come first in the log
        await _adopt(redis, addresses)
        return await make(redis, addresses, change)
    if not made:
        raise Stale(version)
    return replace(change, version=version)


async def newest(redis: Redis, addresses: Addresses, tenant: str, most: int = RECORD_LENGTH) -> NewestChanges:
    """The newest `most` lines of a tenant's log; none if its key has another type. Raises what redis-py raises."""
    read = [change async for _, change in _lines(redis, addresses, tenant, most)]
    found = [change for change in read if change is not None]
    return NewestChanges(found, len(read) - len(found))


async def latest(redis: Redis, addresses: Addresses, tenant: str) -> Change | None:
    """The last change of a tenant, or `None` if there was none. Raises `ValueError` if it cannot be read."""
    text: Any = await cast(Any, redis.hget(addresses.tenant(tenant), "change"))
    if text is None:
        return None
    said = _Said.model_validate_json(text)
    return said.change(tenant, said.version + 1)  # the text has the version before the change


async def latest_step(redis: Redis, addresses: Addresses, tenant: str, since: int = 0) -> Step | None:
    """The last change that moved the tenant, if Redis took it at `since` (ms since the epoch) or later.

    Raises `ValueError` if the last change cannot be read.
    """
    if await latest(redis, addresses, tenant) is None:
        return None
    async for at, change in _lines(redis, addresses, tenant, RECORD_LENGTH, since):
        if change is not None and change.before != change.after:
            return Step(change, at)
    return None


async def _lines(
    redis: Redis, addresses: Addresses, tenant: str, most: int, since: int = 0
) -> AsyncIterator[tuple[int, Change | None]]:
    """When Redis took each of the newest lines (ms since the epoch), and its change; `None` if it cannot be read.

    It reads `PAGE` lines at a time, so that a long log does not hold up other work.
    """
    await _adopt(redis, addresses)
    last = "+"
    for start in range(0, most, PAGE):
        count = min(PAGE, most - start)
        asked = redis.xrevrange(addresses.record(tenant), max=last, min=since, count=count)
        page: list[tuple[bytes, Mapping[bytes, bytes]]] = await answer_of(asked, [])
        for name, fields in page:
            yield int(name.partition(b"-")[0]), _change_in(tenant, fields)
        if len(page) < count:
            return
        last = f"({page[-1][0].decode()}"


async def _adopt(redis: Redis, addresses: Addresses) -> None:
    """Move the lines of the old log, which all tenants once shared, to the tenants' own logs."""
    arguments = (ADOPTED_PER_CALL, addresses.record("@"), RECORD_LENGTH)
    while await cast(Any, redis).eval(ADOPT.source, 1, addresses.changes, *arguments) == ADOPTED_PER_CALL:
        continue


def loss(tenant: Tenant, when: str, why: str = LOSS) -> Change:
    """The line that says that Redis has lost the log, and with which the log starts again."""
    standing = Standing.of(tenant)
    return Change(tenant.name, tenant.version, LOSER, when, standing, standing, why, "loss")


def log_command(addresses: Addresses, change: Change) -> bytes:
    """The packed command that adds a line to the log and changes nothing else."""
    fields = ("tenant", change.tenant, "version", change.version, "change", _text(change))
    return pack("XADD", addresses.record(change.tenant), "MAXLEN", RECORD_LENGTH, "*", *fields)


def newest_step(changes: Iterable[Change]) -> Change | None:
    """The newest of `changes` (newest first) that moved the tenant; `None` if none did."""
    return next((change for change in changes if change.before != change.after), None)


def ids_changed(tenant: Tenant, version: int, who: str, when: str, why: str) -> Change:
    """The line that says that the id map was changed. It moves nothing, so no rollback touches it."""
    standing = Standing.of(tenant)
    return Change(tenant.name, version, who, when, standing, standing, why, "ids")


def add_to_log(pipeline: Any, addresses: Addresses, change: Change) -> None:
    """Queue the command that adds a line to the log, at `change.version`, and changes nothing else."""
    fields = {"tenant": change.tenant, "version": change.version, "change": _text(change)}
    pipeline.xadd(addresses.record(change.tenant), fields, maxlen=RECORD_LENGTH, approximate=False)


def standings(changes: Iterable[Change]) -> Iterator[Standing]:
    """Where the tenant stood, the newest first, after and before each of `changes` (newest first)."""
    return (standing for change in changes for standing in (change.after, change.before))


def back(tenant: Tenant, after: Standing, undone: int | None, who: str, when: str, why: str) -> Change:
    """The rollback to a standing nearer to V2. `undone`: the version of the step that this takes back, if it is one."""
    reason = why or ("" if undone is None else taking_back(undone))
    return Change(tenant.name, tenant.version, who, when, Standing.of(tenant), after, reason, "rollback", undone)


def taking_back(version: int) -> str:
    """The reason of a rollback whose author gave none."""
    return f"takes back version {version}"


def _text(change: Change) -> bytes:
    """The change as JSON. Characters that the command line could not decode become `?`: a strict reader would fail."""
    return json.dumps(change.as_json(), ensure_ascii=False).encode(errors="replace")


def _change_in(tenant: str, fields: Mapping[bytes, bytes]) -> Change | None:
    """The change in a line of the log; `None` if it cannot be read."""
    version = fields.get(b"version", b"")
    if not version.isdigit() or len(version) > MAX_DIGITS:
        return None
    try:
        return _Said.model_validate_json(fields.get(b"change", b"")).change(tenant, int(version))
    except ValueError:
        return None
