from __future__ import annotations

import asyncio
import contextlib
import socket
from collections import Counter

import pytest

from bridge.sockets import patience
from bridge.sockets.patience import Patience
from tests.bridge.broker.parts import until

WORDS = bytes(8_000_000)


@pytest.fixture
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patience, "STUCK_SECONDS", 0.1)


async def pair() -> tuple[asyncio.Transport, socket.socket]:
    """A transport, and the peer's end of it, which reads when the test does."""
    ours, theirs = socket.socketpair()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    theirs.setblocking(False)
    return transport, theirs


@pytest.mark.usefixtures("_soon")
async def test_a_peer_that_takes_nothing_is_cut_off_and_counted() -> None:
    transport, theirs = await pair()
    ended: Counter[str] = Counter()
    transport.write(WORDS)
    Patience(asyncio.get_running_loop(), transport, ended).watch()
    await until(transport.is_closing)
    assert ended == {"unread": 1}
    theirs.close()


@pytest.mark.usefixtures("_soon")
async def test_a_peer_that_takes_some_of_it_is_waited_for() -> None:
    transport, theirs = await pair()
    ended: Counter[str] = Counter()
    transport.write(WORDS)
    Patience(asyncio.get_running_loop(), transport, ended).watch()
    taken = 0
    while taken < len(WORDS):
        with contextlib.suppress(BlockingIOError):
            taken += len(theirs.recv(65_536))
        await asyncio.sleep(0.003)
    assert (ended, transport.is_closing()) == ({}, False)
    transport.close()
    theirs.close()


@pytest.mark.usefixtures("_soon")
async def test_where_nothing_is_left_or_nobody_waits_nothing_ends() -> None:
    transport, theirs = await pair()
    watched = Patience(asyncio.get_running_loop(), transport, Counter())
    watched.watch()
    assert watched._timer is None
    transport.write(WORDS)
    watched.watch()
    watched.end()
    await asyncio.sleep(0.3)
    assert not transport.is_closing()
    transport.abort()
    theirs.close()
