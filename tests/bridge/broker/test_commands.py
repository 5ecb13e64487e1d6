from hypothesis import given
from hypothesis import strategies as st

from bridge.broker.commands import pack, pack_parts, pack_publish


@given(st.binary(), st.binary(), st.integers())
def test_what_is_packed_in_a_quicker_way_is_packed_alike(one: bytes, other: bytes, number: int) -> None:
    assert pack_publish(one, other) == pack("PUBLISH", one, other)
    assert b"*4\r\n$3\r\nSET\r\n" + pack_parts(one, other, number) == pack("SET", one, other, number)
