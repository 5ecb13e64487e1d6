"""How much one process may hold, by its settings and by how many files it may open."""

from __future__ import annotations

import resource

import pytest

from bridge.config.settings import Settings
from bridge.runtime.limits import MOST_STRANGERS, most_connections, strangers


@pytest.mark.parametrize(
    ("files", "connections", "sockets"), [(128, 64, 64), (1_024, 768, 960), (1_048_576, 65_280, 1_048_512)]
)
def test_without_a_setting_it_is_what_files_allow_beside_those_of_the_bridge_itself(
    monkeypatch: pytest.MonkeyPatch, files: int, connections: int, sockets: int
) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (files, files))
    assert most_connections(Settings()) == connections
    assert strangers(Settings()).most == sockets


def test_what_is_set_counts_whatever_files_allow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resource, "getrlimit", lambda _: (128, 128))
    settings = Settings(max_connections=5_000, max_sockets=20_000)
    assert most_connections(settings) == 5_000
    assert strangers(settings).most == 20_000


class Socket:
    """It notes that it had to go."""

    is_gone = False

    def abort(self) -> None:
        self.is_gone = True


def gone(settings: Settings, addresses: list[str]) -> int:
    """How many of the sockets that come from these addresses have to go."""
    crowd, sockets = strangers(settings), [Socket() for _ in addresses]
    for socket, address in zip(sockets, addresses, strict=True):
        crowd.came(socket, address)
    return sum(socket.is_gone for socket in sockets)


@pytest.mark.parametrize(("per_address", "stay"), [(0, 4), (2, 2)])
def test_one_address_has_half_of_them_or_as_many_as_is_set(per_address: int, stay: int) -> None:
    settings = Settings(max_sockets=8, max_sockets_per_address=per_address)
    assert gone(settings, ["192.0.2.1"] * 7) == 7 - stay


def test_however_many_may_be_open_so_many_strangers_are_enough() -> None:
    addresses = [f"192.0.{number // 256}.{number % 256}" for number in range(MOST_STRANGERS + 3)]
    assert gone(Settings(max_sockets=20_000), addresses) == 3
