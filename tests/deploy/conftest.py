"""What the tests of the deployment may ask for: nginx, bridges behind it, and pages of a browser."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import count
from typing import Protocol

import pytest

from tests.deploy.certificate import Certificate
from tests.deploy.nginx import AS_SHIPPED, Nginx
from tests.end_to_end.conftest import browser, site, visitor
from tests.machine import nginx_program
from tests.servers import BridgeProcess

__all__ = ["browser", "site", "visitor"]  # fixtures, too


class StartNginx(Protocol):
    """Start nginx before two bridges, or any two addresses, with these changes to its configuration."""

    def __call__(self, *bridges: BridgeProcess | str, changes: Mapping[str, str] = ...) -> Nginx: ...


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return Certificate(tmp_path_factory.mktemp("tls"))


@pytest.fixture(scope="module")
def nginx(tmp_path_factory: pytest.TempPathFactory, certificate: Certificate) -> Iterator[StartNginx]:
    """A factory; without an nginx on this machine the test is skipped, and fails in CI."""
    program, directory, numbers = nginx_program(), tmp_path_factory.mktemp("nginx"), count()
    with ExitStack() as ends:

        def start(*bridges: BridgeProcess | str, changes: Mapping[str, str] = AS_SHIPPED) -> Nginx:
            started = Nginx(program, directory / f"nginx-{next(numbers)}", certificate, addresses_of(bridges), changes)
            ends.callback(started.close)
            started.start()
            return started

        yield start


def addresses_of(bridges: Sequence[BridgeProcess | str]) -> list[str]:
    return [bridge if isinstance(bridge, str) else f"127.0.0.1:{bridge.port}" for bridge in bridges]
