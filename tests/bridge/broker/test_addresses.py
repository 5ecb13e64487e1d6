from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.addresses import Addresses, number_in, said_on

ADDRESSES = Addresses("aether")
NAMES = st.text("abg:v2c_-", min_size=1, max_size=3).map(lambda name: name.replace(":", "-"))


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        (ADDRESSES.group("acme", "lobby"), b"aether:{acme:g:lobby}"),
        (ADDRESSES.client("acme", "v2-42"), b"aether:{acme:c:v2-42}"),
        (ADDRESSES.broadcast("acme"), b"aether:{acme:b}"),
        (ADDRESSES.platform, b"aether:{b}"),
        (ADDRESSES.everyone_on_v2("acme"), b"aether:{acme:v2}"),
        (ADDRESSES.presence("acme", "lobby"), "aether:{acme:g:lobby}:presence"),
        (ADDRESSES.tenants, "aether:tenants"),
        (ADDRESSES.tenant("acme"), "aether:tenant:acme"),
        (ADDRESSES.changes, "aether:stage-changes"),
        (ADDRESSES.record("acme"), "aether:{acme:record}"),
        (ADDRESSES.last_number, "aether:{b}:last-number"),
        (ADDRESSES.history_begin, "aether:{b}:history-begin"),
        (ADDRESSES.history_server, "aether:{b}:history-server"),
        (ADDRESSES.left("acme", "v2-42"), "aether:{acme:c:v2-42}:left"),
        (ADDRESSES.path, b"aether:{path}"),
    ],
)
def test_a_name_is_that_of_the_specification(address: bytes | str, expected: bytes | str) -> None:
    assert address == expected


def every_name(addresses: Addresses, tenant: str, other: str) -> list[str]:
    channels: list[Callable[[str, str], bytes]] = [addresses.group, addresses.client]
    return [
        *(channel(tenant, other).decode() for channel in channels),
        addresses.broadcast(tenant).decode(),
        addresses.everyone_on_v2(tenant).decode(),
        addresses.held_step(tenant),
        addresses.presence(tenant, other),
        addresses.holders(tenant, other),
        addresses.held_by(other),
        addresses.swept(other),
        addresses.tenant(tenant),
        addresses.id_map(tenant),
        addresses.record(tenant),
        addresses.tenants,
        addresses.changes,
        addresses.processes,
        addresses.platform.decode(),
        addresses.path.decode(),
        addresses.last_number,
        addresses.history_begin,
        addresses.history_server,
        addresses.left(tenant, other),
    ]


@given(NAMES, NAMES)
def test_no_two_things_have_one_name(tenant: str, other: str) -> None:
    names = every_name(ADDRESSES, tenant, other)
    assert len(set(names)) == len(names)


@given(NAMES, NAMES, NAMES, NAMES)
def test_no_two_groups_or_clients_share_a_channel(tenant: str, one: str, other_tenant: str, other: str) -> None:
    for channel in (ADDRESSES.group, ADDRESSES.client):
        assert (channel(tenant, one) == channel(other_tenant, other)) == ((tenant, one) == (other_tenant, other))
    assert ADDRESSES.group(tenant, one) != ADDRESSES.client(other_tenant, other)


@given(NAMES, NAMES)
def test_two_deployments_share_a_server_and_no_name(tenant: str, other: str) -> None:
    assert not set(every_name(ADDRESSES, tenant, other)) & set(every_name(Addresses("staging"), tenant, other))
    assert all(name.startswith("staging:") for name in every_name(Addresses("staging"), tenant, other))


def test_what_is_read_and_written_together_is_on_one_slot() -> None:
    def slot(name: str) -> str:
        return name.partition("{")[2].partition("}")[0]

    group = slot(ADDRESSES.group("acme", "lobby").decode())
    assert slot(ADDRESSES.presence("acme", "lobby")) == slot(ADDRESSES.holders("acme", "lobby")) == group
    assert slot(ADDRESSES.kept_under(ADDRESSES.group("acme", "lobby")).decode()) == group
    assert slot(ADDRESSES.left("acme", "ann")) == slot(ADDRESSES.client("acme", "ann").decode())
    assert slot(ADDRESSES.processes) == slot(ADDRESSES.held_by("p")) == slot(ADDRESSES.swept("p"))


