"""An ASGI application whose requests and handshakes are paid for: each waits for its turn, and is charged for its time.

Of one address handshakes go first, and whoever asks how the bridge is: files and pages keep nobody out.

What they make comes from the C library, so that their memory comes back when they are gone.

It knows no path, reads no body, and refuses only when too many wait: then the answer costs less than the question.
"""

import asyncio
import types
from collections.abc import Callable, Coroutine, Generator
from contextlib import suppress
from time import monotonic, perf_counter
from typing import Any, Final, cast

from starlette.types import ASGIApp, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from bridge.budget.accounts import Holder
from bridge.budget.budget import Budget
from bridge.budget.turns import Turns
from bridge.sockets.later import later
from bridge.sockets.ports import CHARGE, nothing, when_gone
from bridge.system.allocator import c_library

Work = Coroutine[Any, Any, None]

MOST_WAITING: Final = 2_000
"""Requests and handshakes of one address; then they are refused."""
FIRST_PATHS: Final = ("/healthz", "/readyz", "/metrics")
PRICE_SECONDS: Final = 0.000_5
"""What one is taken to cost until it has run: several are let in before the first of them has."""


class Charge:
    """Who pays for one request: its address, and whoever it turns out to be."""

    def __init__(self, budget: Budget, stranger: Holder) -> None:
        self._budget = budget
        self._holders = [stranger]

    def also(self, holder: Holder) -> None:
        """From now on this one, too."""
        self._holders.append(holder)

    def pays(self, holder: Holder) -> None:
        """From now on this one alone."""
        self._holders = [holder]

    def spent(self, seconds: float) -> None:
        first, *others = self._holders
        self._budget.turns.stepped(first, seconds)
        for holder in others:
            holder.spend(0, 0, seconds * 1_000)


def charge(scope: Scope, holder: Holder) -> bool:
    """Charge what is left of a request to this holder, too; false where its accounts are overdrawn now."""
    charged = scope.get(CHARGE)
    if charged is not None:
        charged.also(holder)
    return not holder.wait_seconds(monotonic())


class _WaitingRequest:
    """A request that waits for its turn."""

    def __init__(self, budget: Budget, holder: Holder) -> None:
        self._budget = budget
        self._holder = holder
        self.turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        """Whether whoever asked is still there when it comes."""

    def go_on(self) -> None:
        self._budget.turns.spent(self._holder, 0, 0, PRICE_SECONDS)
        self._decide(is_there=True)

    def leave(self) -> None:
        """Nobody waits for the answer any more."""
        self._holder.withdraw(self)
        self._decide(is_there=False)

    def _decide(self, *, is_there: bool) -> None:
        if not self.turn.done():
            self.turn.set_result(is_there)


class Metered:
    """`application`, with every request and handshake charged to whoever `address_of` its scope says."""

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
        if holder.waiting >= MOST_WAITING:
            self._budget.over["request_refused"] += 1
            await _refuse(scope, receive, send)
            return
        try:
            if not await self._is_there_in_turn(scope, holder):
                return
        except asyncio.CancelledError:  # the server stops, and waits for nobody any longer
            await _refuse(scope, receive, send)
            return
        with c_library:
            charged = scope[CHARGE] = Charge(self._budget, holder)
            work = _charged(cast(Work, self._application(scope, receive, send)), charged.spent, self._budget.turns)
        await work

    async def _is_there_in_turn(self, scope: Scope, holder: Holder) -> bool:
        """Wait for its turn; false, at once, where nobody is there any more for whom to wait."""
        if self._budget.turns.may_go_on(holder):
            return True
        waiting = _WaitingRequest(self._budget, holder)
        self._budget.turns.wait(holder, waiting, is_new=_goes_first(scope))
        when_gone(scope, waiting.leave)
        is_there = await waiting.turn
        when_gone(scope, nothing)
        if is_there:
            holder.spend(0, 0, -PRICE_SECONDS * 1_000)
        return is_there


def _goes_first(scope: Scope) -> bool:
    return bool(scope["type"] == "websocket" or scope["path"] in FIRST_PATHS)


@types.coroutine
def _charged(work: Work, spent: Callable[[float], None], turns: Turns) -> Generator[Any, Any, None]:
    """Run `work`, and tell what each of its steps took. Of many that are ready at once some wait for the next turn."""
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
        except BaseException as error:  # noqa: BLE001 - whatever it is, it is the work's: a cancellation, say
            failed = error


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    response = later("overloaded", "Too many requests of this address wait already: come back in a moment.")
    with suppress(WebSocketDisconnect, OSError):
        if scope["type"] == "http":
            await response(scope, receive, send)
        else:
            await WebSocket(scope, receive, send).send_denial_response(response)
