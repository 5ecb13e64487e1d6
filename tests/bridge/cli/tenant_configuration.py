"""A configuration of two tenants with one key for the first, and how a command is told of it and of a Redis."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import pytest
import redis
from typer.testing import Result

from tests.bridge.cli.running import run
from tests.end_to_end.configuration import key

CONFIGURATION = f"""
[tenants.acme]
stage = "drain"
share = 25
hosts = ["ACME.example.com"]
deprecated = 2026-12-01
dialect.reload = {{ cmd = "RELOAD_UI" }}

[tenants.other]

{key("acme web", "acme")}
"""

Command = Callable[..., Result]


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """The configuration as a file."""
    file = tmp_path / "bridge.toml"
    file.write_text(CONFIGURATION)
    return file


@pytest.fixture
def tenants(config: Path, redis_url: str, prefix: str) -> Command:
    """`aether-bridge tenants …` under that configuration, on the session's Redis."""

    def call(*arguments: str | Path, config: Path | None = config, say: str | bytes = b"") -> Result:
        options = ("--config", config) if config is not None else ()
        place = {"BRIDGE_PREFIX": prefix, "BRIDGE_REDIS_URL": redis_url}
        return run("tenants", *arguments, *options, say=say, environment=place)

    return call


class Stored:
    """What Redis holds of tenants under one prefix."""

    def __init__(self, client: redis.Redis, prefix: str) -> None:
        self.client = client
        self.prefix = prefix

    def version(self, tenant: str) -> str | None:
        """The version that running bridges look at."""
        return _text(self.client.hget(f"{self.prefix}:tenants", tenant))

    def ids(self, tenant: str) -> dict[str, str]:
        """The id map."""
        held = self.client.hgetall(f"{self.prefix}:tenant:{tenant}:ids")
        return {str(_text(v2_id)): str(_text(name)) for v2_id, name in held.items()}

    def write(self, tenant: str, *, ids: dict[str, str] | None = None, **fields: str | int) -> None:
        """As a command or a bridge would have written it."""
        self.client.hset(f"{self.prefix}:tenant:{tenant}", mapping=cast(Any, {"version": 1, **fields}))
        self.client.hset(f"{self.prefix}:tenants", tenant, "1")
        if ids:
            self.client.hset(f"{self.prefix}:tenant:{tenant}:ids", mapping=cast(Any, ids))


@pytest.fixture
def stored(redis_url: str, prefix: str) -> Stored:
    """What Redis holds under the test's prefix."""
    return Stored(redis.Redis.from_url(redis_url), prefix)


def _text(value: object) -> str | None:
    return value.decode() if isinstance(value, bytes) else None
