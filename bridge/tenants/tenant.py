"""A tenant: its stage in the migration, its dialect and names, and the rules that follow from them. Pure.

Decided here: what Redis holds of a tenant (stage, share, routing, guards, id map) overrides the configuration, which
only gives the initial values. The dialect and the dates of a tenant come from the configuration alone.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time
from email.utils import format_datetime
from typing import Any, Final, Literal, get_args

from bridge.tenants.guard_rules import NO_GUARDS, GuardRules
from bridge.tenants.share import bucket_hundredths, hundredths_of, share_in
from compat.dialect import STANDARD, Dialect  # V2
from compat.identity import PLAIN_NAMES, Names  # V2
from v3.messages import is_vision_id

Stage = Literal["legacy", "bridge", "drain", "v3"]
Routing = Literal["global", "group"]

STAGES: Final = get_args(Stage)
ROUTINGS: Final = get_args(Routing)
DEFAULT_TENANT: Final = "default"
TENANT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
GENERATED_ID_PREFIX: Final = "anonymous-"
MAX_DIGITS: Final = 19
"""Digits of the largest integer in Redis."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """One tenant as this process knows it now. Immutable: a change makes a new object."""

    name: str
    stage: Stage = "bridge"
    share: float = 0
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
        if self.stage == "drain" and bucket_hundredths(client_id) < hundredths_of(self.share):
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

    def names_of(self, client: str) -> Iterator[str]:
        """Every name of the client with this V3 name: V2 client `42` and V3 client `v2-42` are one person."""
        yield client
        yield str(self.names.v2_id_of(client))  # V2

    def with_state(
        self,
        state: "TenantState",
        names: Names | None = None,  # V2
    ) -> "Tenant":
        """This tenant with the state from Redis. `names`: those of the state's id map, if they exist already."""
        return replace(
            self,
            stage=state.stage or self.stage,
            share=self._share_in(state),
            v2_routing=state.v2_routing or self.v2_routing,
            names=Names(state.id_map) if names is None else names,  # V2
            guard=state.guards or self.guard,
            version=state.version,
        )

    def _share_in(self, state: "TenantState") -> float:
        """The share that the state gives; that of the configuration if Redis holds none that can be read."""
        if (state.stage or self.stage) != "drain":
            return 0
        return self.share if state.share is None else state.share


@dataclass(frozen=True, slots=True)
class TenantState:
    """What Redis holds of a tenant. A field that was never set is `None`."""

    version: int
    stage: Stage | None = None
    share: float | None = None
    v2_routing: Routing | None = None
    id_map: dict[str, str] = field(default_factory=dict)
    ids_version: int | None = None
    """The version at which the id map was last replaced; `None` if that is not known."""
    guards: GuardRules | None = None

    def fields(self) -> dict[str, str | float]:
        """The fields of the tenant's hash in Redis, without those that were never set."""
        held = {
            "version": self.version,
            "stage": self.stage,
            "share": self.share,
            "v2_routing": self.v2_routing,
            "guards": None if self.guards is None else self.guards.model_dump_json(),
            "ids_version": self.ids_version,
        }
        return {name: value for name, value in held.items() if value is not None}


def state_in(fields: Mapping[str, str], id_map: dict[str, str]) -> TenantState:
    """The state in the fields of a tenant's hash in Redis. A value that is not valid counts as never set."""
    stage = _one_of(STAGES, fields.get("stage"))
    return TenantState(
        version=_number(fields.get("version")) or 0,
        stage=stage,
        share=_share(fields.get("share", "")) if stage == "drain" else None,
        v2_routing=_one_of(ROUTINGS, fields.get("v2_routing")),
        guards=_guards(fields.get("guards", "")),
        id_map=id_map,
        ids_version=_number(fields.get("ids_version")),
    )


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


def _share(text: str) -> float | None:
    try:
        return share_in(text)
    except ValueError:
        return None


def _guards(text: str) -> GuardRules | None:
    try:
        return GuardRules.model_validate_json(text)
    except ValueError:
        return None


def _one_of(words: tuple[Any, ...], word: str | None) -> Any:
    return word if word in words else None
