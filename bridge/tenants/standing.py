"""The standing of a tenant: its stage, share and routing, as one value that can be compared and changed. Pure."""

from dataclasses import dataclass, replace
from typing import Any

from bridge.tenants.tenant import STAGES, Routing, Stage, Tenant


@dataclass(frozen=True, slots=True)
class Standing:
    """Stage, share and routing of a tenant: what a change changes."""

    stage: Stage
    share: int
    v2_routing: Routing

    @classmethod
    def of(cls, tenant: Tenant) -> "Standing":
        return cls(tenant.stage, tenant.share, tenant.v2_routing)

    def of_tenant(self, tenant: Tenant) -> Tenant:
        """The tenant, with this stage, share and routing instead of its own."""
        return replace(tenant, stage=self.stage, share=self.share, v2_routing=self.v2_routing)

    def as_json(self) -> dict[str, Any]:
        """As a JSON object of the admin API."""
        return {"stage": self.stage, "share": self.share, "v2_routing": self.v2_routing}

    @property
    def place(self) -> tuple[int, int]:
        """How far the tenant is on its way from V2 to V3, for comparison: stage by number, and share in `drain`."""
        return STAGES.index(self.stage), self.share if self.stage == "drain" else 0

    def __str__(self) -> str:
        stage = f"drain {self.share} %" if self.stage == "drain" else self.stage
        return stage if self.v2_routing == "global" else f"{stage}, V2 by group"
