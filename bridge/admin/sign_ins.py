"""Log lines about who uses the admin API: each key from each network once an hour, and refused keys, sampled.

It lets nobody in. A line never holds a key. Bounded: `MOST_SEEN` keys and networks are remembered.
"""

import time
from collections.abc import Callable
from typing import Final

import structlog
from fastapi import Request

from bridge.budget.client_address import client_address
from bridge.records.refused_clients import network_of
from bridge.records.rows import LONGEST_USER_AGENT

AGAIN_SECONDS: Final = 3_600.0
MOST_SEEN: Final = 1_024
MOST_REFUSALS_TOLD: Final = 10
"""Lines about refused keys in a minute; the next line says how many were not told."""
MINUTE_SECONDS: Final = 60.0

log = structlog.get_logger(__name__)


class SignIns:
    """The lines of one process. `trusted_proxies` may name a request's address; `seconds` never goes back."""

    def __init__(self, trusted_proxies: tuple[str, ...] = (), seconds: Callable[[], float] = time.monotonic) -> None:
        self._trusted_proxies: Final = trusted_proxies
        self._seconds: Final = seconds
        self._seen: dict[tuple[str, str], float] = {}
        self._minute = -1
        self._told = self._untold = 0

    def admitted(self, request: Request, name: str) -> None:
        """Tell that the key of this name is used, unless it was from this network in the last hour."""
        who, now = (name, self._network(request)), self._seconds()
        seen_at = self._seen.get(who)
        if seen_at is not None and now - seen_at < AGAIN_SECONDS:
            return
        self._seen.pop(who, None)
        self._seen[who] = now
        if len(self._seen) > MOST_SEEN:
            del self._seen[next(iter(self._seen))]
        log.info("operator_signed_in", who=name, address=who[1], user_agent=_agent(request))

    def refused(self, request: Request, code: str) -> None:
        """Tell that a key was refused, a few times in each minute."""
        minute = int(self._seconds() // MINUTE_SECONDS)
        if minute != self._minute:
            self._minute, self._told = minute, 0
        if request.client is None:
            return  # asked by this process itself, before it serves
        if self._told >= MOST_REFUSALS_TOLD:
            self._untold += 1
            return
        untold, self._untold, self._told = self._untold, 0, self._told + 1
        log.info(
            "operator_refused", code=code, address=self._network(request), user_agent=_agent(request), others=untold
        )

    def _network(self, request: Request) -> str:
        return network_of(client_address(request.scope, self._trusted_proxies))


def _agent(request: Request) -> str:
    return request.headers.get("user-agent", "")[:LONGEST_USER_AGENT]
