"""Who hears what, as channels: on which a message is said, and on which a connection listens. Pure.

The sender decides by the channels it speaks on; listeners never change theirs. What is routed and what is predicted
(`cutover/prediction.py`) both follow from here, so that they cannot disagree. `channels_from_v2` goes when V2 goes.
"""

from typing import Final, Literal, Protocol, cast

from bridge.broker.addresses import Addresses
from bridge.tenants.tenant import Tenant
from v3 import ports as v3
from v3.messages import Content

Language = Literal["v2", "v3"]
HEARTBEAT: Final = "heartbeat"
PRESENCE: Final = "presence"


class SpeakerOnV2(Protocol):
    """As much of a V2 client as is asked here. `group_name`: the V3 name of its group."""

    @property
    def group_name(self) -> str: ...

    @property
    def grant(self) -> str: ...


def channels_from_v3(content: Content, guest: v3.Guest, tenant: Tenant, addresses: Addresses) -> list[bytes]:
    """Where a V3 message is said. `echo` and heartbeats never come here."""
    if content["target"] == "direct":
        return [addresses.client(tenant.name, content["to_id"])]
    if content["target"] == "broadcast":
        return [addresses.platform if guest.grant == "platform" else addresses.broadcast(tenant.name)]
    group = addresses.group(tenant.name, guest.group_id)
    if tenant.v2_routing == "global" and content["msg_type"] != PRESENCE:
        return [group, addresses.everyone_on_v2(tenant.name)]
    return [group]


def channels_from_v2(
    content: Content, guest: SpeakerOnV2, tenant: Tenant, addresses: Addresses
) -> tuple[list[bytes], Content]:
    """Where a V2 frame is said, and its content as V3 hears it: a broadcast without a grant is its group's."""
    everyone = [addresses.everyone_on_v2(tenant.name)]
    wide = everyone if tenant.v2_routing == "global" else []
    if content["target"] == "direct":
        return [addresses.client(tenant.name, content["to_id"]), *wide], content
    if content["target"] == "broadcast" and guest.grant != "none":
        return [addresses.broadcast(tenant.name)], content
    group = addresses.group(tenant.name, guest.group_name)
    if content["target"] == "broadcast":
        return [group, *everyone], cast(Content, {**content, "target": "group"})
    return [group, *wide], content


def listens_on(language: Language, tenant: str, group_name: str, client_name: str, addresses: Addresses) -> list[bytes]:
    """The channels of one connection, whatever the tenant's routing; V2's own channel comes last."""
    channels = [
        addresses.group(tenant, group_name),
        addresses.client(tenant, client_name),
        addresses.broadcast(tenant),
        addresses.platform,
    ]
    return [*channels, addresses.everyone_on_v2(tenant)] if language == "v2" else channels


def is_for(listener: Language, born_on: Language, msg_type: str) -> bool:
    """Whether a listener has a word for what reaches it: V3 has none for V2's heartbeats, V2 none for V3's presence."""
    if born_on == listener:
        return True
    return msg_type != (HEARTBEAT if listener == "v3" else PRESENCE)
