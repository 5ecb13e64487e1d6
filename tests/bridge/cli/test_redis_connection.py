"""How a command reaches the Redis of a bridge, and what it says where it cannot."""

from __future__ import annotations

import asyncio
import socket
from pathlib import Path

import pytest
import typer
from redis.asyncio import Redis

from bridge.cli import redis_connection
from bridge.cli.redis_connection import with_redis
from bridge.config.settings import Settings


async def echo(redis: Redis) -> object:
    return await redis.echo("here")


def sentence(capsys: pytest.CaptureFixture[str], settings: Settings, asked: str = "PING") -> str:
    """What a command says that ends with status 1."""

    async def ask(redis: Redis) -> object:
        return await redis.execute_command(asked)  # type: ignore[no-untyped-call]

    with pytest.raises(typer.Exit) as ended:
        with_redis(settings, ask)
    assert ended.value.exit_code == 1
    (line,) = capsys.readouterr().err.splitlines()
    return str(line)


def test_what_was_done_with_the_redis_that_is_named_is_handed_back(redis_url: str) -> None:
    assert with_redis(Settings(redis_url=redis_url), echo) == b"here"


def test_the_connection_is_closed_once_the_work_is_done(redis_url: str) -> None:
    used: list[Redis] = []

    async def keep(redis: Redis) -> None:
        await echo(redis)
        used.append(redis)

    with_redis(Settings(redis_url=redis_url), keep)
    pool = used[0].connection_pool
    assert pool._available_connections
    assert not any(connection.is_connected for connection in pool._available_connections)


def test_where_none_is_named_it_is_the_private_server_of_the_data_dir(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connection, "find_url", {tmp_path: redis_url}.get)
    assert with_redis(Settings(data_dir=tmp_path), echo) == b"here"


def test_a_private_server_is_not_looked_for_where_a_redis_is_named(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr(redis_connection, "find_url")
    assert with_redis(Settings(redis_url=redis_url), echo) == b"here"


def test_where_there_is_neither_it_says_how_to_name_one(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    said = sentence(capsys, Settings(data_dir=tmp_path))
    assert f"no bridge runs a private server in {tmp_path}: " in said
    assert said.endswith("with --redis URL")


def test_what_redis_refuses_is_one_sentence_with_its_address(
    capsys: pytest.CaptureFixture[str], redis_url: str
) -> None:
    said = sentence(capsys, Settings(redis_url=redis_url), "NONSENSE")
    assert said.startswith(f"aether-bridge: {redis_url}: unknown command")


def test_a_redis_that_does_not_answer_is_one_sentence_without_its_password(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_connection, "ANSWER_SECONDS", 0.05)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        place = f"127.0.0.1:{silent.getsockname()[1]}/0"
        said = sentence(capsys, Settings(redis_url=f"redis://name:secret@{place}"))
    assert said.startswith(f"aether-bridge: redis://{place}: Timeout")


def test_what_is_wrong_with_the_work_itself_is_not_said_of_redis(redis_url: str) -> None:
    async def broken(_redis: Redis) -> None:
        await asyncio.sleep(0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        with_redis(Settings(redis_url=redis_url), broken)
