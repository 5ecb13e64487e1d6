"""What ends a test that hangs."""

import asyncio
from types import SimpleNamespace
from typing import Any, cast

import pytest

from tests.conftest import pytest_pyfunc_call


async def hang(where: asyncio.Event) -> None:
    await where.wait()


async def test_a_coroutine_that_hangs_ends_by_the_clock_of_its_loop() -> None:
    item = cast(Any, SimpleNamespace(obj=hang, get_closest_marker=lambda _: pytest.mark.timeout(0.01).mark))
    pytest_pyfunc_call(item)
    with pytest.raises(TimeoutError):
        await item.obj(where=asyncio.Event())


def test_what_is_no_coroutine_stays_as_it_is() -> None:
    item = cast(Any, SimpleNamespace(obj=print))
    pytest_pyfunc_call(item)
    assert item.obj is print
