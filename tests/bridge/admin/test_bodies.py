"""What an order to the admin API may say, and how one is read that says something else."""

from __future__ import annotations

import json
from typing import Any

import pytest

from bridge.admin.bodies import NewStage, StepBack, body_of, described
from bridge.api.errors import AdminRefusal
from bridge.cutover.changes import WantedChange
from tests.bridge.sockets.test_request_body import request

SECRET = "very secret"


def refusal(order: type[NewStage | StepBack], body: bytes) -> AdminRefusal:
    with pytest.raises(AdminRefusal) as refused:
        order.in_body(body)
    return refused.value


def test_what_is_left_out_of_an_order_stays_as_it_is() -> None:
    assert NewStage.in_body(b'{"stage":"drain"}').wanted() == WantedChange(stage="drain")
    assert NewStage.in_body(b'{"v2_routing":"group"}').wanted() == WantedChange(v2_routing="group")
    assert NewStage.in_body(b'{"share":0}').wanted() == WantedChange(share=0)


def test_a_whole_order_is_wanted_word_for_word() -> None:
    order = {"stage": "v3", "share": 100, "v2_routing": "global", "why": "x" * 1_000, "version": 7, "force": True}
    assert NewStage.in_body(json.dumps(order).encode()).wanted() == WantedChange(**order)  # type: ignore[arg-type]


def test_an_order_that_wants_nothing_is_told_what_it_could_want() -> None:
    for body in (b"{}", b'{"why":"because","version":3,"force":true}', b'{"stage":null}'):
        assert refusal(NewStage, body).body["msg"] == "name a stage, a share or a v2_routing."


def test_a_step_back_may_say_nothing() -> None:
    assert StepBack.in_body(b"{}") == StepBack(why="", version=None)


@pytest.mark.parametrize(
    ("order", "body", "fields"),
    [
        (NewStage, {"stage": "v4"}, ["stage"]),
        (NewStage, {"share": 101}, ["share"]),
        (NewStage, {"share": -1}, ["share"]),
        (NewStage, {"share": "50"}, ["share"]),
        (NewStage, {"stage": "v3", "force": "yes"}, ["force"]),
        (NewStage, {"stage": "v3", "version": 1.0}, ["version"]),
        (NewStage, {"stage": "v3", "why": "x" * 1_001}, ["why"]),
        (NewStage, {"stage": "v4", "share": 101, "who": "me"}, ["stage", "share", "who"]),
        (StepBack, {"stage": "v3"}, ["stage"]),
        (StepBack, {"why": 7}, ["why"]),
        (StepBack, [], [""]),
    ],
)
def test_each_field_that_cannot_be_read_is_named(
    order: type[NewStage | StepBack], body: Any, fields: list[str]
) -> None:
    refused = refusal(order, json.dumps(body).encode())
    assert (refused.status, refused.body["code"]) == (422, "invalid_order")
    assert [problem["field"] for problem in refused.body["detail"]] == fields


@pytest.mark.parametrize(
    "body",
    [
        *(f'{{"stage":"{SECRET}"}}', f'{{"share":"{SECRET}"}}', f'["{SECRET}"]', f'"{SECRET}"', f'{{"stage":"{SECRET}'),
        f'{{"stage":"v3","why":{{"{SECRET}":1}}}}',
    ],
)
def test_what_was_sent_is_never_said_back(body: str) -> None:
    assert SECRET not in str(refusal(NewStage, body.encode()).body)


async def test_a_body_is_read_whole_up_to_its_bound() -> None:
    assert await body_of(request(b"ab", b"cd"), 4) == b"abcd"


async def test_a_body_that_is_too_big_is_refused_with_its_bound() -> None:
    with pytest.raises(AdminRefusal) as refused:
        await body_of(request(b"x" * 1_001), 1_000)
    assert (refused.value.status, refused.value.body["code"]) == (413, "body_too_big")
    assert refused.value.body["msg"] == "This order has at most 1,000 bytes."


async def test_a_body_that_is_cut_off_is_refused() -> None:
    with pytest.raises(AdminRefusal) as refused:
        await body_of(request(b"{", is_whole=False))
    assert (refused.value.status, refused.value.body["code"]) == (400, "unfinished")


async def test_whoever_counts_the_bytes_may_refuse_the_rest() -> None:
    counted: list[int] = []

    def count(size_bytes: int) -> None:
        counted.append(size_bytes)
        raise AdminRefusal(429, "rate_limited", "Wait.")

    with pytest.raises(AdminRefusal, match="Wait"):
        await body_of(request(b"ab", b"cd"), count=count)
    assert counted == [2]


@pytest.mark.parametrize(("order", "is_required"), [(NewStage, True), (StepBack, False)])
def test_the_document_says_what_may_be_sent_and_whether_it_must_be(
    order: type[NewStage | StepBack],
    is_required: bool,  # noqa: FBT001 - a row of the table
) -> None:
    body = described(order, is_required=is_required)["requestBody"]
    assert body["required"] is is_required
    schema = body["content"]["application/json"]["schema"]
    assert (set(schema["properties"]), schema["additionalProperties"]) == (set(order.model_fields), False)
