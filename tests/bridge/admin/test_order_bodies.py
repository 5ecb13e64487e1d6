"""The body of an order: read strictly, and never said back."""

from __future__ import annotations

import json

import pytest

from bridge.admin.order_bodies import Body, body_of, described
from bridge.api.errors import AdminRefusal
from tests.bridge.sockets.test_request_body import request


class Greeting(Body):
    """An order that exists here alone."""

    name: str
    times: int = 1


def test_what_is_left_out_is_as_the_order_says() -> None:
    assert Greeting.in_body(b'{"name": "ann"}') == Greeting(name="ann", times=1)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"name": 7}', b'{"name": "secret", "times": "2"}', b'{"a": 1}'])
def test_what_cannot_be_read_is_refused_and_not_said_back(body: bytes) -> None:
    with pytest.raises(AdminRefusal) as refused:
        Greeting.in_body(body)
    assert (refused.value.status, refused.value.body["code"]) == (422, "invalid_order")
    assert "secret" not in json.dumps(refused.value.body)


def test_a_body_is_described_with_its_schema() -> None:
    body = described(Greeting, is_required=False)["requestBody"]
    assert body["required"] is False
    assert set(body["content"]["application/json"]["schema"]["properties"]) == {"name", "times"}


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
