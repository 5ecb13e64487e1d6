from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.message import BusMessage
from bridge.messaging.hub import Hub, Listener
from v3.messages import Line

WIDE = b"v2"
GROUPS = ("G", "H", "I")
CLIENTS = ("ann", "bob", "cat", "dan")


@dataclass(frozen=True)
class Renderer:
    """Renders the numbers of messages; a mute one has no word for odd numbers. Equal renderers render alike."""

    language: str
    is_mute: bool = False
    rendered: list[int] = field(default_factory=list, compare=False)

    def render(self, batch: Sequence[BusMessage]) -> bytes:
        self.rendered.append(len(batch))
        return b"".join(message.line for message in batch if not (self.is_mute and message.line[0] % 2))


@dataclass(eq=False)
class Ear:
    """A listener's connection: what was written to it."""

    group: str
    client: str
    renderer: Renderer
    blobs: list[bytes] = field(default_factory=list)

    def listener(self) -> Listener:
        channels = [self.group.encode(), self.client.encode(), b"b"]
        wide = WIDE if self.renderer.language == "v2" else None
        if wide is not None:
            channels.append(wide)
        return Listener(self.renderer, self.blobs.append, channels, wide, self.group, self.client)

    @property
    def heard(self) -> list[int]:
        return list(b"".join(self.blobs))

    def is_meant(self, message: BusMessage) -> bool:
        match message.target:
            case "group":
                return message.group_id == self.group or self.renderer.language == "v2"
            case "direct":
                return message.to_id == self.client or (
                    self.renderer.language == "v2" and message.group_id == "everywhere"
                )
            case _:
                return True


def message(number: int, target: str = "group", group: str = "G", to_id: str | None = None) -> BusMessage:
    heard = Line("3", "msg", cast(Any, target), group_id=group, to_id=to_id)
    return BusMessage(bytes((number,)), None, heard)


def joined(hub: Hub, *ears: Ear) -> list[Listener]:
    listeners = [ear.listener() for ear in ears]
    for listener in listeners:
        hub.join(listener)
    return listeners


ears = st.lists(
    st.builds(
        Ear,
        st.sampled_from(GROUPS),
        st.sampled_from(CLIENTS),
        st.builds(Renderer, st.sampled_from(("v2", "v3")), st.booleans()),
    ),
    max_size=12,
)
batches = st.lists(
    st.one_of(
        st.tuples(st.just("group"), st.sampled_from(GROUPS), st.none()),
        st.tuples(st.just("direct"), st.sampled_from((*GROUPS, "everywhere")), st.sampled_from(CLIENTS)),
        st.tuples(st.just("broadcast"), st.sampled_from(GROUPS), st.none()),
    ),
    max_size=10,
).map(lambda said: [message(number, *one) for number, one in enumerate(said)])


def channels_of(said: BusMessage) -> list[bytes]:
    """As the crossing says them under `global`: a direct message of V2 is wide too (it says so by its group here)."""
    match said.target:
        case "group":
            return [said.group_id.encode(), WIDE]
        case "direct":
            narrow = [(said.to_id or "").encode()]
            return [*narrow, WIDE] if said.group_id == "everywhere" else narrow
        case _:
            return [b"b"]


@given(ears, batches, st.randoms(use_true_random=False))
def test_everyone_who_is_meant_hears_a_message_once_and_nobody_twice(
    ears: list[Ear], batch: list[BusMessage], random: Any
) -> None:
    hub = Hub()
    joined(hub, *ears)
    names = sorted({name for said in batch for name in channels_of(said)})
    random.shuffle(names)
    for name in names:
        hub.deliver(name, [said for said in batch if name in channels_of(said)])
    for ear in ears:
        meant = [said.line[0] for said in batch if ear.is_meant(said)]
        assert sorted(ear.heard) == [number for number in meant if not (ear.renderer.is_mute and number % 2)]


@given(ears, batches)
def test_on_the_wide_channel_each_passes_over_what_it_hears_elsewhere(ears: list[Ear], batch: list[BusMessage]) -> None:
    """Against a model that asks every listener about every message."""
    hub = Hub()
    joined(hub, *ears)
    wide = [said for said in batch if said.target != "broadcast"]
    hub.deliver(WIDE, wide)
    for ear in ears:
        expected = [
            said.line[0]
            for said in wide
            if ear.renderer.language == "v2"
            and not (said.target == "group" and said.group_id == ear.group)
            and not (said.target == "direct" and said.to_id == ear.client)
            and not (ear.renderer.is_mute and said.line[0] % 2)
        ]
        assert ear.heard == expected


