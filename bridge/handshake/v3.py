"""The opening handshake of V3: preflight, authentication, V3's checks of ids and of the tenant's stage.

The result is an admitted client. It decides nothing about messages and holds no resources for a client: `connect.py`
does, once the client is served.
"""

from typing import Final

from starlette.websockets import WebSocket

from bridge.broker.presence import Place, Protocol
from bridge.handshake.authentication import Authentication, Identity
from bridge.handshake.connect import AdmittedClient, AdmittedWebSocket, ClientInfo, Connector
from bridge.handshake.preflight import Preflight
from bridge.handshake.refusal_record import RefusalRecord
from bridge.handshake.request import HandshakeRequest
from bridge.handshake.tokens import NotAdmitted
from bridge.messaging.renderers import V3Renderer
from bridge.records.rows import Visitor
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import Tenant
from v3 import ports as v3

_NO_MAP: Final = Tenant("")
"""The id map of no tenant. Before authentication the tenant is unknown, and so is its id map."""


class V3Handshake:
    """Admits or refuses the V3 clients of one process."""

    def __init__(
        self,
        preflight: Preflight,
        authentication: Authentication,
        table: TenantTable,
        connector: Connector,
        record: RefusalRecord,
    ) -> None:
        self._preflight = preflight
        self._authentication = authentication
        self._table = table
        self._connector = connector
        self._record = record
        self._renderer = V3Renderer()

    async def admit(self, websocket: WebSocket, group_id: str, client_id: str) -> AdmittedWebSocket[v3.Guest]:
        """The client that sent this handshake; ids are as in the path.

        Raises `Refused` for what the client is told in V3's way, `Denied` for what is answered with an HTTP status.
        """
        request = self._preflight.check(websocket)
        client = await self.identify(request, group_id, client_id, "v3")
        return AdmittedWebSocket(client, websocket, self._renderer, {})

    async def identify(
        self, request: HandshakeRequest, group_id: str, client_id: str, protocol: Protocol
    ) -> AdmittedClient[v3.Guest]:
        """The client that sent these credentials and ids, over the transport of `protocol`. Raises `Refused`."""
        named = group_id if _NO_MAP.resolve(group_id) is not None else ""
        asked = Visitor("v3", protocol, client_id, group_id)
        try:
            identity = await self._authentication.identify(request.query)
            guest = await self._guest(identity, asked, named, request)
        except NotAdmitted as refused:
            self._record.refused(request, asked, refused.code)
            raise v3.Refused(refused.code, named) from None
        self._record.admitted(identity.key_digest, guest.tenant)
        place = Place(guest.tenant, guest.group_id, guest.client_id, protocol)
        visitor = Visitor("v3", protocol, guest.client_id, guest.group_id)
        ids = group_id, client_id
        info = ClientInfo(identity, request.address, place, ids, visitor, request.user_agent, request.since)
        return AdmittedClient(guest, info, self._connector)

    async def _guest(self, identity: Identity, asked: Visitor, named: str, request: HandshakeRequest) -> v3.Guest:
        """The guest that a client becomes. `asked`: with the ids of its path. Raises `Refused` and `NotAdmitted`."""
        tenant, client_id = self._table.of(identity.tenant), asked.client_id or ""
        if tenant.refuses_v3():  # a step that is new here may have sent it away elsewhere
            tenant = await self._table.renew(tenant.name)
        group, client = tenant.resolve(asked.group_id), tenant.resolve(client_id)
        code = tenant.refuses_v3()
        if code is not None:
            self._record.refused_by_stage(request, asked, code, tenant.name)
            raise v3.Refused(code, named)
        if group is None or client is None:
            self._record.refused(request, asked, "invalid_id", tenant.name)
            raise v3.Refused("invalid_id", named)
        if not identity.may_be(client_id, *tenant.names_of(client)):
            raise NotAdmitted("forbidden")
        return v3.Guest(tenant.name, group, client, identity.grant, asked.protocol)
