"""Changes of a tenant's stage, share and routing: made once, by version, and recorded. Never judges their wisdom.

A change is one script: the version must be the one that its author saw, the tenant is written, and the record with it.
The record also says when Redis has lost what was in it.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, Final, Literal, cast

from redis.asyncio import Redis

from bridge.broker.addresses import Addresses
from bridge.broker.link import pack, rows_of
from bridge.tenants import STAGES, Routing, Stage, Tenant

NEWEST: Final = 1_000
RECORD_LENGTH: Final = 100_000
PAGE: Final = 2_000
LOSER: Final = "aether-bridge"
LOSS: Final = "Redis came back without its data: census, ledger, history and the record from before are lost"
REPLACED: Final = "Something else stood in Redis under the name of the {}: what it held is lost"

Kind = Literal["change", "rollback", "loss"]

_CHANGE: Final = """
redis.call('HLEN', KEYS[1])
redis.call('XLEN', KEYS[3])
local version = tonumber(redis.call('HGET', KEYS[2], 'version') or '0')
if version ~= tonumber(ARGV[2]) then return {0, version} end
version = version + 1
redis.call('HSET', KEYS[2], 'version', version, 'stage', ARGV[3], 'share', ARGV[4], 'v2_routing', ARGV[5])
redis.call('HSET', KEYS[2], 'change', ARGV[6])
redis.call('HSET', KEYS[1], ARGV[1], version)
redis.call('XADD', KEYS[3], 'MAXLEN', '~', ARGV[7], '*', 'tenant', ARGV[1], 'version', version, 'change', ARGV[6])
return {1, version}
"""
"""What could fail fails before anything is written: Redis takes nothing back of what a script has done."""


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
    """One line of the record. `when` is ISO 8601; `version` is the tenant's after it; `rolls_back` a version undone.

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


class Stale(Exception):
    """The tenant was changed meanwhile; `version` is what it is now."""

    def __init__(self, version: int) -> None:
        super().__init__(f"the tenant was changed meanwhile: it is at version {version} now")
        self.version = version


async def make(redis: Redis, addresses: Addresses, change: Change) -> Change:
    """Make a change to a tenant that is at `change.version`; the change with its own version. Raises `Stale`."""
    keys = [addresses.tenants, addresses.tenant(change.tenant), addresses.changes]
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
    made, version = await cast(Any, redis).eval(_CHANGE, len(keys), *keys, *arguments)
    if not made:
        raise Stale(version)
    return replace(change, version=version)


async def newest(redis: Redis, addresses: Addresses, tenant: str, most: int = NEWEST) -> list[Change]:
    """The newest changes of a tenant, newest first; none where something else stands under the record's name."""
    found: list[Change] = []
    last = "+"
    while len(found) < most:
        page = await rows_of(cast(Any, redis).xrevrange(addresses.changes, max=last, count=PAGE))
        found += [_change_in(fields) for _, fields in page if fields[b"tenant"].decode() == tenant]
        if len(page) < PAGE:
            break
        last = f"({page[-1][0].decode()}"
    return found[:most]


async def latest(redis: Redis, addresses: Addresses, tenant: str) -> Change | None:
    """The change that brought a tenant to where it stands, if Redis knows one."""
    text: Any = await cast(Any, redis.hget(addresses.tenant(tenant), "change"))
    if text is None:
        return None
    said = json.loads(text)
    return _change_of(tenant, said["version"] + 1, said)  # it was written before it had a version of its own


def loss(tenant: Tenant, when: str, why: str = LOSS) -> Change:
    """Redis has lost what was in the record: said in the record, which begins anew."""
    standing = Standing.of(tenant)
    return Change(tenant.name, tenant.version, LOSER, when, standing, standing, why, "loss")


def record(addresses: Addresses, change: Change) -> bytes:
    """The command that writes a line of the record which changes nothing, packed."""
    length = ("MAXLEN", "~", RECORD_LENGTH)
    fields = ("tenant", change.tenant, "version", change.version, "change", _text(change))
    return pack("XADD", addresses.changes, *length, "*", *fields)


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


def _text(change: Change) -> str:
    return json.dumps(change.as_json())


def _change_in(fields: dict[bytes, bytes]) -> Change:
    return _change_of(fields[b"tenant"].decode(), int(fields[b"version"]), json.loads(fields[b"change"]))


def _change_of(tenant: str, version: int, said: dict[str, Any]) -> Change:
    return Change(
        tenant=tenant,
        version=version,
        who=said["who"],
        when=said["when"],
        before=Standing(said["from"], said["from_share"], said["from_v2_routing"]),
        after=Standing(said["to"], said["share"], said["v2_routing"]),
        why=said["why"],
        kind=said["kind"],
        rolls_back=said["rolls_back"],
        forced=tuple(said.get("forced", ())),
    )
