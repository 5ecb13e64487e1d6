"""Variables of the environment that must hold JSON, and do not."""

import pytest

from bridge.config.settings import SettingsError, load


@pytest.mark.parametrize(
    ("variable", "value", "example"),
    [
        ("BRIDGE_ALLOWED_ORIGINS", "https://hush", '["https://app.example.com"]'),
        ("BRIDGE_ALLOWED_ORIGINS", "", '["https://app.example.com"]'),
        ("BRIDGE_ALLOWED_ORIGINS", "[" * 100_000, '["https://app.example.com"]'),
        ("BRIDGE_TENANTS", "hush", '{"acme": {"stage": "bridge"}}'),
        ("BRIDGE_KEYS", "hush", '[{"name": "web", "sha256": "...", "tenants": ["acme"]}]'),
        ("BRIDGE_JWT", "hush", '{"issuer": "https://accounts.example.com"}'),
        ("BRIDGE_JWT__ALGORITHMS", "hush", '["RS256"]'),
        ("BRIDGE_TENANTS__ACME__HOSTS", "hush", '["acme.example.com"]'),
    ],
)
def test_the_variable_is_named_with_an_example(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, example: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(SettingsError) as refused:
        load()
    assert str(refused.value) == f"{variable}: write JSON, as in {example}"


def test_a_variable_without_an_example_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TENANTS__ACME__GUARD", "hush")
    with pytest.raises(SettingsError, match=r"^BRIDGE_TENANTS__ACME__GUARD: write JSON$"):
        load()


def test_a_member_of_a_table_can_be_a_plain_word(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_TENANTS__ACME__STAGE", "legacy")
    monkeypatch.setenv("BRIDGE_TENANTS__ACME__HOSTS", '["acme.example.com"]')
    assert load().known_tenants()["acme"].stage == "legacy"
