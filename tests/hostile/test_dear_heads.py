"""Heads that list much with few bytes: none costs more than three times what as many plain bytes cost."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import UNHURRIED
from tests.end_to_end.raw import HANDSHAKE, raw_socket, request
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import CONFIG
from tests.hostile.conftest import StartAttacked

LINE_BYTES = 8_000
LINES = 7
"""As many as a head has room for."""
HEADS = 20
MOST_TIMES = 3
NOISE_SECONDS = 0.02

HOST = {"Host": "localhost"}
ASKED: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "a handshake": (v3_path("noise", "rowdy", "api_key=bad"), HOST | HANDSHAKE),
    "a page": ("/admin/page/main.js", HOST),
    "an administrator": ("/admin/api/tenants", HOST | {"Authorization": "Bearer bad"}),
    "a session": ("/socket.io/?EIO=4&transport=polling", HOST),
}
LISTING = ("Connection", "Cookie")
UNITS: Mapping[str, tuple[str, ...]] = {
    "Connection": ("a,", ",", "upgrade,"),
    "Upgrade": ("websocket,", "a/b,"),
    "Sec-WebSocket-Protocol": ("a,", ","),
    "Sec-WebSocket-Extensions": ("a;b,", "permessage-deflate;"),
    "Cookie": ("a=b;", ";", 'a="\\\\";'),
    "Accept": ("*/*;q=0.1,",),
    "Forwarded": ("for=192.0.2.1,",),
    "X-Forwarded-For": ("192.0.2.1,", "::1,", ","),
    "Authorization": ("Bearer ", "a."),
    "X-Api-Key": ("a",),
    "Origin": ("http://[", "a.", "@"),
    "Host": ("a.", ":", "["),
    "If-None-Match": ('"a",', "W/"),
    "Range": ("bytes=0-0,",),
}


def head(asked: str, name: str, unit: str) -> bytes:
    """A request with as much of it as a head may hold."""
    path, fields = ASKED[asked]
    lines = [f"{name}: {unit * (LINE_BYTES // len(unit))}"] * LINES
    lines += [f"{field}: {value}" for field, value in fields.items()]
    return "\r\n".join([f"GET {path} HTTP/1.1", *lines, "", ""]).encode()


async def cpu_seconds_of(bridge: Attacked, said: bytes) -> float:
    """What so many of them cost the process, each on a connection of its own, to its answer."""
    before = bridge.cpu_seconds
    for _ in range(HEADS):
        async with raw_socket(bridge) as raw:
            await raw.send(said)
            await raw.some()
    return bridge.cpu_seconds - before


async def costs_as_much_as_its_bytes(bridge: Attacked, name: str) -> None:
    for asked in ASKED:
        plain = await cpu_seconds_of(bridge, head(asked, "X-Plain", "a"))
        for unit in UNITS[name]:
            dear = await cpu_seconds_of(bridge, head(asked, name, unit))
            assert dear < MOST_TIMES * plain + NOISE_SECONDS, f"{asked}, {unit}: {dear:.3f} s against {plain:.3f} s"


@pytest.mark.parametrize("name", UNITS)
async def test_no_header_costs_more_than_three_times_its_bytes(attacked: StartAttacked, name: str) -> None:
    await costs_as_much_as_its_bytes(attacked("--socketio", config=UNHURRIED + CONFIG), name)


@pytest.mark.parametrize("path", ["/healthz", "/admin/page/main.js", "/admin/api/tenants"])
async def test_no_query_costs_more_than_three_times_its_bytes(attacked: StartAttacked, path: str) -> None:
    bridge = attacked("--socketio", config=UNHURRIED + CONFIG)
    costs = [
        await cpu_seconds_of(bridge, request(f"{path}?{unit * (LINE_BYTES // len(unit))}", HOST))
        for unit in ("a", "a&", "a=%41&", "&", "%41", "+")
    ]
    assert max(costs) < MOST_TIMES * costs[0] + NOISE_SECONDS, costs


@pytest.mark.parametrize("name", LISTING)
async def test_where_every_item_of_every_list_is_read_it_costs_more(attacked: StartAttacked, name: str) -> None:
    bridge = attacked("--socketio", config=UNHURRIED + CONFIG, without="short lists")
    with pytest.raises(AssertionError, match="against"):
        await costs_as_much_as_its_bytes(bridge, name)
