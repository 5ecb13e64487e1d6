"""A large answer says what JSON would, in pieces."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bridge.admin.large_answer import WORDS_PER_PIECE, in_words, send_words, words

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(JSON)
def test_it_is_the_same_value(said: object) -> None:
    assert json.loads(b"".join(words(said))) == said


def test_each_item_of_a_list_is_a_word_by_itself_and_bytes_are_words_already() -> None:
    assert list(words({"clients": [{"id": 1}, b"[2]"], "total": 1})) == [
        *(b"{", b'"clients":', b"[", b'{"id": 1}', b",", b"[2]", b"]"),
        *(b",", b'"total":', b"1", b"}"),
    ]


async def test_it_is_sent_in_pieces_of_a_length_that_is_known_before() -> None:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    said = [f"item {number}" for number in range(WORDS_PER_PIECE)]
    await send_words(send, [(b"content-type", b"application/json")], await in_words(said))
    start, *pieces = sent
    body = b"".join(piece["body"] for piece in pieces)
    assert json.loads(body) == said
    assert dict(start["headers"]) == {b"content-type": b"application/json", b"content-length": b"%d" % len(body)}
    assert [piece.get("more_body", False) for piece in pieces] == [True, True, True, False]
