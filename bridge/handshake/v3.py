"""The gate in the words of each language: what its door asks for, fitted to `bridge/handshake/connect.py`.

The half about V2 goes when V2 goes; the other half does not know of it.

Decided here: a V2 client without credentials, whom the operator lets in by `hosts` or `v2_anonymous_tenant`, takes no
id that a token could claim: with a `client_claim`, in a tenant that some key opens, it may name none and is given one.
And its page, where it has one, must be allowed: any web site could let its visitors' browsers connect.
"""

from collections.abc import Callable
from typing import Any

from starlette.datastructures import Headers
from starlette.websockets import WebSocket

from bridge.broker.presence import Place, Protocol
from bridge.handshake.authentication import Identity, NotAdmitted, Query
from bridge.handshake.connect import Arrival, Brought, Gate, generated_id, user_agent_of
from bridge.handshake.preflight import Turned, deny, foreign_origin, host_name
from bridge.messaging.renderers import V2Voice, V3Voice
from bridge.records.counters import Counts
from bridge.records.rows import Visitor
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import DEFAULT_TENANT, Tenant, deprecation_headers, successor_path
from legacy_v2 import ports as v2
from legacy_v2.frames import DEFAULT_GROUP, MAX_ID_CHARACTERS
from v3 import ports as v3

_NO_MAP = Tenant("").names
"""What is a name for everyone: refusals are said before it is known whose names count."""


class V3Gate:
    """The way in to V3."""

    def __init__(self, gate: Gate, tally: v3.Tally) -> None:
        self._gate = gate
        self._tally = tally
        self._voice = V3Voice()

    async def admit(self, knock: WebSocket, group_id: str, client_id: str) -> v3.Guest:
        try:
            await self._gate.reception.check(knock)
        except Turned:
            raise v3.Denied from None
        guest, knock.state.arrival = await self.arrive(self._gate.brought(knock), group_id, client_id, "v3")
        return guest

    async def arrive(
        self, brought: Brought, group_id: str, client_id: str, protocol: Protocol
    ) -> tuple[v3.Guest, Arrival]:
        """Who brings these credentials and ids. Raises `Refused`."""
        named = group_id if _NO_MAP.resolve(group_id) is not None else ""
        try:
            identity = await self._gate.identify(brought.query)
            guest = self._guest(identity, group_id, client_id, named, protocol)
        except NotAdmitted as refused:
            self._tally.refused("", refused.code)
            raise v3.Refused(refused.code, named) from None
        place = Place(guest.tenant, guest.group_id, guest.client_id, protocol)
        visitor = Visitor("v3", protocol, guest.client_id, guest.group_id)
        return guest, Arrival(
            identity, brought.address, place, (group_id, client_id), visitor, user_agent_of(brought.headers)
        )

    def _guest(self, identity: Identity, group_id: str, client_id: str, named: str, protocol: str) -> v3.Guest:
        tenant = self._gate.tenant(identity.tenant)
        group, client = tenant.names.resolve(group_id), tenant.names.resolve(client_id)
        code = tenant.refuses_v3()
        if code is not None:
            self._gate.turned_away(tenant)
        if code is not None or group is None or client is None:
            code = code or "invalid_id"
            self._tally.refused(tenant.name, code)
            raise v3.Refused(code, named)
        self._gate.check_subject(identity, client_id, client)
        return v3.Guest(tenant.name, group, client, identity.grant, protocol)

    async def serve(
        self, knock: WebSocket, guest: v3.Guest, session: Callable[[v3.Socket, v3.Rate], v3.Receiver]
    ) -> None:
        make: Callable[..., Any] = session
        try:
            await self._gate.serve(knock, knock.state.arrival, self._voice, make, {})
        except Turned:
            raise v3.Denied from None


