"""Verifies JSON Web Tokens (RFC 7519) and returns their claims. It knows no API keys and no tenants.

Only the configured algorithms and keys verify a token. Nothing is fetched from a place that a token's header names: a
token with a key in its header, or with the URL of one, is refused.

Decided here: `iat`, `sub` and `jti` refuse nobody, whatever they are (RFC 7519 only asks for `exp` and `nbf`).
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import jwt
from jwt.algorithms import AllowedPublicKeys
from jwt.exceptions import (
    ExpiredSignatureError,
    ImmatureSignatureError,
    InvalidAlgorithmError,
    InvalidAudienceError,
    InvalidIssuerError,
    InvalidSignatureError,
    MissingRequiredClaimError,
    PyJWTError,
)

from bridge.config.tables import Jwt
from bridge.handshake.key_cache import KeyCache, Unreachable

LEEWAY_SECONDS: Final = 10
MAX_TOKEN_CHARACTERS: Final = 8_192
"""As long as the line of an HTTP request may be. Socket.IO's CONNECT packet could carry a longer token."""
KEYS_IN_HEADERS: Final = frozenset({"jku", "jwk", "x5u", "x5c"})

Code = Literal["unauthenticated", "forbidden", "keys_unavailable"]
Claims = Mapping[str, Any]


class NotAdmitted(Exception):
    """Credentials are refused. `code`: one of the closed list of refusals.

    `reason`: what was wrong with the token, in words that hold nothing of it: for the log, never for the client.
    """

    def __init__(self, code: Code, reason: str = "") -> None:
        super().__init__(code)
        self.code: Final = code
        self.reason: Final = reason


_REASONS: Final[tuple[tuple[type[Exception], str], ...]] = (
    (ExpiredSignatureError, "expired"),
    (ImmatureSignatureError, "not valid yet (nbf)"),
    (InvalidAudienceError, "wrong audience (aud)"),
    (InvalidIssuerError, "wrong issuer (iss)"),
    (InvalidAlgorithmError, "an algorithm that is not configured"),
    (InvalidSignatureError, "bad signature"),
)


def _reason(error: Exception) -> str:
    if isinstance(error, MissingRequiredClaimError):
        return f"no claim {error.claim}"
    return next((reason for kind, reason in _REASONS if isinstance(error, kind)), "cannot be read")


def text_of(claim: object) -> str | None:
    """A claim as text. Ids of legacy systems are numbers: an integer is its digits, also one that is written `42.0`."""
    if isinstance(claim, float) and claim.is_integer():
        claim = int(claim)
    if isinstance(claim, int) and not isinstance(claim, bool):
        return str(claim)
    return claim if isinstance(claim, str) else None


class Tokens:
    """Verifies tokens as `jwt_settings` says."""

    def __init__(self, jwt_settings: Jwt) -> None:
        self.settings: Final = jwt_settings
        self.account_claim: Final = jwt_settings.account_claim
        self.client_claim: Final = jwt_settings.client_claim
        self._fetched = (
            None if jwt_settings.jwks_url is None else KeyCache(jwt_settings.jwks_url, jwt_settings.algorithms)
        )
        self._key: str | bytes | None = None
        if jwt_settings.secret is not None:
            self._key = jwt_settings.secret.get_secret_value()
        elif jwt_settings.public_key_file is not None:
            self._key = jwt_settings.public_key_file.read_bytes()

    async def claims(self, token: str) -> Claims:
        """The claims of a token that is valid now; `exp` is a float. Raises `NotAdmitted` for any other token."""
        if len(token) > MAX_TOKEN_CHARACTERS:
            raise NotAdmitted("unauthenticated", f"more than {MAX_TOKEN_CHARACTERS:,} characters")
        try:
            header = jwt.get_unverified_header(token)
            if not KEYS_IN_HEADERS.isdisjoint(header):
                raise NotAdmitted("unauthenticated", "a key, or the address of one, in its header")
            return self._verify(token, await self._key_for(header))
        except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError) as error:
            raise NotAdmitted("unauthenticated", _reason(error)) from None

    async def _key_for(self, header: Mapping[str, Any]) -> AllowedPublicKeys | str | bytes:
        if self._key is not None or self._fetched is None:
            return self._key or b""
        if header.get("alg") not in self.settings.algorithms:
            raise InvalidAlgorithmError
        try:
            key = await self._fetched.key(header.get("kid"))
        except Unreachable:
            raise NotAdmitted("keys_unavailable", "the keys of jwks_url cannot be fetched") from None
        if key is None:
            raise NotAdmitted("unauthenticated", "no key of jwks_url has the kid in its header")
        return key

    def prefetch(self) -> None:
        """Fetch the keys, if they are fetched, before the first token comes."""
        if self._fetched is not None:
            self._fetched.prefetch()

    @property
    def keys_are_missing(self) -> bool:
        """Whether the keys have to be fetched, and cannot be."""
        return self._fetched is not None and not self._fetched.is_well

    def _verify(self, token: str, key: AllowedPublicKeys | str | bytes) -> Claims:
        settings = self.settings
        claims: Claims = jwt.decode(
            token,
            key,
            algorithms=list(settings.algorithms),
            issuer=settings.issuer,
            audience=settings.audience,
            leeway=LEEWAY_SECONDS,
            options={
                "require": ["exp"],
                "verify_aud": settings.audience is not None,
                "verify_iat": False,
                "verify_sub": False,
                "verify_jti": False,
                "enforce_minimum_key_length": True,
            },
        )
        return {**claims, "exp": float(claims["exp"])}
