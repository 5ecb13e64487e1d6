"""A tenant that connects, speaks, and stays without end: it gets what it may have, and the others get theirs."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from itertools import count
from typing import Any

import pytest
from websockets.exceptions import InvalidStatus

from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED, with_key
from tests.end_to_end.test_rate import code_of
from tests.hostile.attackers import Allowance, TookMore
from tests.hostile.bridges import Attacked
from tests.hostile.configuration import TENANTS
from tests.hostile.conftest import StartAttacked
from tests.hostile.victims import victims

PLACES, PLACES_OF_ONE = 20, 5
HOARDED = f"max_connections = {PLACES}\nmax_connections_per_tenant = {PLACES_OF_ONE}\n{QUIET}{TENANTS}"

FEW_PER_SECOND = 10
OWN = Allowance(at_once=PLACES + 1, per_second=FEW_PER_SECOND)
CONNECTED = f"max_connections = {PLACES}\n{QUIET}[budget.%s]\nhandshakes = {FEW_PER_SECOND}\n{TENANTS}"
COMERS, RETURNS = 6, FEW_PER_SECOND // 2 - 2
"""The victim comes back so often: with the two that are there, its share of one second."""

MANY_PER_SECOND = 40
UNMEASURED = "[budget]\nkey.milliseconds = 0\ntenant.milliseconds = 0\n"
SAID = f"{UNHURRIED}{QUIET}{UNMEASURED}%s.messages = {MANY_PER_SECOND}\n{TENANTS}"
"""No connection has a limit that it could exceed."""
OWN_WORDS = Allowance(at_once=MANY_PER_SECOND + 1, per_second=MANY_PER_SECOND)
SPEAKERS, AT_ONCE, WORDS = 4, 10, MANY_PER_SECOND // 4
"""The victim says less than its share of one second."""
BUSY = f"{UNHURRIED}{QUIET}{UNMEASURED}process.milliseconds = 50\n{TENANTS}"
"""Any tenant may keep the whole process busy."""
MUCH = 1_500
COME_IN_SECONDS = 10
TWIN_SECONDS = 2
ECHO = {"msg_type": "msg", "target": "echo"}
ENOUGH = 20


class Rowdy:
    """A tenant, and what it was answered: `None` for what it got, else the code or the status of the refusal."""

    def __init__(self, bridge: Attacked, allowance: Allowance | None = None) -> None:
        self.answers: Counter[Any] = Counter()
        self.has_enough = asyncio.Event()
        """Set when it has been refused often, so that it gets no more than it may; or has got very much."""
        self.is_over = False
        """Whether its attacks are to end: one that is only cancelled may miss that, so often is it answered."""
        self._bridge = bridge
        self._allowance = allowance
        self._began = time.monotonic()
        self._numbers = count()

    def note(self, answer: Any) -> None:
        self.answers[answer] += 1
        if sum(self.answers.values()) - self.answers[None] >= ENOUGH or self.answers[None] >= MUCH:
            self.has_enough.set()
        if self._allowance and self.answers[None] > self._allowance.most(time.monotonic() - self._began):
            raise TookMore(f"{self.answers[None]} of {self._allowance}")

    def path(self) -> str:
        return v3_path("noise", f"r{next(self._numbers)}", with_key("rowdy"))

    async def connect(self) -> None:
        """Again and again; each connection ends as soon as it is there."""
        while not self.is_over:
            try:
                async with client(self._bridge, self.path()):
                    answer = None
            except InvalidStatus as invalid:
                answer = invalid.response.status_code
            self.note(answer)

    async def speak(self) -> None:
        """Some messages after the other, on one connection that nobody closes."""
        async with client(self._bridge, self.path()) as speaker:
            while not self.is_over:
                for _ in range(AT_ONCE):
                    await speaker.say(ECHO)
                for _ in range(AT_ONCE):
                    self.note(code_of(await speaker.hear()))


@asynccontextmanager
async def at_its_limit(rowdy: Rowdy, *attacks: Any) -> AsyncIterator[None]:
    """From when it has been refused often; meanwhile its attacks go on. What they raise is raised."""
    async with asyncio.TaskGroup() as tasks:
        try:
            for attack in attacks:
                tasks.create_task(attack)
            await rowdy.has_enough.wait()
            yield
        finally:
            rowdy.is_over = True


@contextlib.contextmanager
def raises_alone(expected: type[BaseException]) -> Any:
    """As `pytest.raises`, also where a group of tasks has raised it."""
    with pytest.raises((expected, BaseExceptionGroup)) as raised:
        yield
    if isinstance(raised.value, BaseExceptionGroup):
        assert raised.value.subgroup(expected) is not None, raised.value


async def nobody_else_is_kept_out(bridge: Attacked) -> None:
    """The others talk as ever, and one of them comes back as often as it likes."""
    rowdy = Rowdy(bridge)
    async with victims(bridge) as talking, at_its_limit(rowdy, *(rowdy.connect() for _ in range(COMERS))):
        for number in range(RETURNS):
            async with client(bridge, v3_path("home", f"back{number}", with_key("victim"))) as back:
                assert await back.is_served()
        await talking.talk(5, 0)
    assert rowdy.answers.keys() == {None, 503}


async def test_whoever_comes_again_and_again_keeps_no_other_tenant_out(attacked: StartAttacked) -> None:
    await nobody_else_is_kept_out(attacked(config=CONNECTED % "process"))


async def test_where_handshakes_are_for_whoever_comes_first_it_does(attacked: StartAttacked) -> None:
    bridge = attacked(config=CONNECTED % "process", without="equal shares")
    with raises_alone(InvalidStatus):
        await nobody_else_is_kept_out(bridge)


async def it_connects_as_often_as_it_may(bridge: Attacked) -> None:
    rowdy = Rowdy(bridge, OWN)
    ann = v3_path("home", "ann", with_key("victim"))
    async with at_its_limit(rowdy, rowdy.connect()), client(bridge, ann) as victim:
        assert await victim.is_served()


async def test_a_tenant_connects_no_more_often_than_it_may(attacked: StartAttacked) -> None:
    await it_connects_as_often_as_it_may(attacked(config=CONNECTED % "tenant"))


async def test_where_no_tenant_has_a_limit_it_does(attacked: StartAttacked) -> None:
    bridge = attacked(config=CONNECTED % "tenant", without="limits of tenants")
    with raises_alone(TookMore):
        await it_connects_as_often_as_it_may(bridge)


async def nobody_else_is_talked_down(bridge: Attacked) -> None:
    """Whatever the others say meanwhile is heard, and no connection is closed for what others of its tenant say."""
    rowdy = Rowdy(bridge)
    async with victims(bridge) as talking, at_its_limit(rowdy, *(rowdy.speak() for _ in range(SPEAKERS))):
        await talking.talk(WORDS, 0)
    assert rowdy.answers.keys() == {None, "rate_limited"}


async def test_whoever_floods_from_many_connections_talks_no_other_tenant_down(attacked: StartAttacked) -> None:
    await nobody_else_is_talked_down(attacked(config=SAID % "process"))


async def test_where_messages_are_for_whoever_comes_first_it_does(attacked: StartAttacked) -> None:
    bridge = attacked(config=SAID % "process", without="equal shares")
    with raises_alone(AssertionError):
        await nobody_else_is_talked_down(bridge)


async def it_says_as_much_as_it_may(bridge: Attacked) -> None:
    rowdy = Rowdy(bridge, OWN_WORDS)
    async with victims(bridge) as talking, at_its_limit(rowdy, *(rowdy.speak() for _ in range(SPEAKERS))):
        await talking.talk(WORDS, 0)


async def test_a_tenant_says_no_more_than_it_may_from_however_many_connections(attacked: StartAttacked) -> None:
    await it_says_as_much_as_it_may(attacked(config=SAID % "tenant"))


async def test_where_no_tenant_has_a_limit_it_says_more(attacked: StartAttacked) -> None:
    bridge = attacked(config=SAID % "tenant", without="limits of tenants")
    with raises_alone(TookMore):
        await it_says_as_much_as_it_may(bridge)


async def somebody_comes_in(bridge: Attacked, patience_seconds: float) -> None:
    """While the clients that are there spend more than the whole process may, and go on with it."""
    rowdy = Rowdy(bridge)
    ann = v3_path("home", "ann", with_key("victim"))
    at_work = at_its_limit(rowdy, *(rowdy.speak() for _ in range(SPEAKERS)))
    async with at_work, asyncio.timeout(patience_seconds), client(bridge, ann) as newcomer:
        assert await newcomer.is_served()
    assert rowdy.answers.keys() == {None}


async def test_whoever_keeps_the_process_busy_shuts_nobody_out(attacked: StartAttacked) -> None:
    await somebody_comes_in(attacked(config=BUSY), COME_IN_SECONDS)


@pytest.mark.alone
async def test_where_nothing_is_reserved_for_newcomers_it_does(attacked: StartAttacked) -> None:
    with raises_alone(TimeoutError):
        await somebody_comes_in(attacked(config=BUSY, without="reserve"), TWIN_SECONDS)


async def it_holds_as_many_as_it_may(bridge: Attacked) -> None:
    """It asks for more than its places, of which the process has many."""
    rowdy = Rowdy(bridge, Allowance(PLACES_OF_ONE, 0))
    async with victims(bridge) as talking, AsyncExitStack() as ends:
        for _ in range(3 * PLACES_OF_ONE):
            answer = None
            try:
                await ends.enter_async_context(client(bridge, rowdy.path()))
            except InvalidStatus as invalid:
                answer = invalid.response.status_code
            rowdy.note(answer)
        await talking.talk(5, 0)
    assert rowdy.answers == {None: PLACES_OF_ONE, 503: 2 * PLACES_OF_ONE}


async def test_a_tenant_holds_no_more_connections_than_it_may(attacked: StartAttacked) -> None:
    await it_holds_as_many_as_it_may(attacked(config=HOARDED))


async def test_where_no_tenant_has_a_limit_it_holds_more(attacked: StartAttacked) -> None:
    bridge = attacked(config=HOARDED, without="limits of tenants")
    with raises_alone(TookMore):
        await it_holds_as_many_as_it_may(bridge)
