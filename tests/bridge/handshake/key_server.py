"""A real HTTP server that gives public keys as a JSON Web Key Set, and may be made to misbehave. It counts who asks."""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PublicKey = RSAPublicKey | EllipticCurvePublicKey
Mood = Literal[
    "well",
    "failing",
    "mute",
    "babbling",
    "cutting short",
    "empty",
    "dripping",
    "dripping its head",
    "endless",
    "silent",
    "too many",
    "sending away",
    "sending elsewhere",
    "deep",
]


HEADS: Mapping[str, tuple[bytes, bytes, float]] = {
    "dripping": (b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n", b" ", 0.05),
    "dripping its head": (b"HTTP/1.1 200 OK\r\nX: ", b"x", 0.05),
    "endless": (b"HTTP/1.1 200 OK\r\n\r\n", b" " * 65_536, 0),
}
"""What is said first, then again and again, with so many seconds between."""

BODIES: Mapping[str, bytes] = {"babbling": b"<html>", "empty": b'{"keys":[]}', "deep": b'{"keys":' + b"[" * 100_000}


class KeyServer(ThreadingHTTPServer):
    """`keys` by name are what it gives; `asked` are the paths that were asked for, `said` what authorization was sent.

    Without end it drips, or says bytes as fast as they are taken, until the other side is `gone`. `elsewhere` is where
    it sends people, and `besides` are members that each key has more.
    """

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, PublicKey] = {}
        self.asked: list[str] = []
        self.mood: Mood = "well"
        self.elsewhere = ""
        self.besides: dict[str, Any] = {}
        self.is_over = threading.Event()
        self.said: list[str | None] = []
        self.gone = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks"

    def key_set(self) -> bytes:
        return json.dumps({"keys": [_jwk(name, key) | self.besides for name, key in self.keys.items()]}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        self.server.said.append(self.headers["Authorization"])
        if self.path == "/moved":
            self._answer(200, self.server.key_set())
            return
        if self.server.mood in HEADS:
            self._go_on(*HEADS[self.server.mood])
        elif self.server.mood in ("sending away", "sending elsewhere"):
            self._send("/moved" if self.server.mood == "sending away" else self.server.elsewhere)
        elif self.server.mood in ("mute", "silent"):
            self.close_connection = True
            self.server.is_over.wait(None if self.server.mood == "silent" else 0)
        else:
            self._answer(*self._said())

    def _said(self) -> tuple[int, bytes, int | None]:
        mood = self.server.mood
        if mood == "too many":
            one = json.loads(self.server.key_set())["keys"][0]
            return 200, json.dumps({"keys": [one | {"kid": str(number)} for number in range(1_000)]}).encode(), None
        if mood == "cutting short":
            return 200, self.server.key_set()[:10], 9_999
        return 500 if mood == "failing" else 200, BODIES.get(mood, self.server.key_set()), None

    def _send(self, where: str) -> None:
        self.send_response(302)
        self.send_header("Location", where)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _go_on(self, head: bytes, piece: bytes, seconds: float) -> None:
        """Until the other side is gone, or the test is over."""
        self.close_connection = True
        try:
            self.wfile.write(head)
            while not self.server.is_over.wait(seconds):
                self.wfile.write(piece)
        except OSError:
            self.server.gone += 1

    def _answer(self, status: int, body: bytes, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:  # noqa: A002 - the name is the base class's
        """Nothing: a test's output is its own."""


def _jwk(name: str, key: PublicKey) -> dict[str, Any]:
    jwk: dict[str, Any]
    if isinstance(key, RSAPublicKey):
        jwk = RSAAlgorithm.to_jwk(key, as_dict=True)
    else:
        jwk = ECAlgorithm.to_jwk(key, as_dict=True)
    return jwk | {"use": "sig", "kid": name}


@contextmanager
def key_server() -> Iterator[KeyServer]:
    """One that runs as long as the context lasts."""
    with KeyServer() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield server
        finally:
            server.is_over.set()
            server.shutdown()
            thread.join()
