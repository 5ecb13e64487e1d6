"""Lua scripts: what must be atomic in Redis. How one is read from its file, and how it is run. It knows no script.

A script is a `.lua` file beside the module that runs it, and is read once, at import. Its first lines say what it does,
its KEYS and ARGV, what it returns, and what it never does. `--- @include "name"` on a line of its own stands for the
file `name.lua` of the same folder. Each script works on one cluster slot, and asks Redis for the time.
"""

import re
from collections.abc import Callable, Sequence
from hashlib import sha1
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any, Final

from bridge.broker.bus import Bus
from bridge.broker.link import pack

_INCLUDE: Final = re.compile(r'^--- @include "(\w+)"$', re.MULTILINE)


class Script:
    """One Lua script, called by its digest and sent whole where Redis does not know it yet."""

    def __init__(self, source: str) -> None:
        self.source: Final = source
        self._digest: Final = sha1(source.encode(), usedforsecurity=False).hexdigest()

    @classmethod
    def in_file(cls, package: str, name: str) -> "Script":
        """The script in the file `name.lua` of a package, with what it includes. Raises `OSError` if there is none."""
        return cls(_text(files(package), name))

    def run(
        self, bus: Bus, keys: list[str], arguments: Sequence[str | int | bytes], done: Callable[[Any], None]
    ) -> None:
        """On its way when this returns; `done` gets the reply, an exception from Redis, or `None`."""

        def answered(reply: Any) -> None:
            if isinstance(reply, Exception) and str(reply).startswith("NOSCRIPT"):
                bus.command(pack("EVAL", self.source, len(keys), *keys, *arguments), done)
            else:
                done(reply)

        bus.command(pack("EVALSHA", self._digest, len(keys), *keys, *arguments), answered)


def _text(folder: Traversable, name: str) -> str:
    text = folder.joinpath(f"{name}.lua").read_text(encoding="utf-8")
    return _INCLUDE.sub(lambda include: _text(folder, include[1]), text)
