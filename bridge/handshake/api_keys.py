"""The API keys that a process knows, from its configuration and from Redis, by their SHA-256. It reads neither. Pure.

Where both know a key with the same SHA-256, the configuration's counts.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Final

from bridge.config.tables import Key
from bridge.system.observers import Observers


class ApiKeys:
    """All keys. A look-up is one look into a dictionary in memory."""

    def __init__(self, of_file: Iterable[Key] = ()) -> None:
        self._of_file = {key.sha256: key for key in of_file}
        self._of_redis: dict[str, Key] = {}
        self._by_digest: dict[str, Key] = dict(self._of_file)
        self.are_read = True
        """Whether it is known which keys live in Redis."""
        self.are_live = False
        """Whether keys live in Redis, or ever did: a bridge that has seen that asks for keys."""
        self.changed: Final = Observers[[]]()
        """Called when the keys are others than before."""

    def __len__(self) -> int:
        return len(self._by_digest)

    def __iter__(self) -> Iterator[Key]:
        return iter(self._by_digest.values())

    def of(self, digest: str) -> Key | None:
        """The key with this SHA-256, in hexadecimal digits."""
        return self._by_digest.get(digest)

    def named(self, name: str) -> Key | None:
        """The first key of this name; the configuration's come first."""
        return next((key for key in chain(self._of_file.values(), self._of_redis.values()) if key.name == name), None)

    def take_of_file(self, keys: Iterable[Key]) -> None:
        """These are the configuration's keys from now on."""
        self._of_file = {key.sha256: key for key in keys}
        self._take()

    def take_of_redis(self, keys: Iterable[Key]) -> None:
        """These are the keys that live in Redis from now on."""
        self._of_redis = {key.sha256: key for key in keys}
        self.are_live = True
        self._take()

    def _take(self) -> None:
        self._by_digest = {**self._of_redis, **self._of_file}
        self.changed()
