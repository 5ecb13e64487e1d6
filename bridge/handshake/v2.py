"""The opening handshake of V2: preflight, authentication, V2's checks of ids and of the tenant's stage.

The result is an admitted client. This module is deleted together with V2. It decides nothing about messages and holds
no resources for a client: `connect.py` does, once the client is served.

Decided here, for a V2 client without credentials, admitted because of `hosts` or `v2_anonymous_tenant`:

- It may not take an id that a token could claim. When `client_claim` is set and some key is for the tenant, the client
  may send no id at all, and the bridge generates one.
- The origin of its page, when it has one, must be allowed. Otherwise any web site could make its visitors' browsers
  connect.
"""

import secrets
from typing import Final

from starlette.datastructures import Headers
from starlette.websockets import WebSocket

from bridge.broker.presence import Place, Protocol
from bridge.config.hosts import host_in
from bridge.config.settings import Settings
from bridge.continuity.departures import Departures
from bridge.continuity.positions import UNKNOWN
from bridge.handshake.authentication import Authentication, Identity
from bridge.handshake.connect import AdmittedClient, AdmittedWebSocket, ClientInfo, Connector
from bridge.handshake.preflight import Denied, OriginCheck, Preflight, foreign_origin
from bridge.handshake.refusal_record import RefusalRecord
from bridge.handshake.request import HandshakeRequest
from bridge.handshake.tokens import NotAdmitted
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import DEFAULT_TENANT, GENERATED_ID_PREFIX, deprecation_headers, successor_path
from legacy_v2 import ports as v2
from legacy_v2.frames import DEFAULT_GROUP, MAX_ID_CHARACTERS
from legacy_v2.websocket_door import first_offered


