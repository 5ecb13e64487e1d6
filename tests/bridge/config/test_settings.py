import os
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.config.settings import Settings, SettingsError, load
from bridge.tenants.guard_rules import GuardRules

SHA = "0" * 64
OTHER_SHA = "1" * 64
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


def test_without_anything_the_bridge_is_open_on_loopback() -> None:
    settings = load()
    assert (settings.host, settings.port, settings.redis_url, settings.prefix) == ("127.0.0.1", 8000, None, "aether")
    assert settings.is_open
    assert settings.has_page
    assert list(settings.known_tenants()) == ["default"]


def test_the_limits_are_those_of_the_specification() -> None:
    settings = load()
    assert (settings.max_message_bytes, settings.messages_per_second, settings.burst) == (65_536, 100, 200)
    assert (settings.outbox_bytes, settings.drain_seconds, settings.moves_per_second) == (1_048_576, 5, 50)
    assert (settings.presence_seconds, settings.presence_events_members) == (3_600, 200)


def test_records_are_kept_for_five_weeks_unless_it_is_asked_otherwise(configure: Configure) -> None:
    settings = load()
    assert (settings.records, settings.census_days, settings.census_clients) == (True, 35, 100_000)
    settings = configure("records = false\ncensus_days = 400\ncensus_clients = 100")
    assert (settings.records, settings.census_days, settings.census_clients) == (False, 400, 100)


def test_records_can_be_turned_off_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_RECORDS", "false")
    monkeypatch.setenv("BRIDGE_CENSUS_DAYS", "7")
    assert (load().records, load().census_days) == (False, 7)


def test_a_tenant_has_the_guards_that_its_table_names(configure: Configure) -> None:
    settings = configure(
        "[tenants.acme]\nguard.stashed_percent = 5\nguard.quiet_days = 0.5\n"
        "[tenants.other.guard]\nrefusals_per_minute = 30\n[tenants.free]\n"
    )
    tenants = settings.known_tenants()
    assert tenants["acme"].guard == GuardRules(stashed_percent=5, quiet_days=0.5)
    assert tenants["other"].guard == GuardRules(refusals_per_minute=30)
    assert not tenants["free"].guard.any


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


def test_a_tenant_starts_as_it_is_configured(configure: Configure) -> None:
    acme = configure(EXAMPLE).known_tenants()["acme"]
    assert (acme.name, acme.stage, acme.share, acme.v2_routing) == ("acme", "drain", 40, "group")
    assert (acme.hosts, acme.deprecated, acme.sunset) == (("acme.example.com",), date(2026, 12, 1), date(2027, 6, 30))
    assert acme.dialect.commands == {"reload": "RELOAD_UI"}
    assert acme.dialect.said_as["msg"] == "caption"


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


