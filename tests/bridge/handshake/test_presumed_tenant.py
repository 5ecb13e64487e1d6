"""The tenant of a refused client: what its key, its account and its host tell, and nothing where nothing does."""

from __future__ import annotations

import hashlib

import pytest

from bridge.config.settings import Settings
from bridge.handshake import presumed_tenant
from bridge.handshake.authentication import Authentication
from bridge.handshake.presumed_tenant import PresumedTenant
from bridge.tenants.tenant import Tenant
from tests.bridge.handshake.credentials import KEYS
from tests.bridge.handshake.test_v2 import asked
from tests.bridge.population import table_of

ACME, OTHER = Tenant("acme", hosts=("acme.example.com",)), Tenant("other")


def presumed(*tenants: Tenant) -> PresumedTenant:
    table = table_of(*tenants)
    return PresumedTenant(Authentication(Settings(keys=KEYS), table.get), table)


@pytest.mark.parametrize(
    ("query", "host", "tenant"),
    [
        ({"api_key": "one"}, "", "acme"),
        ({"api_key": "one", "x_account_id": "other"}, "", "acme"),
        ({"api_key": "all", "x_account_id": "other"}, "", "other"),
        ({"api_key": "two", "x_account_id": "other"}, "", ""),
        ({"api_key": "lost"}, "", ""),
        ({"api_key": "wrong", "x_account_id": "other"}, "", "other"),
        ({"api_key": "wrong", "x_account_id": "nobody's"}, "", ""),
        ({"api_key": "wrong"}, "acme.example.com:443", "acme"),
        ({}, "acme.example.com", "acme"),
        ({"api_key": "wrong"}, "elsewhere.example.com", ""),
    ],
)
def test_what_a_request_tells_of_its_tenant(query: dict[str, str], host: str, tenant: str) -> None:
    assert presumed(ACME, OTHER).of(asked(host, **query)) == tenant


def test_where_there_is_one_tenant_it_is_that_one() -> None:
    assert presumed(ACME).of(asked(api_key="wrong")) == "acme"


def digest(api_key: bytes) -> str:
    return hashlib.sha256(api_key).hexdigest()


def test_a_key_that_is_revoked_since_tells_whom_it_let_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(presumed_tenant, "MOST_KEYS", 1)
    known = presumed(ACME, OTHER)
    known.admitted(digest(b"revoked"), "other")
    known.admitted("", "acme")
    assert known.of(asked(api_key="revoked")) == "other"
    known.admitted(digest(b"newer"), "acme")
    assert known.of(asked(api_key="revoked")) == ""
