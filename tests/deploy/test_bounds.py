"""The bounds of memory and of processes in deploy/: each service has its own, and each can be changed."""

from __future__ import annotations

import json
import re

import pytest

from bridge.config.settings import Settings
from tests.servers import PROJECT

COMPOSE = (PROJECT / "deploy" / "compose.yaml").read_text()
UNIT = (PROJECT / "deploy" / "aether-bridge.service").read_text()
UNITS = {"k": 2**10, "m": 2**20, "g": 2**30}
BRIDGES_BLOCK = re.compile(r"x-bridge: &bridge\n(.*?)\n\n", re.DOTALL)


def in_bytes(size: str) -> int:
    number, unit = re.fullmatch(r"(\d+)([kmg])b?", size.lower()).groups()  # type: ignore[union-attr]
    return int(number) * UNITS[unit]


def defaults(key: str) -> dict[str, str]:
    """Variable -> default, of every line with this key."""
    return dict(re.findall(rf"{key}:? \$\{{(\w+):-(\w+)\}}", COMPOSE))


def unit(key: str) -> str:
    found = re.findall(rf"^{key}=(.*)$", UNIT, re.MULTILINE)
    assert len(found) == 1, key
    return str(found[0])


def test_every_service_of_the_composition_has_a_bound_of_memory_that_a_variable_changes() -> None:
    assert set(defaults("mem_limit")) == {"BRIDGE_MEMORY", "NGINX_MEMORY", "REDIS_MEMORY"}
    assert all(in_bytes(size) >= 2**30 for size in defaults("mem_limit").values())
    bridges = BRIDGES_BLOCK.search(COMPOSE)
    assert bridges is not None
    assert "mem_limit" in bridges.group(1)


def test_redis_says_that_it_is_full_before_it_would_be_ended() -> None:
    (most,) = defaults("--maxmemory").values()
    assert 2 * in_bytes(most) + 2 * 128 * 2**20 <= in_bytes(defaults("mem_limit")["REDIS_MEMORY"])


def test_every_service_of_the_composition_has_a_bound_of_processes() -> None:
    shared = COMPOSE[COMPOSE.index("x-service:") : COMPOSE.index("x-bridge:")]
    assert re.search(r"^  pids_limit: \d+$", shared, re.MULTILINE)  # docker-compose 1.29 makes no number of a variable
    assert COMPOSE.count("<<: *service") == 3  # the bridges, nginx, Redis
    assert COMPOSE.count("<<: *bridge") == 2


@pytest.mark.parametrize(("key", "least"), [("MemoryMax", 2**30), ("MemoryHigh", 2**30)])
def test_the_unit_has_a_bound_of_memory(key: str, least: int) -> None:
    assert in_bytes(unit(key)) >= least


def test_the_unit_warns_before_it_ends_and_bounds_its_processes() -> None:
    assert in_bytes(unit("MemoryHigh")) < in_bytes(unit("MemoryMax"))
    assert int(unit("TasksMax")) >= 256


def test_the_bridges_of_the_composition_believe_their_nginx_alone() -> None:
    """At the address that it has there, and by which it finds them."""
    as_it_stands = re.sub(r"\$\{CLIENTS_NETWORK:-([\d.]+)\}", r"\1", COMPOSE)
    said = re.findall(r"BRIDGE_TRUSTED_PROXIES: '(.*)'", as_it_stands)
    addresses = re.findall(r'ipv4_address: "([\d.]+)"', as_it_stands)
    believed = [Settings(trusted_proxies=json.loads(each)).trusted_proxies for each in said]
    assert believed == [(addresses[0],)]
    assert re.findall(r'"bridge-\d:([\d.]+)"', as_it_stands) == addresses[1:]
