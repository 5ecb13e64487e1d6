"""The keys of the configuration and of Redis, as one dictionary."""

from bridge.config.tables import Key
from bridge.handshake.api_keys import ApiKeys


def key(name: str, digit: str, *tenants: str) -> Key:
    return Key(name=name, sha256=digit * 64, tenants=tenants or ("acme",))


WEB, KIOSK, OTHER_WEB = key("web", "0"), key("kiosk", "1"), key("web in redis", "0", "beta")


def test_a_key_is_found_by_its_digest_wherever_it_stands() -> None:
    keys = ApiKeys([WEB])
    keys.take_of_redis([KIOSK])
    assert (keys.of("0" * 64), keys.of("1" * 64), keys.of("2" * 64)) == (WEB, KIOSK, None)
    assert (len(keys), set(keys)) == (2, {WEB, KIOSK})


def test_the_configurations_key_counts_where_both_have_one() -> None:
    keys = ApiKeys([WEB])
    keys.take_of_redis([OTHER_WEB])
    assert (keys.of("0" * 64), len(keys)) == (WEB, 1)
    keys.take_of_file([])
    assert keys.of("0" * 64) == OTHER_WEB


def test_a_key_is_found_by_its_name() -> None:
    keys = ApiKeys([WEB])
    keys.take_of_redis([KIOSK])
    assert (keys.named("web"), keys.named("kiosk"), keys.named("nobody")) == (WEB, KIOSK, None)


def test_each_change_is_told() -> None:
    keys, told = ApiKeys([WEB]), list[int]()
    keys.changed.add(lambda: told.append(len(keys)))
    keys.take_of_redis([KIOSK])
    keys.take_of_file([])
    assert told == [2, 1]


def test_once_keys_have_lived_in_redis_it_is_known_that_they_do() -> None:
    keys = ApiKeys()
    assert not keys.are_live
    keys.take_of_redis([])
    assert keys.are_live
