"""The state of a tenant as a JSON object of the admin API: the answer about a tenant, and in the event stream."""

from typing import Any

from bridge.records.cluster_counts import TenantCounts
from bridge.records.report_rows import PROTOCOLS
from bridge.tenants.tenant import Tenant


def tenant_state(tenant: Tenant, cluster: TenantCounts, lost_at: str | None) -> dict[str, Any]:
    """The object. `cluster`: what all processes count; `lost_at`: when Redis lost its data, in ISO 8601, if it did."""
    counts = cluster[tenant.name]
    return {
        "tenant": tenant.name,
        "stage": tenant.stage,
        "share": tenant.share,
        "v2_routing": tenant.v2_routing,
        "deprecated": tenant.deprecated.isoformat() if tenant.deprecated else None,
        "sunset": tenant.sunset.isoformat() if tenant.sunset else None,
        "version": tenant.version,
        "ids": len(tenant.names.id_map),  # V2
        "connections": {protocol: counts["connections"][protocol] for protocol in PROTOCOLS},
        "messages": {language: counts["messages"][language] for language in ("v2", "v3")},
        "lost_at": lost_at,
    }
