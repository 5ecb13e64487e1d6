"""A message as a listener's renderer is given it."""

from typing import Any, cast

from bridge.broker.message import BusMessage, read
from bridge.broker.message import said as said_here
from tests.bridge.population import NOW
from v3.messages import Content


def said(v2_text: str | None = None, **fields: Any) -> BusMessage:
    content = cast(Content, {"msg_type": "msg", "target": "group"} | fields)
    return read(said_here(content, "Xk3dQ", "v2-7", NOW, v2_text).data, lambda: NOW)
