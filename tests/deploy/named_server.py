"""A server that says only who it is and what it was asked for: it stands for a bridge behind nginx."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Named(BaseHTTPRequestHandler):
    """Answers with the server's name and the target that it was asked for."""

    name = ""

    def do_GET(self) -> None:
        """The method that the library calls."""
        body = f"{self.name} {self.path}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_words: object) -> None:
        """Nothing: nginx keeps the log."""


class Server(ThreadingHTTPServer):
    """It is asked by many at once: whom a shorter queue turned away, nginx would take for one that found nobody."""

    request_queue_size = 128


@contextmanager
def named_server(name: str, port: int = 0) -> Iterator[str]:
    """A running one, by its address; port 0 is whichever is free."""
    with Server(("127.0.0.1", port), type("Handler", (Named,), {"name": name})) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield f"127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
