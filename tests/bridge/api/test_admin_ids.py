"""An id map as it is sent: taken whole, or refused with what is wrong with it."""

from __future__ import annotations

import json

import pytest

from bridge.api.admin_ids import ids_in
from bridge.api.admin_refusals import AdminRefusal

UNREADABLE = (
    b"",
    b"hi",
    b"[]",
    b"null",
    b'{"ids": []}',
    b'{"ids": {"42": 7}}',
    b'{"ids": {"42": null}}',
    b'{"names": {}}',
    b'{"ids": {}, "more": 1}',
    b'{"ids": \xff}',
    b'{"ids": ' + b"[" * 100_000,
)


def refusal_of(body: bytes) -> tuple[int, str, str]:
    with pytest.raises(AdminRefusal) as refused:
        ids_in(body)
    return refused.value.status, refused.value.body["code"], refused.value.body["msg"]


def test_a_map_is_taken_whole() -> None:
    ids = {"42": "Xk3dQ", "a b": "Yk3dQ"}
    assert ids_in(json.dumps({"ids": ids}).encode()) == ids
    assert ids_in(b'{"ids": {}}') == {}


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (b'{"ids": {"42": "Xk3dQ", "42": "Yk3dQ"}}', "42"),
        (b'{"ids": {"42": "Xk3dQ", "\\u0034\\u0032": "Xk3dQ"}}', "42"),
        (b'{"ids": {}, "ids": {"42": "Xk3dQ"}}', "ids"),
    ],
)
def test_a_key_that_stands_twice_is_named_though_json_would_take_the_last(body: bytes, name: str) -> None:
    status, code, sentence = refusal_of(body)
    assert (status, code) == (400, "invalid_ids")
    assert repr(name) in sentence


@pytest.mark.parametrize("body", UNREADABLE, ids=range(len(UNREADABLE)))
def test_what_is_no_map_is_told_what_to_send(body: bytes) -> None:
    status, code, sentence = refusal_of(body)
    assert (status, code) == (422, "invalid_ids")
    assert sentence.startswith('Send {"ids": ')


@pytest.mark.parametrize("ids", [{"42": "Xk3dQ", "43": "Xk3dQ"}, {"42": "7"}, {"42": "server"}, {"42": "v2-7"}])
def test_a_map_that_is_not_one_to_one_is_refused_with_the_reason(ids: dict[str, str]) -> None:
    status, code, sentence = refusal_of(json.dumps({"ids": ids}).encode())
    assert (status, code) == (400, "invalid_ids")
    assert "Xk3dQ" in sentence or "Vision ID" in sentence
