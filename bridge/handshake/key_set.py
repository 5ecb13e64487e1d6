"""The public keys behind one address, by their names. It verifies nothing.

Keys that are known are good at once, and are asked for anew in the background; only a name that nobody has heard of
waits, or the first to come after a long silence. However the server behaves, one fetch is under way at a time, it ends
after `ANSWER_SECONDS`, and what is known stays good meanwhile. Nothing is fetched more often than a pause allows, and
nothing is kept of names that are unknown.
"""

import asyncio
import time
from collections.abc import Iterable
from functools import partial
from typing import Final

import structlog
from jwt.algorithms import AllowedPublicKeys

from bridge.config.redaction import redact
from bridge.handshake.key_fetch import Fetch
from bridge.handshake.published_keys import published_keys

KEPT_SECONDS: Final = 300
SILENCE: Final = 2
"""After so many times that long without a look, the next to come waits for one: a key may have been withdrawn."""
ANSWER_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 3

log = structlog.get_logger(__name__)


class KeySet:
    """The keys of one address, fetched when they are needed."""

    def __init__(self, url: str, algorithms: Iterable[str]) -> None:
        self._url = url
        self._algorithms = tuple(algorithms)
        self._keys: dict[str, AllowedPublicKeys] = {}
        self._asked_at = float("-inf")
        self._asking: asyncio.Task[None] | None = None
        self._fetch: Fetch[dict[str, AllowedPublicKeys]] | None = None
        self._is_well = True

    async def key(self, name: str | None) -> AllowedPublicKeys | None:
        """The key of this name; `None` where there is none now."""
        age = time.monotonic() - self._asked_at
        is_known = name in self._keys
        if age > (KEPT_SECONDS if is_known else PAUSE_SECONDS):
            self._begin()
        if self._asking is not None and not (is_known and age <= SILENCE * KEPT_SECONDS):
            await asyncio.shield(self._asking)
        return self._keys.get(name or "")

    def _begin(self) -> None:
        """Ask, unless that is being done; also a thread that has not ended in time is waited for."""
        if self._asking is None and (self._fetch is None or not self._fetch.is_running):
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Keys that are known stay good where this fails."""
        self._fetch = Fetch(self._url, ANSWER_SECONDS, partial(published_keys, algorithms=self._algorithms))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._keys = await asyncio.wrap_future(self._fetch.done)
            self._is_well = True
        except Exception as error:  # noqa: BLE001 - whatever that server says, everyone else is served
            self._tell(error)
        finally:
            self._fetch.end()
            self._asked_at, self._asking = time.monotonic(), None

    def _tell(self, error: Exception) -> None:
        """Once, until it goes well again."""
        if self._is_well:
            reason = redact(f"{type(error).__name__}: {error}")
            log.warning("keys_unreachable", address=redact(self._url), reason=reason)
        self._is_well = False
