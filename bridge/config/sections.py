"""The settings that are plain values, in sections. They only hold and validate values; they act on nothing."""

import re
from pathlib import Path
from typing import Annotated, Any, Final, Literal
from urllib.parse import SplitResult, urlsplit

from platformdirs import user_state_path
from pydantic import AfterValidator, BaseModel, Field, field_validator
from redis.asyncio.connection import Connection, ConnectionPool, parse_url
from redis.exceptions import RedisError

from bridge.budget.client_address import networks_of
from bridge.budget.drain import OutboxBounds
from bridge.config.hosts import origin_setting
from bridge.config.tables import TenantName

LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")
_DATABASE: Final = re.compile(r"(?:/[0-9]*)?")
MESSAGES_IN_OUTBOX: Final = 2
"""An outbox holds so many of the largest messages, whatever `outbox_bytes` says."""

# Absolute, because the private server has another working directory, where a relative path would be wrong.
AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]


class EndpointSettings(BaseModel):
    """Where the bridge listens, and where its Redis is."""

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(8000, ge=0, le=65_535, description="Port to listen on; 0 takes a free one.")
    workers: int = Field(1, ge=1, le=64, description="Processes on one port.")
    redis_url: str | None = Field(
        None, description="Redis or Valkey, 6.2 or later; without it a private one is started."
    )
    data_dir: AbsolutePath = Field(
        default_factory=lambda: user_state_path("aether-bridge", appauthor=False),
        description="Where the private server keeps its data.",
    )
    prefix: str = Field("aether", pattern=r"^[A-Za-z0-9_.:-]{1,64}$", description="Begins every name in Redis.")

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, url: str | None) -> str | None:
        if url is not None:
            _check_redis_url(url)
        return url


class AdmissionSettings(BaseModel):
    """Who may connect, and through which optional doors."""

    allowed_origins: tuple[Annotated[str, AfterValidator(origin_setting)], ...] = Field(
        (),
        description="Web origins that may connect; empty allows any with a key.",
        examples=[["https://app.example.com"]],
    )
    trusted_proxies: tuple[str, ...] = Field(
        (),
        description="Proxies whose X-Forwarded-For is believed: addresses, networks; * for every peer.",
        examples=[["127.0.0.1", "10.0.0.0/8"]],
    )
    open_admission: bool = Field(False, description="Run without keys on an address that is not loopback.")
    v2_anonymous_tenant: TenantName | None = Field(None, description="Where a V2 client without credentials goes.")
    socketio: bool = Field(False, description="The Socket.IO door at /socket.io/; with one worker alone.")
    page: bool | None = Field(None, description="The page at /: by default only where no keys are configured.")

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        networks_of(names)
        return names


class BoundSettings(BaseModel):
    """Limits on sizes, counts, rates and times."""

    max_message_bytes: int = Field(65_536, ge=128, le=8_388_608, description="Largest frame of a client, in bytes.")
    messages_per_second: float = Field(100, ge=0, description="Messages a second of one connection; 0 turns it off.")
    burst: int = Field(200, ge=1, description="Messages that one connection may say at once.")
    outbox_bytes: int = Field(
        1_048_576, ge=4_096, description="Bytes that may wait for one connection; at least two largest messages."
    )
    outbox_drain_bytes_per_second: float = Field(
        131_072, ge=0, description="How fast a connection drains while more waits; 0: at any speed."
    )
    outboxes_bytes: int = Field(
        134_217_728, ge=4_194_304, description="Bytes that may wait for all connections of one process."
    )
    drain_seconds: float = Field(5, ge=0, le=60, description="How long stopping may take.")
    moves_per_second: float = Field(50, ge=0, description="Sockets closed a second when a tenant moves; 0: no pause.")
    max_connections: int = Field(0, ge=0, description="Connections of one process; 0: what open files allow.")
    max_connections_per_tenant: int = Field(
        0, ge=0, description="Connections of one tenant in one process; 0: its share of all. A tenant may have its own."
    )
    max_sockets: int = Field(
        0, ge=0, description="Open sockets of one process, idle ones too; 0: what open files allow."
    )
    max_sockets_per_address: int = Field(
        0, ge=0, description="Sockets of one address that nobody vouches for; 0: half of all."
    )
    presence_seconds: float = Field(3_600, ge=1, description="How long a heartbeat keeps a client present.")
    presence_events_members: int = Field(200, ge=0, description="Larger groups hear no JOIN and LEAVE.")

    @property
    def outbox_bounds(self) -> OutboxBounds:
        """The bounds of one outbox. It holds at least two of the largest messages, or one could end its listeners."""
        most_bytes = max(self.outbox_bytes, MESSAGES_IN_OUTBOX * self.max_message_bytes)
        return OutboxBounds(most_bytes, self.outbox_drain_bytes_per_second)


class HistorySettings(BaseModel):
    """What is kept of what was said, for those who come back."""

    history_seconds: int = Field(
        120, ge=0, le=3_600, description="How long what was said is kept for those who come back; 0: nothing is kept."
    )
    history_messages: int = Field(300, ge=1, le=10_000, description="Messages of one channel that are kept, about.")
    history_bytes: int = Field(
        268_435_456, ge=1_048_576, description="What all histories may take in Redis that one process writes."
    )
    history_direct: bool = Field(True, description="Keep what is said to one client, too.")
    v2_replay: bool = Field(False, description="A V2 client that returns under its id hears what it missed.")


class RecordSettings(BaseModel):
    """What is recorded in Redis, and how the log is written."""

    records: bool = Field(True, description="Keep census, ledger and history of each tenant in Redis.")
    census_days: int = Field(35, ge=1, le=400, description="Days for which who and what was seen is kept.")
    census_clients: int = Field(100_000, ge=100, description="Clients of one tenant that the census can hold.")

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="debug, info, warning or error."
    )


def _check_database(address: SplitResult) -> None:
    """Raise `ValueError` if it is no number: redis-py would take database 0, which may be another deployment's."""
    if address.scheme in ("redis", "rediss") and _DATABASE.fullmatch(address.path) is None:
        raise ValueError(
            "after the host comes the number of a database or nothing, as in redis://host:6379/0; in a password write "
            "/ as %2F and @ as %40"
        )


def _check_redis_url(url: str) -> None:
    """Raise `ValueError` if redis-py cannot make a connection object from this URL.

    It connects to nothing, and its messages quote no part of the URL: that may be a password.
    """
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        # The error's own text may contain a part of the password.
        raise ValueError("its host and port cannot be read; in a password write / as %2F and # as %23") from None
    _check_database(parts)
    options: dict[str, Any] = {**parse_url(url)}
    connection, given = options.pop("connection_class", Connection), {}
    for name, value in options.items():
        given[name] = value
        try:
            ConnectionPool(connection, **given).make_connection()  # type: ignore[no-untyped-call]
        except (RedisError, AttributeError, TypeError, ValueError):
            raise ValueError(f"redis-py knows no option {name!r}, or cannot use its value") from None
