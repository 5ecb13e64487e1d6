"""The change log: changes of a tenant's stage, share and routing, each made once, by version, and written down.

A change is one script: the version must be the one that its author saw, the tenant is written, and a line of its log.
Each tenant has a log of its own, so that nobody pushes another's lines out. The log also says when Redis has lost what
was in it. A line that cannot be read is passed over, and counted. Whether a change is wise is not judged here.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, NamedTuple, cast

from pydantic import BaseModel, ConfigDict, Field
from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.link import pack
from bridge.broker.scripts import Script
from bridge.broker.unreadable import answer_of
from bridge.tenants.tenant import BUCKETS, MAX_DIGITS, STAGES, Routing, Stage, Tenant

RECORD_LENGTH: Final = 1_000
"""Of one tenant; beyond it the oldest line is forgotten."""
PAGE: Final = 50
ADOPTED_PER_CALL: Final = 200
LOSER: Final = "aether-bridge"
LOSS: Final = "Redis came back without its data: census, ledger, history and the record from before are lost"
REPLACED: Final = "Something else stood in Redis under the name of the {}: what it held is lost"

Kind = Literal["change", "rollback", "loss"]

CHANGE: Final = Script.in_file("bridge.tenants", "change_log_make")
ADOPT: Final = Script.in_file("bridge.tenants", "change_log_adopt")


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a tenant stands: what a change changes."""

    stage: Stage
    share: int
    v2_routing: Routing

    @classmethod
    def of(cls, tenant: Tenant) -> "Standing":
        return cls(tenant.stage, tenant.share, tenant.v2_routing)

    def of_tenant(self, tenant: Tenant) -> Tenant:
        """The tenant as if it stood here."""
        return replace(tenant, stage=self.stage, share=self.share, v2_routing=self.v2_routing)

    def as_json(self) -> dict[str, Any]:
        """As the admin API says it."""
        return {"stage": self.stage, "share": self.share, "v2_routing": self.v2_routing}

    @property
    def place(self) -> tuple[int, int]:
        """How far along the way from V2 to V3."""
        return STAGES.index(self.stage), self.share if self.stage == "drain" else 0

    def __str__(self) -> str:
        stage = f"drain {self.share} %" if self.stage == "drain" else self.stage
        return stage if self.v2_routing == "global" else f"{stage}, V2 by group"


@dataclass(frozen=True, slots=True)
class Change:
    """One line of the log. `when` is ISO 8601; `version` is the tenant's after it; `rolls_back` a version undone.

    `forced` names the guards that were failing when it was made all the same.
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

    def as_json(self) -> dict[str, Any]:
        """As the admin API and the command line say it."""
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
        }


class NewestChanges(NamedTuple):
    """The newest changes, newest first, and how many lines among them could not be read."""

    changes: list[Change]
    unreadable: int


class _Said(BaseModel):
    """A line of the log as it stands in Redis, which may be anything by now."""

    model_config = ConfigDict(strict=True)

    version: int = Field(ge=0)
    who: str
    when: str
    before: Stage = Field(alias="from")
    to: Stage
    from_share: int = Field(ge=0, le=BUCKETS)
    share: int = Field(ge=0, le=BUCKETS)
    from_v2_routing: Routing
    v2_routing: Routing
    why: str
    kind: Kind
    rolls_back: int | None
    forced: tuple[str, ...] = ()

    def change(self, tenant: str, version: int) -> Change:
        """The change of a tenant that it tells of."""
        before = Standing(self.before, self.from_share, self.from_v2_routing)
        after = Standing(self.to, self.share, self.v2_routing)
        facts = (self.who, self.when, before, after, self.why, self.kind, self.rolls_back, self.forced)
        return Change(tenant, version, *facts)


class Stale(Exception):
    """The tenant was changed meanwhile; `version` is what it is now."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the tenant was changed meanwhile: it is at version {version} now")
        self.version = version


