import asyncio
from typing import cast

from bridge.sockets.flow import Flow


class Transport:
    """What was asked of it."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def pause_reading(self) -> None:
        self.asked.append("pause")

    def resume_reading(self) -> None:
        self.asked.append("resume")


async def test_whoever_asks_for_more_of_a_body_does_not_end_a_hold() -> None:
    transport = Transport()
    flow = Flow(cast(asyncio.Transport, transport))
    flow.hold()
    flow.resume_reading()
    assert transport.asked == ["pause"]
    flow.release()
    flow.pause_reading()
    flow.resume_reading()
    assert transport.asked == ["pause", "resume"] * 2
