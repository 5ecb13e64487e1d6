"""The settings that are no tables."""

from pathlib import Path

import pytest

from bridge.budget.drain import OutboxBounds
from bridge.config.settings import SettingsError, load
from tests.bridge.config.conftest import Configure


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


def test_a_relative_data_dir_is_below_the_working_directory_however_it_is_given(
    configure: Configure, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    assert configure('data_dir = "file"').data_dir == tmp_path / "file"
    monkeypatch.setenv("BRIDGE_DATA_DIR", "./environment")
    assert load().data_dir == tmp_path / "environment"
    assert load(data_dir=Path("option")).data_dir == tmp_path / "option"


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
        pytest.param("@h/staging", "number of a database or nothing, as in redis://host:6379/0", id="no number of one"),
        pytest.param("p@ss/w@h/0", "in a password write / as %2F and @ as %40", id="a password that is a path"),
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


@pytest.mark.parametrize(
    ("text", "most_bytes"),
    [
        ("", 1_048_576),
        ("max_message_bytes = 4000000", 8_000_000),
        ("max_message_bytes = 4000000\noutbox_bytes = 5000000", 8_000_000),
        ("max_message_bytes = 4000000\noutbox_bytes = 9000000", 9_000_000),
        ("outbox_bytes = 4096", 131_072),
        ("max_message_bytes = 128\noutbox_bytes = 4096", 4_096),
    ],
)
def test_an_outbox_holds_at_least_two_of_the_largest_messages(configure: Configure, text: str, most_bytes: int) -> None:
    assert configure(text).outbox_bounds == OutboxBounds(most_bytes, 131_072)


def test_how_fast_an_outbox_drains_can_be_set_and_turned_off(configure: Configure) -> None:
    assert configure("outbox_drain_bytes_per_second = 1000").outbox_bounds.drain_bytes_per_second == 1_000
    assert configure("outbox_drain_bytes_per_second = 0").outbox_bounds.seconds == 0
