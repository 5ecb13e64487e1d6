"""What a handshake brings along. It judges nothing of it."""

from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Scope

from bridge.budget.client_address import client_address
from bridge.handshake.authentication import Query
from bridge.records.rows import LONGEST_USER_AGENT

MAX_QUERY_FIELDS: Final = 64
TOO_MANY_FIELDS: Final = (("api_key", ""), ("api_key", ""))
"""What a query with more fields counts as: credentials that could be read two ways."""


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """`query`: its fields, each as often as it was sent. `address`: the one for which the handshake counts."""

    query: Query
    headers: Headers
    address: str

    @property
    def user_agent(self) -> str:
        """What the client's program calls itself, in so many characters as are kept."""
        return self.headers.get("user-agent", "")[:LONGEST_USER_AGENT]


def request_in(scope: Scope, trusted_proxies: tuple[str, ...]) -> HandshakeRequest:
    """The handshake of a raw WebSocket; `trusted_proxies` are believed to name the client's address."""
    return HandshakeRequest(_query_in(scope), Headers(scope=scope), client_address(scope, trusted_proxies))


def _query_in(scope: Scope) -> Query:
    query = scope.get("query_string", b"").decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return TOO_MANY_FIELDS
