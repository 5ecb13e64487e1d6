"""What cannot be read in Redis is counted and logged, and never shown."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from bridge.broker.addresses import group_in, process_in
from bridge.broker.data_loss import lost_at
from bridge.broker.presence_entries import holder_in
from bridge.broker.presence_members import add_members
from bridge.broker.unreadable import answer_of, skip, skipped
from bridge.records import cluster_counts


def test_what_is_passed_over_is_counted_and_logged_by_what_it_should_have_been() -> None:
    before = skipped["holder"]
    with capture_logs() as logs:
        skip("holder")
    assert skipped["holder"] == before + 1
    assert logs == [{"event": "unreadable_in_redis", "log_level": "warning", "what": "holder"}]


READERS: dict[str, Callable[[bytes], Any]] = {
    "a process": process_in,
    "a group": group_in,
    "a holder": holder_in,
    "a headcount": cluster_counts._read,
    "a loss": lost_at,
    "members": lambda said: add_members({}, [said]),
}
LIKE_OURS = st.lists(st.sampled_from((b"a", b":", b"v3", b"1", b"\xff", b" ", b"Z", b"{", b'"', b"[", b",", b"-"))).map(
    b"".join
)


@pytest.mark.parametrize("what", READERS)
@given(said=st.binary() | LIKE_OURS | st.text().map(str.encode))
def test_whatever_stands_in_redis_no_reader_of_it_fails(what: str, said: bytes) -> None:
    READERS[what](said)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(json_values | json_values.map(lambda said: {"acme": {"connections": {"v2": said}}}))
def test_whatever_json_stands_there_for_a_headcount_it_yields_numbers_or_nothing(said: object) -> None:
    for tenant, what, protocol, number in cluster_counts._read(json.dumps(said).encode()):
        assert all(isinstance(name, str) for name in (tenant, what, protocol))
        assert 0 <= number <= cluster_counts.MOST


async def test_a_key_of_another_type_answers_nothing_and_is_counted_and_other_errors_are_not_hidden(
    redis_url: str, prefix: str
) -> None:
    before = skipped["key"]
    async with Redis.from_url(redis_url) as redis:
        await redis.lpush(prefix, "something else")
        with capture_logs() as logs:
            assert await answer_of(redis.getrange(prefix, 0, 9), b"nothing") == b"nothing"
        assert skipped["key"] == before + 1
        assert logs == [{"event": "unreadable_in_redis", "log_level": "warning", "what": "key"}]
        with pytest.raises(ResponseError):
            await answer_of(redis.execute_command("GETRANGE", prefix), b"")  # type: ignore[no-untyped-call]
        assert skipped["key"] == before + 1
