"""What an attack may ask for: a bridge with all its defences, or without one."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Protocol

import pytest

from tests.deploy.conftest import certificate, nginx
from tests.end_to_end.conftest import browser
from tests.hostile.bridges import Attacked

__all__ = ["browser", "certificate", "nginx"]
"""What other folders' tests have, too."""


class StartAttacked(Protocol):
    """Start a bridge: options of `serve`, the text of its bridge.toml, the defence to take out, its most files."""

    def __call__(
        self, *options: str, config: str, without: str | None = None, most_files: int | None = None
    ) -> Attacked: ...


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, redis_url: str, module_prefix: str) -> Iterator[StartAttacked]:
    """A factory of bridges that the tests of one file share; asked twice for the same, it gives the same.

    At the end each must exit with 0 and without a traceback in its log.
    """
    directory, numbers = tmp_path_factory.mktemp("attacked"), count()
    started: dict[Hashable, Attacked] = {}
    with ExitStack() as ends:

        def start(*options: str, config: str, without: str | None = None, most_files: int | None = None) -> Attacked:
            how = (options, config, without, most_files)
            if how not in started:
                started[how] = bridge = new(f"{module_prefix}-{next(numbers)}", *options, config=config)
                bridge.without, bridge.most_files = without, most_files
                ends.callback(bridge.close)
                bridge.start()
            return started[how]

        def new(prefix: str, *options: str, config: str) -> Attacked:
            home: Path = directory / prefix
            environment = {"BRIDGE_PREFIX": prefix, "BRIDGE_DATA_DIR": str(home / "data")}
            return Attacked(home, "--redis", redis_url, *options, config=config, environment=environment)

        yield start
