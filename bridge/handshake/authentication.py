"""Authentication: turns credentials into an identity (tenant and grant), or refuses them. It never sees a socket.

API keys are looked up by their SHA-256 and compared in constant time. `tokens.py` decides which JWTs are valid.

Decided here:

- A token's client claim that begins like a generated id is ignored: such ids belong to V2 clients that sent no id.
- An empty `jwt` or `x_account_id` counts as not sent: a page without a session yet sends them empty.
- When no keys are configured, credentials only choose one of the configured tenants; apart from that they are ignored.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import structlog

from bridge.config.settings import Settings
from bridge.config.tables import EVERY_TENANT, ROLES, Grant, Jwt, Key, Role
from bridge.handshake.api_keys import ApiKeys
from bridge.handshake.tokens import LEEWAY_SECONDS, Claims, NotAdmitted, Tokens, text_of
from bridge.messaging.connections import Ticket
from bridge.tenants.tenant import DEFAULT_TENANT, GENERATED_ID_PREFIX, Tenant

CREDENTIALS: Final = ("api_key", "jwt", "x_account_id")

Query = Sequence[tuple[str, str]]
Verdict = Literal["unauthenticated", "forbidden", "going_away"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Identity:
    """Who connects.

    `expires_at`: when the token expires, in seconds since the epoch; `None` without a token. `subject`: the token's
    client claim. `must_be_subject`: whether the client may take no other id than `subject`.
    """

    tenant: str
    grant: Grant = "none"
    admin: bool = False
    key_name: str = ""
    key_digest: str = ""
    expires_at: float | None = None
    subject: str | None = None
    must_be_subject: bool = False
    is_anonymous: bool = False
    needs_no_key: bool = False

    @property
    def ticket(self) -> Ticket:
        """What the connection keeps of it."""
        return Ticket(self.key_digest, self.grant, self.needs_no_key)

    def ends_at(self, now_seconds: float) -> float | None:
        """When what it opens ends, in seconds since the epoch: when its token expires.

        A token that has expired already was admitted within the leeway: then it is when the leeway ends.
        """
        if self.expires_at is None or self.expires_at > now_seconds:
            return self.expires_at
        return self.expires_at + LEEWAY_SECONDS

    def may_be(self, *names: object) -> bool:
        """Whether this identity may connect as a client with one of these names. Why not is logged."""
        if not self.must_be_subject or (self.subject is not None and self.subject in names):
            return True
        log.info("token_refused", code="forbidden", reason=self._why_not)
        return False

    @property
    def _why_not(self) -> str:
        if self.expires_at is None:
            return "no token, whose client claim would name the client"
        return "no client in its claim" if self.subject is None else "its claim names another client"


@dataclass(frozen=True, slots=True)
class Administrator:
    """The holder of a key that has a role, the tenants that the key is for, and its grant."""

    name: str
    tenants: tuple[str, ...]
    role: Role = "admin"
    broadcast: Grant = "platform"

    @property
    def is_for_platform(self) -> bool:
        """Whether the key is for every tenant."""
        return EVERY_TENANT in self.tenants

    def may(self, role: Role) -> bool:
        """Whether the key may do what this role may."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def may_use(self, tenant: str) -> bool:
        """Whether the key is for this tenant."""
        return self.is_for_platform or tenant in self.tenants


