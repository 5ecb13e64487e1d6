"""The people of the audience tests: two tenants that are called alike, on two processes, in every way of connecting.

Tenant `wide` routes V2 globally, as legacy did; tenant `narrow` routes it by group.
"""

from __future__ import annotations

from collections.abc import Iterator

from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import UNHURRIED, key, with_key
from tests.end_to_end.population import Member

TENANTS = ("wide", "narrow")
CONFIG = (
    UNHURRIED
    + "".join(
        f'[tenants.{tenant}]\nv2_routing = "{routing}"\nhosts = ["{tenant}.example.test"]\n'
        for tenant, routing in zip(TENANTS, ("global", "group"), strict=True)
    )
    + "".join(key(f"{tenant}-{grant}", tenant, broadcast=grant) for tenant in TENANTS for grant in ("none", "tenant"))
    + key("operator", "*", broadcast="platform")
)


def v3_member(tenant: str, label: str, group: str, client_id: str, process: int, query: str) -> Member:
    return Member(label, "v3", tenant, group, client_id, process, v3_path(group, client_id, query))


def v2_member(
    tenant: str, path: str, group: str, client_id: str | None, process: int, query: str, host: str = "127.0.0.1"
) -> Member:
    return Member(path, "v2", tenant, group, client_id, process, path + (query and f"?{query}"), host)


def members_of(name: str) -> Iterator[Member]:
    """Groups `team`, `apart` and `lobby`; `dev_1` and V2's `42` each hold several connections, on both processes."""
    granted, muted = with_key(f"{name}-tenant"), with_key(f"{name}-none")
    operator = f"{with_key('operator')}&x_account_id={name}"
    yield v3_member(name, "ann", "team", "ann", 0, granted)
    yield v3_member(name, "ben", "team", "ben", 1, granted)
    yield v3_member(name, "muted", "team", "muted", 0, muted)
    yield v3_member(name, "operator", "team", "operator", 1, operator)
    yield v3_member(name, "cat", "apart", "cat", 1, granted)
    yield v3_member(name, "hermit", "apart", f"hermit-{name}", 1, granted)
    yield v3_member(name, "first tab", "apart", "dev_1", 0, granted)
    yield v3_member(name, "second tab", "lobby", "dev_1", 1, granted)
    yield v2_member(name, "/ws/group/team/client/42", "team", "v2-42", 0, granted)
    yield v2_member(name, "/ws_redis/group/team/client/eve", "team", "eve", 1, granted)
    yield v2_member(name, "/ws/group/team", "team", None, 1, granted)
    yield v2_member(name, "/ws_redis/group/team", "team", None, 0, granted)
    yield v2_member(name, "/ws/client/dev_1", "lobby", "dev_1", 1, granted)
    yield v2_member(name, "/ws_redis/client/42", "lobby", "v2-42", 1, granted)
    yield v2_member(name, "/ws/7", "lobby", "v2-7", 0, granted)
    yield v2_member(name, "/ws_redis/a%20b", "lobby", "v2-a_20b", 1, granted)
    yield v2_member(name, "/ws", "lobby", None, 0, granted)
    yield v2_member(name, "/ws_redis", "lobby", None, 1, granted)
    yield v2_member(name, "/ws/group/team/client/muted", "team", "muted", 0, muted)
    yield v2_member(name, "/ws/group/team/client/operator", "team", "operator", 1, operator)
    yield v2_member(name, "/ws/group/team/client/anonymous", "team", "anonymous", 0, "", f"{name}.example.test")


MEMBERS = tuple(member for name in TENANTS for member in members_of(name))
