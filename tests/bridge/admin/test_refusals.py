"""What the admin API answers where an order is not carried out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from redis.exceptions import ResponseError
from starlette.responses import Response

from bridge.admin.refusals import AdminRefusal, answer, redis_away, redis_refuses, said_as_refusals, unreadable
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
    response = answer(refused.value)
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


def test_only_whoever_showed_no_key_is_asked_for_one() -> None:
    assert answer(AdminRefusal(401, "unauthenticated", "Send a key.")).headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in answer(AdminRefusal(403, "forbidden", "Another key.")).headers


def test_while_redis_is_away_the_answer_says_when_to_come_back() -> None:
    response = answer(redis_away())
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert body_of(response)["code"] == "bus_down"


def test_where_redis_is_there_and_refuses_the_answer_says_what_it_said() -> None:
    body = body_of(answer(redis_refuses(ResponseError("OOM command not allowed" + "." * 1_000))))
    assert body["msg"].startswith("Redis refuses: OOM command not allowed")
    assert len(body["msg"]) < 200


def test_what_cannot_be_read_is_said_field_by_field_and_in_a_sentence() -> None:
    problems = [
        {"loc": ("query", "most"), "msg": "Input should be greater than 0"},
        {"loc": (), "msg": "Value error, name a stage"},
    ]
    body = body_of(answer(unreadable("invalid_order", problems)))
    assert body == {
        "code": "invalid_order",
        "msg": "most: Input should be greater than 0. name a stage.",
        "detail": [
            {"field": "most", "problem": "Input should be greater than 0"},
            {"field": "", "problem": "name a stage"},
        ],
    }
