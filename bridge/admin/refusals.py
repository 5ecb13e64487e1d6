"""The refusals of the admin API, for OpenAPI: a status, a code for programs, and a sentence for people."""

from typing import Any, Final

from bridge.api.errors import ErrorBody


class RefusedOrder(ErrorBody):
    """What a refusal looks like: a code for programs, a sentence for people; more where that is the matter."""

    version: int | None = None
    guards: list[dict[str, Any]] | None = None
    sockets: int | None = None
    role: str | None = None


REFUSED: Final[dict[int | str, dict[str, Any]]] = {
    400: {
        "model": RefusedOrder,
        "description": "`invalid_configuration`, `invalid_ids`, `reason_missing`, `unfinished`",
    },
    401: {"model": RefusedOrder, "description": "`unauthenticated`"},
    403: {"model": RefusedOrder, "description": "`forbidden`: the key has no role, or not this one"},
    404: {"model": RefusedOrder, "description": "`unknown_tenant`, `unknown_key`"},
    408: {"model": RefusedOrder, "description": "`unfinished`: its body took too long"},
    409: {
        "model": RefusedOrder,
        "description": "`stale`, `guard_failed`, `unconfirmed`, `nothing_to_roll_back`, `nothing_to_read`, "
        "`name_taken`, `key_in_file`, `too_many_keys`, `ids_in_conflict`, `no_records`",
    },
    413: {"model": RefusedOrder, "description": "`body_too_big`"},
    422: {"model": RefusedOrder, "description": "`invalid_order`, `invalid_ids`, `invalid_request`"},
    429: {"model": RefusedOrder, "description": "`rate_limited`: too many orders of this tenant"},
    503: {"model": RefusedOrder, "description": "`bus_down`, `overloaded`"},
}
