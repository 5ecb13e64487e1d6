"""The body of an order: read strictly, and never said back."""

from __future__ import annotations

import json

import pytest

from bridge.admin.bodies import Body, described
from bridge.api.errors import AdminRefusal


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