@given(ears, st.lists(st.integers(0, 11), max_size=30), batches)
def test_whoever_left_hears_nothing_and_whoever_stayed_hears_on(
    ears: list[Ear], leavers: list[int], batch: list[BusMessage]
) -> None:
    hub = Hub()
    listeners = joined(hub, *ears)
    gone = {index for index in leavers if index < len(ears)}
    for index in leavers:
        if index < len(ears):
            hub.leave(listeners[index])
    for name in (b"G", b"ann", b"b", WIDE):
        here = [ear for index, ear in enumerate(ears) if index not in gone and name in ear.listener().channels]
        assert hub.has(name) == bool(here)
        hub.deliver(name, batch)
    assert all(ears[index].heard == [] for index in gone)
    assert hub.listeners == {listener for index, listener in enumerate(listeners) if index not in gone}
    for listener in hub.listeners.copy():
        hub.leave(listener)
    assert not any(hub.has(name) for ear in ears for name in ear.listener().channels)


@given(st.lists(batches, max_size=4))
def test_order_is_kept_on_a_channel(said: list[list[BusMessage]]) -> None:
    hub, ear = Hub(), Ear("G", "ann", Renderer("v2"))
    joined(hub, ear)
    for batch in said:
        hub.deliver(b"b", batch)
    assert ear.heard == [one.line[0] for batch in said for one in batch]


@pytest.mark.parametrize("channel", [b"G", b"b"])
def test_listeners_of_one_renderer_are_written_the_same_bytes_rendered_once(channel: bytes) -> None:
    hub, renderer = Hub(), Renderer("v3")
    ears = [Ear("G", client, Renderer("v3", rendered=renderer.rendered)) for client in CLIENTS * 5]
    joined(hub, *ears)
    hub.deliver(channel, [message(1), message(2)])
    assert renderer.rendered == [2]
    assert len({id(ear.blobs[0]) for ear in ears}) == 1


def test_on_the_wide_channel_a_group_is_rendered_once() -> None:
    rendered: list[int] = []
    hub = Hub()
    joined(hub, *(Ear(group, client, Renderer("v2", rendered=rendered)) for group in "GHIJK" for client in CLIENTS))
    hub.deliver(WIDE, [message(1, group="G"), message(2, group="H")])
    assert sorted(rendered) == [1, 1, 2]


def test_several_connections_of_one_client_hear_each() -> None:
    hub = Hub()
    tabs = [Ear(group, "ann", Renderer("v2")) for group in ("G", "G", "H")]
    joined(hub, *tabs)
    direct = [message(1, "direct", "everywhere", "ann")]
    hub.deliver(b"ann", direct)
    hub.deliver(WIDE, direct)
    assert [tab.heard for tab in tabs] == [[1], [1], [1]]


def test_nothing_is_written_where_a_renderer_has_no_word() -> None:
    hub, ear = Hub(), Ear("G", "ann", Renderer("v2", is_mute=True))
    joined(hub, ear)
    hub.deliver(b"G", [message(1)])
    assert ear.blobs == []
    assert hub.deliveries == 0


@pytest.mark.parametrize("channel", [b"b", WIDE])
def test_a_listener_whose_socket_is_gone_keeps_nobody_waiting(channel: bytes) -> None:
    hub, ears = Hub(), [Ear("G", client, Renderer("v2")) for client in CLIENTS]

    def fail(blob: bytes) -> None:
        raise ConnectionError(len(blob))

    joined(hub, ears[0])
    hub.join(Listener(Renderer("v2"), fail, [b"b", WIDE], WIDE, "H", "eve"))
    joined(hub, *ears[1:])
    hub.deliver(channel, [message(1, group="I")])
    assert [ear.heard for ear in ears] == [[1]] * 4
    assert hub.deliveries == 4


def test_whoever_leaves_while_a_batch_is_written_disturbs_nobody() -> None:
    hub, ears = Hub(), [Ear("G", client, Renderer("v2")) for client in CLIENTS]
    listeners: list[Listener] = []

    def leave_all(blob: bytes) -> None:
        for listener in listeners:
            hub.leave(listener)

    listeners.append(Listener(Renderer("v2"), leave_all, [b"b", WIDE], WIDE, "H", "eve"))
    hub.join(listeners[0])
    listeners += joined(hub, *ears)
    hub.deliver(WIDE, [message(1, group="I")])
    hub.deliver(WIDE, [message(2, group="I")])
    assert all(ear.heard in ([], [1]) for ear in ears)
    assert not hub.has(WIDE)