class V2Gate:
    """The way in to V2."""

    def __init__(self, gate: Gate, table: TenantTable, counts: Counts, tally: v2.Tally) -> None:
        self._gate = gate
        self._table = table
        self._counts = counts
        self._tally = tally

    async def admit(self, knock: WebSocket, group_id: str | None, client_id: str | None) -> v2.Guest:
        try:
            await self._gate.reception.check(knock)
            brought = self._gate.brought(knock)
            await self._check_page(knock, brought)
        except Turned:
            raise v2.Denied from None
        guest, knock.state.arrival = await self.arrive(brought, group_id, client_id, "v2")
        return guest

    async def arrive(
        self, brought: Brought, group_id: str | None, client_id: str | None, protocol: Protocol
    ) -> tuple[v2.Guest, Arrival]:
        """Who brings these credentials and ids. Raises `Refused`."""
        agent = user_agent_of(brought.headers)
        try:
            identity = await self._identify(brought.query, brought.headers)
            guest = self._guest(identity, group_id, client_id, protocol, agent)
        except NotAdmitted as refused:
            self._tally.refused("", refused.code)
            raise v2.Refused(refused.code) from None
        place = Place(guest.tenant, guest.group_name, guest.client_name, protocol)
        visitor = _visitor(protocol, guest.group_id, client_id, agent)
        return guest, Arrival(identity, brought.address, place, (group_id, client_id), visitor, agent)

    async def serve(
        self, knock: WebSocket, guest: v2.Guest, session: Callable[[v2.Socket, v2.Rate], v2.Receiver]
    ) -> None:
        tenant = self._gate.tenant(guest.tenant)
        headers = deprecation_headers(tenant, successor_path(guest.group_name, guest.client_name))
        voice = V2Voice(guest.tenant, self._table, self._counts)
        make: Callable[..., Any] = session
        try:
            await self._gate.serve(knock, knock.state.arrival, voice, make, headers)
        except Turned:
            raise v2.Denied from None

    async def _identify(self, query: Query, headers: Headers) -> Identity:
        """By credentials where there are any; else by host, else where the configuration puts the anonymous."""
        if not self._gate.admission.is_anonymous(query):
            return await self._gate.identify(query)
        name, settings = self._anonymous_tenant(headers), self._gate.settings
        if name is None and not settings.is_open:
            raise NotAdmitted("unauthenticated")
        if not self._is_page_allowed(headers):
            raise NotAdmitted("forbidden")
        return self._gate.admission.anonymous(name or DEFAULT_TENANT)

    def _anonymous_tenant(self, headers: Headers) -> str | None:
        tenant = self._table.of_host(host_name(headers.get("host", "")))
        return tenant.name if tenant is not None else self._gate.settings.v2_anonymous_tenant

    def _is_page_allowed(self, headers: Headers) -> bool:
        """Whether the page of a client without credentials, if there is one, may let it connect."""
        tenant = self._table.get(self._anonymous_tenant(headers) or DEFAULT_TENANT)
        return self._gate.reception.origins.passes_anonymously(headers, () if tenant is None else tenant.hosts)

    async def _check_page(self, knock: WebSocket, brought: Brought) -> None:
        """Answer in HTTP a client without credentials on a foreign page. Raises `Turned`."""
        is_anonymous = self._gate.admission.is_anonymous(brought.query)
        if is_anonymous and not self._is_page_allowed(brought.headers):
            await deny(knock, foreign_origin())

    def _guest(
        self, identity: Identity, group_id: str | None, client_id: str | None, protocol: Protocol, agent: str
    ) -> v2.Guest:
        tenant = self._gate.tenant(identity.tenant)
        group, client = group_id or DEFAULT_GROUP, client_id or generated_id()
        if max(len(group), len(client)) > MAX_ID_CHARACTERS:
            self._tally.refused(tenant.name, "invalid_id")
            raise v2.Refused("invalid_id")
        group_name, client_name = tenant.names.name_of(group), tenant.names.name_of(client)
        if client_id is not None or not identity.is_anonymous:
            self._gate.check_subject(identity, client, client_name)
        code = tenant.refuses_v2(client_id)
        if code is not None:
            self._gate.turned_away(tenant, _visitor(protocol, group, client_id, agent))
            self._tally.refused(tenant.name, code)
            successor = successor_path(group_name, client_name)
            raise v2.Refused(code, successor, deprecation_headers(tenant, successor))
        return v2.Guest(
            tenant.name,
            group,
            client,
            group_name,
            client_name,
            identity.grant,
            is_generated=client_id is None,
            protocol=protocol,
        )


def _visitor(protocol: Protocol, group_id: str, client_id: str | None, agent: str) -> Visitor:
    """As the census knows a V2 client: one that gives no id is known by its user agent."""
    return Visitor("v2", protocol, client_id, group_id, agent if client_id is None else "")
