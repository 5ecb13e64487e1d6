"""What the doctor says about the settings."""

from pathlib import Path
from typing import Any

import pytest

from bridge.cli.checks import configuration
from bridge.cli.checks.finding import Finding
from bridge.config.settings import load
from tests.end_to_end.configuration import SECRET, key


@pytest.fixture
def findings(tmp_path: Path) -> Any:
    def look(text: str) -> list[Finding]:
        file = tmp_path / "bridge.toml"
        file.write_text(text)
        return list(configuration.look(load(file)))

    return look


def sayings(findings: list[Finding], check: str, level: str) -> list[str]:
    """What is said about one check at one level."""
    return [finding.said for finding in findings if (finding.check, finding.level) == (check, level)]


def test_without_keys_it_is_said_who_is_let_in(findings: Any) -> None:
    assert sayings(findings(""), "admission", "warn") == ["no keys: everyone who reaches 127.0.0.1 is let in"]


def test_open_beyond_this_machine_is_said(findings: Any) -> None:
    (said,) = sayings(findings('host = "0.0.0.0"\nopen_admission = true'), "admission", "warn")
    assert "not this machine alone" in said


def test_with_keys_all_is_well_but_origins(findings: Any) -> None:
    found = findings(key("web", "acme"))
    assert [finding.check for finding in found if finding.level != "ok"] == ["allowed_origins"]


def test_named_origins_are_well(findings: Any) -> None:
    found = findings('allowed_origins = ["https://a.example"]\n' + key("web", "acme"))
    assert sayings(found, "allowed_origins", "ok") == ["web pages of https://a.example alone"]


def test_a_key_for_all_of_no_tenants_is_said(findings: Any) -> None:
    (said,) = sayings(findings(key("all", "*")), "tenants", "warn")
    assert "none is configured" in said


def test_a_tenant_without_a_table_is_said_where_others_have_one(findings: Any) -> None:
    assert sayings(findings("[tenants.acme]\n" + key("web", "acme", "acmee")), "tenants", "warn") == [
        "named by a key or by v2_anonymous_tenant, and without a table: acmee"
    ]


def test_a_tenant_that_no_key_opens_is_said(findings: Any) -> None:
    found = findings("[tenants.acme]\n[tenants.other]\n" + key("web", "acme"))
    assert sayings(found, "tenants", "warn") == ["opened by no key: other"]
    assert not sayings(findings("[tenants.other]\n" + key("web", "*")), "tenants", "warn")
    assert not sayings(findings("[tenants.other]\n"), "tenants", "warn")


def test_keys_of_one_name_are_said(findings: Any) -> None:
    found = findings(key("web", "acme") + key("app", "acme").replace('"app"', '"web"'))
    assert sayings(found, "keys", "warn") == ["several are called 'web': logs cannot tell them apart"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "let in"),
        (key("web", "acme"), "refused: set v2_anonymous_tenant to let them in"),
        ('v2_anonymous_tenant = "acme"\n' + key("web", "acme"), "let in: to acme"),
        ('[tenants.acme]\nhosts = ["a.example"]\n' + key("web", "acme"), "let in: by host to acme"),
    ],
)
def test_it_is_said_where_v2_clients_without_credentials_go(findings: Any, text: str, said: str) -> None:
    assert sayings(findings(text), "v2 without key", "ok") == [said]


def jwt(source: str, rest: str = 'issuer = "me"\naudience = "aether"') -> str:
    return f"{key('web', 'acme')}\n[jwt]\n{source}\n{rest}\n"


def test_tokens_that_are_checked_whole_are_well(findings: Any) -> None:
    found = findings(jwt(f'secret = "{SECRET}"'))
    assert not sayings(found, "jwt", "warn")
    assert sayings(found, "jwt", "ok") == ["HS256; the tenant is in the claim account_id"]


def test_tokens_of_any_issuer_are_said(findings: Any) -> None:
    assert sayings(findings(jwt(f'secret = "{SECRET}"', "")), "jwt", "warn") == ["issuer or audience is not checked"]


def test_keys_fetched_in_the_clear_are_said(findings: Any) -> None:
    found = findings(jwt('algorithms = ["RS256"]\njwks_url = "http://accounts.example/jwks"'))
    assert sayings(found, "jwt", "warn") == ["http://accounts.example/jwks is not fetched over https"]


def test_a_password_in_the_address_of_keys_is_not_shown(findings: Any) -> None:
    found = findings(jwt('algorithms = ["RS256"]\njwks_url = "http://user:hush@accounts.example/jwks?api_key=hush"'))
    assert sayings(found, "jwt", "warn") == ["http://accounts.example/jwks? is not fetched over https"]
    assert "hush" not in repr(found)


def test_it_is_said_that_who_has_no_credentials_takes_no_id_where_tokens_prove_them(findings: Any) -> None:
    claim = f'[jwt]\nsecret = "{SECRET}"\nclient_claim = "sub"\n'
    said = "by client_claim ids are a token's: who has none may name no id in acme, and is given one"
    found = findings('v2_anonymous_tenant = "acme"\n' + key("web", "acme") + claim)
    assert said in sayings(found, "v2 without key", "ok")
    elsewhere = findings('v2_anonymous_tenant = "visitors"\n[tenants.visitors]\n' + key("web", "acme") + claim)
    assert len(sayings(elsewhere, "v2 without key", "ok")) == 1


def test_it_is_said_how_much_may_wait_for_a_connection(findings: Any) -> None:
    said = "bytes may wait for a connection, up to 4 times that while it drains"
    assert sayings(findings(""), "outboxes", "ok") == [f"1048576 {said}"]
    assert sayings(findings("max_message_bytes = 4000000"), "outboxes", "ok") == [f"8000000 {said}"]
    told = f"8000000 {said}: outbox_bytes = 65536 holds less than two messages"
    assert sayings(findings("max_message_bytes = 4000000\noutbox_bytes = 65536"), "outboxes", "warn") == [told]


def test_it_is_said_where_all_outboxes_hold_less_than_one(findings: Any) -> None:
    found = findings("outbox_bytes = 100_000_000")
    assert sayings(found, "outboxes", "warn") == ["outboxes_bytes = 134217728 is less than one connection may hold"]


def test_it_is_said_what_a_tenant_may_have_and_who_has_other_limits(findings: Any) -> None:
    (said,) = sayings(findings("[tenants.acme]\n[tenants.other]\n" + key("web", "acme", "other")), "limits", "ok")
    assert "its share of connections, 200 handshakes and any messages a second" in said
    assert said.endswith("own: none")
    text = "max_connections_per_tenant = 7\n[tenants.acme]\nmax_connections = 3\n[tenants.other]\nbudget.messages = 9\n"
    (said,) = sayings(findings(text + key("web", "acme", "other")), "limits", "ok")
    assert "7 connections" in said
    assert said.endswith("own: acme, other")


def test_a_bound_of_a_tenant_that_bounds_nothing_is_said(findings: Any) -> None:
    text = "max_connections = 3\n[tenants.acme]\nmax_connections = 4\n[tenants.other]\nmax_connections = 3\n"
    (said,) = sayings(findings(text + key("web", "acme", "other")), "limits", "warn")
    assert said == "max_connections is no limit for acme"
