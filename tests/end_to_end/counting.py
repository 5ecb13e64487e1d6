"""Somebody who counts aloud in a group, many numbers a second. Who hears each once and in order has missed nothing."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from websockets.sync.client import ClientConnection, connect

from tests.end_to_end.clients import v3_path
from tests.servers import BridgeProcess

PER_SECOND: Final = 500
KEPT: Final = "history_messages = 10000\noutbox_bytes = 8000000\n"
"""With these settings all that is counted in a test is kept, however long a busy machine takes to come back."""


class Counting:
    """A client that counts, and keeps what others say meanwhile."""

    def __init__(self, socket: ClientConnection, count: int, *, is_v3: bool) -> None:
        self._socket = socket
        self._is_v3 = is_v3
        self.numbers: Final = list(range(count))
        self.texts: Final[list[str]] = []
        """What others have said."""
        self.may_end: Final = threading.Event()
        """The last number is not said before this is set."""
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._count), threading.Thread(target=self._listen)]

    def begin(self) -> None:
        for thread in self._threads:
            thread.start()

    def end(self) -> None:
        self._is_over.set()
        self.may_end.set()
        self._threads[0].join()
        self._socket.close()
        self._threads[1].join()

    def _count(self) -> None:
        due_at = time.monotonic()
        for number in self.numbers:
            if number == self.numbers[-1]:
                self.may_end.wait()
            self._socket.send(json.dumps(self._said(number)))
            due_at += 1 / PER_SECOND
            if self._is_over.wait(max(0.0, due_at - time.monotonic())):
                return

    def _said(self, number: int) -> dict[str, Any]:
        """On V3 every fifth number is for the whole tenant."""
        if not self._is_v3:
            return {"number": number}
        return {"msg_type": "msg", "target": "group" if number % 5 else "broadcast", "payload": {"number": number}}

    def _listen(self) -> None:
        for text in self._socket:
            if "msg" in (heard := json.loads(text)):
                self.texts.append(heard["msg"])


@contextmanager
def counting(
    served: BridgeProcess, count: int, path: str = v3_path("team", "counter"), *, may_end: bool = True
) -> Iterator[Counting]:
    """While this lasts, a client of this bridge counts from 0: so many numbers, and no more."""
    with connect(served.websocket_url + path, max_queue=None) as socket:
        one = Counting(socket, count, is_v3=path.startswith("/v3/"))
        if may_end:
            one.may_end.set()
        one.begin()
        try:
            yield one
        finally:
            one.end()
