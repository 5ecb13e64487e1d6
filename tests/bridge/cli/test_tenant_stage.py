"""`tenants stage|rollback|changes`, as an operator says them, and a running bridge that obeys."""

import asyncio
import contextlib
import getpass
import json
import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
from redis.asyncio import Redis
from typer.testing import CliRunner, Result
from websockets.exceptions import ConnectionClosed

from bridge.broker.addresses import Addresses
from bridge.cli.main import app
from bridge.cutover import dry_run
from bridge.records.rows import Speech
from bridge.tenants.standing import Standing
from bridge.tenants.tenant import Tenant
from tests.bridge.admin.desk import Desk, now, v2, v3
from tests.bridge.cli.running import PROGRAM, SECONDS, environment_of_process
from tests.conftest import StartBridge
from tests.end_to_end.clients import client, eventually, refused, v3_path

OBEYED_SECONDS = 3.0


@pytest.fixture
def say(redis_url: str, prefix: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> "Say":
    monkeypatch.setenv("BRIDGE_PREFIX", prefix)
    return Say(redis_url, tmp_path)


class Say:
    """One command about tenants; what it printed. It agrees to each step beforehand."""

    def __init__(self, redis_url: str, directory: Path) -> None:
        self._where = ["--redis", redis_url, "--data-dir", str(directory)]

    def with_config(self, text: str) -> None:
        """From now on the commands read this configuration."""
        file = Path(self._where[-1]) / "bridge.toml"
        file.write_text(text)
        self._where = ["--config", str(file), *self._where]

    def __call__(self, *words: str, status: int = 0) -> str:
        yes = ["--yes"] if words[0] == "stage" and "--dry-run" not in words else []
        result = CliRunner().invoke(app, ["tenants", *words, *yes, *self._where])
        assert result.exit_code == status, result.output
        return result.output


def test_a_step_is_made_recorded_and_taken_back(say: Say) -> None:
    assert "bridge -> drain 25 % (version 1)" in say("stage", "default", "drain", "--share", "25", "--why", "first")
    assert "drain 25 % -> v3, V2 by group (version 2)" in say("stage", "default", "v3", "--routing", "group")
    assert "v3, V2 by group -> drain 25 % (version 3)" in say("rollback", "default")
    assert "drain 25 % -> bridge (version 4)" in say("rollback", "default", "--why", "not yet")
    assert "nothing nearer to legacy is on record" in say("rollback", "default", status=1)
    record = json.loads(say("changes", "default", "--json"))
    assert [(one["from"], one["to"], one["share"], one["kind"]) for one in record] == [
        ("drain", "bridge", 0, "rollback"),
        ("v3", "drain", 25, "rollback"),
        ("drain", "v3", 0, "change"),
        ("bridge", "drain", 25, "change"),
    ]
    assert record[0]["why"] == "not yet"
    assert all(one["who"] and one["when"] for one in record)
    head, *lines = say("changes", "default").splitlines()
    assert "WHEN" in head
    assert [line[head.index("WHY") :] for line in lines] == [
        "not yet (takes back version 1)",
        "takes back version 2",
        "",
        "first",
    ]


async def test_lines_that_cannot_be_read_are_passed_over_and_said_to_be(redis_url: str, prefix: str, say: Say) -> None:
    await asyncio.to_thread(say, "stage", "default", "v3")
    async with Redis.from_url(redis_url) as redis:
        for _ in range(2):
            await redis.xadd(Addresses(prefix).record("default"), {"junk": "junk"})
    said = await asyncio.to_thread(say, "changes", "default")
    assert "2 lines of the record cannot be read" in said
    assert "v3 -> bridge" in await asyncio.to_thread(say, "rollback", "default")


@pytest.mark.parametrize("error", [KeyError, OSError])
def test_a_user_without_a_name_makes_a_step_too(
    say: Say, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    """In a container a user may be a number alone. Python before 3.13 says so with the first, later with the second."""

    def nameless() -> str:
        raise error

    monkeypatch.setattr(getpass, "getuser", nameless)
    say("stage", "default", "drain", "--share", "25")
    assert json.loads(say("changes", "default", "--json"))[0]["who"].startswith("somebody@")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("stage", "default", "v4"), "a stage is one of"),
        (("stage", "default", "v3", "--routing", "everyone"), "a routing one of"),
        (("stage", "default", "drain"), "drain needs a share"),
        (("stage", "default", "drain", "--share", "12.255"), "a share is a number from 0 to 100 with at most two"),
        (("stage", "default", "drain", "--share", "-1"), "a share is a number from 0 to 100 with at most two"),
        (("stage", "default", "drain", "--share", "nan"), "a share is a number from 0 to 100 with at most two"),
        (("stage", "default", "bridge", "--share", "25"), "a share exists in drain alone"),
        (("stage", "default", "--share", "0"), "a share exists in drain alone"),
        (("stage", "default", "v3", "--force"), "a step that is forced needs a reason: add --why"),
        (("stage", "nobody", "v3"), "no tenant 'nobody'"),
        (("rollback", "default"), "nothing nearer to legacy is on record"),
    ],
)
def test_what_cannot_be_done_is_one_sentence(say: Say, words: tuple[str, ...], sentence: str) -> None:
    assert sentence in say(*words, status=1)


