"""Fetches a JSON Web Key Set over HTTP in a thread, which ends in time even if the server sends a byte now and then.

A socket's timeout bounds each read, not the whole response. So when the time is over, `end` shuts down every
connection of the fetch from outside. A fetch must never hold more than `MOST_BYTES` of the response, never follow a
redirect to another server, and never know what a token is. The response is parsed in the same thread, since a hostile
server can make parsing slow.
"""

import socket
import threading
from base64 import b64encode
from collections.abc import Callable
from concurrent.futures import Future, InvalidStateError
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from typing import Any, Final, Generic, TypeVar
from urllib.error import HTTPError
from urllib.parse import unquote, urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request, build_opener

MOST_BYTES: Final = 262_144

Watch = Callable[[socket.socket], None]
Read = TypeVar("Read")
Told = TypeVar("Told")


class TooMuch(ValueError):
    """The response body is larger than `MOST_BYTES`."""


class Fetch(Generic[Read]):
    """One fetch. `done` gets what `read` returns for the response body, or the exception that ended the fetch."""

    def __init__(self, url: str, seconds: float, read: Callable[[bytes], Read]) -> None:
        self.done: Final[Future[Read]] = Future()
        self._url = url
        self._seconds = seconds
        self._read = read
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_over = False
        self._is_told = False
        self._thread = threading.Thread(target=self._run, name="key fetch", daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """Whether the thread still has something to do. While it resolves a host name, it can outlive `end`."""
        return self._thread.is_alive() and not self._is_told

    def end(self) -> None:
        """Shut down every connection that is still open; harmless when the fetch is done."""
        with self._lock:
            self._is_over = True
            for one in self._sockets:
                with suppress(OSError), one:
                    one.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()

    def _run(self) -> None:
        try:
            self._tell(self.done.set_result, self._read(self._body()))
        except Exception as error:  # noqa: BLE001 - a hostile server can make the library raise anything
            self._tell(self.done.set_exception, error)
        finally:
            self.end()

    def _body(self) -> bytes:
        opener = build_opener(_Plain.handler(self._watch), _Secure.handler(self._watch), _Staying())
        try:
            with opener.open(_request(self._url), timeout=self._seconds) as response:
                body: bytes = response.read(MOST_BYTES + 1)
        except HTTPError as answer:
            answer.close()
            raise
        if len(body) > MOST_BYTES:
            raise TooMuch(f"more than {MOST_BYTES:,} bytes")
        return body

    def _watch(self, one: socket.socket) -> None:
        with self._lock:
            if self._is_over:
                raise TimeoutError
            self._sockets.append(one.dup())

    def _tell(self, how: Callable[[Told], None], what: Told) -> None:
        self._is_told = True
        with suppress(InvalidStateError):  # the future was cancelled
            how(what)


def _request(url: str) -> Request:
    """The request for this URL. A user and password in the URL are sent as Basic authentication (RFC 7617)."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    basic = {"Authorization": f"Basic {b64encode(unquote(user).encode()).decode()}"} if at else {}
    return Request(parts._replace(netloc=host).geturl(), headers=basic)  # noqa: S310 - the operator's own address


class _Plain(HTTPConnection):
    """An HTTP connection that passes its socket to `watch` when it is connected, before anything is sent."""

    def __init__(self, *arguments: Any, watch: Watch, **more: Any) -> None:
        super().__init__(*arguments, **more)
        self._watch = watch

    def connect(self) -> None:
        super().connect()
        self._watch(self.sock)

    @classmethod
    def handler(cls, watch: Watch) -> HTTPHandler:
        handler = HTTPHandler()
        handler.http_open = lambda req: handler.do_open(partial(cls, watch=watch), req)  # type: ignore[method-assign]
        return handler


class _Secure(HTTPSConnection, _Plain):
    """The same over TLS. The library connects as above first, and does the TLS handshake after that."""

    @classmethod
    def handler(cls, watch: Watch) -> HTTPSHandler:  # type: ignore[override]
        handler = HTTPSHandler()
        handler.https_open = lambda req: handler.do_open(partial(cls, watch=watch), req)  # type: ignore[method-assign]
        return handler


class _Staying(HTTPRedirectHandler):
    """Follows a redirect only to the same scheme, host and port. Raises `HTTPError` for any other."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise HTTPError(req.full_url, code, "sent to another server", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
