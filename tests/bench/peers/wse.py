"""wse-server, a Rust engine for Python: the engine does the sockets, Python says who is in which group.

A client names its group in a cookie, which is all that the engine tells Python of a handshake. What it says begins
with a sign that no JSON begins with: so the engine hands the text on as it is, instead of a dict to be written again.
Usage: `PORT=… python wse.py`, with a Python that has `wse-server`.
"""

import os

from wse_server import RustWSEServer  # type: ignore[import-not-found]

ENDLESS = 1e15
MOST_EVENTS = 256
WAIT_MILLISECONDS = 50


def main() -> None:
    server = RustWSEServer(
        "127.0.0.1",
        int(os.environ["PORT"]),
        max_connections=20_000,
        rate_limit_capacity=ENDLESS,
        rate_limit_refill=ENDLESS,
        idle_timeout=600,
    )
    server.enable_drain_mode()
    server.start()
    groups: dict[str, str] = {}
    while True:
        for kind, client, data in server.drain_inbound(MOST_EVENTS, WAIT_MILLISECONDS):
            if kind == "raw":
                server.broadcast_local(groups[client], data)
            elif kind == "connect":
                groups[client] = data.partition("group=")[2]
                server.subscribe_connection(client, [groups[client]])
            elif kind == "disconnect":
                groups.pop(client, None)


main()
