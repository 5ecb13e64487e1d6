"""A tenant: where it stands in its migration, its words and names, and what follows from them. Pure.

Decided here: what Redis holds of a tenant (stage, share, routing, id map) wins over the configuration, which is where
it starts; the words and dates of a tenant are the configuration's alone.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, Final, Literal, get_args
from zlib import crc32

from bridge.tenants.guard_rules import NO_GUARDS, GuardRules
from compat.dialect import STANDARD, Dialect
from compat.identity import PLAIN_NAMES, Names

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
"""Of the largest number that Redis counts to."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant as this process knows it now. Replaced whole when something changes, never altered."""

    name: str
    stage: Stage = "bridge"
    share: int = 0
    v2_routing: Routing = "global"
    hosts: tuple[str, ...] = ()
    deprecated: date | None = None
    sunset: date | None = None
    dialect: Dialect = field(default=STANDARD, compare=False)
    names: Names = field(default=PLAIN_NAMES, compare=False)
    guard: GuardRules = NO_GUARDS
    version: int = 0

    def refuses_v2(self, client_id: str | None) -> str | None:
        """The code with which a V2 client is refused now, if it is; `None` stands for a generated id."""
        if self.stage == "v3":
            return "v2_retired"
        if self.stage == "drain" and bucket(client_id) < self.share:
            return "moved_to_v3"
        return None

    def refuses_v3(self) -> str | None:
        """The code with which V3 is refused now, if it is."""
        return "stage_legacy" if self.stage == "legacy" else None

    def with_state(self, state: "TenantState", names: Names | None = None) -> "Tenant":
        """This tenant as Redis says it is; `names` are those of its id map, where they are made already."""
        return replace(
            self,
            stage=state.stage or self.stage,
            share=self.share if state.share is None else state.share,
            v2_routing=state.v2_routing or self.v2_routing,
            names=Names(state.id_map) if names is None else names,
            version=state.version,
        )


@dataclass(frozen=True, slots=True)
class TenantState:
    """What Redis holds of a tenant; what was never changed is `None`."""

    version: int
    stage: Stage | None = None
    share: int | None = None
    v2_routing: Routing | None = None
    id_map: dict[str, str] = field(default_factory=dict)
    ids_version: int | None = None
    """The version at which the id map was last replaced, where that is known."""


def state_in(fields: dict[str, str], id_map: dict[str, str]) -> TenantState:
    """Redis's words for a tenant, read with suspicion: what is no stage, share or routing counts as never set."""
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
    """0 to 99, the same on every process and for ever: CRC-32 of the V2 client id as it stands in the path."""
    return GENERATED_ID_BUCKET if client_id is None else crc32(client_id.encode()) % BUCKETS


def successor_path(group_name: str, client_name: str) -> str:
    """Where a V2 client goes in V3."""
    return f"/v3/ws/group/{group_name}/client/{client_name}"


def deprecation_headers(tenant: Tenant, successor: str) -> dict[str, str]:
    """`Deprecation` (RFC 9745), `Sunset` (RFC 8594) and the link to what comes after, where dates are set."""
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
