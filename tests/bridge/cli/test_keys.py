"""`aether-bridge keys new`."""

import hashlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from bridge.config.settings import load
from bridge.config.tables import Key
from bridge.handshake.authentication import Authentication
from bridge.tenants.tenant import Tenant
from tests.bridge.cli.running import run, sentence


def made(*options: str) -> tuple[str, dict[str, Any], str]:
    """The key, its table, and all of the table's text."""
    printed = run("keys", "new", *options).stdout
    (key,) = re.findall(r"aether_[A-Za-z0-9_-]{43}", printed)
    text = printed[printed.index("[[keys]]") :]
    (table,) = tomllib.loads(text)["keys"]
    return key, table, text


def test_the_table_knows_the_key_by_its_sha256_alone() -> None:
    key, table, text = made()
    assert table["sha256"] == hashlib.sha256(key.encode()).hexdigest()
    assert key not in text


def test_each_key_is_another() -> None:
    assert made()[0] != made()[0]


def test_what_is_asked_for_stands_in_the_table() -> None:
    _, table, _ = made("--name", 'a "web"', "--tenant", "acme", "--tenant", "*", "--broadcast", "platform", "--admin")
    expected = {"name": 'a "web"', "tenants": ["acme", "*"], "broadcast": "platform", "admin": True}
    assert {name: table[name] for name in expected} == expected


def test_without_options_it_opens_the_default_tenant_and_no_more() -> None:
    _, table, _ = made()
    assert (table["tenants"], table["broadcast"], table["admin"]) == (["default"], "tenant", False)
    assert Key.model_validate({**table, "tenants": ("default",)}).name == f"key {table['sha256'][:8]}"


async def test_a_bridge_with_the_table_admits_who_has_the_key(tmp_path: Path) -> None:
    key, _, text = made("--tenant", "acme")
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    identity = await Authentication(load(file), Tenant).identify([("api_key", key)])
    assert identity.tenant == "acme"


@pytest.mark.parametrize("tenant", ["a b", "", "x" * 65, "ä"])
def test_what_is_no_tenants_name_is_refused(tenant: str) -> None:
    assert "1 to 64 of A-Z a-z 0-9 _ -" in sentence(run("keys", "new", "--tenant", tenant))
