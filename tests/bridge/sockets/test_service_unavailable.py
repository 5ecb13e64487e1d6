"""Who should come back, and when."""

import json

from bridge.sockets.service_unavailable import RETRY_AFTER_SECONDS, service_unavailable


def test_it_says_why_and_not_to_all_the_same_moment() -> None:
    answers = [service_unavailable("overloaded", "Too many.") for _ in range(100)]
    assert {answer.status_code for answer in answers} == {503}
    assert json.loads(bytes(answers[0].body)) == {"code": "overloaded", "msg": "Too many."}
    pauses = {int(answer.headers["Retry-After"]) for answer in answers}
    assert min(pauses) >= RETRY_AFTER_SECONDS[0]
    assert max(pauses) <= RETRY_AFTER_SECONDS[1]
    assert len(pauses) > 1
