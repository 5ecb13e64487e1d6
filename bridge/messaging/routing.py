"""Routing: the channels that a message is published on, and the channels that a connection listens on. Pure.

Who receives a message follows from the channels that it is published on; listeners never change their channels. The
prediction of a cutover (`cutover/prediction.py`) uses the same functions, so that it cannot disagree with the real
routing. `channels_from_v2` is deleted together with V2.
"""

from collections.abc import Sequence
from typing import Final, Protocol, cast

from bridge.broker.addresses import Addresses
from bridge.records.rows import Language
from bridge.tenants.tenant import Tenant
from v3 import ports as v3
from v3.messages import Content

HEARTBEAT: Final = "heartbeat"
PRESENCE: Final = "presence"


class SpeakerOnV2(Protocol):
    """What routing needs to know about a V2 client. `group_name`: the V3 name of its group."""

    @property
    def group_name(self) -> str: ...

    @property
    def grant(self) -> str: ...


def channels_from_v3(content: Content, guest: v3.Guest, tenant: Tenant, addresses: Addresses) -> list[bytes]:
    """The channels that a V3 message is published on. It is never called for target `echo` or for heartbeats."""
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
    """The channels that a V2 frame is published on, and its content as V3 receives it.

    A broadcast by a client without a grant becomes a message to its group; all of the tenant's V2 still receives it.
    """
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
    """The channels of one connection. They do not depend on the tenant's routing; the V2-only channel comes last."""
    channels = [
        addresses.group(tenant, group_name),
        addresses.client(tenant, client_name),
        addresses.broadcast(tenant),
        addresses.platform_for(tenant),
    ]
    return [*channels, addresses.everyone_on_v2(tenant)] if language == "v2" else channels


def backend_listens_on(tenant: str, groups: Sequence[str], clients: Sequence[str], addresses: Addresses) -> list[bytes]:
    """The channels of a backend that names these groups and clients; without any, those of what is said to everybody.

    What is said to everybody is not heard by who names groups or clients: so nothing is heard twice by a backend that
    listens both ways.
    """
    named = [addresses.group(tenant, group) for group in groups]
    named += [addresses.client(tenant, client) for client in clients]
    return list(dict.fromkeys(named)) or [addresses.broadcast(tenant), addresses.platform_for(tenant)]


def is_for(listener: Language, born_on: Language, msg_type: str) -> bool:
    """Whether a listener gets a message that arrives on its channel, sent from a client of `born_on`.

    V3 has no message for V2's heartbeats, and V2 has none for V3's presence: these are left out.
    """
    if born_on == listener:
        return True
    return msg_type != (HEARTBEAT if listener == "v3" else PRESENCE)
