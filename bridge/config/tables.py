"""The tables of bridge.toml: tenants, keys, and which tokens are accepted. They only hold and validate values."""

from datetime import date
from pathlib import Path
from typing import Annotated, Final, Literal, Self, get_args
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from bridge.config.budget import OwnBudget
from bridge.config.hosts import host_setting
from bridge.config.public_key import check_public_key
from bridge.config.v2 import DialectRules, dialect_of  # V2
from bridge.tenants.guard_rules import NO_GUARDS, GuardRules
from bridge.tenants.share import Share
from bridge.tenants.tenant import TENANT_NAME, Routing, Stage, Tenant

EVERY_TENANT: Final = "*"
SHORTEST_HMAC_SECRET_BYTES: Final = {"HS256": 32, "HS384": 48, "HS512": 64}

Grant = Literal["none", "tenant", "platform"]
GRANTS: Final = get_args(Grant)
Role = Literal["none", "viewer", "operator", "admin"]
"""What a key may do in the admin API; each may do what those before it may."""
ROLES: Final = get_args(Role)
Algorithm = Literal[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"
]


def _tenant_name(name: str) -> str:
    if not TENANT_NAME.fullmatch(name):
        raise ValueError("a tenant's name is 1 to 64 of A-Z a-z 0-9 _ -")
    return name


def _web_address(url: str) -> str:
    """The message quotes nothing of it: there may be a password in it."""
    try:
        parts = urlsplit(url)
        is_one = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and url.isprintable()
    except ValueError:
        is_one = False
    if not is_one or " " in url:
        raise ValueError("no web address: write all of it, as in https://accounts.example.com/.well-known/jwks.json")
    return url


def _word(text: str) -> str:
    if not text.strip():
        raise ValueError("it is empty, and no token could ever have it: leave it out, or say what it must be")
    return text


TenantName = Annotated[str, AfterValidator(_tenant_name)]
Word = Annotated[str, AfterValidator(_word)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TenantSettings(_Table):
    """One table `[tenants.NAME]` of the file."""

    stage: Stage = "bridge"
    share: Share | None = Field(None, description="In drain alone, which needs one.")
    v2_routing: Routing = "global"
    hosts: tuple[Annotated[str, AfterValidator(host_setting)], ...] = Field((), examples=[["acme.example.com"]])
    deprecated: date | None = None
    sunset: date | None = None
    dialect: DialectRules = {}  # V2
    guard: GuardRules = NO_GUARDS
    max_connections: int | None = Field(None, ge=0, description="In place of max_connections_per_tenant.")
    budget: OwnBudget = OwnBudget()

    @model_validator(mode="after")
    def _share_in_drain_alone(self) -> Self:
        if self.stage == "drain" and self.share is None:
            raise ValueError('stage = "drain" needs a share: how many in a hundred V2 clients are to move')
        if self.stage != "drain" and self.share is not None:
            raise ValueError(f'a share exists in stage = "drain" alone, and this is "{self.stage}": leave it out')
        return self

    def tenant(self, name: str) -> Tenant:
        """The tenant with this name, in its configured (initial) state."""
        return Tenant(
            name=name,
            stage=self.stage,
            share=self.share or 0,
            v2_routing=self.v2_routing,
            hosts=tuple(dict.fromkeys(self.hosts)),
            deprecated=self.deprecated,
            sunset=self.sunset,
            dialect=dialect_of(self.dialect),  # V2
            guard=self.guard,
        )


class Key(_Table):
    """One table `[[keys]]` of the file, as `aether-bridge keys new` prints it."""

    name: str
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    tenants: tuple[str, ...] = Field(min_length=1)
    broadcast: Grant = "tenant"
    role: Role | None = None
    admin: bool = False

    @model_validator(mode="after")
    def _one_role(self) -> Self:
        if self.role is not None and "admin" in self.model_fields_set and self.admin != (self.role == "admin"):
            raise ValueError(f'admin = {str(self.admin).lower()} and role = "{self.role}" contradict: leave out admin')
        return self

    @field_validator("tenants")
    @classmethod
    def _names(cls, tenants: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(name if name == EVERY_TENANT else _tenant_name(name) for name in tenants)

    @property
    def rights(self) -> Role:
        """Its role: as named, or what `admin` means."""
        return self.role or ("admin" if self.admin else "none")

    def opens(self, tenant: str) -> bool:
        """Whether the key is for this tenant."""
        return EVERY_TENANT in self.tenants or tenant in self.tenants


class Jwt(_Table):
    """The table `[jwt]` of the file: which tokens are accepted.

    Which algorithms are allowed is decided by this table, never by a token.
    """

    algorithms: tuple[Algorithm, ...] = Field(("HS256",), examples=[["RS256"]])
    secret: SecretStr | None = None
    public_key_file: Path | None = None
    jwks_url: Annotated[str, AfterValidator(_web_address)] | None = None
    issuer: Word | None = None
    audience: Word | None = None
    account_claim: Word = "account_id"
    client_claim: Word | None = None

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
