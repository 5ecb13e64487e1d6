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
from typing import Final

import structlog

from bridge.config.settings import Settings
from bridge.config.tables import EVERY_TENANT, Grant, Key
from bridge.handshake.tokens import Claims, NotAdmitted, Tokens, text_of
from bridge.tenants.tenant import DEFAULT_TENANT, GENERATED_ID_PREFIX, Tenant

CREDENTIALS: Final = ("api_key", "jwt", "x_account_id")

Query = Sequence[tuple[str, str]]

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
    expires_at: float | None = None
    subject: str | None = None
    must_be_subject: bool = False
    is_anonymous: bool = False

    def may_be(self, *names: object) -> bool:
        """Whether this identity may connect as a client with one of these names."""
        return not self.must_be_subject or (self.subject is not None and self.subject in names)


@dataclass(frozen=True, slots=True)
class Administrator:
    """The holder of an admin key, and the tenants that the key is for."""

    name: str
    tenants: tuple[str, ...]

    @property
    def is_for_platform(self) -> bool:
        """Whether the key is for every tenant."""
        return EVERY_TENANT in self.tenants

    def may_use(self, tenant: str) -> bool:
        """Whether the key is for this tenant."""
        return self.is_for_platform or tenant in self.tenants


class Authentication:
    """Checks credentials against the configured keys and tokens. `known`: tenant name -> the tenant, if it exists."""

    def __init__(self, settings: Settings, known: Callable[[str], Tenant | None]) -> None:
        self._open = settings.is_open
        self._keys = {key.sha256: key for key in settings.keys}
        self._known = known
        self._tokens = Tokens(settings.jwt) if settings.jwt is not None else None

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
        if self._open:
            return await self._identify_openly(given)
        key = self._key(given.get("api_key", ""))
        claims = await self._claims(given.get("jwt"))
        tenant = self._tenant(key, claims, given.get("x_account_id"))
        return self._identity(tenant, key.broadcast, claims, admin=key.admin, key_name=key.name)

    def administrator(self, api_key: str) -> Administrator:
        """The holder of this admin key.

        Raises `NotAdmitted`: `unauthenticated` for an unknown key, `forbidden` for a known key without admin rights.
        """
        key = self._key(api_key)
        if not key.admin:
            raise NotAdmitted("forbidden")
        return Administrator(key.name, key.tenants)

    def is_anonymous(self, query: Query) -> bool:
        """Whether the query has no credentials at all."""
        return not any(_is_given(name, value) for name, value in query)

    async def _identify_openly(self, given: Mapping[str, str]) -> Identity:
        claims = await self._claims(given.get("jwt")) if self._tokens is not None else None
        account = self._account(claims) if claims else given.get("x_account_id")
        tenant = account if account is not None and self._known(account) is not None else DEFAULT_TENANT
        return self._identity(tenant, "tenant", claims, admin=False, key_name="")

    def anonymous(self, tenant: str) -> Identity:
        """The identity of a V2 client without credentials, in a tenant that admits such clients.

        It may not take an id that the client claim of a token could name.
        """
        return Identity(tenant, must_be_subject=self._may_be_claimed(tenant), is_anonymous=True)

    def _may_be_claimed(self, tenant: str) -> bool:
        """Whether a valid token for this tenant could name its client."""
        if self._tokens is None or self._tokens.client_claim is None:
            return False
        return self._open or any(key.opens(tenant) for key in self._keys.values())

    def _identity(self, tenant: str, grant: Grant, claims: Claims | None, *, admin: bool, key_name: str) -> Identity:
        must = self._tokens is not None and self._tokens.client_claim is not None
        subject = text_of(claims.get(self._tokens.client_claim)) if claims and self._tokens and must else None  # type: ignore[arg-type]
        return Identity(
            tenant=tenant,
            grant=grant,
            admin=admin,
            key_name=key_name,
            expires_at=None if claims is None else claims["exp"],
            subject=subject if subject and not subject.startswith(GENERATED_ID_PREFIX) else None,
            must_be_subject=must,
        )

    def _key(self, api_key: str) -> Key:
        digest = hashlib.sha256(api_key.encode()).hexdigest()
        key = self._keys.get(digest)
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
