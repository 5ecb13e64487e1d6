"""Records which clients the handshakes refuse: for metrics by tenant and code, for operators by the client's id.

It decides nothing. A client whose credentials are refused is recorded under the tenant that it seems to be for
(`presumed_tenant.py`), but metrics count it under no tenant: nothing is proven.
"""

from bridge.handshake.presumed_tenant import PresumedTenant
from bridge.handshake.request import HandshakeRequest
from bridge.records.counters import Counts
from bridge.records.refused_clients import NO_TENANT, RefusedClient, RefusedClients
from bridge.records.rows import Visitor


class RefusalRecord:
    """What the handshakes of one process have refused."""

    def __init__(self, counts: Counts, clients: RefusedClients, presumed: PresumedTenant) -> None:
        self._counts = counts
        self._clients = clients
        self._presumed = presumed

    def refused(self, request: HandshakeRequest, visitor: Visitor, code: str, tenant: str = NO_TENANT) -> None:
        """Record a client that is refused. `tenant`: the one that its credentials have proven."""
        self._counts.refusals[tenant, visitor.language, code] += 1
        name = tenant or self._presumed.of(request)
        self._clients.refused(RefusedClient.of(name, visitor, code, request.user_agent, request.address))

    def not_served(self, client: RefusedClient) -> None:
        """Count and log an admitted client that cannot be served now. It is to come back, so it is not recorded."""
        self._counts.refusals[client.tenant, client.visitor.language, client.facts.code] += 1
        self._clients.told(client)

    def refused_by_stage(self, request: HandshakeRequest, visitor: Visitor, code: str, tenant: str) -> None:
        """Record a client that the stage of its tenant refuses."""
        self._counts.turned_away[tenant] += 1
        self.refused(request, visitor, code, tenant)

    def admitted(self, key_digest: str, tenant: str) -> None:
        """Remember whom a key let in, for the case that it is revoked. `key_digest` is empty without a key."""
        self._presumed.admitted(key_digest, tenant)
