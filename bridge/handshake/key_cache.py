"""Cache of the JSON Web Key Set at one URL: public keys by their key id (`kid`). It verifies no token.

A known key is returned at once, and fetched again in the background when it is older than `KEPT_SECONDS`. A caller
waits for a fetch in two cases only: its key is unknown, or the last fetch is longer ago than `SILENCE` times
`KEPT_SECONDS`. At most one fetch runs at a time, and it ends after `ANSWER_SECONDS`. If it fails, known keys stay
valid, and an unknown one is `Unreachable`: it may be good. For unknown keys there is at most one fetch in
`PAUSE_SECONDS`, and nothing is stored for them. The first unknown one after any other fetch has one at once: a new
key may be in use as soon as it is published.
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
"""In units of `KEPT_SECONDS`. When the last fetch is longer ago, callers wait for one: a key may have been revoked."""
ANSWER_SECONDS: Final = 3.0
PAUSE_SECONDS: Final = 3

log = structlog.get_logger(__name__)


class Unreachable(Exception):
    """A key is not known, and the last fetch failed: it may be good."""


class KeyCache:
    """The keys at one URL, fetched when they are needed."""

    def __init__(self, url: str, algorithms: Iterable[str]) -> None:
        self._url = url
        self._algorithms = tuple(algorithms)
        self._keys: dict[str, AllowedPublicKeys] = {}
        self._asked_at = float("-inf")
        self._was_for_unknown = False
        """Whether the last fetch was made for a key that was not known."""
        self._asking: asyncio.Task[None] | None = None
        self._fetch: Fetch[dict[str, AllowedPublicKeys]] | None = None
        self._is_well = True

    @property
    def is_well(self) -> bool:
        """Whether the last fetch succeeded. If not, the next one is begun here, so that it shows when it does."""
        if not self._is_well and time.monotonic() - self._asked_at > PAUSE_SECONDS:
            self._begin()
        return self._is_well

    def prefetch(self) -> None:
        """Begin the first fetch, before the first token comes."""
        self._begin()

    async def key(self, name: str | None) -> AllowedPublicKeys | None:
        """The key with this `kid`; `None` when there is none. Raises `Unreachable` when that cannot be known now."""
        if not name:
            return None
        age = time.monotonic() - self._asked_at
        is_known = name in self._keys
        if age > KEPT_SECONDS if is_known else (age > PAUSE_SECONDS or not self._was_for_unknown):
            self._begin(is_for_unknown=not is_known)
        if self._asking is not None and not (is_known and age <= SILENCE * KEPT_SECONDS):
            await asyncio.shield(self._asking)
        if name not in self._keys and not self._is_well:
            raise Unreachable
        return self._keys.get(name)

    def _begin(self, *, is_for_unknown: bool = False) -> None:
        """Start a fetch, unless one is under way or the thread of an earlier one, which ended too late, still runs."""
        if self._asking is None and (self._fetch is None or not self._fetch.is_running):
            self._was_for_unknown = is_for_unknown
            self._asking = asyncio.create_task(self._ask())

    async def _ask(self) -> None:
        """Fetch the keys. Known keys stay valid when this fails."""
        self._fetch = Fetch(self._url, ANSWER_SECONDS, partial(published_keys, algorithms=self._algorithms))
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                self._keys = await asyncio.wrap_future(self._fetch.done)
            self._tell_if_well_again()
        except Exception as error:  # noqa: BLE001 - a failing key server must not stop clients with known keys
            self._tell(error)
        finally:
            self._fetch.end()
            self._asked_at, self._asking = time.monotonic(), None

    def _tell_if_well_again(self) -> None:
        if not self._is_well:
            log.info("keys_reachable", address=redact(self._url))
        self._is_well = True

    def _tell(self, error: Exception) -> None:
        """Log the failure, once until a fetch succeeds again."""
        if self._is_well:
            reason = redact(f"{type(error).__name__}: {error}")
            log.warning("keys_unreachable", address=redact(self._url), reason=reason)
        self._is_well = False
