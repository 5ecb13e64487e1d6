"""The HTTP request of an opening handshake: query, headers and client address. It checks none of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final
from urllib.parse import parse_qsl

from starlette.datastructures import Headers
from starlette.types import Scope

from bridge.budget.client_address import client_address
from bridge.continuity.positions import UNKNOWN
from bridge.handshake.authentication import Query
from bridge.records.rows import LONGEST_USER_AGENT

MAX_QUERY_FIELDS: Final = 64
TOO_MANY_FIELDS: Final = (("api_key", ""), ("api_key", ""))
"""Stands for a query with more fields: a key that is sent twice, which authentication refuses."""


@dataclass(frozen=True, slots=True)
class HandshakeRequest:
    """One request. `query`: its fields, repeated ones included. `address`: the IP address that is counted for it."""

    query: Query
    headers: Headers
    address: str

    @property
    def user_agent(self) -> str:
        """The User-Agent header, cut to the `LONGEST_USER_AGENT` characters that are recorded."""
        return self.headers.get("user-agent", "")[:LONGEST_USER_AGENT]

    @property
    def since(self) -> str:
        """Up to where a client that comes back has heard everything; empty for one that does not come back."""
        return one_since(value for name, value in self.query if name == "since")


def one_since(given: Iterable[str]) -> str:
    """The one position that is given, empty ones left aside; `UNKNOWN` where several differ, empty without any."""
    different = {*filter(None, given)}
    return different.pop() if len(different) == 1 else UNKNOWN if different else ""


def request_in(scope: Scope, trusted_proxies: tuple[str, ...]) -> HandshakeRequest:
    """The request in this ASGI scope. `trusted_proxies` may name the client's address in a header."""
    return HandshakeRequest(_query_in(scope), Headers(scope=scope), client_address(scope, trusted_proxies))


def _query_in(scope: Scope) -> Query:
    query = scope.get("query_string", b"").decode("latin-1")
    try:
        return parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_QUERY_FIELDS)
    except ValueError:
        return TOO_MANY_FIELDS