def test_the_number_of_the_database_is_in_the_names_of_channels_and_of_nothing_else() -> None:
    """Keys are the database's own; channels are those of the whole server."""
    zero, two = Addresses("aether"), Addresses("aether", 2)
    for channel in ("group", "client"):
        assert getattr(zero, channel)("acme", "x").startswith(b"aether:{acme:")
        assert getattr(two, channel)("acme", "x").startswith(b"aether@2:{acme:")
    assert two.broadcast("acme") == b"aether@2:{acme:b}"
    assert two.everyone_on_v2("acme") == b"aether@2:{acme:v2}"
    assert (two.platform, two.probe) == (b"aether@2:{b}", b"aether@2:{probe}")
    assert two.tenant_of(two.group("acme", "x")) == two.tenant_of(two.broadcast("acme")) == "acme"
    assert two.tenant_of(two.platform) == ""
    assert two.presence("acme", "x") == zero.presence("acme", "x")
    assert two.tenant("acme") == zero.tenant("acme")


@pytest.mark.parametrize("addresses", [ADDRESSES, Addresses("staging", 2)])
def test_who_listens_on_a_channel_is_said_in_words(addresses: Addresses) -> None:
    assert addresses.audience_of(addresses.group("acme", "lobby")) == "group lobby"
    assert addresses.audience_of(addresses.client("acme", "ann")) == "client ann"
    assert addresses.audience_of(addresses.broadcast("acme")) == "everybody"
    assert addresses.audience_of(addresses.everyone_on_v2("acme")) == "everybody on V2"
    assert addresses.audience_of(addresses.platform) == "everybody, of every tenant"


KINDS: dict[bytes, Callable[[Addresses, str, str], bytes]] = {
    b"g": Addresses.group,
    b"c": Addresses.client,
    b"b": lambda addresses, tenant, _: addresses.broadcast(tenant),
    b"v": lambda addresses, tenant, _: addresses.everyone_on_v2(tenant),
    b"p": lambda addresses, _, __: addresses.platform,
}


@pytest.mark.parametrize("database", [0, 2])
@pytest.mark.parametrize("kind", KINDS)
@given(NAMES, NAMES)
def test_a_channel_tells_its_kind_its_tenant_and_what_its_history_is_kept_under(
    kind: bytes, database: int, tenant: str, other: str
) -> None:
    addresses = Addresses("staging", database)
    channel = KINDS[kind](addresses, tenant, other)
    assert addresses.kind_of(channel) == kind
    assert addresses.tenant_of(channel) == ("" if kind == b"p" else tenant)
    assert addresses.kept_under(channel) == KINDS[kind](Addresses("staging"), tenant, other)


@pytest.mark.parametrize("database", [0, 2])
@given(NAMES)
def test_what_a_tenant_hears_of_the_platforms_channel_is_said_on_that(database: int, tenant: str) -> None:
    addresses = Addresses("staging", database)
    heard = addresses.platform_for(tenant)
    assert said_on(heard) == said_on(addresses.platform) == addresses.platform
    assert (addresses.tenant_of(heard), addresses.kind_of(heard)) == (tenant, b"p")
    assert addresses.kept_under(heard) == addresses.kept_under(addresses.platform)


@given(st.integers(0, 10**20 - 1))
def test_a_number_is_read_as_it_was_written(number: int) -> None:
    assert number_in(b"%d" % number) == number


@pytest.mark.parametrize("reply", [None, 7, b"", b"-1", b"1 ", b"x", b"1.0", b"9" * 5_000, ValueError("WRONGTYPE")])
def test_what_is_no_number_of_ours_is_none(reply: object) -> None:
    assert number_in(reply) is None
