"""A real HTTP server that gives public keys as a JSON Web Key Set, and may be made to misbehave. It counts who asks."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Literal

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

PublicKey = RSAPublicKey | EllipticCurvePublicKey
Mood = Literal["well", "failing", "mute", "babbling", "cutting short", "empty"]


class KeyServer(ThreadingHTTPServer):
    """`keys` by name are what it gives; `asked` are the paths that were asked for."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.keys: dict[str, PublicKey] = {}
        self.asked: list[str] = []
        self.mood: Mood = "well"

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/jwks"

    def key_set(self) -> bytes:
        return json.dumps({"keys": [_jwk(name, key) for name, key in self.keys.items()]}).encode()


class _Handler(BaseHTTPRequestHandler):
    server: KeyServer

    def do_GET(self) -> None:
        self.server.asked.append(self.path)
        match self.server.mood:
            case "well":
                self._answer(200, self.server.key_set())
            case "failing":
                self._answer(500, b"")
            case "babbling":
                self._answer(200, b"<html>")
            case "empty":
                self._answer(200, b'{"keys":[]}')
            case "cutting short":
                self._answer(200, self.server.key_set()[:10], length=9_999)
            case "mute":
                self.close_connection = True

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
            server.shutdown()
            thread.join()