async def test_a_running_bridge_moves_its_v2_clients_and_lets_them_back(bridge: StartBridge, say: Say) -> None:
    running = bridge()
    async with client(running, "/ws/group/g/client/42") as old, client(running, v3_path("g", "ann")) as new:
        await asyncio.to_thread(say, "stage", "default", "v3")
        notice = (await old.hear())["bridge"]
        assert notice["notice"] == "v2_retired"
        assert notice["successor"] == "/v3/ws/group/g/client/v2-42"
        assert await old.close_code() == 4410
        frame, code = await refused(running, "/ws/group/g/client/42")
        assert (frame["bridge"]["notice"], code) == ("v2_retired", 4410)
        assert await new.is_served()
    await asyncio.to_thread(say, "rollback", "default")

    async def is_back() -> bool:
        async with client(running, "/ws/group/g/client/42") as again:
            with contextlib.suppress(ConnectionClosed):  # while it is still refused
                return await again.ask({"msg": "hi"}) == {"msg": "hi"}
        return False

    await eventually(is_back, OBEYED_SECONDS)


async def test_a_drain_moves_the_buckets_below_its_share_and_no_others(bridge: StartBridge, say: Say) -> None:
    """CRC-32 puts `42` into bucket 88, and `a` into bucket 7."""
    running = bridge()
    async with client(running, "/ws/client/42") as stays, client(running, "/ws/client/a") as goes:
        await asyncio.to_thread(say, "stage", "default", "drain", "--share", "50")
        assert (await goes.hear())["bridge"]["notice"] == "moved_to_v3"
        assert await goes.close_code() == 4426
        assert await stays.ask({"msg": "hi"}) == {"msg": "hi"}


async def test_legacy_closes_v3_and_keeps_v2(bridge: StartBridge, say: Say) -> None:
    running = bridge()
    async with client(running, "/ws/client/a") as stays, client(running, v3_path("g", "ann")) as goes:
        await asyncio.to_thread(say, "stage", "default", "legacy")
        assert (await goes.hear())["payload"]["code"] == "stage_legacy"
        assert await goes.close_code() == 4404
        assert await stays.ask({"msg": "hi"}) == {"msg": "hi"}


# Looked at before it is made, and guarded.

GUARD = "[tenants.acme]\nguard.stashed_percent = 10\n"


