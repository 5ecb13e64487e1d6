"""A tenant: its stage in the migration, its dialect and names, and the rules that follow from them. Pure.

Decided here: what Redis holds of a tenant (stage, share, routing, id map) overrides the configuration, which only gives
the initial values. The dialect and the dates of a tenant come from the configuration alone.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, Final, Literal, get_args
from zlib import crc32

from bridge.tenants.guard_rules import NO_GUARDS, GuardRules
from compat.dialect import STANDARD, Dialect  # V2
from compat.identity import PLAIN_NAMES, Names  # V2
from v3.messages import is_vision_id

Stage = Literal["legacy", "bridge", "drain", "v3"]
Routing = Literal["global", "group"]

STAGES: Final = get_args(Stage)
ROUTINGS: Final = get_args(Routing)
DEFAULT_TENANT: Final = "default"
TENANT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
BUCKETS: Final = 100
GENERATED_ID_BUCKET: Final = BUCKETS - 1
GENERATED_ID_PREFIX: Final = "anonymous-"
MAX_DIGITS: Final = 19
"""Digits of the largest integer in Redis."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant as this process knows it now. Immutable: a change makes a new object."""

    name: str
    stage: Stage = "bridge"
    share: int = 0
    v2_routing: Routing = "global"
    hosts: tuple[str, ...] = ()
    deprecated: date | None = None
    sunset: date | None = None
    dialect: Dialect = field(default=STANDARD, compare=False)  # V2
    names: Names = field(default=PLAIN_NAMES, compare=False)  # V2
    guard: GuardRules = NO_GUARDS
    version: int = 0

    def refuses_v2(self, client_id: str | None) -> str | None:
        """The code with which a V2 client is refused now, or `None`. `client_id` is `None` for a generated id."""
        if self.stage == "v3":
            return "v2_retired"
        if self.stage == "drain" and bucket(client_id) < self.share:
            return "moved_to_v3"
        return None

    def refuses_v3(self) -> str | None:
        """The code with which V3 clients are refused now, or `None`."""
        return "stage_legacy" if self.stage == "legacy" else None

    def resolve(self, name: str) -> str | None:
        """The current V3 name of the client or group that is called `name`; `None` if that is not a valid name."""
        if self.names.is_from_v2(name):  # V2
            return self.names.resolve(name)  # V2
        return name if is_vision_id(name) else None

    def with_state(
        self,
        state: "TenantState",
        names: Names | None = None,  # V2
    ) -> "Tenant":
        """This tenant with the state from Redis. `names`: those of the state's id map, if they exist already."""
        return replace(
            self,
            stage=state.stage or self.stage,
            share=self.share if state.share is None else state.share,
            v2_routing=state.v2_routing or self.v2_routing,
            names=Names(state.id_map) if names is None else names,  # V2
            version=state.version,
        )


@dataclass(frozen=True, slots=True)
class TenantState:
    """What Redis holds of a tenant. A field that was never set is `None`."""

    version: int
    stage: Stage | None = None
    share: int | None = None
    v2_routing: Routing | None = None
    id_map: dict[str, str] = field(default_factory=dict)
    ids_version: int | None = None
    """The version at which the id map was last replaced; `None` if that is not known."""


def state_in(fields: dict[str, str], id_map: dict[str, str]) -> TenantState:
    """The state in the fields of a tenant's hash in Redis. A value that is not valid counts as never set."""
    share = _number(fields.get("share"))
    return TenantState(
        version=_number(fields.get("version")) or 0,
        stage=_one_of(STAGES, fields.get("stage")),
        share=share if share is not None and share <= BUCKETS else None,
        v2_routing=_one_of(ROUTINGS, fields.get("v2_routing")),
        id_map=id_map,
        ids_version=_number(fields.get("ids_version")),
    )


def bucket(client_id: str | None) -> int:
    """0 to 99, the same in every process for ever: CRC-32 of the V2 client id as in the URL path, modulo 100.

    All generated ids (`None`) have the last bucket.
    """
    return GENERATED_ID_BUCKET if client_id is None else crc32(client_id.encode()) % BUCKETS


def successor_path(group_name: str, client_name: str) -> str:
    """The V3 path to which a V2 client moves."""
    return f"/v3/ws/group/{group_name}/client/{client_name}"


def deprecation_headers(tenant: Tenant, successor: str) -> dict[str, str]:
    """The headers `Deprecation` (RFC 9745) and `Sunset` (RFC 8594), if set, with a `Link` to the path `successor`."""
    headers: dict[str, str] = {}
    if tenant.deprecated is not None:
        headers["Deprecation"] = f"@{int(_midnight(tenant.deprecated).timestamp())}"
    if tenant.sunset is not None:
        headers["Sunset"] = format_datetime(_midnight(tenant.sunset), usegmt=True)
    if headers:
        headers["Link"] = f'<{successor}>; rel="successor-version"'
    return headers


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time(), UTC)


def _number(word: str | None) -> int | None:
    return int(word) if word is not None and len(word) <= MAX_DIGITS and word.isdecimal() else None


def _one_of(words: tuple[Any, ...], word: str | None) -> Any:
    return word if word in words else None
