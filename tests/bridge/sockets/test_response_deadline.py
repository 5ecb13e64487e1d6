from __future__ import annotations

import asyncio
import socket
from collections import Counter
from collections.abc import AsyncIterator, Callable
from typing import Any, cast

import pytest

from bridge.sockets.response_deadline import STUCK_SECONDS, ResponseDeadline

WORDS = bytes(8_000_000)


class Later:
    """A loop whose time the test makes pass: how long a machine takes for anything decides nothing."""

    def __init__(self) -> None:
        self.timer: Callable[[], None] | None = None

    def call_later(self, seconds: float, look: Callable[[int], None], before: int) -> Later:
        assert seconds == STUCK_SECONDS
        self.timer = lambda: look(before)
        return self

    def cancel(self) -> None:
        self.timer = None

    def pass_by(self) -> None:
        timer, self.timer = self.timer, None
        assert timer is not None
        timer()


class Peer:
    """Who reads when the test says so, and the transport over which it is told."""

    def __init__(self, transport: asyncio.Transport, theirs: socket.socket) -> None:
        self.transport = transport
        self.later = Later()
        self.ended: Counter[str] = Counter()
        self.patience = ResponseDeadline(cast(Any, self.later), transport, self.ended)
        self._theirs = theirs

    async def takes_some(self) -> int:
        return len(await asyncio.get_running_loop().sock_recv(self._theirs, 1_000_000))


@pytest.fixture
async def peer() -> AsyncIterator[Peer]:
    ours, theirs = socket.socketpair()
    theirs.setblocking(False)
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=ours)
    yield Peer(transport, theirs)
    transport.abort()
    theirs.close()


async def test_a_peer_that_takes_nothing_is_cut_off_and_counted(peer: Peer) -> None:
    peer.transport.write(WORDS)
    peer.patience.watch()
    peer.later.pass_by()
    assert (peer.ended, peer.transport.is_closing()) == ({"unread": 1}, True)


async def test_a_peer_that_takes_some_of_it_is_waited_for(peer: Peer) -> None:
    peer.transport.write(WORDS)
    peer.patience.watch()
    taken = 0
    while taken < len(WORDS):
        taken += await peer.takes_some()
        if peer.later.timer is not None:
            peer.later.pass_by()
    assert (peer.ended, peer.transport.is_closing()) == ({}, False)


async def test_a_peer_that_takes_no_more_is_cut_off_later(peer: Peer) -> None:
    peer.transport.write(WORDS)
    peer.patience.watch()
    await peer.takes_some()
    peer.later.pass_by()
    assert not peer.transport.is_closing()
    peer.later.pass_by()
    assert (peer.ended, peer.transport.is_closing()) == ({"unread": 1}, True)


async def test_where_nothing_is_left_or_nobody_waits_nothing_ends(peer: Peer) -> None:
    peer.patience.watch()
    assert peer.later.timer is None
    peer.transport.write(WORDS)
    peer.patience.watch()
    peer.patience.end()
    assert peer.later.timer is None
    assert not peer.transport.is_closing()
