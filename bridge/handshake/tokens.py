"""Verifies JSON Web Tokens (RFC 7519) and returns their claims. It knows no API keys and no tenants.

Only the configured algorithms and keys verify a token. Nothing is fetched from a place that a token's header names: a
token with a key in its header, or with the URL of one, is refused.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

import jwt
from jwt.algorithms import AllowedPublicKeys
from jwt.exceptions import PyJWTError

from bridge.config.tables import Jwt
from bridge.handshake.key_cache import KeyCache

LEEWAY_SECONDS: Final = 10
MAX_TOKEN_CHARACTERS: Final = 8_192
"""As long as the line of an HTTP request may be. Socket.IO's CONNECT packet could carry a longer token."""
KEYS_IN_HEADERS: Final = frozenset({"jku", "jwk", "x5u", "x5c"})

Code = Literal["unauthenticated", "forbidden"]
Claims = Mapping[str, Any]


class NotAdmitted(Exception):
    """Credentials are refused. `code`: one of the closed list of refusals."""

    def __init__(self, code: Code) -> None:
        super().__init__(code)
        self.code: Final = code


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
            raise NotAdmitted("unauthenticated")
        try:
            header = jwt.get_unverified_header(token)
            if not KEYS_IN_HEADERS.isdisjoint(header):
                raise NotAdmitted("unauthenticated")
            key = self._key if self._fetched is None else await self._fetched.key(header.get("kid"))
            if key is None:
                raise NotAdmitted("unauthenticated")
            return self._verify(token, key)
        except (PyJWTError, ValueError, TypeError, OverflowError, RecursionError):
            raise NotAdmitted("unauthenticated") from None

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
                "enforce_minimum_key_length": True,
            },
        )
        return {**claims, "exp": float(claims["exp"])}
