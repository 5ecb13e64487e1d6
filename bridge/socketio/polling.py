"""Long polling: the POST that brings packets and the GET that waits for some, each answered once. It knows no origin.

Must never wait for a session's client: two polls or two posts at once end the session, since nobody could say which of
them came first.
"""

from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bridge.socketio import packets
from bridge.socketio.engine import MOST_PACKETS
from bridge.socketio.session import Session
from bridge.sockets.ports import nothing, pay, vouch, when_gone
from bridge.sockets.request_body import TooLong, read_body

_SEPARATOR: Final = packets.SEPARATOR.decode()
_WRONG_WAY: Final = {"code": 3, "message": "Send this session's packets in the way of its transport."}


class WrongWay(JSONResponse):
    """400 for packets that do not come in the way of their session's transport."""

    def __init__(self) -> None:
        super().__init__(_WRONG_WAY, 400)


class TooLarge(PlainTextResponse):
    """Said at once; what its sender goes on sending is thrown away, so that the answer is not lost to a reset."""

    def __init__(self) -> None:
        super().__init__("Payload Too Large", 413, {"Connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.body", "body": b""})


async def post(request: Request, session: Session, most_bytes: int) -> Response:
    """Take the packets of one POST, of at most `most_bytes`, in order."""
    if session.engine.transport == "websocket":
        return WrongWay()
    if session.is_posting:
        session.end_as_broken()
        return WrongWay()
    session.is_posting = True
    _vouch(request, session)
    try:
        return await _take(request, session, most_bytes)
    finally:
        session.is_posting = False


async def poll(request: Request, session: Session) -> Response:
    """Wait for packets. A client that goes away meanwhile has left its session."""
    if session.engine.transport == "websocket":
        return WrongWay()
    if session.is_polling:
        session.end_as_broken()
        return WrongWay()
    session.is_polling = True
    _vouch(request, session)
    when_gone(request.scope, lambda: session.end(1001, "the client went away"))
    try:
        return PlainTextResponse(await session.answer())
    finally:
        session.is_polling = False
        when_gone(request.scope, nothing)


async def _take(request: Request, session: Session, most_bytes: int) -> Response:
    body = await _body(request, most_bytes)
    if body is None:
        return TooLarge()
    texts = _texts_in(body)
    if not 0 < len(texts) <= MOST_PACKETS:
        session.end_as_broken()
    return PlainTextResponse("ok") if await _are_taken(texts, session) else WrongWay()


def _texts_in(body: bytes) -> list[str]:
    """The packets of a body; none where it is no UTF-8."""
    try:
        return body.decode().split(_SEPARATOR)
    except UnicodeDecodeError:
        return []


async def _are_taken(texts: list[str], session: Session) -> bool:
    """Whether each is a packet that a client may send; not so either where the session is over before the first."""
    if session.is_over:
        return False
    for text in texts:
        if not packets.may_come(text):
            session.end_as_broken()
            return False
        await session.receive_in_turn(text)
    return True


async def _body(request: Request, most_bytes: int) -> bytes | None:
    """The body; `None` as soon as it is too long."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most_bytes:
        return None
    try:
        return await read_body(request, most_bytes)
    except TooLong:
        return None
    except ClientDisconnect:
        return b""


def _vouch(request: Request, session: Session) -> None:
    """A session in a namespace has good credentials, and its holder pays for the request."""
    if session.namespaces.joined:
        vouch(request.scope)
        pay(request.scope, session.holder)
