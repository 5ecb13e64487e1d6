"""Keys and tokens as clients send them, good and forged, and who is asked what they are worth."""

import base64
import hashlib
import hmac
import json
import time
from typing import Any

import jwt
import pytest

from bridge.config.settings import Settings
from bridge.config.tables import Grant, Jwt, Key
from bridge.handshake.authentication import Authentication
from bridge.handshake.tokens import NotAdmitted
from bridge.tenants.tenant import Tenant

SECRET = "a secret of exactly 32 bytes, yes"
ISSUER = "https://accounts.example.com"
TENANTS = ("acme", "beta", "default", "hidden")
A_DAY = 86_400
HS256: dict[str, Any] = {"alg": "HS256", "typ": "JWT"}


def key(text: str, *tenants: str, broadcast: Grant = "tenant", admin: bool = False) -> Key:
    digest = hashlib.sha256(text.encode()).hexdigest()
    return Key(name=f"the key {text}", sha256=digest, tenants=tenants, broadcast=broadcast, admin=admin)


KEYS = (
    key("one", "acme"),
    key("two", "acme", "beta", broadcast="none"),
    key("all", "*", broadcast="platform", admin=True),
    key("lost", "gone"),
)


def admission(tokens: dict[str, Any] | None = None, keys: tuple[Key, ...] = KEYS) -> Authentication:
    """With these keys, of tenants that are known but for `gone`; `tokens` is the table of `[jwt]`."""
    settings = Settings(keys=keys, jwt=None if tokens is None else Jwt(**tokens))
    return Authentication(settings, lambda name: Tenant(name) if name in TENANTS else None)


def strict(**more: Any) -> Authentication:
    return admission({"secret": SECRET, "issuer": ISSUER, "audience": "aether", **more})


def query(**fields: str) -> list[tuple[str, str]]:
    return list(fields.items())


def claims(**more: Any) -> dict[str, Any]:
    return {"exp": int(time.time()) + A_DAY, "iss": ISSUER, "aud": "aether", "account_id": "acme", **more}


def without(name: str) -> dict[str, Any]:
    return {field: value for field, value in claims().items() if field != name}


def base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def forged(header: Any, payload: Any, secret: bytes = SECRET.encode(), digest: str = "sha256") -> str:
    """A token made by hand, so that nothing of what is wrong with it is mended on the way."""
    parts = [base64url(part if isinstance(part, bytes) else json.dumps(part).encode()) for part in (header, payload)]
    return ".".join([*parts, base64url(hmac.digest(secret, ".".join(parts).encode(), digest))])


def token(payload: dict[str, Any], headers: dict[str, Any] | None = None) -> str:
    return jwt.encode(payload, SECRET, "HS256", headers)


async def tenant_of(door: Authentication, *sent: tuple[str, str]) -> str:
    return (await door.identify(sent)).tenant


async def refused(door: Authentication, *sent: tuple[str, str]) -> str:
    with pytest.raises(NotAdmitted) as caught:
        await door.identify(sent)
    return caught.value.code
