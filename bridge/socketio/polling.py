"""HTTP long polling of Engine.IO: a POST brings packets, a GET (poll) waits for packets. It does not check the origin.

When the client goes away during a poll its session ends, a moment later: the farewell of a page that is left comes by
another connection.

A second poll while one is under way ends the session: it would be unclear which of the two came first. A second POST
waits for the first, since a page that is left waits for nothing; a third ends the session.

Browsers send a request again, by themselves, when a connection that was used before ends before the answer. So clients
may number their requests (`n` in the query). A POST that comes again is not handled again. A poll that comes again ends
the session: what answered it is lost, and its client hears it when it connects again and says where it stood.

It must never wait for the session's client.
"""

from time import perf_counter
from typing import Final

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from bridge.socketio import packets
from bridge.socketio.engine import ANSWER_BYTES, FEW_PACKETS
from bridge.socketio.session import Session
from bridge.sockets.ports import nothing, pay, vouch, when_gone
from bridge.sockets.request_body import TooLong, read_body

MOST_POSTS: Final = 2
"""One whose packets are handled, and one that waits."""
_SEPARATOR: Final = packets.SEPARATOR.decode()
_WRONG_WAY: Final = {"code": 3, "message": "Send this session's packets in the way of its transport."}


class WrongWay(JSONResponse):
    """The HTTP response 400 for packets that do not come over the session's transport."""

    def __init__(self) -> None:
        super().__init__(_WRONG_WAY, 400)


class TooLarge(PlainTextResponse):
    """The HTTP response 413, sent at once. The rest of the request is discarded: a reset would lose the response."""

    def __init__(self) -> None:
        super().__init__("Payload Too Large", 413, {"Connection": "close"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        while (await receive()).get("more_body", False):
            pass
        await send({"type": "http.response.body", "body": b""})


async def post(request: Request, session: Session, most_bytes: int) -> Response:
    """Handle the packets of one POST in order; its body may have at most `most_bytes`."""
    if not _may_begin(session, is_under_way=session.budget.posts >= MOST_POSTS):
        return WrongWay()
    session.budget.posts += 1
    vouch_for(request.scope, session)
    try:
        async with session.budget.posting:
            await session.budget.turn(session.holder)
            if _comes_again(request, session):
                return PlainTextResponse("ok")
            return await _take(request, session, most_bytes)
    finally:
        session.budget.posts -= 1


async def poll(request: Request, session: Session) -> Response | None:
    """Wait for packets, and return the response with them. If the client goes away meanwhile, its session ends.

    `None`: there is no such session any more, and the client should connect again.
    """
    if session.engine.is_told or session.is_left:
        return None
    if not _may_begin(session, is_under_way=session.is_polling):
        return WrongWay()
    if _comes_again(request, session):
        session.abort()
        return None
    session.is_polling = True
    vouch_for(request.scope, session)
    when_gone(request.scope, session.leave)
    try:
        await session.budget.turn(session.holder)
        body = await session.answer(_most_packets(request))
        return PlainTextResponse(body) if body else None
    finally:
        session.is_polling = False
        when_gone(request.scope, nothing)


def _number_of(request: Request) -> str:
    return request.query_params.get("n", "")


def _comes_again(request: Request, session: Session) -> bool:
    """Whether this request has come before. From now on it has."""
    number, known = _number_of(request), session.engine.requests
    if number == "" or number in known:
        return number != ""
    known.append(number)
    return False


def _most_packets(request: Request) -> int:
    """How many packets this client takes at once.

    python-engineio's takes few, and marks its polls with a time, which has a dot. npm's client, and those made after
    it, take any number, and mark their polls with letters and digits. So do those that number them. Who does neither is
    given few.
    """
    mark = request.query_params.get("t", "") or _number_of(request)
    return ANSWER_BYTES if mark and "." not in mark else FEW_PACKETS


def _may_begin(session: Session, *, is_under_way: bool) -> bool:
    """Whether the session polls, and no request of this kind is under way; another one ends it."""
    if session.engine.transport == "websocket":
        return False
    if is_under_way:
        session.end_as_broken()
    return not is_under_way


async def _take(request: Request, session: Session, most_bytes: int) -> Response:
    body = await _body(request, most_bytes)
    if body is None:
        session.refuse("message_too_big")
        return TooLarge()
    texts = _texts_in(body)
    if not texts:
        session.end_as_broken()
    return PlainTextResponse("ok") if await _are_taken(texts, session) else WrongWay()


def _texts_in(body: bytes) -> list[str]:
    """The packets in a body; empty if the body is not UTF-8."""
    try:
        return body.decode().split(_SEPARATOR)
    except UnicodeDecodeError:
        return []


async def _are_taken(texts: list[str], session: Session) -> bool:
    """Handle each packet; returns false when a client may not send one, or nothing of it is heard any more."""
    if session.is_over and not session.namespaces.hears_out:
        return False
    for text in texts:
        if not packets.may_come(text):
            session.end_as_broken()
            return False
        await session.budget.turn(session.holder)
        began = perf_counter()
        join = session.take(text)
        session.budget.spent(session.holder, len(text), perf_counter() - began)
        if join is not None:
            await session.enter(join)
    return True


async def _body(request: Request, most_bytes: int) -> bytes | None:
    """The body; `None` if it is too long, empty if the client went away."""
    length = request.headers.get("content-length", "0")
    if not length.isdecimal() or int(length) > most_bytes:
        return None
    try:
        return await read_body(request, most_bytes)
    except TooLong:
        return None
    except ClientDisconnect:
        return b""


def vouch_for(scope: Scope, session: Session) -> None:
    """Mark the request as authenticated and charge the session's holder, if its client is in a namespace."""
    if session.namespaces.joined:
        vouch(scope)
        pay(scope, session.holder)
