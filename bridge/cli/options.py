"""Options that several commands share, and how a command ends with an error: one sentence and exit status 1."""

import inspect
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Annotated, Concatenate, Final, NoReturn, ParamSpec

import typer

from bridge.config.settings import Settings, SettingsError, load
from bridge.system.visible import visible

P = ParamSpec("P")

STANDARD_INPUT: Final = Path("-")

ConfigOption = Annotated[
    Path | None,
    # readable=False: whether it can be read is said by `load`, with what to do
    typer.Option(help="bridge.toml: tenants, keys, and any setting.", envvar="BRIDGE_CONFIG", readable=False),
]
RedisOption = Annotated[str | None, typer.Option("--redis", help="Redis or Valkey, such as redis://127.0.0.1:6379/0.")]
DataDirOption = Annotated[Path | None, typer.Option(help="Where the private server keeps its data.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Say it in JSON, for a program.")]


def fail(message: str) -> NoReturn:
    """Print the message on standard error and exit with status 1. It may have several lines."""
    typer.echo(f"aether-bridge: {chr(10).join(map(visible, message.split(chr(10))))}", err=True)
    raise typer.Exit(1)


def read_settings(config: Path | None, **given: object) -> Settings:
    """The settings; `given` are those of the command line. Ends the command if they are not valid."""
    try:
        return load(config, **given)
    except SettingsError as error:
        fail(str(error))


def with_settings(command: Callable[Concatenate[Settings, P], None], **given: object) -> Callable[..., None]:
    """A command that works at the Redis of the bridges: it takes --redis, --config and --data-dir, and gets `Settings`.

    The function's first argument is the settings; the others are its own. `given`: settings that are not asked for.
    """
    call: Callable[..., None] = command

    @wraps(command)
    def with_options(redis: RedisOption, config: ConfigOption, data_dir: DataDirOption, **own: object) -> None:
        call(read_settings(config, redis_url=redis, data_dir=data_dir, **given), **own)

    _, *own = inspect.signature(command).parameters.values()
    options = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=option)
        for name, option in (("redis", RedisOption), ("config", ConfigOption), ("data_dir", DataDirOption))
    ]
    own_by_name = [one.replace(kind=inspect.Parameter.KEYWORD_ONLY) for one in own]
    with_options.__signature__ = inspect.Signature([*own_by_name, *options])  # type: ignore[attr-defined]
    del with_options.__wrapped__  # its signature is another
    return with_options
