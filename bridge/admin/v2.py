"""Routes that move a tenant from V2 to V3: stage, share, routing and guards; also its change log.

The rules are in `cutover/changes.py`. This module decides who may change a tenant, how fast, and what is answered if a
change is not made. To be deleted together with V2.
"""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Annotated, Any, Final, Self

import structlog
from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import ConfigDict, Field, ValidationError, model_validator

from bridge.admin import id_routes
from bridge.admin.order_bodies import Body, body_of, described
from bridge.admin.pace import Party, party_of
from bridge.admin.refusals import REFUSED
from bridge.admin.routes import JsonObject, add_report
from bridge.admin.service import TenantService
from bridge.api.errors import AdminRefusal, unreadable
from bridge.cutover.changes import (
    Changes,
    GuardFailed,
    NoFacts,
    NothingToRollBack,
    ReasonMissing,
    ShareRefused,
    Unconfirmed,
    WantedChange,
    carry_out,
)
from bridge.cutover.cutover import Cutover
from bridge.cutover.guards import report
from bridge.handshake.authentication import Administrator
from bridge.tenants.change_log import Change, Stale
from bridge.tenants.guard_rules import GuardLimits, GuardRules
from bridge.tenants.share import Share
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Routing, Stage, Tenant

ANSWERS: Final[Mapping[type[Exception], tuple[int, str]]] = {
    ShareRefused: (422, "invalid_order"),
    NothingToRollBack: (409, "nothing_to_roll_back"),
    NoFacts: (409, "no_records"),
}
"""Of the errors that say all in their own words: the status and the code."""

ORDERS_SOMETHING: Final[JsonObject] = {
    "not": {"properties": {name: {"type": "null"} for name in ("stage", "share", "v2_routing")}}
}
FORCED_FOR_A_REASON: Final[JsonObject] = {
    "if": {"properties": {"force": {"const": True}}, "required": ["force"]},
    "then": {"properties": {"why": {"pattern": r"\S"}}, "required": ["why"]},
}
"""What a body's fields must be to each other, as JSON Schema says it."""

log = structlog.get_logger(__name__)
IsDryRun = Annotated[bool, Query(description="Say what would happen, and change nothing.")]


class NewStage(Body):
    """What a tenant is to become; what is left out stays. `version`: the one that the author saw.

    `share`: with `drain` alone, which needs one. `force`: guards neither hold it nor take it back; it needs `why`.
    `confirm`: the name of the tenant, needed where the change closes open V2 sockets.
    """

    model_config = ConfigDict(json_schema_extra=ORDERS_SOMETHING | FORCED_FOR_A_REASON)

    stage: Stage | None = None
    share: Share | None = None
    v2_routing: Routing | None = None
    why: str = Field("", max_length=1_000)
    version: int | None = None
    force: bool = False
    confirm: str | None = None

    @model_validator(mode="after")
    def _orders_something(self) -> Self:
        if self.stage is None and self.share is None and self.v2_routing is None:
            raise ValueError("name a stage, a share or a v2_routing")
        return self

    def wanted(self) -> WantedChange:
        """The change for `cutover/changes.py`."""
        return WantedChange(**self.model_dump())


class StepBack(Body):
    """Why a step is taken back. `version`: the one that the author saw. An empty body says neither."""

    why: str = Field("", max_length=1_000)
    version: int | None = None


class NewLimits(GuardLimits, Body):
    """Limits of guards; what is left out stays, `null` takes a limit away. `version`: the one that the author saw."""

    why: str = Field("", max_length=1_000)
    version: int | None = None

    def rules(self, tenant: Tenant) -> GuardRules:
        """The tenant's guards with these limits. Raises `AdminRefusal` (422) if they contradict each other."""
        given = self.model_dump(include=self.model_fields_set & GuardLimits.model_fields.keys())
        try:
            return tenant.guard.with_limits(given)
        except ValidationError as error:
            raise unreadable("invalid_order", error.errors(include_input=False, include_context=False)) from None

    async def made(self, tenant: Tenant, who: str, changes: Changes) -> Change:
        """Set these limits. Raises what `Changes.set_guards` and `rules` raise."""
        return await changes.set_guards(tenant, who, self.rules(tenant), self.why, self.version)