class Authentication:
    """Checks credentials against the configured keys and tokens. `known`: tenant name -> the tenant, if it exists."""

    def __init__(self, settings: Settings, known: Callable[[str], Tenant | None]) -> None:
        self.keys: Final = ApiKeys(settings.keys)
        self._known = known
        self._tokens: Tokens | None = None
        self.configure(settings)

    def configure(self, settings: Settings) -> None:
        """Go by these settings from now on. Raises `OSError`, and changes nothing, if a key file cannot be read."""
        self._tokens = self._tokens_of(settings.jwt)
        self._is_open_by_file = settings.is_open
        self.keys.take_of_file(settings.keys)

    def _tokens_of(self, jwt: Jwt | None) -> Tokens | None:
        """The tokens of this table. Keys that were fetched stay, where nothing of the table has changed."""
        now = self._tokens
        if jwt is None or now is None or jwt != now.settings or jwt.jwks_url is None:
            return None if jwt is None else Tokens(jwt)
        return now

    @property
    def is_open(self) -> bool:
        """Whether everyone is let in: no key is configured, and none lives in Redis."""
        return self.keys.are_read and not self.has_keys

    @property
    def has_keys(self) -> bool:
        """Whether everyone is asked for a key: one is configured, or lives in Redis, or ever did."""
        return not self._is_open_by_file or self.keys.are_live

    def verdict(self, ticket: Ticket, tenant: str) -> Verdict | None:
        """The code with which a connection must end that was admitted with this ticket; `None` if it may go on."""
        if self._known(tenant) is None:
            return "forbidden"
        if not ticket.key_digest:
            return None if ticket.needs_no_key or self.is_open else "unauthenticated"
        key = self.keys.of(ticket.key_digest)
        if key is None:
            return "unauthenticated"
        if not key.opens(tenant):
            return "forbidden"
        return None if key.broadcast == ticket.grant else "going_away"

    async def identify(self, query: Query) -> Identity:
        """The identity that these credentials prove. Raises `NotAdmitted`. Why a token is refused is logged."""
        try:
            return await self._identify(query)
        except NotAdmitted as refused:
            if refused.reason:
                log.info("token_refused", code=refused.code, reason=refused.reason)
            raise

    def prefetch_keys(self) -> None:
        """Fetch the keys of tokens, if they are fetched, before the first token comes."""
        if self._tokens is not None:
            self._tokens.prefetch()

    @property
    def keys_are_missing(self) -> bool:
        """Whether tokens cannot be checked now, because their keys cannot be fetched."""
        return self._tokens is not None and self._tokens.keys_are_missing

    async def _identify(self, query: Query) -> Identity:
        given = _credentials(query)
        if self.is_open:
            return await self._identify_openly(given)
        key = self._key(given.get("api_key", ""))
        claims = await self._claims(given.get("jwt"))
        tenant = self._tenant(key, claims, given.get("x_account_id"))
        return self._identity(tenant, claims, key)

    def administrator(self, api_key: str) -> Administrator:
        """The holder of this key, if it has a role.

        Raises `NotAdmitted`: `unauthenticated` for an unknown key, `forbidden` for a known key without a role.
        """
        key = self._key(api_key)
        if key.rights == "none":
            raise NotAdmitted("forbidden")
        return Administrator(key.name, key.tenants, key.rights, key.broadcast)

    def still_knows(self, administrator: Administrator) -> bool:
        """Whether a key still gives what it gave this administrator."""
        gave = (administrator.name, administrator.tenants, administrator.role)
        return any((key.name, key.tenants, key.rights) == gave for key in self.keys)

    def known_key(self, api_key: str) -> Key | None:
        """The configured key with this text, or `None`; for the record of refused clients."""
        try:
            return self._key(api_key)
        except NotAdmitted:
            return None

    def is_anonymous(self, query: Query) -> bool:
        """Whether the query has no credentials at all."""
        return not any(_is_given(name, value) for name, value in query)

    async def _identify_openly(self, given: Mapping[str, str]) -> Identity:
        claims = await self._claims(given.get("jwt")) if self._tokens is not None else None
        account = self._account(claims) if claims else given.get("x_account_id")
        tenant = account if account is not None and self._known(account) is not None else DEFAULT_TENANT
        return self._identity(tenant, claims, None)

    def anonymous(self, tenant: str | None) -> Identity:
        """The identity of a V2 client without credentials, in a tenant that admits such clients.

        `None`: no tenant does, but the bridge is open, and lets it into the default tenant.
        It may not take an id that the client claim of a token could name.
        """
        name = tenant or DEFAULT_TENANT
        must = self._may_be_claimed(name)
        return Identity(name, must_be_subject=must, is_anonymous=True, needs_no_key=tenant is not None)

    def _may_be_claimed(self, tenant: str) -> bool:
        """Whether a valid token for this tenant could name its client."""
        if self._tokens is None or self._tokens.client_claim is None:
            return False
        return self.is_open or any(key.opens(tenant) for key in self.keys)

    def _identity(self, tenant: str, claims: Claims | None, key: Key | None) -> Identity:
        """The identity of who has this key; without a key, of somebody whom an open bridge lets in."""
        must = self._tokens is not None and self._tokens.client_claim is not None
        subject = text_of(claims.get(self._tokens.client_claim)) if claims and self._tokens and must else None  # type: ignore[arg-type]
        return Identity(
            tenant=tenant,
            grant="tenant" if key is None else key.broadcast,
            admin=key is not None and key.rights == "admin",
            key_name="" if key is None else key.name,
            key_digest="" if key is None else key.sha256,
            expires_at=None if claims is None else claims["exp"],
            subject=subject if subject and not subject.startswith(GENERATED_ID_PREFIX) else None,
            must_be_subject=must,
        )

    def _key(self, api_key: str) -> Key:
        digest = hashlib.sha256(api_key.encode()).hexdigest()
        key = self.keys.of(digest)
        if key is None or not hmac.compare_digest(key.sha256, digest):
            raise NotAdmitted("unauthenticated")
        return key

    async def _claims(self, token: str | None) -> Claims | None:
        if token is None:
            return None
        if self._tokens is None:
            raise NotAdmitted("unauthenticated", "no [jwt] is configured")
        return await self._tokens.claims(token)

    def _account(self, claims: Claims) -> str | None:
        return text_of(claims.get(self._tokens.account_claim)) if self._tokens is not None else None

    def _tenant(self, key: Key, claims: Claims | None, x_account_id: str | None) -> str:
        account = x_account_id if claims is None else self._account(claims)
        if claims is not None and (account is None or x_account_id not in (None, account)):
            raise NotAdmitted("forbidden", "no account in its claim, or another than x_account_id")
        if account is None:
            account = key.tenants[0] if len(key.tenants) == 1 and key.tenants[0] != EVERY_TENANT else None
        if account is None or not key.opens(account):
            raise NotAdmitted("forbidden", "" if claims is None else "its account is not one of the key's tenants")
        if self._known(account) is None:
            raise NotAdmitted("forbidden", "" if claims is None else "its account is no tenant that is known")
        return account


def _credentials(query: Query) -> dict[str, str]:
    """The credentials in the query, without empty tokens and accounts.

    Raises `NotAdmitted` when one is sent twice: it would not be clear which of the two counts.
    """
    sent = [(name, value) for name, value in query if name in CREDENTIALS]
    if len({name for name, _ in sent}) != len(sent):
        raise NotAdmitted("unauthenticated")
    return {name: value for name, value in sent if _is_given(name, value)}


def _is_given(name: str, value: str) -> bool:
    return name == "api_key" or (name in CREDENTIALS and bool(value))
