"""Authorisation of HTTP requests, as a FastAPI dependency. It has no routes.

The credentials are those of the WebSocket handshake, with the API key in a header.

Decided here: the `Origin` of a web page is checked as at the handshake, so that no page on the web can post to a
developer's bridge.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader
from pydantic import BaseModel

from bridge.api.errors import ErrorBody, RefusedField, RefusedRequest
from bridge.budget.budget import Budget
from bridge.handshake.authentication import Authentication, Identity
from bridge.handshake.preflight import OriginCheck
from bridge.handshake.tokens import NotAdmitted
from bridge.sockets.metered import charge
from bridge.sockets.ports import vouch
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from v3.refusals import REFUSALS, payload_of

API_KEY_HEADER: Final = "X-Api-Key"
_API_KEY: Final = APIKeyHeader(
    name=API_KEY_HEADER, scheme_name="ApiKey", description="The entry ticket, as in `?api_key=…`.", auto_error=False
)
OF_AUTHORITY: Final = ("unauthenticated", "forbidden", "stage_legacy", "rate_limited", "keys_unavailable")
"""The refusal codes of `Authority`."""


class HttpRefusal(RefusedRequest):
    """A refusal with a code of V3's closed list. Body: the payload of the ERROR message, and its sentence as `msg`.

    `sentence`: another one, where that of the list is about something else.
    """

    def __init__(
        self, code: str, problems: Any = (), refused: Mapping[str, object] | None = None, sentence: str = ""
    ) -> None:
        entry = REFUSALS[code]
        told = payload_of(entry, problems, refused) | {"msg": sentence or entry.sentence}
        super().__init__(entry.http_status, told)


class RefusalBody(BaseModel):
    """What a refusal looks like: the ERROR's payload, and a sentence that says what to do."""

    code: str
    retry: bool
    detail: list[RefusedField]
    refused: dict[str, str]
    msg: str


def documented(*codes: str) -> dict[int | str, dict[str, object]]:
    """FastAPI's `responses` for these codes: an entry for each HTTP status, whose description lists its codes."""
    statuses: dict[int | str, list[str]] = {}
    for code in codes:
        statuses.setdefault(REFUSALS[code].http_status, []).append(f"`{code}`")
    refusals: dict[int | str, dict[str, object]] = {
        status: {"model": RefusalBody, "description": ", ".join(named)} for status, named in sorted(statuses.items())
    }
    return refusals | {422: {"model": ErrorBody, "description": "`invalid_request`"}}


async def credentials(
    api_key: Annotated[str | None, Security(_API_KEY)] = None,
    jwt: Annotated[str | None, Query(description="The visa: user and account.")] = None,
    x_account_id: Annotated[str | None, Query(description="The account, where there is no jwt.")] = None,
) -> None:
    """Name the credentials for OpenAPI. `Authority` reads them itself: it must see whether one stands there twice."""


Credentials = Annotated[None, Depends(credentials)]


class Authority:
    """Identifies and authorises the sender of an HTTP request."""

    def __init__(
        self, authentication: Authentication, table: TenantTable, origins: OriginCheck, budget: Budget
    ) -> None:
        self._authentication = authentication
        self._table = table
        self._origins = origins
        self._budget = budget

    async def __call__(self, request: Request, _credentials: Credentials = None) -> tuple[Identity, Tenant]:
        """The sender's identity and its tenant. Raises `HttpRefusal` with one of `OF_AUTHORITY`."""
        if not self._origins.passes(request.headers):
            raise HttpRefusal("forbidden")
        query = [(name, value) for name, value in request.query_params.multi_items() if name != "api_key"]
        query += [("api_key", value) for value in request.headers.getlist(API_KEY_HEADER)]
        try:
            identity = await self._authentication.identify(query)
        except NotAdmitted as refused:
            raise HttpRefusal(refused.code) from None
        tenant = self._table.of(identity.tenant)
        if tenant.refuses_v3():
            tenant = await self._table.renew(tenant.name)
        code = tenant.refuses_v3()
        if code is not None:
            raise HttpRefusal(code)
        vouch(request.scope)
        if not charge(request.scope, self._budget.key(tenant.name, identity.key_name)):
            raise HttpRefusal("rate_limited")
        return identity, tenant
