"""API keys over HTTP: `GET|POST /admin/api/keys`, `DELETE /admin/api/keys/{name}`. Redis holds them, never their text.

Decided here: an administrator of some tenants sees, makes and revokes keys for these tenants alone, with a grant that
reaches no further than its own key's. Such a key is told that another's name is taken, and no more of it.
"""

from collections.abc import Callable, Collection
from typing import Annotated, Any, NamedTuple

import structlog
from fastapi import APIRouter, Depends, Request
from pydantic import Field, ValidationError
from redis.asyncio import Redis

from bridge.admin.order_bodies import Body, body_of, described
from bridge.admin.refusals import REFUSED
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal, unreadable
from bridge.broker.addresses import Addresses
from bridge.config.tables import EVERY_TENANT, GRANTS, Grant, Key, Role
from bridge.handshake import stored_keys
from bridge.handshake.api_keys import ApiKeys
from bridge.handshake.authentication import Administrator
from bridge.handshake.key_watch import KeyWatch
from bridge.handshake.stored_keys import LONGEST_NAME, MOST_KEYS, MOST_TENANTS, NameTaken, StoredKey, TooManyKeys
from bridge.tenants.tenant import TENANT_NAME

log = structlog.get_logger(__name__)


TenantName = Annotated[str, Field(json_schema_extra={"pattern": rf"^(?:\*|{TENANT_NAME.pattern})(?!\n)$"})]


class NewKey(Body):
    """A key that is to be made. Without a name it is called by its hash."""

    name: str = Field("", max_length=LONGEST_NAME)
    tenants: list[TenantName] = Field(min_length=1, max_length=MOST_TENANTS, examples=[["acme"]])
    broadcast: Grant = "tenant"
    role: Role = "none"


class KeyRing(NamedTuple):
    """The keys of this process, and where they live. `is_known`: whether there is a tenant of this name."""

    keys: ApiKeys
    watch: KeyWatch
    redis: Redis
    addresses: Addresses
    is_known: Callable[[str], bool]


class KeyService:
    """What an administrator may see and change of the API keys."""

    def __init__(self, ring: KeyRing) -> None:
        self._ring = ring

    async def all(self, administrator: Administrator) -> list[dict[str, Any]]:
        """The keys that the administrator may see, by name. Of a key there is no more than its SHA-256."""
        await self._ring.watch.look_once()
        keys = (key for key in self._ring.keys if _is_within(administrator, key.tenants))
        return [self._said(key) for key in sorted(keys, key=lambda key: key.name)]

    async def make(self, administrator: Administrator, wanted: NewKey) -> dict[str, Any]:
        """Make a key; the answer has its text, this once. Raises `AdminRefusal`, and what redis-py raises."""
        _check_grant(administrator, wanted)
        text, key = _made(wanted, administrator.name)
        if self._ring.keys.named(key.name) is not None:
            raise _taken(key.name)
        try:
            await stored_keys.add(self._ring.redis, self._ring.addresses, key)
        except NameTaken:
            raise _taken(key.name) from None
        except TooManyKeys:
            sentence = f"Redis holds {MOST_KEYS:,} keys, and no more: revoke some."
            raise AdminRefusal(409, "too_many_keys", sentence) from None
        log.info("key_made", name=key.name, who=administrator.name, tenants=", ".join(key.tenants), role=key.rights)
        await self._ring.watch.look_once()
        unknown = [name for name in key.tenants if name != EVERY_TENANT and not self._ring.is_known(name)]
        return {"key": text, **self._said(key), "unknown_tenants": unknown}

    async def revoke(self, administrator: Administrator, name: str) -> dict[str, Any]:
        """Revoke a key: its connections end. Raises `AdminRefusal`, and what redis-py raises."""
        await self._ring.watch.look_once()
        of_redis = (key for key in self._ring.watch.table.keys if key.name == name)
        key = next(of_redis, None) or self._ring.keys.named(name)
        if key is None or not _is_within(administrator, key.tenants):
            raise AdminRefusal(404, "unknown_key", "There is no key of this name that this key may revoke.")
        if not isinstance(key, StoredKey):
            sentence = "This key stands in the configuration: take it out of the file, and have that read anew."
            raise AdminRefusal(409, "key_in_file", sentence)
        await stored_keys.revoke(self._ring.redis, self._ring.addresses, name)
        log.info("key_revoked", name=name, who=administrator.name)
        await self._ring.watch.look_once()
        return {"ok": True, "name": name}

    @staticmethod
    def _said(key: Key) -> dict[str, Any]:
        """A key as JSON data."""
        made_by, made_at = (key.made_by, key.made_at) if isinstance(key, StoredKey) else (None, None)
        return {
            "name": key.name,
            "sha256": key.sha256,
            "tenants": list(key.tenants),
            "broadcast": key.broadcast,
            "role": key.rights,
            "where": "redis" if isinstance(key, StoredKey) else "file",
            "made_by": made_by,
            "made_at": made_at,
        }


def router(service: TenantService, keys: KeyService) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(service.administrator)]  # noqa: N806 - a type

    @routes.get("/keys", summary="Every API key, without its text")
    async def all_keys(admin: Admin) -> list[dict[str, Any]]:
        return await keys.all(admin)

    @routes.post("/keys", status_code=201, summary="Make an API key", openapi_extra=described(NewKey, is_required=True))
    async def new_key(request: Request, admin: Admin) -> dict[str, Any]:
        service.spend(admin)
        return await keys.make(admin, NewKey.in_body(await body_of(request)))

    @routes.delete("/keys/{name:path}", summary="Revoke an API key: its connections end")
    async def revoke_key(name: str, admin: Admin) -> dict[str, Any]:
        service.spend(admin)
        return await keys.revoke(admin, name)

    return routes


def _made(wanted: NewKey, who: str) -> tuple[str, StoredKey]:
    """The text of a new key, and the key. Raises `AdminRefusal` (422) for a name or a tenant that cannot be one."""
    try:
        return stored_keys.new_key(wanted.name, tuple(wanted.tenants), wanted.broadcast, wanted.role, who)
    except ValidationError as error:
        raise unreadable("invalid_order", error.errors(include_input=False, include_context=False)) from None


def _is_within(administrator: Administrator, tenants: Collection[str]) -> bool:
    """Whether the administrator's key is for all of these tenants."""
    return all(administrator.may_use(name) for name in tenants)


def _check_grant(administrator: Administrator, wanted: NewKey) -> None:
    """Raise `AdminRefusal` (403) if a key of some tenants wants one that reaches further than itself."""
    if administrator.is_for_platform:
        return
    if not _is_within(administrator, wanted.tenants):
        raise AdminRefusal(403, "forbidden", f"This key makes keys for {', '.join(administrator.tenants)} alone.")
    if GRANTS.index(wanted.broadcast) > GRANTS.index(administrator.broadcast):
        raise AdminRefusal(
            403, "forbidden", f"This key's own broadcasts reach no further than {administrator.broadcast}."
        )


def _taken(name: str) -> AdminRefusal:
    return AdminRefusal(409, "name_taken", f"A key is called {name!r} already: choose another name.")
