"""What the admin API answers where it carries no order out: a status, a code for programs, a sentence for people."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from pydantic import BaseModel

from bridge.api.errors import AdminRefusal, RefusedField
from bridge.cutover.changes import GuardFailed, NothingToRollBack, ReasonMissing
from bridge.tenants.change_log import Stale


class RefusedOrder(BaseModel):
    """What a refusal looks like: a code for programs, a sentence for people; more where that is the matter."""

    code: str
    msg: str
    detail: list[RefusedField] | None = None
    version: int | None = None
    guards: list[dict[str, Any]] | None = None


REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {"model": RefusedOrder, "description": "`invalid_ids`, `reason_missing`, `unfinished`"},
    401: {"model": RefusedOrder, "description": "`unauthenticated`"},
    403: {"model": RefusedOrder, "description": "`forbidden`: not an admin key"},
    404: {"model": RefusedOrder, "description": "`unknown_tenant`"},
    408: {"model": RefusedOrder, "description": "`unfinished`: its body took too long"},
    409: {"model": RefusedOrder, "description": "`stale`, `guard_failed`, `nothing_to_roll_back`"},
    413: {"model": RefusedOrder, "description": "`body_too_big`"},
    422: {"model": RefusedOrder, "description": "`invalid_order`, `invalid_ids`, `invalid_request`"},
    429: {"model": RefusedOrder, "description": "`rate_limited`: too many orders of this tenant"},
    503: {"model": RefusedOrder, "description": "`bus_down`, `overloaded`"},
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
