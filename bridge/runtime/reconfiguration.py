"""Has every part of a running process go by other settings: the one list of what `RELOADABLE` reaches.

All of it happens in one turn of the event loop, so that nobody meets a process that is half changed. What a part does
with open connections is its own matter; the operator's guide says which limits count for new ones alone.
"""

from collections.abc import Callable

from bridge.broker.message import FACTOR_OF_MAX_MESSAGE_BYTES
from bridge.budget.budget import Budget
from bridge.config.reload import Configuration
from bridge.config.settings import Settings
from bridge.runtime import logs
from bridge.runtime.limits import most_connections, socket_bounds
from bridge.runtime.process import Process
from bridge.sockets.part import Sockets


class Reconfiguration:
    """What can be configured anew in one process. `taken` is told last, with the settings."""

    def __init__(
        self,
        now: Configuration,
        process: Process,
        budget: Budget,
        sockets: Sockets,
        taken: Callable[[Settings], object],
    ) -> None:
        self._now = now
        self._process = process
        self._budget = budget
        self._sockets = sockets
        self._taken = taken
        process.handshakes.authentication.keys.changed.add(self._allow)

    async def take(self, configuration: Configuration) -> None:
        """Go by this configuration. Raises `OSError`, and changes nothing, if a file that it names cannot be read.

        What Redis holds of new tenants is read first: nobody shall meet them in a stage that they have left.
        """
        table = self._process.tenants.table
        if new := [name for name in configuration.tenants if table.get(name) is None]:
            await table.look_once(*new)
        self._apply(configuration)

    def _apply(self, configuration: Configuration) -> None:
        process, settings = self._process, configuration.settings
        process.handshakes.configure(settings, most_connections(settings), len(configuration.tenants))  # it may raise
        process.tenants.table.configure(configuration.tenants)
        process.v2.configure(settings)  # V2
        process.broker.subscriber.bound(settings.max_message_bytes * FACTOR_OF_MAX_MESSAGE_BYTES)
        process.broker.events.most_members = settings.presence_events_members
        self._sockets.strangers.bound(*socket_bounds(settings))
        self._now = configuration
        self._allow()
        logs.set_level(settings.log_level)
        self._taken(settings)
        process.handshakes.expulsions.look_at_all()

    def _allow(self) -> None:
        """Give everybody what the settings allow. A key is limited only if there is another, in Redis too."""
        keys = len(self._process.handshakes.authentication.keys)
        self._budget.allow(self._now.settings.limits_among(keys, len(self._now.tenants)))