async def make(redis: Redis, addresses: Addresses, change: Change) -> Change:
    """Make a change to a tenant that is at `change.version`; the change with its own version. Raises `Stale`."""
    keys = [addresses.tenants, addresses.tenant(change.tenant), addresses.record(change.tenant), addresses.changes]
    after = change.after
    arguments = [
        change.tenant,
        change.version,
        after.stage,
        after.share,
        after.v2_routing,
        _text(change),
        RECORD_LENGTH,
    ]
    made, version = await cast(Any, redis).eval(CHANGE.source, len(keys), *keys, *arguments)
    if made < 0:  # older lines come first
        await _adopt(redis, addresses)
        return await make(redis, addresses, change)
    if not made:
        raise Stale(version)
    return replace(change, version=version)


async def newest(redis: Redis, addresses: Addresses, tenant: str, most: int = RECORD_LENGTH) -> NewestChanges:
    """The newest lines of a tenant's log; none where something else stands under its name.

    Page by page, so that nobody waits for a long one.
    """
    await _adopt(redis, addresses)
    found: list[Change] = []
    unreadable, last = 0, "+"
    for start in range(0, most, PAGE):
        count = min(PAGE, most - start)
        asked = redis.xrevrange(addresses.record(tenant), max=last, count=count)
        page: list[tuple[bytes, Mapping[bytes, bytes]]] = await answer_of(asked, [])
        read = [change for _, fields in page if (change := _change_in(tenant, fields)) is not None]
        found += read
        unreadable += len(page) - len(read)
        if len(page) < count:
            break
        last = f"({page[-1][0].decode()}"
    return NewestChanges(found, unreadable)


async def latest(redis: Redis, addresses: Addresses, tenant: str) -> Change | None:
    """The change that brought a tenant to where it stands, if Redis knows one. Raises `ValueError` for rubbish."""
    text: Any = await cast(Any, redis.hget(addresses.tenant(tenant), "change"))
    if text is None:
        return None
    said = _Said.model_validate_json(text)
    return said.change(tenant, said.version + 1)  # it was written before it had a version of its own


async def _adopt(redis: Redis, addresses: Addresses) -> None:
    """Give each tenant its lines of the log that all of them once shared."""
    arguments = (ADOPTED_PER_CALL, addresses.record("@"), RECORD_LENGTH)
    while await cast(Any, redis).eval(ADOPT.source, 1, addresses.changes, *arguments) == ADOPTED_PER_CALL:
        continue


def loss(tenant: Tenant, when: str, why: str = LOSS) -> Change:
    """Redis has lost what was in the log: said in the log, which begins anew."""
    standing = Standing.of(tenant)
    return Change(tenant.name, tenant.version, LOSER, when, standing, standing, why, "loss")


def log_command(addresses: Addresses, change: Change) -> bytes:
    """The packed command that writes a line of the log and changes nothing else."""
    fields = ("tenant", change.tenant, "version", change.version, "change", _text(change))
    return pack("XADD", addresses.record(change.tenant), "MAXLEN", RECORD_LENGTH, "*", *fields)


def step_back(changes: Iterable[Change]) -> Change | None:
    """The newest change (of changes, newest first) that no rollback has undone yet; what moved nothing is no step."""
    undone: set[int] = set()
    for change in changes:
        if change.rolls_back is not None:
            undone.add(change.rolls_back)
        elif change.kind == "change" and change.before != change.after and change.version not in undone:
            return change
    return None


def back(tenant: Tenant, last: Change, who: str, when: str, why: str) -> Change:
    """The change that undoes another."""
    standing, reason = Standing.of(tenant), why or taking_back(last.version)
    return Change(tenant.name, tenant.version, who, when, standing, last.before, reason, "rollback", last.version)


def taking_back(version: int) -> str:
    """What a rollback does, in words: the reason of one that was given none."""
    return f"takes back version {version}"


def _text(change: Change) -> bytes:
    """What a command line could not decode of a reason is not in it: no strict reader would take such a line."""
    return json.dumps(change.as_json(), ensure_ascii=False).encode(errors="replace")


def _change_in(tenant: str, fields: Mapping[bytes, bytes]) -> Change | None:
    """The change that a line tells of, where it can be read."""
    version = fields.get(b"version", b"")
    if not version.isdigit() or len(version) > MAX_DIGITS:
        return None
    try:
        return _Said.model_validate_json(fields.get(b"change", b"")).change(tenant, int(version))
    except ValueError:
        return None
