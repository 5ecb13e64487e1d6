"""`aether-bridge tenants ids`."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.bridge.cli.running import run_apart, sentence
from tests.bridge.cli.tenant_configuration import CONFIGURATION, Command, Stored
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET, key, with_key
from tests.stopwatch import Stopwatch


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "ids.csv"
    path.write_bytes(b'\xef\xbb\xbfv2_id,vision_id\r\n42,Xk3\r\n"a, b",Yk3\r\n')
    return path


def test_a_file_becomes_the_map(tenants: Command, stored: Stored, file: Path) -> None:
    result = tenants("ids", "acme", file)
    assert (result.exit_code, result.stderr) == (0, "")
    assert result.stdout == "acme: 2 ids: 2 added, 0 removed, 0 changed; version 1\n"
    assert (stored.ids("acme"), stored.version("acme")) == ({"42": "Xk3", "a, b": "Yk3"}, "1")


def test_with_replace_it_replaces_the_map_whole_and_counts_the_difference(
    tenants: Command, stored: Stored, file: Path
) -> None:
    stored.write("acme", stage="v3", version=6, ids={"42": "Old", "7": "Gone"})
    refused = tenants("ids", "acme", file, "--replace")
    assert (refused.exit_code, stored.ids("acme")) == (1, {"42": "Old", "7": "Gone"})
    assert "1 added, 1 removed, 1 changed; removed or changed: 42, 7" in refused.stderr
    assert "add --yes, or leave out --replace to add alone" in refused.stderr
    assert (
        tenants("ids", "acme", file, "--replace", "--yes").stdout
        == "acme: 2 ids: 1 added, 1 removed, 1 changed; version 7\n"
    )
    assert (stored.ids("acme"), stored.version("acme")) == ({"42": "Xk3", "a, b": "Yk3"}, "7")
    assert stored.client.hget(f"{stored.prefix}:tenant:acme", "stage") == b"v3"


def test_a_line_adds_to_the_map_and_takes_nothing_away(tenants: Command, stored: Stored, file: Path) -> None:
    stored.write("acme", stage="v3", version=6, ids={"7": "Kept", "8": "Too"})
    file.write_text("42,Xk3\n7,Kept\n")
    assert tenants("ids", "acme", file).stdout == "acme: 3 ids: 1 added, 0 removed, 0 changed; version 7\n"
    assert stored.ids("acme") == {"7": "Kept", "8": "Too", "42": "Xk3"}


def test_what_is_in_conflict_with_the_map_is_named_with_its_line_and_nothing_is_added(
    tenants: Command, stored: Stored, file: Path
) -> None:
    stored.write("acme", ids={"42": "Old", "7": "Xk9"})
    file.write_text("1,New\n42,Xk3\n43,Xk9\nOld,Yk9\n")
    result = tenants("ids", "acme", file)
    *lines, last = result.stderr.splitlines()
    assert lines == [
        f"{file}: line 2: '42' is mapped to 'Old' already",
        f"{file}: line 3: 'Xk9' is given to '7' already: one name, one person",
        f"{file}: line 4: 'Old' and an id that is mapped already would share a name: choose another",
    ]
    assert last.startswith("aether-bridge: 3 ids are in conflict")
    assert (result.exit_code, stored.ids("acme")) == (1, {"42": "Old", "7": "Xk9"})


def test_a_change_is_taken_back_and_the_taking_back_too(tenants: Command, stored: Stored, file: Path) -> None:
    assert "nothing can be taken back" in sentence(tenants("ids", "acme", "--undo"))
    tenants("ids", "acme", file)
    file.write_text("9,Zk9\n")
    tenants("ids", "acme", file, "--replace", "--yes")
    assert stored.ids("acme") == {"9": "Zk9"}
    assert tenants("ids", "acme", "--undo", "--dry-run").stdout.startswith("acme: would have 2 ids: 2 added, 1 removed")
    assert tenants("ids", "acme", "--undo").stdout == "acme: 2 ids: 2 added, 1 removed, 0 changed; version 3\n"
    assert stored.ids("acme") == {"42": "Xk3", "a, b": "Yk3"}
    tenants("ids", "acme", "--undo")
    assert stored.ids("acme") == {"9": "Zk9"}


def test_the_first_map_is_taken_back_to_none(tenants: Command, stored: Stored, file: Path) -> None:
    tenants("ids", "acme", file)
    assert tenants("ids", "acme", "--undo").exit_code == 0
    assert stored.ids("acme") == {}


def test_each_change_is_in_the_record_and_a_rollback_leaves_it_alone(
    tenants: Command, stored: Stored, file: Path
) -> None:
    tenants("stage", "acme", "legacy")
    tenants("ids", "acme", file, "--why", "the export of Monday")
    newest, first = json.loads(tenants("changes", "acme", "--json").stdout)
    assert (newest["kind"], newest["from"], newest["to"]) == ("ids", "legacy", "legacy")
    assert newest["why"] == "ids: 2 added, 0 removed, 0 changed: the export of Monday"
    assert newest["who"] == first["who"]
    assert "2 added" in tenants("changes", "acme").stdout
    tenants("rollback", "acme")
    assert len(stored.ids("acme")) == 2


def test_a_file_or_undo_is_named_and_not_both(tenants: Command, file: Path) -> None:
    for arguments in ((), (file, "--undo")):
        assert "name a file of ids, or --undo" in sentence(tenants("ids", "acme", *arguments))


def test_the_same_map_again_changes_nothing(tenants: Command, stored: Stored, file: Path) -> None:
    tenants("ids", "acme", file)
    assert tenants("ids", "acme", file).stdout == "acme: 2 ids, as before: nothing to change\n"
    assert stored.version("acme") == "1"


def test_one_id_is_said_as_one(tenants: Command, tmp_path: Path) -> None:
    one = tmp_path / "one.csv"
    one.write_text("42,Xk3vT9\n")
    would = tenants("ids", "acme", one, "--dry-run").stdout
    assert would == "acme: would have 1 id: 1 added, 0 removed, 0 changed; nothing was changed\n"
    assert tenants("ids", "acme", one).stdout == "acme: 1 id: 1 added, 0 removed, 0 changed; version 1\n"
    assert tenants("ids", "acme", one).stdout == "acme: 1 id, as before: nothing to change\n"
    one.write_text("42,Other\n")
    assert "1 id is in conflict" in tenants("ids", "acme", one).stderr
    assert "1 id would be removed or changed" in tenants("ids", "acme", one, "--replace").stderr


def test_a_dry_run_says_what_would_change_and_changes_nothing(tenants: Command, stored: Stored, file: Path) -> None:
    result = tenants("ids", "acme", file, "--dry-run")
    assert result.stdout == "acme: would have 2 ids: 2 added, 0 removed, 0 changed; nothing was changed\n"
    assert (stored.ids("acme"), stored.version("acme")) == ({}, None)


def test_a_large_map_arrives_whole(tenants: Command, stored: Stored) -> None:
    said = "".join(f"{number},u{number}\n" for number in range(12_345))
    assert tenants("ids", "acme", "-", say=said).stdout.startswith("acme: 12,345 ids: 12,345 added")
    assert len(stored.ids("acme")) == 12_345


def test_any_problem_is_named_with_its_line_and_nothing_is_written(
    tenants: Command, stored: Stored, file: Path
) -> None:
    file.write_text("42,Xk3\n43,Xk3\n44,77\n")
    result = tenants("ids", "acme", file)
    first, second, last = result.stderr.splitlines()
    assert (result.exit_code, result.stdout) == (1, "")
    assert first.startswith(f"{file}: line 2: 'Xk3' is given to both")
    assert second.startswith(f"{file}: line 3: '77' (for '44') is no Vision ID")
    assert last == f"aether-bridge: {file} has 2 problems: nothing was changed"
    assert stored.version("acme") is None


def test_a_file_that_is_not_utf8_is_one_sentence(tenants: Command, file: Path) -> None:
    file.write_bytes(b"42,Xk3\n\xe4,Yk3\n")
    assert sentence(tenants("ids", "acme", file)) == f"{file}: line 2 is not UTF-8; save the file as UTF-8"


def test_an_empty_file_clears_only_when_it_is_said_so(tenants: Command, stored: Stored, file: Path) -> None:
    stored.write("acme", ids={"42": "Xk3"})
    file.write_text("v2_id,vision_id\n")
    assert "--clear" in sentence(tenants("ids", "acme", file))
    assert tenants("ids", "acme", file, "--clear").stdout == "acme: 0 ids: 0 added, 1 removed, 0 changed; version 2\n"
    assert stored.ids("acme") == {}


def test_a_tenant_that_nobody_knows_and_no_key_opens_is_refused(tenants: Command, stored: Stored, file: Path) -> None:
    said = sentence(tenants("ids", "acmee", file))
    assert said == "no tenant 'acmee' is configured or in Redis, and no key opens it: there are acme, other"
    assert stored.version("acmee") is None


def test_a_tenant_that_redis_alone_knows_is_accepted(tenants: Command, stored: Stored, file: Path) -> None:
    stored.write("late")
    assert tenants("ids", "late", file).stderr == ""


@pytest.mark.parametrize("configuration", [CONFIGURATION + key("all", "*"), ""], ids=["a key for all", "open"])
def test_where_any_tenant_may_have_clients_a_new_one_is_accepted_and_named(
    tenants: Command, stored: Stored, file: Path, config: Path, configuration: str
) -> None:
    config.write_text(configuration)
    result = tenants("ids", "late", file)
    assert result.stderr == "aether-bridge: late is new: it was neither configured nor in Redis\n"
    assert stored.version("late") == "1"


def test_what_cannot_be_a_tenants_name_is_refused(tenants: Command, file: Path) -> None:
    assert "cannot be a tenant" in sentence(tenants("ids", "a:b", file))


async def test_a_running_bridge_sends_those_away_whose_name_changed_and_knows_them_anew(
    bridge: StartBridge, redis_url: str, prefix: str, file: Path
) -> None:
    running = bridge(config=f"{QUIET}[tenants.acme]\n{key('web', 'acme')}")
    async with (
        client(running, f"/ws/group/lobby/client/42?{with_key('web')}") as renamed,
        client(running, f"/ws/group/lobby/client/43?{with_key('web')}") as kept,
    ):
        place = {"BRIDGE_PREFIX": prefix, "BRIDGE_REDIS_URL": redis_url}
        ended = await asyncio.to_thread(run_apart, "tenants", "ids", "acme", file, environment=place)
        stopwatch = Stopwatch()
        assert ended.returncode == 0
        assert await renamed.close_code() == 1012
        assert stopwatch.least_seconds < 2
        async with (
            client(running, f"/ws/group/lobby/client/42?{with_key('web')}") as returned,
            client(running, v3_path("lobby", "someone", with_key("web"))) as modern,
        ):
            await returned.say({"msg": "hi"})
            assert (await modern.hear())["from_id"] == "Xk3"
            assert (await kept.hear())["msg"] == "hi"
