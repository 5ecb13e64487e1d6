"""What a configuration that is read anew may change in a running process, and what needs a restart. Pure but for files.

Each setting is in exactly one of `RELOADABLE` and `NEEDS_RESTART`; a test holds it. A process goes on with its own
values of the second kind, and says which of them differ.

Decided here: a reload never opens a bridge that asks for keys. A file that has lost its keys is refused.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, SecretStr

from bridge.config.settings import Settings, SettingsError, load
from bridge.tenants.tenant import Tenant

RELOADABLE: Final = frozenset(
    {
        "allowed_origins",
        "open_admission",
        "v2_anonymous_tenant",
        "max_message_bytes",
        "messages_per_second",
        "burst",
        "outbox_bytes",
        "outbox_drain_bytes_per_second",
        "outboxes_bytes",
        "moves_per_second",
        "max_connections",
        "max_connections_per_tenant",
        "max_sockets",
        "max_sockets_per_address",
        "presence_events_members",
        "log_level",
        "budget",
        "tenants",
        "keys",
        "jwt_secret",
        "jwt",
    }
)
NEEDS_RESTART: Final = frozenset(
    {
        "host",
        "port",
        "workers",
        "redis_url",
        "data_dir",
        "prefix",
        "trusted_proxies",
        "socketio",
        "page",
        "drain_seconds",
        "presence_seconds",
        "history_seconds",
        "history_messages",
        "history_bytes",
        "history_direct",
        "v2_replay",
        "records",
        "census_days",
        "census_clients",
        "log_format",
    }
)
HASH_CHARACTERS: Final = 12
SLOWNESS: Final = {"n": 8_192, "r": 8, "p": 1}
"""The work of one hash: some 20 ms, so that a secret in the configuration cannot be guessed from its hash."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where a configuration is read from: the file, and the options of the command line, which win over it."""

    file: Path | None
    given: Mapping[str, Any]

    def read(self) -> Settings:
        """The settings as they stand there now. Raises `SettingsError`."""
        return load(self.file, **self.given)


@dataclass(frozen=True, slots=True)
class Configuration:
    """Settings in effect, with what is derived from them once. `needs_restart`: settings that differ from the file."""

    settings: Settings
    tenants: Mapping[str, Tenant]
    hash: str
    needs_restart: tuple[str, ...] = ()

    @classmethod
    def of(cls, settings: Settings, needs_restart: tuple[str, ...] = ()) -> "Configuration":
        """This takes long for a large file: call it off the event loop."""
        return cls(settings, settings.known_tenants(), hash_of(settings), needs_restart)


@dataclass(frozen=True, slots=True)
class Reloaded:
    """How a reload ended. `problem`: why nothing was changed; empty if the configuration was taken."""

    hash: str
    changed: tuple[str, ...] = ()
    needs_restart: tuple[str, ...] = ()
    problem: str = ""
    is_nothing_to_read: bool = False


def read_anew(source: Source, now: Settings) -> Configuration:
    """The configuration to go on with. Raises `SettingsError` for a file that must not be taken. Takes long."""
    found = source.read()
    needs_restart = tuple(name for name in sorted(NEEDS_RESTART) if getattr(found, name) != getattr(now, name))
    after = found.model_copy(update={name: getattr(now, name) for name in NEEDS_RESTART})
    if after.is_open and not now.is_open:
        raise SettingsError("keys: none is left, and without any this bridge would let everyone in: keep one")
    try:
        after.check_consistency()
    except ValueError as error:
        raise SettingsError(f"settings: {error} (until the restart that {_listed(needs_restart)} needs)") from None
    return Configuration.of(after, needs_restart)


def changed(before: Settings, after: Settings) -> tuple[str, ...]:
    """The names of the settings that differ."""
    return tuple(name for name in sorted(RELOADABLE) if getattr(before, name) != getattr(after, name))


def hash_of(settings: Settings) -> str:
    """A short hash of all that is reloadable: the same for equal settings, and slow, since secrets are among them."""
    said = {name: getattr(settings, name) for name in sorted(RELOADABLE)}
    text = json.dumps(said, default=_as_json, sort_keys=True).encode()
    return hashlib.scrypt(text, salt=b"aether-bridge", dklen=HASH_CHARACTERS // 2, **SLOWNESS).hex()


def _as_json(value: Any) -> object:
    """A value that JSON does not know: a table, a secret, a date, or a file, which counts by its content."""
    match value:
        case SecretStr():
            return value.get_secret_value()
        case Path():
            return hashlib.sha256(value.read_bytes()).hexdigest() if value.is_file() else str(value)
        case set() | frozenset():
            return sorted(value)
        case BaseModel() | Mapping():
            return dict(value)
    return str(value)


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names)
