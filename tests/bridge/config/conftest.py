"""What the tests of the configuration share: a file of settings, and an environment without any."""

import os
from pathlib import Path
from typing import Any

import pytest

from bridge.config.settings import Settings, load

SHA = "0" * 64
EXAMPLE = f"""
prefix = "staging"
allowed_origins = ["https://example.com"]
v2_anonymous_tenant = "acme"
burst = 5

[tenants.acme]
stage = "drain"
share = 40
v2_routing = "group"
hosts = ["Acme.Example.com"]
deprecated = 2026-12-01
sunset = 2027-06-30
dialect.reload = {{ cmd = "RELOAD_UI" }}
dialect.caption = {{ field = "msg" }}

[[keys]]
name = "acme web"
sha256 = "{SHA}"
tenants = ["acme"]
broadcast = "platform"
admin = true

[jwt]
algorithms = ["HS256"]
secret = "{"s" * 32}"
issuer = "https://accounts.example.com"
audience = "aether"
account_claim = "account"
client_claim = "sub"
"""


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith("BRIDGE_"):
            monkeypatch.delenv(name)


class Configure:
    """Settings from the text of a file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __call__(self, text: str, **given: Any) -> Settings:
        self.path.write_text(text, encoding="utf-8")
        return load(self.path, **given)


@pytest.fixture
def configure(tmp_path: Path) -> Configure:
    return Configure(tmp_path / "bridge.toml")
