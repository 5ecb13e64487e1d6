"""The standing of a tenant: its stage, share and routing, as one value that can be compared and changed. Pure.

Decided here: V2 routed by group is nearer to V3 than V2 routed globally. The way from V2 to V3 has two measures, the
place (the stage, and the share in `drain`) and the routing. One standing is ahead of another if it is ahead by either.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from bridge.tenants.tenant import ROUTINGS, STAGES, Routing, Stage, Tenant


@dataclass(frozen=True, slots=True)
class Standing:
    """Stage, share and routing of a tenant: what a step changes. Outside `drain` the share is 0."""

    stage: Stage
    share: float
    v2_routing: Routing

    @classmethod
    def of(cls, tenant: Tenant) -> "Standing":
        return cls(tenant.stage, tenant.share, tenant.v2_routing)

    @classmethod
    def settled(cls, stage: Stage, share: float, v2_routing: Routing) -> "Standing":
        """The standing in this stage. The share of an earlier `drain`, which old records have kept, is forgotten."""
        return cls(stage, share if stage == "drain" else 0, v2_routing)

    def of_tenant(self, tenant: Tenant) -> Tenant:
        """The tenant, with this stage, share and routing instead of its own."""
        return replace(tenant, stage=self.stage, share=self.share, v2_routing=self.v2_routing)

    def as_json(self) -> dict[str, Any]:
        """As a JSON object of the admin API."""
        return {"stage": self.stage, "share": self.share, "v2_routing": self.v2_routing}

    @property
    def place(self) -> tuple[int, float]:
        """How far the tenant is on its way from V2 to V3, for comparison: stage by number, and share in `drain`."""
        return STAGES.index(self.stage), self.share if self.stage == "drain" else 0

    def is_ahead_of(self, other: "Standing") -> bool:
        """Whether this standing is nearer to V3, by its place or by its routing."""
        return self.towards(other) != self

    def towards(self, other: "Standing") -> "Standing":
        """This standing, taken back to the place and the routing of `other` where these are nearer to V2."""
        place = min(self, other, key=lambda one: one.place)
        routing = min(self.v2_routing, other.v2_routing, key=ROUTINGS.index)
        return Standing(place.stage, place.share, routing)

    def back_to(self, earlier: Iterable["Standing"]) -> "Standing | None":
        """Where a rollback leads, which only goes towards `legacy`; `None` if there is no way back.

        That is the first of the `earlier` standings (newest first) that this one is ahead of, else `bridge`.
        """
        bridge = Standing("bridge", 0, self.v2_routing)
        ways = (self.towards(one) for one in (*earlier, bridge))
        return next((one for one in ways if one != self), None)

    def __str__(self) -> str:
        stage = f"drain {self.share} %" if self.stage == "drain" else self.stage
        return stage if self.v2_routing == "global" else f"{stage}, V2 by group"
