"""Every knob, typed and frozen, read once. The command line wins over the environment, which wins over the file.

It never reaches into Redis and never acts: it only says what was asked for, or why that cannot be.
"""

import re
from datetime import date
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from platformdirs import user_state_path
from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict, TomlConfigSettingsSource
from redis.asyncio.connection import Connection, ConnectionPool, parse_url
from redis.exceptions import RedisError

from bridge.budget.client_address import networks_of
from bridge.config.budget import BudgetTable
from bridge.config.environment import NotJson, Variables
from bridge.config.public_key import check_public_key
from bridge.cutover.guards import NO_RULES, Rules
from bridge.tenants.tenant import DEFAULT_TENANT, Routing, Stage, Tenant
from compat.dialect import Dialect, Rule

TENANT_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
EVERY_TENANT: Final = "*"
SHORTEST_HMAC_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}
LOOPBACK_HOSTS: Final = ("127.0.0.1", "::1", "localhost")

Grant = Literal["none", "tenant", "platform"]
Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


def _tenant_name(name: str) -> str:
    if not TENANT_NAME.fullmatch(name):
        raise ValueError("a tenant's name is 1 to 64 of A-Z a-z 0-9 _ -")
    return name


TenantName = Annotated[str, AfterValidator(_tenant_name)]
# The private server has a working directory of its own, where a relative path would be another.
AbsolutePath = Annotated[Path, AfterValidator(Path.absolute)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TenantTable(_Table):
    """One `[tenants.NAME]` of the file."""

    stage: Stage = "bridge"
    share: int = Field(0, ge=0, le=100)
    v2_routing: Routing = "global"
    hosts: tuple[str, ...] = Field((), examples=[["acme.example.com"]])
    deprecated: date | None = None
    sunset: date | None = None
    dialect: dict[str, Rule] = {}
    guard: Rules = NO_RULES

    @field_validator("dialect")
    @classmethod
    def _no_collisions(cls, rules: dict[str, Rule]) -> dict[str, Rule]:
        Dialect(rules)
        return rules


class Key(_Table):
    """One `[[keys]]` of the file: what `aether-bridge keys new` prints."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    tenants: tuple[str, ...] = Field(min_length=1)
    broadcast: Grant = "tenant"
    admin: bool = False

    @field_validator("tenants")
    @classmethod
    def _names(cls, tenants: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name if name == EVERY_TENANT else _tenant_name(name) for name in tenants)


class Jwt(_Table):
    """The `[jwt]` of the file: which tokens are believed. Algorithms come from here alone, never from a token."""

    algorithms: tuple[Algorithm, ...] = Field(("HS256",), examples=[["RS256"]])
    secret: SecretStr | None = None
    public_key_file: Path | None = None
    jwks_url: str | None = None
    issuer: str | None = None
    audience: str | None = None
    account_claim: str = "account_id"
    client_claim: str | None = None

    @model_validator(mode="after")
    def _one_source_of_keys(self) -> Self:
        if sum(source is not None for source in (self.secret, self.public_key_file, self.jwks_url)) != 1:
            raise ValueError("set exactly one of secret (or BRIDGE_JWT_SECRET), public_key_file, jwks_url")
        symmetric = {algorithm.startswith("HS") for algorithm in self.algorithms}
        if symmetric != {self.secret is not None}:
            raise ValueError("HS algorithms need a secret, RS, PS, ES and EdDSA a public key; one kind only")
        shortest = max(SHORTEST_HMAC_SECRET_BYTES.get(algorithm, 0) for algorithm in self.algorithms)
        if self.secret is not None and len(self.secret.get_secret_value().encode()) < shortest:
            raise ValueError(f"secret must have at least {shortest} bytes, or it can be guessed")
        if self.public_key_file is not None:
            check_public_key(self.public_key_file, self.algorithms)
        return self


class Settings(BaseSettings):
    """All settings. Each is also `BRIDGE_<NAME>` in the environment and a line of `bridge.toml`."""

    model_config = SettingsConfigDict(
        env_prefix="BRIDGE_", env_nested_delimiter="__", extra="forbid", frozen=True, validate_default=True
    )

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
    allowed_origins: tuple[str, ...] = Field(
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

    max_message_bytes: int = Field(65_536, ge=128, le=8_388_608, description="Largest frame of a client, in bytes.")
    messages_per_second: float = Field(100, ge=0, description="Messages a second of one connection; 0 turns it off.")
    burst: int = Field(200, ge=1, description="Messages that one connection may say at once.")
    outbox_bytes: int = Field(1_048_576, ge=4_096, description="Bytes that may wait for one connection.")
    outboxes_bytes: int = Field(
        134_217_728, ge=4_194_304, description="Bytes that may wait for all connections of one process."
    )
    drain_seconds: float = Field(5, ge=0, le=60, description="How long stopping may take.")
    moves_per_second: float = Field(50, ge=0, description="Sockets closed a second when a tenant moves; 0: no pause.")
    max_connections: int = Field(0, ge=0, description="Connections of one process; 0: what open files allow.")
    max_sockets: int = Field(
        0, ge=0, description="Open sockets of one process, idle ones too; 0: what open files allow."
    )
    max_sockets_per_address: int = Field(
        0, ge=0, description="Sockets of one address that nobody vouches for; 0: half of all."
    )
    presence_seconds: float = Field(3_600, ge=1, description="How long a heartbeat keeps a client present.")
    presence_events_members: int = Field(200, ge=0, description="Larger groups hear no JOIN and LEAVE.")

    records: bool = Field(True, description="Keep census, ledger and history of each tenant in Redis.")
    census_days: int = Field(35, ge=1, le=400, description="Days for which who and what was seen is kept.")
    census_clients: int = Field(100_000, ge=100, description="Clients of one tenant that the census can hold.")

    log_format: Literal["auto", "json", "console"] = Field(
        "auto", description="auto: console on a terminal, else JSON."
    )
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    budget: BudgetTable = Field(
        BudgetTable(),
        description="What a connection, key, tenant, address, and everybody may spend in a second; 0: no bound.",
        examples=[{"tenant": {"milliseconds": 300}}],
    )
    tenants: dict[TenantName, TenantTable] = Field({}, examples=[{"acme": {"stage": "bridge"}}])
    keys: tuple[Key, ...] = Field((), examples=[[{"name": "web", "sha256": "...", "tenants": ["acme"]}]])
    jwt_secret: SecretStr | None = Field(None, description="The secret of [jwt], kept out of the file.")
    jwt: Jwt | None = Field(None, examples=[{"issuer": "https://accounts.example.com"}])

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, Variables(settings_cls), TomlConfigSettingsSource(settings_cls)

    @model_validator(mode="before")
    @classmethod
    def _secret_into_jwt(cls, values: dict[str, Any]) -> dict[str, Any]:
        secret, jwt = values.get("jwt_secret"), values.get("jwt")
        if secret and jwt is None:
            raise ValueError("jwt_secret is set, but there is no [jwt] that could use it: add one, or leave it out")
        if secret and isinstance(jwt, dict):
            values = {**values, "jwt": {**jwt, "secret": secret}}
        return values

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if len({key.sha256 for key in self.keys}) != len(self.keys):
            raise ValueError("two keys have the same sha256")
        hosts = [host.lower() for table in self.tenants.values() for host in table.hosts]
        if len(set(hosts)) != len(hosts):
            raise ValueError("two tenants claim the same host")
        guarded = [name for name, table in self.tenants.items() if table.guard.any]
        if guarded and not self.records:
            raise ValueError(
                f"the guards of {guarded[0]} judge by the records: set records = true, or remove the guards"
            )
        if self.is_open and self.host not in LOOPBACK_HOSTS and not self.open_admission:
            raise ValueError(
                f"no keys are configured, so anyone who reaches {self.host} could connect: add a key "
                "(`aether-bridge keys new`), listen on 127.0.0.1, or set open_admission"
            )
        return self

    @model_validator(mode="after")
    def _one_process_for_socketio(self) -> Self:
        """The polls of a session reach whichever worker the kernel likes, and only one of them knows it."""
        if self.socketio and self.workers > 1:
            raise ValueError(
                "socketio needs workers = 1, since a Socket.IO session lives in one process: "
                "start several commands instead, each on a port of its own, "
                "behind the sticky route of deploy/nginx.conf"
            )
        return self

    @field_validator("redis_url")
    @classmethod
    def _redis_address(cls, url: str | None) -> str | None:
        if url is not None:
            _check_redis_url(url)
        return url

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, names: tuple[str, ...]) -> tuple[str, ...]:
        networks_of(names)
        return names

    @property
    def is_open(self) -> bool:
        """Whether everyone is let in, because no keys are configured."""
        return not self.keys

    @property
    def has_page(self) -> bool:
        return self.is_open if self.page is None else self.page

    def known_tenants(self) -> dict[str, Tenant]:
        """Every tenant that the configuration names, as it starts."""
        tables = dict(self.tenants)
        names = {name for key in self.keys for name in key.tenants if name != EVERY_TENANT}
        names |= {self.v2_anonymous_tenant} if self.v2_anonymous_tenant else set()
        names |= {DEFAULT_TENANT} if self.is_open else set()
        return {name: _tenant(name, tables.get(name, TenantTable())) for name in sorted(names.union(tables))}


class SettingsError(ValueError):
    """The configuration cannot be used; the message says where and why, a line for each problem."""


def load(config: Path | None = None, **given: Any) -> Settings:
    """Settings from what was given, the environment, and the file. Raises `SettingsError`."""
    if config is not None and not config.is_file():
        raise SettingsError(f"{config}: no such file")

    class FromFile(Settings):
        model_config = SettingsConfigDict(toml_file=config)

    try:
        return FromFile(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_line(dict(problem)) for problem in error.errors(include_url=False))) from None
    except NotJson as error:
        raise SettingsError(str(error)) from None
    except ValueError as error:
        raise SettingsError(f"{config or 'environment'}: {error}") from None


def _line(problem: dict[str, Any]) -> str:
    where = ".".join(str(part) for part in problem["loc"]) or "settings"
    return f"{where}: {problem['msg'].removeprefix('Value error, ')}"


def _check_redis_url(url: str) -> None:
    """Raises `ValueError` where redis-py could make no connection. Nothing is connected, and no value is quoted."""
    try:
        _port = urlsplit(url).port
    except ValueError:
        # The error's own text may hold a piece of the password.
        raise ValueError("its host and port cannot be read; in a password write / as %2F and # as %23") from None
    options: dict[str, Any] = {**parse_url(url)}
    connection, given = options.pop("connection_class", Connection), {}
    for name, value in options.items():
        given[name] = value
        try:
            ConnectionPool(connection, **given).make_connection()  # type: ignore[no-untyped-call]
        except (RedisError, AttributeError, TypeError, ValueError):
            raise ValueError(f"redis-py knows no option {name!r}, or cannot use its value") from None


def _tenant(name: str, table: TenantTable) -> Tenant:
    return Tenant(
        name=name,
        stage=table.stage,
        share=table.share,
        v2_routing=table.v2_routing,
        hosts=tuple(host.lower() for host in table.hosts),
        deprecated=table.deprecated,
        sunset=table.sunset,
        dialect=Dialect(table.dialect),
        guard=table.guard,
    )
