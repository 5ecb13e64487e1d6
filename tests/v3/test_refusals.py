import json

import pytest

from v3.messages import Content, Problem, Target, WS_Message_V3
from v3.refusals import FLOODED, REFUSALS, Refusal, error, payload_of, unheard

CLOSES = {
    "invalid_id": 4400,
    "invalid_message": None,
    "invalid_json": None,
    "not_connected": None,
    "not_allowed": None,
    "unauthenticated": 4401,
    "token_expired": 4401,
    "forbidden": 4403,
    "keys_unavailable": 4503,
    "stage_legacy": 4404,
    "message_too_big": 1009,
    "binary_not_supported": 1003,
    "rate_limited": None,
    "slow_consumer": 4508,
    "overloaded": 4503,
    "going_away": 1012,
    "bus_down": None,
}


def test_the_list_is_closed() -> None:
    assert {code: refusal.close for code, refusal in REFUSALS.items()} == CLOSES
    assert FLOODED == 4429


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_close_code_says_whether_to_come_back(refusal: Refusal) -> None:
    if refusal.close is not None and 4000 <= refusal.close < 4500:
        assert not refusal.retry
    if refusal.close is not None and 4500 <= refusal.close < 5000:
        assert refusal.retry


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_a_valid_message_of_the_server(refusal: Refusal) -> None:
    line = error(refusal, "lobby", "2026-01-01T00:00:00.000000Z")
    message = WS_Message_V3.model_validate_json(line)
    assert (message.msg_type, message.target, message.cmd) == ("cmd", "echo", "ERROR")
    assert (message.from_id, message.group_id, message.to_id) == ("server", "lobby", None)
    assert message.msg == refusal.sentence
    assert message.payload == {"code": refusal.code, "retry": refusal.retry, "detail": [], "refused": {}}
    assert b"\n" not in line


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_sentence_says_what_to_do(refusal: Refusal) -> None:
    assert refusal.sentence.endswith(".")
    assert 400 <= refusal.http_status < 600


def test_a_refusal_tells_which_message_and_what_is_wrong_with_it() -> None:
    problems: list[Problem] = [{"field": "to_id", "problem": "is required"}]
    line = error(
        REFUSALS["invalid_message"],
        "",
        "now",
        problems=problems,
        refused={"msg_type": "msg"},
        extra={"retry_after_ms": 5},
    )
    assert json.loads(line)["group_id"] == ""
    assert json.loads(line)["payload"] == {
        "code": "invalid_message",
        "retry": False,
        "detail": problems,
        "refused": {"msg_type": "msg"},
        "retry_after_ms": 5,
    }


def test_the_http_surface_gives_the_same_payload() -> None:
    assert payload_of(REFUSALS["bus_down"]) == {"code": "bus_down", "retry": True, "detail": [], "refused": {}}


@pytest.mark.parametrize("target", ["direct", "group", "broadcast"])
@pytest.mark.parametrize(
    ("heard_by", "to_one", "to_many"), [(None, "bus_down", "bus_down"), (0, "not_connected", None), (2, None, None)]
)
def test_what_nobody_heard_is_refused_if_it_was_for_one(
    target: Target, heard_by: int | None, to_one: str | None, to_many: str | None
) -> None:
    said: Content = {"msg_type": "msg", "target": target}
    assert unheard(said, heard_by) == (to_one if target == "direct" else to_many)
