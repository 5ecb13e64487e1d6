"""Who asks that the configuration is read anew, what is taken, and what is said of it."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import cast

import pytest
from structlog.testing import capture_logs

from bridge.broker.addresses import Addresses
from bridge.broker.part import Broker
from bridge.config.redaction import REDACTED, redact
from bridge.config.reload import Configuration, Source
from bridge.config.settings import load
from bridge.runtime import reload as reload_module
from bridge.runtime.reload import NO_FILE, Reload
from tests.bridge.assembled import numbers
from tests.bridge.broker.parts import running


class Somewhere:
    """As much of the broker as a mark needs."""

    process = "here"
    addresses = Addresses("aether")

    def __init__(self) -> None:
        self.bus = self
        self.commands: list[bytes] = []

    def command(self, command: bytes, _done: object) -> None:
        self.commands.append(command)


class House:
    """A file, a reload, and what it has had taken."""

    def __init__(self, file: Path | None) -> None:
        self.file = file
        self.taken: list[Configuration] = []
        self.problem: Exception | None = None
        self.reload = Reload(Source(file, {}), Configuration.of(load(file)), self.take, cast(Broker, Somewhere()))

    async def take(self, configuration: Configuration) -> None:
        if self.problem is not None:
            raise self.problem
        self.taken.append(configuration)

    def write(self, text: str) -> None:
        assert self.file is not None
        self.file.write_text(text)


@asynccontextmanager
async def house_at(file: Path | None, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    monkeypatch.setattr(reload_module, "PAUSE_SECONDS", 0)
    house = House(file)
    async with running(house.reload):
        yield house


@pytest.fixture
async def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    file = tmp_path / "bridge.toml"
    file.write_text("burst = 1\n")
    async with house_at(file, monkeypatch) as one:
        yield one


async def test_what_was_read_is_taken_and_told(house: House) -> None:
    before = house.reload.now
    house.write("burst = 2\nport = 1\n")
    said = await house.reload.ask("boss")
    assert (said.changed, said.needs_restart, said.problem) == (("burst",), ("port",), "")
    assert said.hash == house.reload.now.hash != before.hash
    assert house.taken == [house.reload.now]
    assert numbers(house.reload)["bridge_configuration_info", said.hash] == 1


async def test_a_mistake_leaves_all_as_it_was(house: House) -> None:
    before = house.reload.now
    house.write("burst = 0\n")
    said = await house.reload.ask("boss")
    assert "burst" in said.problem
    assert (said.hash, house.reload.now, house.taken) == (before.hash, before, [])


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('algorithms = ["RS256"]\npublic_key_file = "/nowhere.pem"', "public_key_file: /nowhere.pem is no file"),
        ('algorithms = ["HS256"]\nsecret = "short"', "at least 32 bytes"),
        ('algorithms = ["HS256"]\nsecret = ["hush"]', "Input should be a valid string"),
    ],
)
async def test_the_log_says_what_is_wrong_with_a_secret_and_not_the_secret(
    house: House, text: str, sentence: str
) -> None:
    house.write(f"[jwt]\n{text}\n")
    with capture_logs() as logged:
        await house.reload.ask("boss")
    (reason,) = [redact(line["reason"]) for line in logged if line["event"] == "configuration_refused"]
    assert sentence in reason
    assert REDACTED not in reason
    assert not {"short", "hush"} & set(re.findall(r"\w+", reason))


@pytest.mark.parametrize("problem", [OSError("gone"), RuntimeError("a bug")])
async def test_what_cannot_be_taken_leaves_all_as_it_was(house: House, problem: Exception) -> None:
    before, house.problem = house.reload.now, problem
    assert (await house.reload.ask("boss")).problem
    assert house.reload.now is before


async def test_a_hangup_asks_too(house: House) -> None:
    house.write("burst = 2\n")
    answer = house.reload._answer
    house.reload.hang_up()
    assert (await answer).changed == ("burst",)


async def test_who_asks_while_a_reading_is_awaited_shares_it(house: House) -> None:
    said = await asyncio.gather(*(house.reload.ask(who) for who in ("ann", "ben", "ann")))
    assert said[0] is said[1] is said[2]
    assert len(house.taken) == 1


async def test_each_outcome_is_counted(house: House) -> None:
    await house.reload.ask("boss")
    house.write("burst = 2\n")
    await house.reload.ask("boss")
    house.write("burst = 0\n")
    await house.reload.ask("boss")
    counted = {key[1]: number for key, number in numbers(house.reload).items() if "reloads" in key[0]}
    assert counted == {"taken": 1, "unchanged": 1, "refused": 1}


async def test_without_a_file_there_is_nothing_to_read(monkeypatch: pytest.MonkeyPatch) -> None:
    async with house_at(None, monkeypatch) as house:
        said = await house.reload.ask("boss")
    assert (said.is_nothing_to_read, said.problem) == (True, NO_FILE)
