"""What a configuration that is read anew may change, and what of it a hash tells."""

from pathlib import Path
from typing import Any

import pytest

from bridge.config.reload import NEEDS_RESTART, RELOADABLE, Configuration, Source, changed, hash_of, read_anew
from bridge.config.settings import Settings, SettingsError, load
from bridge.tenants.tenant import Stage

KEY = '[[keys]]\nname = "web"\nsha256 = "%s"\ntenants = ["acme"]\n'
FILE = KEY % ("0" * 64)
SECRET = "a secret of tests alone, long enough"


def settings_in(tmp_path: Path, text: str, **given: Any) -> tuple[Source, Settings]:
    file = tmp_path / "bridge.toml"
    file.write_text(text)
    return Source(file, given), load(file, **given)


def anew(source: Source, text: str, now: Settings) -> Configuration:
    assert source.file is not None
    source.file.write_text(text)
    return read_anew(source, now)


def test_each_setting_is_either_reloadable_or_needs_a_restart() -> None:
    assert Settings.model_fields.keys() == RELOADABLE | NEEDS_RESTART
    assert not RELOADABLE & NEEDS_RESTART


def test_what_is_reloadable_is_taken_and_what_needs_a_restart_is_named_and_stays(tmp_path: Path) -> None:
    source, now = settings_in(tmp_path, FILE)
    other = 'burst = 7\nport = 9000\nprefix = "other"\nworkers = 3\nrecords = false\n[tenants.beta]\n'
    configuration = anew(source, other + FILE, now)
    assert configuration.needs_restart == ("port", "prefix", "records", "workers")
    after = configuration.settings
    assert (after.burst, after.port, after.prefix, after.workers, after.records) == (7, 8000, "aether", 1, True)
    assert sorted(configuration.tenants) == ["acme", "beta"]
    assert changed(now, after) == ("burst", "tenants")


def test_the_command_line_wins_over_the_file_again(tmp_path: Path) -> None:
    source, now = settings_in(tmp_path, FILE, port=9001)
    assert anew(source, "port = 1\n" + FILE, now).needs_restart == ()


def test_the_environment_wins_over_the_file_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("BRIDGE_BURST", "9")
    source, now = settings_in(tmp_path, FILE)
    assert anew(source, "burst = 7\n" + FILE, now).settings.burst == 9


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("burst = 'many'\n" + FILE, id="a value of another kind"),
        pytest.param("brust = 7\n" + FILE, id="a name that is none"),
        pytest.param("burst = \n" + FILE, id="no TOML"),
        pytest.param(FILE + FILE, id="a key twice"),
        pytest.param("[tenants.'a b']\n" + FILE, id="a tenant's name"),
        pytest.param("[tenants.acme]\ndialect.a = {cmd = 'X'}\ndialect.b = {cmd = 'X'}\n" + FILE, id="a dialect"),
        pytest.param("[jwt]\nsecret = 'short'\n" + FILE, id="a secret"),
        pytest.param("", id="no key any more"),
    ],
)
def test_a_file_with_a_mistake_is_refused_whole(tmp_path: Path, text: str) -> None:
    source, now = settings_in(tmp_path, FILE)
    with pytest.raises(SettingsError):
        anew(source, text, now)


def test_a_bridge_that_asks_for_keys_is_not_opened_but_an_open_one_may_ask_for_them(tmp_path: Path) -> None:
    source, now = settings_in(tmp_path, "")
    assert not anew(source, FILE, now).settings.is_open


def test_what_contradicts_a_setting_that_stays_is_refused(tmp_path: Path) -> None:
    """The new file is in itself right: its guards are judged by the records that it wants kept."""
    source, now = settings_in(tmp_path, "records = false\n" + FILE)
    with pytest.raises(SettingsError, match=r"records.*restart"):
        anew(source, "records = true\n[tenants.acme.guard]\nquiet_days = 1\n" + FILE, now)


def settings_of(**given: Any) -> Settings:
    return Settings(**given)


def test_equal_files_have_equal_hashes_wherever_they_are_served() -> None:
    assert hash_of(settings_of(burst=7, port=1)) == hash_of(settings_of(burst=7, port=2, prefix="other"))


@pytest.mark.parametrize(
    "other",
    [
        {"burst": 7},
        {"tenants": {"acme": {}}},
        {"tenants": {"acme": {"dialect": {"reload": {"cmd": "RELOAD"}}}}},
        {"tenants": {"acme": {"sunset": "2027-06-30"}}},
        {"keys": [{"name": "web", "sha256": "0" * 64, "tenants": ["acme"]}]},
        {"jwt": {"secret": SECRET}},
        {"jwt": {"secret": SECRET + "!"}},
        {"budget": {"tenant": {"milliseconds": 1}}},
        {"budget": {"process": {"messages": 1}}},
        {"tenants": {"acme": {"max_connections": 1}}},
        {"tenants": {"acme": {"budget": {"handshakes": 1}}}},
    ],
)
def test_whatever_else_differs_is_seen_in_the_hash(other: dict[str, Any]) -> None:
    assert hash_of(settings_of(**other)) not in (hash_of(settings_of()), hash_of(settings_of(jwt={"secret": "x" * 40})))


def test_a_key_file_counts_by_its_content(tmp_path: Path) -> None:
    pem = "-----BEGIN PUBLIC KEY-----\nMCowBQYDK2VwAyEA{}\n-----END PUBLIC KEY-----\n"
    ends = "11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=", "GFQ4wzpbSsDpgXe9rgm4gmzCiqpnHv/R+mCDODwx0iQ="
    hashes = set()
    for name, end in (("a", ends[0]), ("b", ends[0]), ("c", ends[1])):
        file = tmp_path / name
        file.write_text(pem.format(end))
        hashes.add(hash_of(settings_of(jwt={"public_key_file": file, "algorithms": ["EdDSA"]})))
    assert len(hashes) == 2


def test_a_configuration_knows_its_tenants() -> None:
    stage: Stage = "legacy"
    assert Configuration.of(settings_of(tenants={"acme": {"stage": stage}})).tenants["acme"].stage == stage
