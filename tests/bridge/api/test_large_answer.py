"""A large answer says what JSON would."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from bridge.api.large_answer import large_answer, written

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), JSON) | st.lists(JSON))
def test_it_is_the_same_object_or_list(said: dict[str, object] | list[object]) -> None:
    assert json.loads(written(said)) == said


async def test_it_is_answered_as_json() -> None:
    answer = await large_answer({"clients": [{"id": 1}], "total": 1})
    assert (answer.body, answer.headers["content-type"]) == (b'{"clients":[{"id": 1}],"total":1}', "application/json")
