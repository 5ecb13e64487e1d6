"""`aether-bridge tenants list|show`."""

import asyncio
import json
import re
import signal
from pathlib import Path

import pytest

from tests.bridge.cli.running import run, sentence
from tests.bridge.cli.tenant_configuration import CONFIGURATION, Command, Stored
from tests.conftest import StartBridge
from tests.end_to_end.clients import eventually


def test_what_is_configured_is_listed(tenants: Command) -> None:
    shown = tenants("list").stdout
    assert re.search(r"^acme +drain +25 % +global +0 +configuration$", shown, re.MULTILINE)
    assert re.search(r"^other +bridge +- +global +0 +configuration$", shown, re.MULTILINE)


def test_what_redis_holds_wins(tenants: Command, stored: Stored) -> None:
    stored.write("acme", stage="drain", share=7, v2_routing="group", ids={"42": "Xk3"})
    acme, _ = json.loads(tenants("list", "--json").stdout)
    assert acme == {
        "name": "acme",
        "stage": "drain",
        "share": 7,
        "v2_routing": "group",
        "ids": 1,
        "version": 1,
        "known_from": ["configuration", "redis"],
        "hosts": ["acme.example.com"],
        "deprecated": "2026-12-01",
        "sunset": None,
        "problem": None,
    }


def test_who_knows_a_tenant_is_said(tenants: Command, stored: Stored) -> None:
    stored.write("late")
    stored.write("acme")
    sources = {facts["name"]: facts["known_from"] for facts in json.loads(tenants("list", "--json").stdout)}
    assert sources == {"acme": ["configuration", "redis"], "late": ["redis"], "other": ["configuration"]}


def test_one_is_shown_whole(tenants: Command, stored: Stored) -> None:
    stored.write("acme", ids={"42": "Xk3"})
    shown = tenants("show", "acme").stdout
    assert re.search(r"^hosts +acme.example.com$", shown, re.MULTILINE)
    assert re.search(r"^known from +configuration, redis$", shown, re.MULTILINE)
    facts = json.loads(tenants("show", "acme", "--json").stdout)
    assert (facts["dialect"], facts["id_map"]) == ({"reload": {"cmd": "RELOAD_UI"}}, {"42": "Xk3"})


def test_an_id_map_that_is_unsound_is_named_and_the_rest_is_shown(tenants: Command, stored: Stored) -> None:
    stored.write("acme", stage="v3", ids={"42": "Xk3", "43": "Xk3"})
    result = tenants("list")
    assert re.search(r"^acme +v3 ", result.stdout, re.MULTILINE)
    assert re.match(r"aether-bridge: acme: id map unusable: 'Xk3' is given to both", result.stderr)


def test_a_name_in_redis_that_is_no_tenants_is_passed_over(tenants: Command, stored: Stored) -> None:
    stored.write("\x1b[2J")
    assert len(json.loads(tenants("list", "--json").stdout)) == 2


def test_an_unknown_tenant_is_one_sentence(tenants: Command) -> None:
    said = sentence(tenants("show", "nobody"))
    assert said == "no tenant 'nobody' is configured or in Redis: there are acme, other"


def test_without_a_redis_it_says_how_to_name_one(tmp_path: Path) -> None:
    said = sentence(run("tenants", "list", "--data-dir", tmp_path / "data"))
    assert "no bridge runs a private server" in said
    assert "--redis" in said


def test_the_private_server_of_a_bridge_is_found(bridge: StartBridge, prefix: str) -> None:
    data = bridge(redis=None).directory / "data"
    result = run("tenants", "list", "--data-dir", data, "--json", environment={"BRIDGE_PREFIX": prefix})
    assert [facts["name"] for facts in json.loads(result.stdout)] == ["default"]


@pytest.mark.parametrize(
    ("url", "reason"),
    [("redis://name:secret@127.0.0.1:1/0", "redis://127.0.0.1:1/0: "), ("nonsense", "Redis URL must")],
)
def test_a_redis_that_cannot_be_reached_is_one_sentence_without_its_password(url: str, reason: str) -> None:
    said = sentence(run("tenants", "list", "--redis", url))
    assert reason in said
    assert "secret" not in said


async def test_what_running_bridges_have_not_read_yet_is_not_said_to_be_in_effect(
    bridge: StartBridge, redis_url: str, prefix: str
) -> None:
    running = bridge(config=CONFIGURATION)
    place = {"BRIDGE_PREFIX": prefix, "BRIDGE_REDIS_URL": redis_url}

    def said() -> set[str]:
        asked = (("list",), ("guards", "acme"))
        return {
            run("tenants", *words, "--config", running.config_file, environment=place).stderr or "nothing"
            for words in asked
        }

    async def is_said(expected: str) -> bool:
        return all(expected in text for text in await asyncio.to_thread(said))

    running.config_file.write_text(CONFIGURATION + "[tenants.third]\n")
    await eventually(lambda: is_said("1 of 1 running processes go by another configuration"))
    running.process.send_signal(signal.SIGHUP)
    await eventually(lambda: is_said("nothing"))
