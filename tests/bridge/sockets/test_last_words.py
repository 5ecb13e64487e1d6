"""Who was closed politely, and is still heard."""

import asyncio

from bridge.sockets.last_words import LastWords
from tests.bridge.broker.parts import ANSWER_SECONDS


async def test_it_is_over_when_the_last_has_closed() -> None:
    heard = LastWords()
    heard.add("one")
    heard.add("two")
    over = asyncio.create_task(heard.over())
    await asyncio.sleep(0)
    heard.discard("one")
    heard.discard("one")
    await asyncio.sleep(0)
    assert (len(heard), over.done()) == (1, False)
    heard.discard("two")
    await asyncio.wait_for(over, ANSWER_SECONDS)


async def test_where_nobody_is_heard_it_is_over() -> None:
    await asyncio.wait_for(LastWords().over(), ANSWER_SECONDS)