def test_a_relative_data_dir_is_below_the_working_directory_however_it_is_given(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert configure('data_dir = "file"').data_dir == tmp_path / "file"
    monkeypatch.setenv("BRIDGE_DATA_DIR", "./environment")
    assert load().data_dir == tmp_path / "environment"
    assert load(data_dir=Path("option")).data_dir == tmp_path / "option"


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
        pytest.param("prot = 8000", "prot: Extra inputs", id="an unknown setting"),
        pytest.param("port = 70000", "port: ", id="a port that is none"),
        pytest.param('port = "http"', "port: ", id="a port that is a word"),
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
        pytest.param("[tenants.a]\nsunrise = 2026-01-01", "tenants.a.sunrise: Extra", id="an unknown field"),
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
        pytest.param("[tenants.acme]\nguard.quiet_weeks = 1", "tenants.acme.guard.quiet_weeks: Extra", id="no guard"),
        pytest.param("port = ", "bridge.toml: ", id="no TOML"),
        pytest.param("port = 1\nport = 2", "bridge.toml: ", id="a setting twice"),
    ],
)
def test_a_mistake_is_named_in_a_sentence(configure: Configure, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as caught:
        configure(text)
    assert sentence in str(caught.value)
    assert "pydantic" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "exactly one of secret", id="no key"),
        pytest.param(f'secret = "{"s" * 32}"\njwks_url = "http://x"', "exactly one of secret", id="two keys"),
        pytest.param('secret = "short"', "at least 32 bytes", id="a short secret"),
        pytest.param(f'algorithms = ["HS512"]\nsecret = "{"s" * 63}"', "at least 64 bytes", id="short for HS512"),
        pytest.param(
            f'algorithms = ["HS256", "HS384"]\nsecret = "{"s" * 32}"', "at least 48 bytes", id="short for one of two"
        ),
        pytest.param(f'algorithms = ["RS256"]\nsecret = "{"s" * 32}"', "HS algorithms need a secret", id="RS, secret"),
        pytest.param('algorithms = ["HS256"]\njwks_url = "http://x"', "HS algorithms need a secret", id="HS, public"),
        pytest.param('algorithms = ["HS256", "RS256"]\njwks_url = "http://x"', "one kind only", id="both kinds"),
        pytest.param('algorithms = []\njwks_url = "http://x"', "HS algorithms need a secret", id="no algorithm"),
        pytest.param('algorithms = ["none"]\njwks_url = "http://x"', "jwt.algorithms.0: ", id="alg none"),
        pytest.param('algorithms = ["RS256", "none"]\njwks_url = "http://x"', "jwt.algorithms.1: ", id="alg none too"),
        pytest.param('algorithms = ["hs256"]\njwks_url = "http://x"', "jwt.algorithms.0: ", id="no algorithm's name"),
        pytest.param(f'algorithm = "HS256"\nsecret = "{"s" * 32}"', "jwt.algorithm: Extra", id="an unknown field"),
    ],
)
def test_tokens_are_believed_by_one_kind_of_key_that_is_long_enough(
    configure: Configure, text: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        configure(f"[jwt]\n{text}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "EdDSA"])
def test_public_keys_may_come_from_an_address(configure: Configure, algorithm: str) -> None:
    settings = configure(f'[jwt]\nalgorithms = ["{algorithm}"]\njwks_url = "https://accounts.example.com/jwks"')
    assert settings.jwt is not None
    assert settings.jwt.algorithms == (algorithm,)


def test_a_public_key_may_come_from_a_file_that_holds_one(configure: Configure, tmp_path: Path) -> None:
    file, table = tmp_path / "key.pem", f'[jwt]\nalgorithms = ["RS256"]\npublic_key_file = "{tmp_path / "key.pem"}"'
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).public_key()
    file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert configure(table).jwt is not None
    file.write_text("no key")
    with pytest.raises(SettingsError, match=r"^jwt: .*key\.pem holds no PEM public key for RS256$"):
        configure(table)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('redis_url = "nonsense://nowhere"', "redis_url: Redis URL must specify"),
        ('jwt_secret = "a secret without a table"', "there is no [jwt]"),
        (
            '[jwt]\nalgorithms = ["RS256"]\npublic_key_file = "nowhere.pem"',
            "jwt: public_key_file: nowhere.pem is no file",
        ),
    ],
)
def test_what_could_never_work_is_refused_at_the_start(configure: Configure, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        configure(text)
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("end", "sentence"),
    [
        pytest.param("@h/0?foo=bar", "no option 'foo'", id="an unknown option"),
        pytest.param("@h/0?db=1&protocol=9", "no option 'protocol'", id="a value out of bounds"),
        pytest.param("@h/0?max_connections=-1", "no option 'max_connections'", id="a number below 0"),
        pytest.param("@h/0?ssl_cert_reqs=none", "no option 'ssl_cert_reqs'", id="TLS where there is none"),
        pytest.param("@h/0?retry=3", "no option 'retry'", id="an option that no text can be"),
        pytest.param("@h/0?socket_timeout=abc", "'socket_timeout'", id="no number"),
        pytest.param("@h:port/0", "host and port cannot be read", id="no port"),
        pytest.param("#/@h/0", "in a password write / as %2F and # as %23", id="a password that ends the host"),
    ],
)
def test_an_address_of_which_no_connection_can_be_made_is_refused_without_its_password(end: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        load(redis_url=f"redis://u:hush{end}")
    assert str(refused.value).startswith("redis_url: ")
    assert sentence in str(refused.value)
    assert "hush" not in str(refused.value)


@pytest.mark.parametrize(
    "redis_url",
    [
        "redis://u:hush@127.0.0.1:6379/0?socket_keepalive=yes&client_name=me",
        "rediss://redis.example.com?ssl_cert_reqs=none&ssl_ca_certs=/etc/ca.pem",
        "unix:///run/redis.sock?db=1",
    ],
)
def test_an_address_may_have_the_options_of_redis_py(redis_url: str) -> None:
    assert load(redis_url=redis_url).redis_url == redis_url


def test_every_mistake_is_named_at_once(configure: Configure) -> None:
    with pytest.raises(SettingsError) as caught:
        configure("prot = 1\nport = -1\nburst = 0")
    assert len(str(caught.value).splitlines()) == 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="no such file"):
        load(tmp_path / "nothing.toml")


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
