"""The body of a change: read strictly, and never said back."""

from __future__ import annotations

import json

import pytest

from bridge.admin.bodies import NewStage, StepBack, described
from bridge.api.errors import AdminRefusal
from bridge.cutover.changes import WantedChange


def test_what_is_left_out_of_a_new_stage_stays() -> None:
    body = json.dumps({"share": 7, "why": "a few first", "version": 3}).encode()
    assert NewStage.in_body(body).wanted() == WantedChange(share=7, why="a few first", version=3)


def test_an_empty_step_back_says_nothing() -> None:
    assert StepBack.in_body(b"{}") == StepBack(why="", version=None)


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{}", b'{"stage": "secret"}', b'{"share": "7"}', b'{"share": 101}', b'{"share": 1, "more": 2}'],
)
def test_what_cannot_be_read_is_refused_and_not_said_back(body: bytes) -> None:
    with pytest.raises(AdminRefusal) as refused:
        NewStage.in_body(body)
    assert (refused.value.status, refused.value.body["code"]) == (422, "invalid_order")
    assert "secret" not in json.dumps(refused.value.body)


def test_a_body_is_described_with_its_schema() -> None:
    body = described(StepBack, is_required=False)["requestBody"]
    assert body["required"] is False
    assert set(body["content"]["application/json"]["schema"]["properties"]) == {"why", "version"}
