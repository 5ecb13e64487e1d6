"""`python -m tests.hostile.undefended DEFENCE serve …`: the command line with one defence taken out, by its name.

It must never be used but to prove that an attack shows what it is meant to show. A defence that is no longer where the
table says ends the process at once, so that no test comes to prove nothing.
"""

from __future__ import annotations

import gc
import re
import sys
from collections.abc import Callable, Mapping
from pkgutil import resolve_name
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def nothing(*_arguments: Any, **_named: Any) -> None: ...


def always(*_arguments: Any, **_named: Any) -> bool:
    return True


def never(*_arguments: Any, **_named: Any) -> bool:
    return False


def while_there_is_any(self: Any, _owner: Any) -> bool:
    return not self.is_full


def never_held_back(*_arguments: Any, **_named: Any) -> int:
    return 0


def at_once(*_arguments: Any, **_named: Any) -> float:
    return 0.0


def quadratically(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A look for numbers that are infinite, begun anew at each digit."""
    large_number = re.compile(r"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{199})")

    def read_said(text: str) -> Any:
        large_number.search(text)
        return read(text)

    return read_said


WEBSOCKET = "bridge.sockets.websocket_protocol:WebSocketProtocol"
NO_BUDGET = {"bridge.turns:Turns.may_go_on": always, "bridge.budget:Account.wait_seconds": at_once}
PLAIN_HTTP = {"bridge.server:HttpProtocol": HttpToolsProtocol}
DEFENCES: Mapping[str, Mapping[str, Any]] = {
    "budget": NO_BUDGET,
    "deafness and budget": {f"{WEBSOCKET}._last_words": nothing, **NO_BUDGET},  # each suffices by itself
    "requests": PLAIN_HTTP,
    "restraint": {"bridge.restraint:Restraint.may_say": never_held_back, **PLAIN_HTTP},
    "no cycles": {f"{WEBSOCKET}._let_go": nothing, "bridge.server:_tune_garbage_collection": gc.disable},
    "reading": {"v3.messages:read_said": quadratically(resolve_name("v3.messages:read_said"))},
    "claims": {"bridge.admission:Admission._may_be_claimed": never},
    "origins": {"bridge.reception:OriginCheck.passes_anonymously": always},
    "shares": {"bridge.shares:Shares.has_room_for": while_there_is_any},
    "sum of outboxes": {"bridge.outboxes:Outboxes.look": nothing},
}


def take_out(defence: str) -> None:
    """Put what the table says in the place of what defends."""
    for place, instead in DEFENCES[defence].items():
        owner, _, name = place.replace(":", ".").rpartition(".")
        getattr(resolve_name(owner), name)
        setattr(resolve_name(owner), name, instead)


def main() -> None:
    """Take it out, before anyone has imported what it stands in by name, and serve."""
    take_out(sys.argv.pop(1))
    resolve_name("bridge.command_line:main")()


if __name__ == "__main__":
    main()
