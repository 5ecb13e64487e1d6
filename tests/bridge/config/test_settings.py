from pathlib import Path

import pytest

from bridge.config.settings import SettingsError, load
from tests.bridge.config.conftest import EXAMPLE, SHA, Configure

OTHER_SHA = "1" * 64


def test_without_anything_the_bridge_is_open_on_loopback() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.redis_url, settings.prefix) == ("127.0.0.1", 8000, None, "aether")
    assert settings.is_open
    assert settings.has_page
    assert list(settings.known_tenants()) == ["default"]


def test_the_example_of_the_specification_is_read(configure: Configure) -> None:
    settings = configure(EXAMPLE)
    assert (settings.prefix, settings.allowed_origins, settings.burst) == ("staging", ("https://example.com",), 5)
    assert not settings.is_open
    assert not settings.has_page
    (key,) = settings.keys
    assert (key.name, key.sha256, key.tenants, key.broadcast, key.admin) == (
        "acme web",
        SHA,
        ("acme",),
        "platform",
        True,
    )
    assert settings.jwt is not None
    assert (settings.jwt.issuer, settings.jwt.audience) == ("https://accounts.example.com", "aether")
    assert (settings.jwt.account_claim, settings.jwt.client_claim) == ("account", "sub")


def test_every_tenant_that_is_named_anywhere_is_known(configure: Configure) -> None:
    settings = configure(
        f'v2_anonymous_tenant = "old"\n[tenants.acme]\n[[keys]]\nname = "k"\nsha256 = "{SHA}"\ntenants = ["a", "*"]'
    )
    assert list(settings.known_tenants()) == ["a", "acme", "old"]
    assert settings.known_tenants()["a"].stage == "bridge"


