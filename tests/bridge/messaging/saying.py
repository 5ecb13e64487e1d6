"""What somebody says in a small population, of either language."""

import json
from typing import Any, Literal, cast

from bridge.tenants.tenant import Routing, Tenant
from legacy_v2 import ports as v2
from tests.bridge.population import NOW, Stage
from v3 import ports as v3
from v3.messages import Content
from v3.refusals import unheard

Grant = Literal["none", "tenant", "platform"]

SENT_AT = 1_767_225_600_000_000
V3 = {"ann, V3 in G", "cat, V3 in H", "42's twin, V3 in H"}
V2 = {"bob, V2 in G", "42, V2 in G", "dan, V2 in H"}
V2_IN_G = {"bob, V2 in G", "42, V2 in G"}
GROUP: dict[str, Any] = {"target": "group"}
BROADCAST: dict[str, Any] = {"target": "broadcast"}


def refuse(code: str) -> None:
    raise AssertionError(code)


def stage(routing: Routing = "global") -> Stage:
    return Stage(Tenant("acme", v2_routing=routing), Tenant("other", v2_routing=routing))


def say(
    stage: Stage, fields: dict[str, Any], grant: Grant = "tenant", refused: Any = refuse, heard: Any = None
) -> None:
    """Said by ann, V3 client in G."""
    content = cast(Content, {"msg_type": "msg", **fields})
    guest = v3.Guest("acme", "G", "ann", grant)

    def answered(heard_by: int | None) -> None:
        code = unheard(content, heard_by)
        if code is not None:
            refused(code)
        elif heard is not None:
            heard()

    stage.publisher.voice(guest).say(content, NOW, answered)


def say_frame(stage: Stage, frame: Any, grant: Grant = "tenant", refused: Any = refuse) -> None:
    """Said by bob, V2 client in G."""
    guest = v2.Guest("acme", "G", "bob", "G", "bob", grant)
    text = frame if isinstance(frame, str) else json.dumps(frame)
    stage.v2_publisher.say_frame(guest, text, SENT_AT, refused)