def test_leaving_twice_is_harmless() -> None:
    hub, ear = Hub(), Ear("G", "ann", Renderer("v2"))
    (listener,) = joined(hub, ear)
    hub.leave(listener)
    hub.leave(listener)
    assert not hub.has(b"G")


def test_everyone_can_be_told_at_once_whatever_their_channels() -> None:
    hub = Hub()
    ears = [Ear(group, "ann", Renderer(language)) for group in GROUPS for language in ("v2", "v3")]
    joined(hub, *ears)
    hub.tell_everyone([message(7)])
    assert Counter(number for ear in ears for number in ear.heard) == {7: 6}


def test_a_channel_that_nobody_listens_on_is_nothing() -> None:
    hub = Hub()
    hub.deliver(b"nobody", [message(1)])
    assert not hub.has(b"nobody")


def test_deliveries_are_counted() -> None:
    hub = Hub()
    joined(hub, *(Ear("G", client, Renderer("v3")) for client in CLIENTS))
    hub.deliver(b"G", [message(1), message(2)])
    assert hub.deliveries == 8


def test_a_broadcast_on_the_wide_channel_is_passed_over() -> None:
    hub, ear = Hub(), Ear("G", "ann", Renderer("v2"))
    joined(hub, ear)
    hub.deliver(WIDE, [message(1, "broadcast")])
    assert ear.heard == []


def numbered(*numbers: int) -> list[BusMessage]:
    batch = [message(number) for number in numbers]
    for each, number in zip(batch, numbers, strict=True):
        each.number = number
    return batch


def test_the_number_of_a_channel_is_that_of_the_last_message_that_its_listeners_were_sent() -> None:
    hub, ear = Hub(), Ear("G", "ann", Renderer("v3"))
    hub.deliver(b"G", numbered(1))
    (listener,) = joined(hub, ear)
    assert hub.number_of(b"G") == 0
    hub.deliver(b"G", numbered(2, 3))
    hub.deliver(b"ann", numbered(4))
    assert [hub.number_of(name) for name in (b"G", b"ann", b"b")] == [3, 4, 0]
    hub.deliver(b"G", numbered(0))
    hub.deliver(b"G", numbered(5, 0))
    assert hub.number_of(b"G") == 5
    hub.leave(listener)
    assert hub.number_of(b"G") == 0


def test_whoever_follows_a_channel_is_told_each_batch_when_its_delivery_begins_listeners_or_none() -> None:
    hub, ear, told = Hub(), Ear("G", "ann", Renderer("v3")), list[int]()
    hub.follow(b"G", lambda batch: told.extend(one.number for one in batch))
    assert hub.has(b"G")
    hub.deliver(b"G", numbered(1, 2))
    joined(hub, ear)
    assert list(hub.begin(b"G", numbered(3))) == []
    assert (told, ear.heard) == ([1, 2, 3], [3])
    hub.deliver(b"ann", numbered(4))
    hub.unfollow(b"G")
    hub.unfollow(b"G")
    hub.deliver(b"G", numbered(5))
    assert told == [1, 2, 3]


@pytest.mark.parametrize("channel", [b"b", WIDE])
def test_a_batch_is_for_those_who_listen_when_its_delivery_begins(
    monkeypatch: pytest.MonkeyPatch, channel: bytes
) -> None:
    monkeypatch.setattr("bridge.messaging.hub.SLICE_LISTENERS", 1)
    hub, ears = Hub(), [Ear("G", client, Renderer("v2")) for client in CLIENTS]
    listeners = joined(hub, *ears[:3])
    slices = iter(hub.begin(channel, [message(1, group="I")]))
    next(slices)
    joined(hub, *ears[3:], Ear("H", "eve", Renderer("v2")), Ear("H", "eve", Renderer("v2", is_mute=True)))
    hub.leave(listeners[2])
    for _ in slices:
        pass
    assert [ear.heard for ear in ears] == [[1], [1], [], []]


def test_the_listeners_of_some_channels_can_be_told_each_once() -> None:
    hub, ears = Hub(), [Ear(group, client, Renderer("v2")) for group, client in zip("GGHI", CLIENTS, strict=True)]
    joined(hub, *ears)
    hub.tell_listeners([b"G", b"ann", b"H", b"nobody"], [message(7)])
    assert [ear.heard for ear in ears] == [[7], [7], [7], []]
