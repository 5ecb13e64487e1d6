"""Pieces of a bridge.toml for tests, and the credentials that fit them. The keys open nothing outside a test."""

from __future__ import annotations

import hashlib
import time
from typing import Any

import jwt

QUIET = "presence_events_members = 0\n"
"""Nobody hears JOIN and LEAVE, so that the next frame is the one that a test is about."""

UNHURRIED = "messages_per_second = 0\n"
"""No rate, for tests that say much at once."""

SECRET = "a secret of tests alone, long enough to be one"


def key(name: str, *tenants: str, broadcast: str = "tenant") -> str:
    """One `[[keys]]`; what a client sends is `api_key(name)`."""
    digest = hashlib.sha256(api_key(name).encode()).hexdigest()
    return f'[[keys]]\nname = "{name}"\nsha256 = "{digest}"\ntenants = {list(tenants)}\nbroadcast = "{broadcast}"\n'


def api_key(name: str) -> str:
    """The key in the hands of a client."""
    return f"key-of-{name}"


def with_key(name: str) -> str:
    """The query of a client that has a key and nothing else."""
    return f"api_key={api_key(name)}"


def token(secret: Any = SECRET, algorithm: str = "HS256", headers: dict[str, Any] | None = None, **claims: Any) -> str:
    """A jwt; `exp` is in a minute unless given, and missing where it is given as `None`."""
    filled = {"exp": int(time.time()) + 60, **claims}
    present = {name: value for name, value in filled.items() if value is not None}
    return jwt.encode(present, secret, algorithm, headers)
