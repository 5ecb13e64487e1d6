"""Fetches a JSON Web Key Set over HTTP, in a thread that ends when its time is over, however the server drips.

A socket's own timeout is one for each read; so at the end every connection that was made is shut from outside. It must
never hold more than `MOST_BYTES` of what is said, nor follow a server to another place, nor know what a token is.
What is said is read in the same thread, for reading it may take whatever time the server likes.
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
    """The set has more bytes than may be."""


class Fetch(Generic[Read]):
    """One fetch. `done` gets what `read` makes of its bytes, or the exception with which it failed."""

    def __init__(self, url: str, seconds: float, read: Callable[[bytes], Read]) -> None:
        self.done: Final[Future[Read]] = Future()
        self._url = url
        self._seconds = seconds
        self._read = read
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._is_over = False
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        """A thread that asks for a host's address may outlive `end` for as long as that takes."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Shut what is still open; harmless when it is done."""
        with self._lock:
            self._is_over = True
            for one in self._sockets:
                with suppress(OSError), one:
                    one.shutdown(socket.SHUT_RDWR)
            self._sockets.clear()

    def _run(self) -> None:
        try:
            self._tell(self.done.set_result, self._read(self._body()))
        except Exception as error:  # noqa: BLE001 - whatever a server makes the library stumble over
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

    @staticmethod
    def _tell(how: Callable[[Told], None], what: Told) -> None:
        with suppress(InvalidStateError):  # nobody waits any more
            how(what)


def _request(url: str) -> Request:
    """For an address in which a user and a password stand, they are sent as such, and are no part of the host."""
    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    basic = {"Authorization": f"Basic {b64encode(unquote(user).encode()).decode()}"} if at else {}
    return Request(parts._replace(netloc=host).geturl(), headers=basic)  # noqa: S310 - the operator's own address


class _Plain(HTTPConnection):
    """A connection that is watched from the moment it is made, before anything is said on it."""

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
    """The same over TLS: the library makes the connection first, as above, and then shakes hands on it."""

    @classmethod
    def handler(cls, watch: Watch) -> HTTPSHandler:  # type: ignore[override]
        handler = HTTPSHandler()
        handler.https_open = lambda req: handler.do_open(partial(cls, watch=watch), req)  # type: ignore[method-assign]
        return handler


class _Staying(HTTPRedirectHandler):
    """Goes where it is sent on the same server alone."""

    def redirect_request(self, req: Request, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Request | None:
        if urlsplit(newurl)[:2] != urlsplit(req.full_url)[:2]:
            raise HTTPError(req.full_url, code, "sent to another server", headers, fp)
        return super().redirect_request(req, fp, code, msg, headers, newurl)
