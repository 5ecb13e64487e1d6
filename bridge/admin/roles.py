"""Which role each route of the admin API needs. It knows the routes by method and path, and what none of them does.

A viewer reads, an operator moves tenants, an admin does the rest. What is not in the table needs what its method says:
`viewer` for GET, `admin` for all others.
"""

from collections.abc import Mapping
from typing import Final

from fastapi import Request

from bridge.api.errors import AdminRefusal
from bridge.config.tables import Role
from bridge.handshake.authentication import Administrator

PREFIX: Final = "/admin/api"
ROLE_OF: Final[Mapping[tuple[str, str], Role]] = {
    ("GET", "/me"): "viewer",
    ("GET", "/events"): "viewer",
    ("GET", "/turned-away"): "viewer",  # V2
    ("GET", "/tenants"): "viewer",
    ("GET", "/tenants/{tenant}"): "viewer",
    ("GET", "/tenants/{tenant}/census"): "viewer",
    ("GET", "/tenants/{tenant}/ledger"): "viewer",
    ("GET", "/tenants/{tenant}/history"): "viewer",
    ("GET", "/tenants/{tenant}/changes"): "viewer",  # V2
    ("GET", "/tenants/{tenant}/guards"): "viewer",  # V2
    ("PUT", "/tenants/{tenant}/stage"): "operator",  # V2
    ("POST", "/tenants/{tenant}/rollback"): "operator",  # V2
    ("PUT", "/tenants/{tenant}/guards"): "admin",  # V2
    ("PUT", "/tenants/{tenant}/ids"): "admin",  # V2
    ("POST", "/tenants/{tenant}/ids/undo"): "admin",  # V2
    ("GET", "/keys"): "admin",
    ("POST", "/keys"): "admin",
    ("DELETE", "/keys/{name:path}"): "admin",
    ("POST", "/reload"): "admin",
}


def role_needed(method: str, path: str) -> Role:
    """The role that a route needs, by its method and the template of its path."""
    default: Role = "viewer" if method == "GET" else "admin"
    return ROLE_OF.get((method, path.removeprefix(PREFIX)), default)


def check_role(administrator: Administrator, request: Request) -> None:
    """Raise `AdminRefusal` (403) if the administrator's role does not suffice for the route of this request."""
    needed = role_needed(request.method, request.scope["route"].path)
    if not administrator.may(needed):
        sentence = f"This needs a key with the role {needed}; this key's is {administrator.role}."
        raise AdminRefusal(403, "forbidden", sentence, role=needed)


def check_platform(administrator: Administrator, what: str) -> None:
    """Raise `AdminRefusal` (403) if the key is not for every tenant. `what`: what only such a key may do."""
    if not administrator.is_for_platform:
        raise AdminRefusal(403, "forbidden", f"{what} needs a key for every tenant (`*`).")
