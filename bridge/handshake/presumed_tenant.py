"""Which tenant a refused client seems to be for. It proves nothing, and lets nobody in.

Operators look for a refused client in the records of its tenant. The first that tells counts: the one tenant of its API
key; the tenant that a client with this key was admitted to before, as the key may be revoked since; the account that it
asks for, unless its key is known and is not for it; the tenant whose host it came to; the only tenant there is.
"""

import hashlib
from collections.abc import Iterator
from typing import Final

from bridge.config.hosts import host_in
from bridge.handshake.authentication import Authentication
from bridge.handshake.request import HandshakeRequest
from bridge.records.refused_clients import NO_TENANT
from bridge.tenants.table import TenantTable

MOST_KEYS: Final = 1_000


class PresumedTenant:
    """The guesses of one process. Bounded: beyond `MOST_KEYS` keys, the one that was used first is forgotten."""

    def __init__(self, authentication: Authentication, table: TenantTable) -> None:
        self._authentication = authentication
        self._table = table
        self._admitted: dict[str, str] = {}
        """SHA-256 of an API key -> the tenant that it last admitted a client to."""

    def admitted(self, key_digest: str, tenant: str) -> None:
        """Remember the API key of a client that was admitted, by its SHA-256; it is empty without a key."""
        if key_digest:
            self._admitted[key_digest] = tenant
            if len(self._admitted) > MOST_KEYS:
                del self._admitted[next(iter(self._admitted))]

    def of(self, request: HandshakeRequest) -> str:
        """The name of the tenant; `NO_TENANT` if nothing tells."""
        return next((name for name in self._guesses(request) if self._table.get(name) is not None), NO_TENANT)

    def _guesses(self, request: HandshakeRequest) -> Iterator[str]:
        query = dict(request.query)
        key, account = self._authentication.known_key(query.get("api_key", "")), query.get("x_account_id", "")
        if key is not None and len(key.tenants) == 1:
            yield key.tenants[0]
        yield self._admitted.get(_digest_of(query.get("api_key", "")), "")
        if key is None or key.opens(account):
            yield account
        at_host = self._table.of_host(host_in(request.headers.get("host", "")))
        yield NO_TENANT if at_host is None else at_host.name
        names = [tenant.name for tenant in self._table.all()]
        yield names[0] if len(names) == 1 else NO_TENANT


def _digest_of(api_key: str) -> str:
    """The SHA-256 of an API key, in hexadecimal digits."""
    return hashlib.sha256(api_key.encode(errors="replace")).hexdigest()