class TenantChanges:
    """The changes of tenants that administrators make through one process."""

    def __init__(self, service: TenantService, cutover: Cutover) -> None:
        self.service: Final = service
        self.cutover: Final = cutover
        self._turns: defaultdict[Party, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def carry_out(
        self,
        administrator: Administrator,
        name: str,
        version: int | None,
        change: Callable[[Tenant], Awaitable[object]],
    ) -> JsonObject:
        """Make a change, apply it in this process at once, and return the tenant's new state. Raises `AdminRefusal`.

        Each party makes one change at a time: its next one waits.
        """
        service = self.service
        if not service.knows(name):  # it may be new in Redis
            await service.fresh(administrator, name)
        service.ordered(administrator, name)
        async with self._turns[party_of(administrator, name)]:
            with said_as_refusals():
                await carry_out(
                    partial(service.fresh, administrator, name),
                    partial(self._obeyed, administrator.name, change),
                    version,
                )
            return await service.state(administrator, name)

    async def _obeyed(self, who: str, change: Callable[[Tenant], Awaitable[object]], tenant: Tenant) -> None:
        """Make the change, and then read the tenant from Redis, even if the change has failed."""
        try:
            await change(tenant)
        except GuardFailed as held:
            log.info("guard_held", tenant=tenant.name, who=who, guards=[verdict.name for verdict in held.failing])
            raise
        finally:
            await self.service.look(tenant.name)

    def prediction(
        self, administrator: Administrator, name: str, after: Callable[[Tenant], Awaitable[Standing]]
    ) -> Response:
        """The response with what a change would do to the tenant. Raises `AdminRefusal`."""
        return self.service.report(administrator, name, lambda _: self._predicted(administrator, name, after))

    async def _predicted(
        self, administrator: Administrator, name: str, after: Callable[[Tenant], Awaitable[Standing]]
    ) -> JsonObject:
        """What a change would do to the tenant as it is now in Redis, as a JSON object. Raises `AdminRefusal`."""
        known = await self.service.fresh(administrator, name)
        with said_as_refusals():
            return await self.cutover.dry_run.predict(known, await after(known))


@contextmanager
def said_as_refusals() -> Iterator[None]:
    """Raise the errors of a change as `AdminRefusal`."""
    try:
        yield
    except Stale as stale:
        raise AdminRefusal(409, "stale", f"{stale}: look again, and decide anew.", version=stale.version) from None
    except (ShareRefused, NothingToRollBack, NoFacts) as refused:
        raise AdminRefusal(*ANSWERS[type(refused)], f"{refused}.") from None
    except Unconfirmed as closing:
        sentence = f"{closing}: send `confirm` with the name of the tenant, {closing.tenant!r}."
        raise AdminRefusal(409, "unconfirmed", sentence, sockets=closing.sockets) from None
    except GuardFailed as failed:
        guards = [verdict.as_json() for verdict in failed.failing]
        raise AdminRefusal(
            409, "guard_failed", f"{failed} Mend that, or force it and say why.", guards=guards
        ) from None
    except ReasonMissing:
        raise AdminRefusal(400, "reason_missing", "A step that is forced needs a reason: send `why`.") from None


def router(changes: TenantChanges) -> APIRouter:
    """The routes."""
    routes = APIRouter(prefix="/admin/api", tags=["admin"], responses=REFUSED)
    Admin = Annotated[Administrator, Depends(changes.service.administrator)]  # noqa: N806 - a type
    _add_stage(routes, changes, Admin)
    _add_rollback(routes, changes, Admin)
    _add_guards(routes, changes, Admin)
    id_routes.add_to(routes, changes.service, Admin)
    _add_reports(routes, changes, Admin)
    return routes


def _add_stage(routes: APIRouter, changes: TenantChanges, Admin: Any) -> None:  # noqa: N803 - a type
    made = changes.cutover.changes

    @routes.put(
        "/tenants/{tenant}/stage",
        summary="Change stage, share or routing",
        response_model=JsonObject,
        openapi_extra=described(NewStage, is_required=True),
    )
    async def change(tenant: str, request: Request, admin: Admin, dry_run: IsDryRun = False) -> JsonObject | Response:
        wanted = NewStage.in_body(await body_of(request)).wanted()

        async def after(known: Tenant) -> Standing:
            return wanted.standing(known)

        if dry_run:
            return changes.prediction(admin, tenant, after)
        return await changes.carry_out(
            admin, tenant, wanted.version, lambda known: made.make(known, admin.name, wanted)
        )


def _add_rollback(routes: APIRouter, changes: TenantChanges, Admin: Any) -> None:  # noqa: N803 - a type
    made = changes.cutover.changes

    @routes.post(
        "/tenants/{tenant}/rollback",
        summary="Go back towards legacy",
        response_model=JsonObject,
        openapi_extra=described(StepBack, is_required=False),
    )
    async def roll_back(
        tenant: str, request: Request, admin: Admin, dry_run: IsDryRun = False
    ) -> JsonObject | Response:
        back = StepBack.in_body(await body_of(request) or b"{}")

        async def after(known: Tenant) -> Standing:
            return (await made.way_back(known)).after

        if dry_run:
            return changes.prediction(admin, tenant, after)
        return await changes.carry_out(
            admin, tenant, back.version, lambda known: made.roll_back(known, admin.name, back.why, back.version)
        )


def _add_guards(routes: APIRouter, changes: TenantChanges, Admin: Any) -> None:  # noqa: N803 - a type
    async def guards(known: Tenant) -> JsonObject:
        return report(known.guard, await changes.cutover.guards.verdicts(known))

    add_report(routes, changes.service, Admin, "guards", "The limits of the guards, and what they say now", guards)

    @routes.put(
        "/tenants/{tenant}/guards",
        summary="Set limits of the guards",
        response_model=JsonObject,
        openapi_extra=described(NewLimits, is_required=True),
    )
    async def set_limits(tenant: str, request: Request, admin: Admin) -> Response:
        limits = NewLimits.in_body(await body_of(request))
        await changes.carry_out(
            admin, tenant, limits.version, lambda known: limits.made(known, admin.name, changes.cutover.changes)
        )
        return changes.service.report(admin, tenant, guards)


def _add_reports(routes: APIRouter, changes: TenantChanges, Admin: Any) -> None:  # noqa: N803 - a type
    cutover = changes.cutover

    async def log(known: Tenant) -> list[JsonObject]:
        return [change.as_json() for change in await cutover.changes.newest(known)]

    summary = "The record, newest first"
    add_report(routes, changes.service, Admin, "changes", summary, log, response_model=list[JsonObject])
