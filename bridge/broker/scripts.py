"""Lua scripts, for what must be atomic in Redis: reads a script from its file, and runs it.

It knows no particular script. A script is a `.lua` file beside the module that runs it, and is read once, at import.
The comment at its head says what it does, its KEYS and ARGV, what it returns, and what it never does. A line
`--- @include "name"` is replaced by the file `name.lua` of the same folder.

Each script that `Script.run` runs uses the keys of one cluster slot. The scripts of presence and leases take the time
from Redis.
"""

import re
from collections.abc import Callable, Sequence
from hashlib import sha1
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from bridge.broker.bus import Bus
from bridge.broker.commands import pack

_INCLUDE: Final = re.compile(r'^--- @include "(\w+)"$', re.MULTILINE)


class Script:
    """One Lua script. It is called by its digest (EVALSHA), and sent whole (EVAL) if Redis does not know it yet."""

    def __init__(self, source: str) -> None:
        self.source: Final = source
        self.digest: Final = sha1(source.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def in_file(cls, package: str, name: str) -> "Script":
        """The script in the file `name.lua` of `package`, includes inserted. Raises `OSError` if a file is missing."""
        return cls(_text(files(package), name))

    def run(
        self, bus: Bus, keys: list[str], arguments: Sequence[str | int | bytes], done: Callable[[Any], None]
    ) -> None:
        """Hand the call to the bus. `done` gets the reply, Redis's error as an exception, or `None` without a reply."""

        def answered(reply: Any) -> None:
            if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
                bus.command(pack("EVAL", self.source, len(keys), *keys, *arguments), done)
            else:
                done(reply)

        bus.command(pack("EVALSHA", self.digest, len(keys), *keys, *arguments), answered)


def _text(folder: Traversable, name: str) -> str:
    text = folder.joinpath(f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda include: _text(folder, include[1]), text)
