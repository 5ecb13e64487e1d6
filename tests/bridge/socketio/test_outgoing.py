import asyncio

from hypothesis import given
from hypothesis import strategies as st

from bridge.socketio.outgoing import PACKET_BYTES, Waiting
from bridge.socketio.packets import Ready


@given(st.lists(st.binary(max_size=100) | st.none()), st.data())
def test_what_waits_is_counted_until_it_is_taken(blobs: list[bytes | None], data: st.DataObject) -> None:
    waiting = Waiting()
    items = [None if blob is None else Ready(blob) for blob in blobs]
    for item in items:
        waiting.put_nowait(item)
    taken = data.draw(st.integers(min_value=0, max_value=len(items)))
    assert [waiting.get_nowait() for _ in range(taken)] == items[:taken]
    assert waiting.bytes == sum(PACKET_BYTES + len(blob or b"") for blob in blobs[taken:])


async def test_some_are_taken_at_once_and_in_order() -> None:
    waiting = Waiting()
    taking = asyncio.create_task(waiting.some(3))
    await asyncio.sleep(0)
    assert not taking.done()
    for number in range(5):
        waiting.put_nowait(number)
    assert await taking == [0, 1, 2]
    assert await waiting.some(3) == [3, 4]