def test_the_command_line_wins_over_the_environment_which_wins_over_the_file(
    configure: Configure, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BRIDGE_PORT", "2")
    monkeypatch.setenv("BRIDGE_BURST", "2")
    settings = configure("port = 1\nburst = 1\nmessages_per_second = 1", port=3, burst=None)
    assert (settings.port, settings.burst, settings.messages_per_second) == (3, 2, 1)


def test_tables_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_KEYS", f'[{{"name":"k","sha256":"{SHA}","tenants":["acme"]}}]')
    monkeypatch.setenv("BRIDGE_TENANTS", '{"acme":{"stage":"legacy"}}')
    monkeypatch.setenv("BRIDGE_ALLOWED_ORIGINS", '["https://a.example"]')
    settings = load()
    assert settings.known_tenants()["acme"].stage == "legacy"
    assert settings.keys[0].broadcast == "tenant"
    assert settings.allowed_origins == ("https://a.example",)


def test_the_secret_of_tokens_can_stay_out_of_the_file(configure: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_JWT_SECRET", "e" * 32)
    for text in ('[jwt]\nissuer = "x"', f'[jwt]\nsecret = "{"s" * 32}"'):
        settings = configure(text)
        assert settings.jwt is not None
        assert settings.jwt.secret is not None
        assert settings.jwt.secret.get_secret_value() == "e" * 32


def test_a_secret_is_never_shown(configure: Configure) -> None:
    settings = configure(EXAMPLE)
    assert "s" * 32 not in repr(settings) + str(settings) + settings.model_dump_json()


def test_settings_are_frozen() -> None:
    with pytest.raises(ValueError, match="frozen"):
        load().port = 1  # type: ignore[misc]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("prot = 8000", "prot: there is no such setting here", id="an unknown setting"),
        pytest.param("port = 70000", "port: ", id="a port that is none"),
        pytest.param('port = "http"', "port: ", id="a port that is a word"),
        pytest.param('allowed_origins = "https://a.example"', "allowed_origins: write a list", id="no list"),
        pytest.param("burst = 0", "burst: ", id="no burst"),
        pytest.param("messages_per_second = -1", "messages_per_second: ", id="a negative rate"),
        pytest.param("max_message_bytes = 10", "max_message_bytes: ", id="no message fits"),
        pytest.param('prefix = "a b"', "prefix: ", id="a prefix with a blank"),
        pytest.param('prefix = "a{b}"', "prefix: ", id="a prefix with braces"),
        pytest.param('v2_anonymous_tenant = "a:b"', "a tenant's name is 1 to 64", id="a bad anonymous tenant"),
        pytest.param('[tenants."a b"]', "a tenant's name is 1 to 64", id="a bad tenant"),
        pytest.param(f"[tenants.{'x' * 65}]", "a tenant's name is 1 to 64", id="a long tenant"),
        pytest.param('[tenants.a]\nstage = "live"', "tenants.a.stage: ", id="an unknown stage"),
        pytest.param("[tenants.a]\nshare = 101", "tenants.a.share: ", id="a share over 100"),
        pytest.param('[tenants.a]\nv2_routing = "all"', "tenants.a.v2_routing: ", id="an unknown routing"),
        pytest.param("[tenants.a]\nsunset = 1", "tenants.a.sunset: ", id="a sunset that is no date"),
        pytest.param(
            "[tenants.a]\nsunrise = 2026-01-01",
            "tenants.a.sunrise: there is no such setting here",
            id="an unknown field",
        ),
        pytest.param('[tenants.a.dialect]\nto = {cmd = "A"}', "tenants.a.dialect: dialect.to", id="a word of V2"),
        pytest.param(
            '[tenants.a.dialect]\nx = {cmd = "A"}\ny = {cmd = "A"}',
            "give one of them `speak = false`",
            id="a collision",
        ),
        pytest.param("[tenants.a.dialect]\nx = {}", "either `cmd` or `field`", id="an empty rule"),
        pytest.param(
            '[tenants.a]\nhosts = ["x.example"]\n[tenants.b]\nhosts = ["X.example"]',
            "two tenants claim the same host",
            id="a doubled host",
        ),
        pytest.param('[[keys]]\nname = "k"\nsha256 = "abc"\ntenants = ["a"]', "keys.0.sha256: ", id="no hash"),
        pytest.param(f'[[keys]]\nname = "k"\nsha256 = "{SHA}"\ntenants = []', "keys.0.tenants: ", id="no tenants"),
        pytest.param(
            f'[[keys]]\nname = "k"\nsha256 = "{SHA}"\ntenants = ["a*"]', "a tenant's name is 1 to 64", id="a pattern"
        ),
        pytest.param(
            f'[[keys]]\nname = "k"\nsha256 = "{SHA}"\ntenants = ["a"]\nkey = "aether_x"',
            "keys.0.key: ",
            id="the key itself",
        ),
        pytest.param(
            f'[[keys]]\nname="a"\nsha256="{SHA}"\ntenants=["a"]\n[[keys]]\nname="b"\nsha256="{SHA}"\ntenants=["b"]',
            "two keys have the same sha256",
            id="a doubled key",
        ),
        pytest.param("census_days = 0", "census_days: ", id="a census of no days"),
        pytest.param("census_days = 401", "census_days: ", id="a census of too many days"),
        pytest.param("census_clients = 99", "census_clients: ", id="a census of too few"),
        pytest.param('records = "perhaps"', "records: ", id="records that are neither"),
        pytest.param("[tenants.acme]\nguard.stashed_percent = 101", "tenants.acme.guard.stashed_percent: ", id="101 %"),
        pytest.param("[tenants.acme]\nguard.quiet_days = 0", "tenants.acme.guard.quiet_days: ", id="no quiet days"),
        pytest.param(
            "[tenants.acme]\nguard.quiet_weeks = 1",
            "tenants.acme.guard.quiet_weeks: there is no such setting here",
            id="no guard",
        ),
        pytest.param("port = ", "bridge.toml: ", id="no TOML"),
        pytest.param("port = 1\nport = 2", "bridge.toml: ", id="a setting twice"),
    ],
)
def test_a_mistake_is_named_in_a_sentence(configure: Configure, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        configure(text)
    assert sentence in str(caught.value)
    assert "pydantic" not in str(caught.value)


def test_every_mistake_is_named_at_once(configure: Configure) -> None:
    with pytest.raises(SettingsError) as caught:
        configure("prot = 1\nport = -1\nburst = 0")
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load(tmp_path / "nothing.toml")


def test_a_folder_where_the_file_should_be_is_named_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=f"{tmp_path}: this is a folder.*remove it.*bridge.example.toml"):
        load(tmp_path)


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "loop.toml").symlink_to("loop.toml")  # root may read everything else
    with pytest.raises(SettingsError, match=r"loop\.toml: .*this user must be able to read it"):
        load(tmp_path / "loop.toml")


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "example.com"])  # noqa: S104 - it must be refused
def test_an_open_bridge_listens_on_loopback_alone(configure: Configure, host: str) -> None:
    with pytest.raises(SettingsError, match=r"no keys are configured.*keys new.*open_admission"):
        load(host=host)
    assert load(host=host, open_admission=True).is_open
    keys = f'[[keys]]\nname = "k"\nsha256 = "{OTHER_SHA}"\ntenants = ["acme"]'
    assert not configure(keys, host=host).is_open


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost"])
def test_loopback_has_several_names(host: str) -> None:
    assert load(host=host).host == host


def test_the_page_can_be_asked_for_and_turned_off(configure: Configure) -> None:
    keys = f'[[keys]]\nname = "k"\nsha256 = "{OTHER_SHA}"\ntenants = ["acme"]'
    assert configure("page = true\n" + keys).has_page
    assert not load(page=False).has_page
