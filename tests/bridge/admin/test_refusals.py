"""What the admin API answers where an order is not carried out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.responses import Response

from bridge.admin.refusals import said_as_refusals
from bridge.api.errors import AdminRefusal
from bridge.cutover.changes import GuardFailed, NothingToRollBack, ReasonMissing
from bridge.cutover.guards import Verdict
from bridge.tenants.change_log import Stale

VERDICT = Verdict("quiet_days", 7, 2.0, holds=False, sentence="The last V2 message was 2 days ago.")


def body_of(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(response.body))
    return found


@pytest.mark.parametrize(
    ("error", "status", "code", "more"),
    [
        (Stale(7), 409, "stale", {"version": 7}),
        (GuardFailed([VERDICT]), 409, "guard_failed", {"guards": [VERDICT.as_json()]}),
        (ReasonMissing(), 400, "reason_missing", {}),
        (NothingToRollBack(), 409, "nothing_to_roll_back", {}),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_whatever_keeps_an_order_from_being_carried_out_has_its_answer(
    error: Exception, status: int, code: str, more: dict[str, Any]
) -> None:
    with pytest.raises(AdminRefusal) as refused, said_as_refusals():
        raise error
    response = refused.value.response()
    body = body_of(response)
    assert (response.status_code, body.pop("code")) == (status, code)
    assert body.pop("msg").endswith((".", "`why`."))
    assert body == more


def test_a_failing_guard_is_said_in_its_own_words() -> None:
    with pytest.raises(AdminRefusal) as refused, said_as_refusals():
        raise GuardFailed([VERDICT])
    assert refused.value.body["msg"] == "The last V2 message was 2 days ago. Mend that, or force it and say why."


def test_what_nobody_foresaw_is_not_dressed_up() -> None:
    with pytest.raises(ZeroDivisionError), said_as_refusals():
        raise ZeroDivisionError
