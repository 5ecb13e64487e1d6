"""ASGI middleware that charges every request and handshake for its time, and makes it wait for its holder's turn.

Among the waiting requests of one address, handshakes and `FIRST_PATHS` (health and metrics) go first, so that requests
for files and pages do not delay them.

Objects that a request creates are allocated by the C library, so that their memory returns to the system when they are
freed.

It knows no other path and reads no body. It refuses a request, with 503, only when `MOST_WAITING` of its address wait:
refusing then costs less than waiting. A handshake is also refused when it has waited for `WAIT_SECONDS`: soon its
socket would be ended without an answer (see `websocket_opening.py`), and its client could not know when to come back.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from functools import partial
from time import monotonic, perf_counter
from typing import Any, Final, Literal, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.budget.turns import Turns
from bridge.sockets.ports import CHARGE, nothing, when_gone
from bridge.sockets.service_unavailable import service_unavailable
from bridge.system.allocator import c_library

Work = Coroutine[Any, Any, None]
Outcome = Literal["turn", "gone", "refused"]
"""Of waiting: the request's turn has come, its client is gone, or it is refused since it must not wait."""

MOST_WAITING: Final = 2_000
"""Requests and handshakes of one address that may wait. Further ones are refused."""
WAIT_SECONDS: Final = 5.0
"""So long a handshake waits for its turn."""
FIRST_PATHS: Final = ("/healthz", "/readyz", "/metrics")
PRICE_SECONDS: Final = 0.000_5
"""Estimated cost of a request until it has run, since several are started before the first of them has run."""


class Charge:
    """Who pays for one request: the holder of its address, and later the holder that its credentials identify."""

    def __init__(self, budget: Budget, stranger: Holder) -> None:
        self._budget = budget
        self._holders = [stranger]

    def also(self, holder: Holder) -> None:
        """Charge this holder too, from now on."""
        self._holders.append(holder)

    def pays(self, holder: Holder) -> None:
        """Charge this holder alone, from now on."""
        self._holders = [holder]

    def spent(self, seconds: float) -> None:
        first, *others = self._holders
        self._budget.turns.stepped(first, seconds)
        for holder in others:
            holder.spend(0, 0, seconds * 1_000)


def charge(scope: Scope, holder: Holder) -> bool:
    """Charge the rest of a request to this holder too; returns false if its accounts are overdrawn now."""
    charged = scope.get(CHARGE)
    if charged is not None:
        charged.also(holder)
    return not holder.wait_seconds(monotonic())


class _WaitingRequest:
    """A request that waits for its turn."""

    def __init__(self, budget: Budget, holder: Holder) -> None:
        self._budget = budget
        self._holder = holder
        self.outcome: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()

    def go_on(self) -> None:
        self._budget.turns.spent(self._holder, 0, 0, PRICE_SECONDS)
        self._decide("turn")

    def leave(self, outcome: Outcome) -> None:
        """Stop waiting."""
        self._holder.withdraw(self)
        self._decide(outcome)

    def _decide(self, outcome: Outcome) -> None:
        if not self.outcome.done():
            self.outcome.set_result(outcome)


class Metered:
    """Wraps `application`. Requests and handshakes are charged to the address that `address_of` finds in the scope."""

    def __init__(self, application: ASGIApp, budget: Budget, address_of: Callable[[Scope], str]) -> None:
        self._application = application
        self._budget = budget
        self._address_of = address_of

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Work:
        if scope["type"] == "lifespan":
            return cast(Work, self._application(scope, receive, send))
        with c_library:
            return self._serve(scope, receive, send)

    async def _serve(self, scope: Scope, receive: Receive, send: Send) -> None:
        holder = self._budget.stranger(self._address_of(scope))
        holder.spend(0, 1, 0)
        try:
            outcome = await self._wait(scope, holder)
        except asyncio.CancelledError:  # the server stops, and does not wait for this request any longer
            await _refuse(scope, receive, send)
            return
        if outcome == "refused":
            self._budget.over["request_refused"] += 1
            await _refuse(scope, receive, send)
        elif outcome == "turn":
            await self._run(scope, receive, send, holder)

    async def _run(self, scope: Scope, receive: Receive, send: Send, holder: Holder) -> None:
        with c_library:
            charged = scope[CHARGE] = Charge(self._budget, holder)
            work = _charged(cast(Work, self._application(scope, receive, send)), charged.spent, self._budget.turns)
        await work

    async def _wait(self, scope: Scope, holder: Holder) -> Outcome:
        """Wait for the request's turn. Returns at once when its client is gone."""
        if holder.waiting >= MOST_WAITING:
            return "refused"
        if self._budget.turns.may_go_on(holder):
            return "turn"
        waiting = _WaitingRequest(self._budget, holder)
        self._budget.turns.wait(holder, waiting, is_new=_goes_first(scope))
        when_gone(scope, partial(waiting.leave, "gone"))
        if _is_handshake(scope):
            timer = asyncio.get_running_loop().call_later(WAIT_SECONDS, waiting.leave, "refused")
            waiting.outcome.add_done_callback(lambda _: timer.cancel())
        outcome = await waiting.outcome
        when_gone(scope, nothing)
        if outcome == "turn":
            holder.spend(0, 0, -PRICE_SECONDS * 1_000)
        return outcome


def _is_handshake(scope: Scope) -> bool:
    return bool(scope["type"] == "websocket")


def _goes_first(scope: Scope) -> bool:
    return _is_handshake(scope) or scope["path"] in FIRST_PATHS


@types.coroutine
def _charged(work: Work, spent: Callable[[float], None], turns: Turns) -> Generator[Any, Any, None]:
    """Run the coroutine `work`, and call `spent` with the seconds of each of its steps.

    When many coroutines are ready in one turn of the loop, some wait for the next turn (`Turns.may_step`).
    """
    said, failed = None, None
    while True:
        began = perf_counter()
        try:
            with c_library:
                asked = work.send(said) if failed is None else work.throw(failed)
        except StopIteration:
            return
        finally:
            spent(perf_counter() - began)
        said = failed = None
        try:
            said = yield asked
            while not turns.may_step:
                yield
        except GeneratorExit:
            work.close()
            raise
        except BaseException as error:  # noqa: BLE001 - every exception, a cancellation too, is for `work` to handle
            failed = error


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = service_unavailable(
        "overloaded", "Too many requests of this address wait already: come back in a moment."
    )
    with suppress(WebSocketDisconnect, OSError):
        if scope["type"] == "http":
            await response(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).send_denial_response(response)
