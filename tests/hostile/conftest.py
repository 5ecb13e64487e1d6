"""What an attack may ask for: a bridge with all its defences, or without one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from tests.hostile.bridges import Attacked

NO_ADDITIONS: Mapping[str, str] = {}


class StartAttacked(Protocol):
    """Start a bridge: options of `serve`, the text of its bridge.toml, and the defence that is taken out of it."""

    def __call__(self, *options: str, config: str, without: str | None = None) -> Attacked: ...


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, redis_url: str, module_prefix: str) -> Iterator[StartAttacked]:
    """A factory of bridges that the tests of one file share; asked twice for the same, it gives the same.

    At the end each must exit with 0 and without a traceback in its log.
    """
    directory, numbers = tmp_path_factory.mktemp("attacked"), count()
    started: dict[tuple[tuple[str, ...], str, str | None], Attacked] = {}
    with ExitStack() as ends:

        def start(*options: str, config: str, without: str | None = None) -> Attacked:
            how = (options, config, without)
            if how not in started:
                started[how] = bridge = new(f"{module_prefix}-{next(numbers)}", *options, config=config)
                bridge.without = without
                ends.callback(bridge.close)
                bridge.start()
            return started[how]

        def new(prefix: str, *options: str, config: str) -> Attacked:
            home: Path = directory / prefix
            environment = {"BRIDGE_PREFIX": prefix, "BRIDGE_DATA_DIR": str(home / "data")}
            return Attacked(home, "--redis", redis_url, *options, config=config, environment=environment)

        yield start
