"""Calls of a script whose order matters, in Redis too. A script is loaded on each new link, and called by its digest.

If Redis has forgotten the script meanwhile (SCRIPT FLUSH), the calls that it refused were not carried out. They are
made again in their order, before any later one. If a later one was carried out all the same (another process has loaded
the script in between), they come too late and are not made: they are answered `None`. Nothing else is ever repeated.

Bounded: as many calls wait here as are made until Redis has answered those before.
"""

from collections.abc import Sequence
from typing import Final

from bridge.broker.awaited_replies import Done
from bridge.broker.bus import Bus
from bridge.broker.commands import pack, pack_parts
from bridge.broker.scripts import Script

Call = tuple[bytes, Done]
"""A packed command, and who gets the reply."""


class OrderedCalls:
    """The calls of one script over one bus."""

    def __init__(self, bus: Bus, script: Script) -> None:
        self._bus = bus
        self._script: Final = script
        self._load: Final = pack("SCRIPT", "LOAD", script.source)
        self._under_way = 0
        self._refused: list[Call] = []
        """The calls that Redis has refused because it has forgotten the script."""
        self._later: list[Call] = []
        """The calls that were made since the first of those."""
        bus.back.add(self._load_script)

    def run(self, keys: Sequence[bytes], arguments: Sequence[bytes | str | int], done: Done) -> None:
        """Make a call. `done` gets the reply, Redis's error as an exception, or `None` without a reply."""
        self._run((pack("EVALSHA", self._script.digest, len(keys), *keys, *arguments), done))

    def run_packed(self, keys: int, arguments: int, parts: bytes, done: Done) -> None:
        """The same with so many keys and arguments that are packed already (`pack_parts`)."""
        head = b"*%d\r\n$7\r\nEVALSHA\r\n" % (3 + keys + arguments)
        self._run((head + pack_parts(self._script.digest.encode(), keys) + parts, done))

    def _run(self, call: Call) -> None:
        if self._refused or self._later:
            self._later.append(call)
        else:
            self._make(call)

    def _make(self, call: Call) -> None:
        self._under_way += 1
        self._bus.command(call[0], lambda reply: self._answered(call, reply))

    def _answered(self, call: Call, reply: object) -> None:
        self._under_way -= 1
        if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
            self._refused.append(call)
        else:
            self._give_up_refused()
            call[1](reply)
        if (self._refused or self._later) and not self._under_way:
            self._make_again()

    def _give_up_refused(self) -> None:
        refused, self._refused = self._refused, []
        for _, done in refused:
            done(None)

    def _make_again(self) -> None:
        again = self._refused + self._later
        self._refused, self._later = [], []
        self._load_script()
        for call in again:
            self._make(call)

    def _load_script(self) -> None:
        self._bus.command(self._load, lambda _reply: None)
