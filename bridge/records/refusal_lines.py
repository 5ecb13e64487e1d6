"""Log lines about refused clients: which one, where it comes from, and why; of each tenant and code one a minute.

A line never holds a credential. What is not told is counted, and the next line of its kind says how many.
"""

from collections.abc import Callable, Iterator
from typing import Final

import structlog

from bridge.records.refused_clients import RefusedClient
from bridge.records.sampling import Sampler

log = structlog.get_logger(__name__)


class RefusalLines:
    """The lines of one process."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds: Final = seconds
        self._sampler: Final = Sampler[RefusedClient]()

    def refused(self, client: RefusedClient) -> None:
        """Tell of a client, if it is the first of its kind in this minute."""
        if self._sampler.tell((client.tenant, client.facts.code), client, self._seconds()):
            _say(client, 0)

    def note_rows(self) -> Iterator[None]:
        """Tell the last of each kind whose minute is over."""
        for client, others in self._sampler.overdue(self._seconds()):
            _say(client, others)
            yield


def _say(client: RefusedClient, others: int) -> None:
    facts, visitor = client.facts, client.visitor
    log.info(
        "client_refused",
        tenant=client.tenant,
        code=facts.code,
        protocol=facts.protocol,
        language=visitor.language,
        client_id=visitor.client_id,
        group_id=visitor.group_id,
        user_agent=facts.user_agent,
        address=facts.address,
        others=others,
    )
