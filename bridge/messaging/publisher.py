"""Publishes the messages of V3 clients on the bus, and tells each sender the result. V2's half is in `v2.py`.

Who receives a message follows from the channels that it is published on; listeners never change their channels. What
arrives from the bus is never published again, so that no message can go round in a loop.
"""

from collections.abc import Callable
from functools import partial
from typing import Final

from bridge.broker.addresses import Addresses
from bridge.broker.history import Publish
from bridge.broker.message import BusMessage, said
from bridge.messaging.routing import channels_from_v3
from bridge.records.counters import Counts
from bridge.records.recorder import Recorder
from bridge.tenants.table import TenantTable
from v3 import ports as v3
from v3.messages import Content

Answered = Callable[[int | None], None]
"""Called with how many processes have received a message; `None` if it is not known whether Redis has taken it."""


class Publisher:
    """The port `Bus` of V3's sessions."""

    def __init__(
        self,
        publish: Publish,
        addresses: Addresses,
        table: TenantTable,
        counts: Counts,
        recorder: Recorder,
        is_absent: Callable[[bytes, Callable[[bool], None]], None],
        expect: Callable[[bytes, BusMessage], None],
    ) -> None:
        """`is_absent` tells its callback whether it is certain that nobody who listens on a channel is connected.

        `expect` is called with the bytes and the message before they are published, so that this process need not
        parse its own message when Redis sends it back.
        """
        self._publish = publish
        self.addresses: Final = addresses
        self.table: Final = table
        self.counts: Final = counts
        self.recorder: Final = recorder
        self._is_absent: Final = is_absent
        self._expect: Final = expect

    def voice(self, guest: v3.Guest) -> "Voice":
        """The voice of one connection, or of a backend."""
        return Voice(self, guest)

    def publish(self, channels: list[bytes], message: BusMessage, answered: Answered, *, to_one: bool) -> None:
        """Publish a message on these channels. `to_one`: whether it is said to one client, by its own channel alone.

        Then `answered` is called with 0 only if it is certain that nobody under this name is connected, and with `None`
        if it may be connected to a process whose subscription is lost at the moment.
        """
        if to_one:
            answered = partial(self._look_for, channels[0], answered)
        data = message.data
        self._expect(data, message)
        self._publish(channels, data, answered)

    def _look_for(self, channel: bytes, answered: Answered, heard_by: int | None) -> None:
        if heard_by == 0:
            self._is_absent(channel, lambda is_so: answered(0 if is_so else None))
        else:
            answered(heard_by)


class Voice:
    """Says the messages of one client. What is the same for each of them is looked up once."""

    __slots__ = ("_counted", "_guest", "_publisher", "_tenant", "_to_group")

    def __init__(self, publisher: Publisher, guest: v3.Guest) -> None:
        self._publisher = publisher
        self._guest = guest
        self._counted = guest.tenant, "v3"
        self._tenant: object = None
        self._to_group: list[bytes] = []
        """The channels of its messages to its group, as the tenant was when it said the last one."""

    def say(self, content: Content, sent_at: str, answered: Answered) -> None:
        """Publish a message that is sent at `sent_at` (ISO 8601). For `answered` see `Publisher.publish`."""
        publisher, guest = self._publisher, self._guest
        publisher.counts.messages[self._counted] += 1
        publisher.recorder.spoke("v3", guest, content)
        message = said(content, guest.client_id, guest.group_id, sent_at)
        publisher.publish(self._channels(content), message, answered, to_one=content["target"] == "direct")

    def _channels(self, content: Content) -> list[bytes]:
        publisher, guest = self._publisher, self._guest
        tenant = publisher.table.of(guest.tenant)
        if content["target"] != "group" or content["msg_type"] != "msg":
            return channels_from_v3(content, guest, tenant, publisher.addresses)
        if tenant is not self._tenant:
            self._tenant, self._to_group = tenant, channels_from_v3(content, guest, tenant, publisher.addresses)
        return self._to_group
