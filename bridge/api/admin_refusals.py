"""What the admin API answers where it carries no order out: a status, a code for programs, a sentence for people."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import BaseModel
from redis.exceptions import RedisError
from starlette.responses import JSONResponse

from bridge.broker.changes import Stale
from bridge.orders import GuardFailed, NothingToRollBack, ReasonMissing


class AdminRefusal(Exception):
    """A request to the admin API is refused; `sentence` says what to do."""

    def __init__(self, status: int, code: str, sentence: str, **more: Any) -> None:
        super().__init__(sentence)
        self.status: Final = status
        self.body: Final = {"code": code, "msg": sentence, **more}


def answer(refusal: AdminRefusal) -> JSONResponse:
    """The refusal as a response."""
    headers = {"WWW-Authenticate": "Bearer"} if refusal.status == 401 else None
    return JSONResponse(refusal.body, refusal.status, headers)


class RefusedOrder(BaseModel):
    """What a refusal looks like: a code for programs, a sentence for people; more where that is the matter."""

    code: str
    msg: str
    version: int | None = None
    guards: list[dict[str, Any]] | None = None


REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": RefusedOrder, "description": "`invalid_ids`, `reason_missing`"},
    401: {"model": RefusedOrder, "description": "`unauthenticated`"},
    403: {"model": RefusedOrder, "description": "`forbidden`: not an admin key"},
    404: {"model": RefusedOrder, "description": "`unknown_tenant`"},
    409: {"model": RefusedOrder, "description": "`stale`, `guard_failed`, `nothing_to_roll_back`"},
    503: {"model": RefusedOrder, "description": "`bus_down`"},
}


@contextmanager
def said_as_refusals() -> Iterator[None]:
    """What keeps an order from being carried out, as `AdminRefusal`."""
    try:
        yield
    except Stale as stale:
        raise AdminRefusal(409, "stale", f"{stale}: look again, and decide anew.", version=stale.version) from None
    except GuardFailed as failed:
        guards = [verdict.as_json() for verdict in failed.failing]
        raise AdminRefusal(
            409, "guard_failed", f"{failed} Mend that, or force it and say why.", guards=guards
        ) from None
    except ReasonMissing:
        sentence = "A step in spite of a guard needs a reason: send `why`."
        raise AdminRefusal(400, "reason_missing", sentence) from None
    except NothingToRollBack:
        raise AdminRefusal(409, "nothing_to_roll_back", "The tenant stands where it started.") from None


def unreachable(_error: RedisError) -> JSONResponse:
    """What every route answers while Redis is away."""
    return JSONResponse({"code": "bus_down", "msg": "Redis cannot be reached; try again."}, 503, {"Retry-After": "1"})
