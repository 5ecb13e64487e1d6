import json

import pytest

from legacy_v2.refusals import FLOODED, REFUSALS, Refusal, refusal_frame
from v3.refusals import FLOODED as FLOODED_V3
from v3.refusals import REFUSALS as REFUSALS_V3

CLOSES = {
    "invalid_id": 4400,
    "not_connected": None,
    "not_allowed": None,
    "unauthenticated": 4401,
    "token_expired": 4401,
    "forbidden": 4403,
    "keys_unavailable": 4503,
    "message_too_big": 1009,
    "binary_not_supported": 1003,
    "v2_retired": 4410,
    "moved_to_v3": 4426,
    "rate_limited": None,
    "slow_consumer": 4508,
    "overloaded": 4503,
    "going_away": 1012,
    "bus_down": None,
}


def test_the_list_is_closed() -> None:
    assert {code: refusal.close for code, refusal in REFUSALS.items()} == CLOSES


def test_both_languages_close_alike() -> None:
    for code in REFUSALS.keys() & REFUSALS_V3.keys():
        assert REFUSALS[code].close == REFUSALS_V3[code].close
    assert FLOODED == FLOODED_V3 == 4429


def test_a_message_of_v2_is_refused_for_what_it_says_only_where_it_speaks_as_the_bridge() -> None:
    assert not {"invalid_json", "invalid_message"} & REFUSALS.keys()
    assert "`bridge`" in REFUSALS["not_allowed"].sentence


@pytest.mark.parametrize("refusal", REFUSALS.values(), ids=REFUSALS)
def test_a_refusal_is_one_object_named_bridge(refusal: Refusal) -> None:
    (said,) = json.loads(refusal_frame(refusal)).values()
    assert json.loads(refusal_frame(refusal)) == {"bridge": said}
    assert (said["error"], said["msg"]) == (refusal.code, refusal.sentence)
    assert refusal.sentence.endswith(".")


@pytest.mark.parametrize("code", ["v2_retired", "moved_to_v3"])
def test_who_is_sent_to_v3_is_told_where(code: str) -> None:
    frame = json.loads(refusal_frame(REFUSALS[code], successor="/v3/ws/group/lobby/client/v2-42"))
    assert frame["bridge"]["notice"] == code
    assert frame["bridge"]["successor"] == "/v3/ws/group/lobby/client/v2-42"


def test_nobody_else_is_given_notice() -> None:
    assert "notice" not in json.loads(refusal_frame(REFUSALS["going_away"], retry_after_ms=5))["bridge"]
    assert json.loads(refusal_frame(REFUSALS["going_away"], retry_after_ms=5))["bridge"]["retry_after_ms"] == 5