class Credentials:
    """Finds the identity of a V2 client: by its credentials when it sends any, else by the Host header."""

    def __init__(
        self, settings: Settings, authentication: Authentication, table: TenantTable, origins: OriginCheck
    ) -> None:
        self.configure(settings)
        self._authentication = authentication
        self._table = table
        self._origins = origins

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on."""
        self._anonymous_tenant = settings.v2_anonymous_tenant

    def is_foreign_page(self, request: HandshakeRequest) -> bool:
        """Whether the request has no credentials and comes from a page whose origin may not connect without them."""
        headers = request.headers
        return self._authentication.is_anonymous(request.query) and not self._is_page_allowed(
            headers, self._tenant_of(headers)
        )

    async def identify(self, request: HandshakeRequest) -> Identity:
        """The identity of the client that sent this request. Raises `NotAdmitted`."""
        if not self._authentication.is_anonymous(request.query):
            return await self._authentication.identify(request.query)
        name = self._tenant_of(request.headers)
        if name is None and not self._authentication.is_open:
            raise NotAdmitted("unauthenticated")
        if not self._is_page_allowed(request.headers, name):
            raise NotAdmitted("forbidden")
        return self._authentication.anonymous(name)

    def _tenant_of(self, headers: Headers) -> str | None:
        tenant = self._table.of_host(host_in(headers.get("host", "")))
        return tenant.name if tenant is not None else self._anonymous_tenant

    def _is_page_allowed(self, headers: Headers, name: str | None) -> bool:
        tenant = self._table.get(name or DEFAULT_TENANT)
        return self._origins.passes_anonymously(headers, () if tenant is None else tenant.hosts)


class V2Handshake:
    """Admits or refuses the V2 clients of one process."""

    def __init__(
        self,
        preflight: Preflight,
        credentials: Credentials,
        table: TenantTable,
        connector: Connector,
        counts: Counts,
        record: RefusalRecord,
        departures: Departures,
    ) -> None:
        self._departures = departures
        self._preflight = preflight
        self.credentials: Final = credentials
        self._table = table
        self._connector = connector
        self._counts = counts
        self._record = record

    async def admit(
        self, websocket: WebSocket, group_id: str | None, client_id: str | None
    ) -> AdmittedWebSocket[v2.Guest]:
        """The client that sent this handshake. Ids are as in the path, `None` when left out.

        Raises `Refused` for what the client is told in V2's way, `Denied` for what is answered with an HTTP status.
        """
        request = self._preflight.check(websocket)
        if self.credentials.is_foreign_page(request):
            raise Denied(foreign_origin())
        client = await self.identify(request, group_id, client_id, "v2")
        guest, tenant = client.guest, self._table.of(client.guest.tenant)
        headers = deprecation_headers(tenant, successor_path(guest.group_name, guest.client_name))
        renderer = V2Renderer(guest.tenant, self._table, self._counts)
        return AdmittedWebSocket(client, websocket, renderer, headers, first_offered(websocket))

    async def identify(
        self, request: HandshakeRequest, group_id: str | None, client_id: str | None, protocol: Protocol
    ) -> AdmittedClient[v2.Guest]:
        """The client that sent these credentials and ids, over the transport of `protocol`. Raises `Refused`."""
        visitor = _visitor(protocol, group_id or DEFAULT_GROUP, client_id, request.user_agent)
        try:
            identity = await self.credentials.identify(request)
            await self._table.renew(identity.tenant)  # a step that is new here may have sent it away elsewhere
            guest = self._guest(identity, visitor, request)
            await self._check_stage(guest, visitor, request)
        except NotAdmitted as refused:
            self._record.refused(request, visitor, refused.code)
            raise v2.Refused(refused.code) from None
        self._record.admitted(identity.key_digest, guest.tenant)
        place = Place(guest.tenant, guest.group_name, guest.client_name, protocol)
        ids = group_id, client_id
        since = await self._left(guest) if self._departures.replays_on_v2 else None
        info = ClientInfo(identity, request.address, place, ids, visitor, request.user_agent, since or "")
        return AdmittedClient(guest, info, self._connector)

    def _guest(self, identity: Identity, visitor: Visitor, request: HandshakeRequest) -> v2.Guest:
        tenant, client_id = self._table.of(identity.tenant), visitor.client_id
        group, client = visitor.group_id, client_id or _generated_id()
        if max(len(group), len(client)) > MAX_ID_CHARACTERS:
            self._record.refused(request, visitor, "invalid_id", tenant.name)
            raise v2.Refused("invalid_id")
        group_name, client_name = tenant.names.name_of(group), tenant.names.name_of(client)
        if (client_id is not None or not identity.is_anonymous) and not identity.may_be(client, client_name):
            raise NotAdmitted("forbidden")
        return v2.Guest(
            tenant.name,
            group,
            client,
            group_name,
            client_name,
            identity.grant,
            is_generated=client_id is None,
            protocol=visitor.protocol,
        )

    async def _check_stage(self, guest: v2.Guest, visitor: Visitor, request: HandshakeRequest) -> None:
        """Raise `Refused` when the tenant's stage does not admit this client any more."""
        tenant = self._table.of(guest.tenant)
        code = tenant.refuses_v2(visitor.client_id)
        if code is None:
            return
        self._record.refused_by_stage(request, visitor, code, tenant.name)
        successor = successor_path(guest.group_name, guest.client_name)
        told = {"successor": successor}
        if self._departures.is_on:
            told["since"] = await self._left(guest) or UNKNOWN
        raise v2.Refused(code, told, deprecation_headers(tenant, successor))

    async def _left(self, guest: v2.Guest) -> str | None:
        """The cursor that a client left when its last connection ended, if it is known."""
        return None if guest.is_generated else await self._departures.left(guest.tenant, guest.client_name)


def _visitor(protocol: Protocol, group_id: str, client_id: str | None, user_agent: str) -> Visitor:
    """The client as the records know it. A V2 client that sends no id is recorded by its user agent."""
    return Visitor("v2", protocol, client_id, group_id, user_agent if client_id is None else "")


def _generated_id() -> str:
    """A random client id for a V2 client that sent none."""
    return f"{GENERATED_ID_PREFIX}{secrets.token_urlsafe(12)}"
