"""Reads the configuration anew when it is asked to, and has it taken: at most once a second, in a thread.

A configuration with a mistake is refused whole, and what was goes on. Who asks while a reading is awaited shares its
result. It knows no setting: `reconfiguration.py` does.
"""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

import structlog
from prometheus_client.core import Metric

from bridge.broker.configuration_marks import ConfigurationMark
from bridge.broker.part import Broker
from bridge.config.reload import Configuration, Reloaded, Source, changed, read_anew
from bridge.config.settings import SettingsError
from bridge.system.background import run_in_background
from bridge.system.metrics import counters, gauges
from bridge.system.part import Part, Task

PAUSE_SECONDS: Final = 1.0
OUTCOMES: Final = ("taken", "unchanged", "refused")
NO_FILE: Final = "this bridge was started without a configuration file (--config, BRIDGE_CONFIG): nothing to read anew"
_PLACE: Final = re.compile(r"(?m)^([\w.]+): ")
"""Where a mistake is, at the beginning of its sentence."""

Take = Callable[[Configuration], Awaitable[None]]
log = structlog.get_logger(__name__)


class Reload(Part):
    """The configuration of one process. `take` applies another one, as a whole; `source`: where it is read from."""

    def __init__(self, source: Source | None, now: Configuration, take: Take, broker: Broker) -> None:
        self._source = source
        self._take = take
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()
        self._answer: asyncio.Future[Reloaded] = self._loop.create_future()
        self._who: dict[str, None] = {}
        self._outcomes = dict.fromkeys(OUTCOMES, 0)
        self.now = now
        self._mark = ConfigurationMark(broker.bus, broker.addresses, broker.process, lambda: self.now.hash)

    def tasks(self) -> Iterable[Task]:
        return self, self._mark

    def hang_up(self) -> None:
        """SIGHUP has come. Called by the handler of the signal, at any point of the program."""
        self._loop.call_soon_threadsafe(self.ask, "SIGHUP")

    def ask(self, who: str) -> "asyncio.Future[Reloaded]":
        """Have the configuration read; the result comes when its turn has come."""
        self._who[who] = None
        self._asked.set()
        return self._answer

    async def run(self) -> None:
        """Read whenever somebody has asked, until cancelled."""
        while True:
            await self._asked.wait()
            self._asked.clear()
            answer, self._answer = self._answer, self._loop.create_future()
            who, self._who = ", ".join(self._who), {}
            reloaded = await self._reload()
            self._tell(who, reloaded)
            answer.set_result(reloaded)
            await asyncio.sleep(PAUSE_SECONDS)

    async def _reload(self) -> Reloaded:
        if self._source is None or self._source.file is None:
            return Reloaded(self.now.hash, problem=NO_FILE, is_nothing_to_read=True)
        before = self.now
        try:
            after = await run_in_background(read_anew, self._source, before.settings)
            await self._take(after)
        except (SettingsError, OSError) as error:
            return Reloaded(before.hash, problem=str(error))
        except Exception as error:
            log.exception("configuration_unreadable")
            return Reloaded(before.hash, problem=f"unforeseen: {type(error).__name__}")
        self.now = after
        return Reloaded(after.hash, changed(before.settings, after.settings), after.needs_restart)

    def _tell(self, who: str, reloaded: Reloaded) -> None:
        """A line in the log, and a count, of how it ended."""
        if reloaded.problem:
            self._outcomes["refused"] += 1
            reason = _PLACE.sub(r"\1 – ", reloaded.problem)  # of `jwt: word` the log would take the word for a token
            log.error("configuration_refused", who=who, reason=reason, hash=reloaded.hash)
            return
        self._outcomes["taken" if reloaded.changed else "unchanged"] += 1
        log.info("configuration_reloaded", who=who, changed=", ".join(reloaded.changed), hash=reloaded.hash)
        if reloaded.needs_restart:
            log.warning("configuration_needs_restart", settings=", ".join(reloaded.needs_restart))

    def metrics(self) -> Iterable[Metric]:
        words = "1 for the hash of the configuration in effect."
        yield gauges("bridge_configuration_info", words, ("hash",), {(self.now.hash,): 1})
        yield counters("bridge_configuration_reloads", "Times it was read anew.", ("outcome",), self._outcomes)
