"""`aether-bridge doctor`: checks everything that a bridge depends on, and says what to do. It changes nothing."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import typer

from bridge.broker.private_server import find_url
from bridge.cli.checks import configuration, histories, machine, packages, redis_server, running_processes
from bridge.cli.checks.finding import Finding, bad, ok
from bridge.cli.options import ConfigOption, DataDirOption, JsonOption, RedisOption
from bridge.cli.table import columns
from bridge.config.settings import Settings, SettingsError, load


def doctor(
    redis: RedisOption = None, config: ConfigOption = None, data_dir: DataDirOption = None, as_json: JsonOption = False
) -> None:
    """Check what a bridge depends on, and explain what does not stand well. Exit status 1 if it would not work.

    It looks at Python and its packages, the settings and what follows from them, open files, and Redis: version,
    permissions, buffers, eviction, persistence, clock, and who else is there. A running bridge is not disturbed.

    ```sh
    aether-bridge doctor --redis redis://127.0.0.1:6379/0 --config bridge.toml
    ```
    """
    findings = list(_look(redis, config, data_dir))
    if as_json:
        typer.echo(json.dumps([asdict(finding) for finding in findings], indent=2))
    else:
        typer.echo(columns(map(_row, findings)))
        levels = Counter(finding.level for finding in findings)
        typer.echo(f"\n{levels['ok']} ok, {levels['warn']} to know, {levels['fail']} to mend")
    if any(finding.level == "fail" for finding in findings):
        raise typer.Exit(1)


def _look(redis: str | None, config: Path | None, data_dir: Path | None) -> Iterator[Finding]:
    yield from packages.look()
    try:
        settings = load(config, redis_url=redis, data_dir=data_dir)
    except SettingsError as error:
        yield bad("settings", "; ".join(str(error).splitlines()), "mend the file, the environment or the option named")
        return
    yield ok("settings", f"{config} and the environment" if config else "the environment; no file is named")
    yield from configuration.look(settings)
    yield from machine.look(settings)
    yield from _redis(settings)


def _redis(settings: Settings) -> Iterator[Finding]:
    if settings.redis_url is not None:
        yield from redis_server.look(settings.redis_url, settings.prefix, is_private=False)
        yield from running_processes.look(settings.redis_url, settings)
        yield from histories.look(settings.redis_url, settings)
        return
    url = find_url(settings.data_dir)
    if url is not None:
        yield from redis_server.look(url, settings.prefix, is_private=True)
        yield from running_processes.look(url, settings)
        yield from histories.look(url, settings)


def _row(finding: Finding) -> tuple[str, str, str]:
    said = f"{finding.said} – {finding.remedy}" if finding.remedy else finding.said
    return finding.level, finding.check, said
