"""What is put together by channel: as much as order allows, and no more."""

from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.addresses import Addresses
from bridge.broker.batches import Batches, OpenBatches, of_one_kind
from tests.bridge.broker.parts import heard_as, numbers_of

ADDRESSES = Addresses("aether")
GROUPS = tuple(ADDRESSES.group("acme", name) for name in "GH")
CLIENTS = tuple(ADDRESSES.client("acme", name) for name in ("ann", "ben"))
TENANTS = tuple(ADDRESSES.broadcast(name) for name in ("acme", "beta"))
WIDE = tuple(ADDRESSES.everyone_on_v2(name) for name in ("acme", "beta"))
CHANNELS = (*GROUPS, *CLIENTS, *TENANTS, ADDRESSES.platform, *WIDE)


def test_between_two_of_a_batch_nothing_was_said_on_a_channel_of_another_kind() -> None:
    (group, _), (client, _), wide = GROUPS, CLIENTS, WIDE[0]
    batches = Batches(ADDRESSES.kind_of)
    for number, channel in enumerate([group, wide, group, client, wide, group], 1):
        batches.add(channel, heard_as(number))
    assert [(channel, numbers_of(batch)) for channel, batch in batches.all] == [
        *((group, [1, 3]), (wide, [2, 5])),
        *((client, [4]), (group, [6])),
    ]


@given(st.lists(st.sampled_from(CHANNELS), max_size=30))
def test_who_listens_on_one_channel_of_each_kind_hears_everything_in_the_order_of_the_numbers(
    said: list[bytes],
) -> None:
    batches = Batches(ADDRESSES.kind_of)
    for number, channel in enumerate(said, 1):
        batches.add(channel, heard_as(number))
    assert all(batch for _, batch in batches.all)
    for channels in product(GROUPS, CLIENTS, TENANTS, [ADDRESSES.platform]):
        heard = [number for channel, batch in batches.all if channel in channels for number in numbers_of(batch)]
        assert heard == [number for number, channel in enumerate(said, 1) if channel in channels]
    for wide in WIDE:
        heard = [number for channel, batch in batches.all if channel == wide for number in numbers_of(batch)]
        assert heard == [number for number, channel in enumerate(said, 1) if channel == wide]


@given(st.lists(st.sampled_from((*GROUPS, *WIDE)), max_size=30))
def test_where_order_allows_it_there_is_one_batch_of_each_channel(said: list[bytes]) -> None:
    for kind_of, channels in ((ADDRESSES.kind_of, said), (of_one_kind, [*said, *CLIENTS, *said])):
        batches = Batches(kind_of)
        for number, channel in enumerate(channels, 1):
            batches.add(channel, heard_as(number))
        assert len(batches.all) == len(set(channels))


def test_nothing_is_added_to_a_batch_that_has_ended() -> None:
    batches = OpenBatches[str](ADDRESSES.kind_of)
    group, wide = GROUPS[0], WIDE[0]
    batches.begin(group, "first")
    batches.begin(wide, "second")
    batches.end(group, "another")
    assert (batches.of(group), batches.of(wide)) == ("first", "second")
    batches.end(group, "first")
    assert (batches.of(group), batches.of(wide)) == (None, "second")
    batches.end_all()
    assert batches.of(wide) is None