@pytest.fixture
async def recorded(desk: Desk) -> Desk:
    """V2 client 42 of tenant acme said a dozen messages to V3 client ann, and a quarter of all had to be stashed."""
    begun = now() - 60_000
    await desk.met(v2("42"), begun, now(), 12, "kiosk/1")
    await desk.met(v3("ann"), begun, now())
    await desk.spoken(Speech("v2", "42", "lobby", "msg", "group", None, "none"), begun, now(), 12)
    await desk.converted("exact", 9, now())
    await desk.converted("stashed", 3, now())
    return desk


async def test_a_dry_run_says_who_would_be_refused_and_who_would_hear_nothing_and_changes_nothing(
    recorded: Desk, say: Say
) -> None:
    say.with_config(GUARD)
    said = await asyncio.to_thread(say, "stage", "acme", "v3", "--dry-run")
    assert "acme: bridge -> v3, if it were done" in said
    assert "1 of 1 client on V2 would have to move to V3 with this step." in said
    assert "If none arrives, 1 client would miss some or all of what they hear now." in said
    assert "guard FAILS: 25 % of what V2 said" in said
    assert "/v3/ws/group/lobby/client/v2-42" in said
    assert await asyncio.to_thread(say, "changes", "acme", "--json") == "[]\n"


async def test_a_dry_run_in_json_is_what_the_admin_api_answers(
    recorded: Desk, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dry_run, "SETTLE_SECONDS", 0)
    say.with_config("[tenants.acme]\n")
    said = await asyncio.to_thread(say, "stage", "acme", "v3", "--dry-run", "--json")
    prediction = json.loads(said)
    after = Standing("v3", 0, "global")
    expected = await recorded.dry_run.predict(Tenant("acme"), after)
    assert prediction == json.loads(json.dumps(expected))
    totals = prediction["totals"]
    assert [totals[name] for name in ("refused", "silenced", "quieter")] == [1, 1, 0]


async def test_a_rollback_can_be_looked_at_before(desk: Desk, say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dry_run, "SETTLE_SECONDS", 0)
    await asyncio.to_thread(say, "stage", "default", "drain", "--share", "25")
    said = await asyncio.to_thread(say, "rollback", "default", "--dry-run")
    assert "default: drain 25 % -> bridge, if it were done" in said
    predicted = json.loads(await asyncio.to_thread(say, "rollback", "default", "--dry-run", "--json"))
    assert (predicted["forward"], predicted["to"]["stage"]) == (False, "bridge")
    assert len(json.loads(await asyncio.to_thread(say, "changes", "default", "--json"))) == 1


async def test_a_guard_holds_a_step_back_until_it_is_forced_for_a_reason(recorded: Desk, say: Say) -> None:
    say.with_config(GUARD)
    held = await asyncio.to_thread(partial(say, "stage", "acme", "v3", status=1))
    assert "acme is held back by its guards. 25 % of what V2 said" in held
    assert "add --force and --why" in held
    assert b"stashed_percent" in (await recorded.redis.get(recorded.addresses.held_step("acme")) or b"")
    without = await asyncio.to_thread(partial(say, "stage", "acme", "v3", "--force", status=1))
    assert "a step that is forced needs a reason: add --why" in without
    assert json.loads(await asyncio.to_thread(say, "changes", "acme", "--json")) == []
    forced = await asyncio.to_thread(say, "stage", "acme", "v3", "--force", "--why", "the kiosk can wait")
    assert "acme: bridge -> v3 (version 1)" in forced
    (change,) = json.loads(await asyncio.to_thread(say, "changes", "acme", "--json"))
    assert (change["forced"], change["why"]) == (["stashed_percent"], "the kiosk can wait")
    assert "the kiosk can wait (forced past stashed_percent)" in await asyncio.to_thread(say, "changes", "acme")
    assert "v3 -> bridge (version 2)" in await asyncio.to_thread(say, "rollback", "acme")


