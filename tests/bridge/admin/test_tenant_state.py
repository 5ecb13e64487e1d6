"""What the admin API says of a tenant."""

from collections import Counter, defaultdict
from datetime import date

from bridge.admin.tenant_state import tenant_state
from bridge.records.cluster_counts import TenantCounts
from bridge.tenants.tenant import Tenant, TenantState


def test_it_says_where_the_tenant_stands_and_what_all_processes_count() -> None:
    tenant = Tenant("acme", sunset=date(2027, 1, 1)).with_state(TenantState(7, "drain", 25, id_map={"42": "Xk3dQ"}))
    counts: TenantCounts = defaultdict(lambda: {"connections": Counter(v2=2), "messages": Counter(v3=9)})
    assert tenant_state(tenant, counts, "2026-01-01T00:00:00.000000Z") == {
        "tenant": "acme",
        "stage": "drain",
        "share": 25,
        "v2_routing": "global",
        "deprecated": None,
        "sunset": "2027-01-01",
        "version": 7,
        "ids": 1,
        "connections": {"v2": 2, "v3": 0, "socketio": 0},
        "messages": {"v2": 0, "v3": 9},
        "lost_at": "2026-01-01T00:00:00.000000Z",
    }