def test_without_its_configuration_a_tenant_has_no_guards(say: Say) -> None:
    assert "bridge -> v3 (version 1)" in say("stage", "default", "v3")


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (("stage", "default"), "name a stage, --share or --routing"),
        (("stage", "default", "--dry-run"), "name a stage, --share or --routing"),
        (("stage", "nobody", "v3", "--dry-run"), "no tenant 'nobody'"),
        (("stage", "default", "drain", "--dry-run"), "drain needs a share"),
        (("rollback", "default", "--dry-run"), "nothing nearer to legacy is on record"),
        (("changes", "nobody"), "no tenant 'nobody'"),
    ],
)
def test_what_cannot_be_looked_at_is_one_sentence_too(say: Say, words: tuple[str, ...], sentence: str) -> None:
    said = say(*words, status=1)
    assert sentence in said
    assert len(said.splitlines()) == 1


def test_a_step_in_json_is_json(redis_url: str, prefix: str) -> None:
    environment = {"BRIDGE_PREFIX": prefix, "BRIDGE_REDIS_URL": redis_url}
    said = CliRunner().invoke(app, ["tenants", "stage", "default", "v3", "--json", "--yes"], env=environment)
    assert json.loads(said.stdout)["to"] == "v3"


def test_the_share_of_a_drain_that_is_over_is_forgotten(say: Say) -> None:
    assert "bridge -> drain 12.25 %" in say("stage", "default", "drain", "--share", "12.25")
    assert "12.25 %" in say("list")
    assert "drain 12.25 % -> bridge" in say("stage", "default", "bridge")
    assert "drain needs a share" in say("stage", "default", "drain", status=1)
    assert json.loads(say("show", "default", "--json"))["share"] == 0


def test_a_rollback_after_a_step_back_by_hand_stays(say: Say) -> None:
    say("stage", "default", "drain", "--share", "100")
    say("stage", "default", "v3")
    assert "v3 -> drain 100 %" in say("rollback", "default")
    say("stage", "default", "bridge")
    said = say("rollback", "default", status=1)
    assert "its last step was drain 100 % -> bridge" in said
    assert json.loads(say("show", "default", "--json"))["stage"] == "bridge"


# Asked before it is made.


def test_without_a_terminal_a_step_towards_v3_wants_yes_and_a_step_back_does_not(redis_url: str, prefix: str) -> None:
    environment = {"BRIDGE_PREFIX": prefix, "BRIDGE_REDIS_URL": redis_url}

    def stage(*words: str) -> Result:
        return CliRunner().invoke(app, ["tenants", "stage", "default", *words], env=environment)

    for words in (["v3"], ["drain", "--share", "0"], ["--routing", "group"]):
        refused = stage(*words)
        assert (refused.exit_code, "look at it with --dry-run, then add --yes" in refused.output) == (1, True)
    assert stage("legacy").exit_code == 0
    assert stage("bridge").exit_code == 1


@pytest.mark.parametrize(("answer", "stage"), [("y", "v3"), ("n", "bridge"), ("", "bridge")])
def test_on_a_terminal_it_is_shown_in_short_and_asked(
    redis_url: str, prefix: str, tmp_path: Path, answer: str, stage: str
) -> None:
    environment = {"BRIDGE_PREFIX": prefix, "BRIDGE_REDIS_URL": redis_url}
    words = [*PROGRAM, "tenants", "stage", "default", "v3", "--json"]
    ours, theirs = os.openpty()
    process = subprocess.Popen(
        words, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment_of_process(environment)
    )
    os.write(ours, f"{answer}\n".encode())
    out, err = process.communicate(timeout=SECONDS)
    for end in (ours, theirs):
        os.close(end)
    assert b"default: bridge -> v3" in err
    assert b"No client would have to move" in err
    assert b"Make this step? [y/N]" in err
    assert (process.returncode == 0) == (stage == "v3")
    assert stage == "v3" or (out.strip() == b"" and b"nothing was changed" in err)
    shown = CliRunner().invoke(app, ["tenants", "show", "default", "--json"], env=environment)
    assert json.loads(shown.stdout)["stage"] == stage
