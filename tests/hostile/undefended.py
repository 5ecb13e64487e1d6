"""`python -m tests.hostile.undefended DEFENCE serve …`: the command line with one defence taken out, by its name.

It must never be used but to prove that an attack shows what it is meant to show. A defence that is no longer where the
table says ends the process at once, so that no test comes to prove nothing.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import logging
import re
import signal
import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import Any

from fastapi import Request
from starlette.staticfiles import StaticFiles
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


@dataclass(frozen=True)
class Changed:
    """What is put there is made of what is there: not before it is, for then whoever takes it has taken it already."""

    of: Callable[[Any], Any]


def nothing(*_arguments: Any, **_named: Any) -> None: ...


def always(*_arguments: Any, **_named: Any) -> bool:
    return True


async def without_waiting(*_arguments: Any, **_named: Any) -> None: ...


def never(*_arguments: Any, **_named: Any) -> bool:
    return False


def while_there_is_any(self: Any, _owner: Any) -> bool:
    return not self.is_full


def up_to_the_last(self: Any, _administrator: Any) -> bool:
    return bool(self._open.total() < resolve_name("bridge.admin.events:MOST_STREAMS"))


def the_longest_waiting(self: Any) -> Any:
    return next(iter(self._addresses))


def as_a_program_does(*_arguments: Any) -> None:
    """Whatever whoever began it does with a hangup."""
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


def never_held_back(*_arguments: Any, **_named: Any) -> int:
    return 0


def at_once(*_arguments: Any, **_named: Any) -> float:
    return 0.0


def one_for_all(self: Any, _tenant: str) -> str:
    """The name of a record that all tenants share."""
    return f"{self.prefix}:record"


def one_party(*_arguments: Any) -> tuple[str, bool]:
    return "everybody", False


@contextlib.asynccontextmanager
async def without_turns(*_arguments: Any) -> AsyncIterator[None]:
    yield


async def for_ever(*_arguments: Any) -> None:
    await asyncio.Event().wait()


async def in_one_go(call: Callable[..., Any], *arguments: Any) -> Any:
    return call(*arguments)


async def once_it_is_fetched(self: Any, name: str | None) -> Any:
    """Asks, or waits for whoever asks, whether the key is known or not."""
    self._begin()
    await asyncio.shield(self._asking)
    return self._keys.get(name or "")


async def deaf_to_every_end(_self: Any) -> None:
    """A part in which a library answers each cancellation with a success."""
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(3_600)


def from_disk(_self: Any, app: Any, path: str) -> None:
    """Whatever is there, wherever that is."""
    app.mount(path, StaticFiles(directory=resolve_name("bridge.pages.static_page:PAGES") / "dashboard"))


def in_a_thread(method: Callable[..., Coroutine[Any, Any, Any]]) -> Callable[[Any, Request], Any]:
    """As a plain function, which FastAPI takes out of the loop."""

    def answer(self: Any, request: Request) -> Any:
        return asyncio.run(method(self, request))

    return answer


def whatever_is_reserved(buffer: bytes, position: int) -> bool:
    """Whether the frame is a final, masked text frame, be its reserved bits set or not."""
    return buffer[position] & 0x8F == 0x81 and buffer[position + 1] & 0x80 != 0


def heard_on(self: Any) -> None:
    """Whoever was refused is read, as if nothing had happened."""
    self.read_on()


class PlainHttp(HttpToolsProtocol):
    """uvicorn's own, without any of our bounds. WebSockets are ours."""

    def handle_websocket_upgrade(self) -> None:
        self.connections.discard(self)
        key, _ = resolve_name("bridge.sockets.opening_answer:key_or_refusal")("GET", self.headers)
        scope = resolve_name("bridge.sockets.websocket_opening:handshake_scope")(self.scope, self.url)
        opening: Any = self.ws_protocol_class
        opening(self.transport, self.server_state, key).begin(self.app, scope, b"")


def never_at_one_look(_data: bytes, _most_bytes: int) -> int:
    """As if no frame were plain at first sight."""
    return 0


def believingly(said: bytes) -> list[tuple[str, str, str, int]]:
    numbers = json.loads(said).items()
    return [(tenant, what, *one) for tenant, all_ in numbers for what, each in all_.items() for one in each.items()]


def quadratically(read: Callable[[str], Any]) -> Callable[[str], Any]:
    """A look for numbers that are infinite, begun anew at each digit."""
    large_number = re.compile(r"[0-9](?:[eE]\+?[0-9]{3}|[0-9]{199})")

    def read_said(text: str) -> Any:
        large_number.search(text)
        return read(text)

    return read_said


ADMINISTRATOR = "bridge.admin.service:TenantService.administrator"
WEBSOCKET = "bridge.sockets.websocket_protocol:WebSocketProtocol"
NO_BUDGET = {"bridge.budget.turns:Turns.may_go_on": always, "bridge.budget.accounts:Account.wait_seconds": at_once}
NO_DEADLINE = {"bridge.handshake.key_cache:ANSWER_SECONDS": 3_600.0}
PLAIN_HTTP = {"bridge.runtime.server:HttpProtocol": PlainHttp}
DEFENCES: Mapping[str, Mapping[str, Any]] = {
    "budget": NO_BUDGET,
    "reserve": {"bridge.budget.budget:RESERVED": 1e-9},
    "closes between fragments": {"bridge.sockets.frame_checker:FrameChecker.expect_close": nothing},
    "reserved bits": {
        "bridge.sockets.websocket_protocol:start_of_only_text": never_at_one_look,
        "bridge.sockets.websocket_protocol:is_plain": whatever_is_reserved,
    },
    "deafness and budget": {f"{WEBSOCKET}._shut_down_writing": heard_on, **NO_BUDGET},  # each suffices by itself
    "requests": PLAIN_HTTP,
    "request deadline": {"bridge.sockets.request_deadline:REQUEST_SECONDS": 3_600.0},
    "restraint": {"bridge.runtime.log_restraint:Restraint.may_say": never_held_back, **PLAIN_HTTP},
    "no cycles": {
        "bridge.sockets.reader:Reader.end": nothing,
        "bridge.runtime.server:_tune_garbage_collection": gc.disable,
        "bridge.system.housekeeping:Housekeeping.look": nothing,  # it looks for cycles, too
    },
    "answers": {"bridge.broker.presence_members:FRESH_SECONDS": 0.0},
    "giving back": {
        "bridge.system.allocator:CLibrary.__enter__": nothing,
        "bridge.system.allocator:CLibrary.__exit__": nothing,
    },
    "reading": {"v3.said:read_said": Changed(quadratically)},
    "short lists": {
        "bridge.sockets.head:MAX_LISTED_BYTES": 1_000_000_000,
        "bridge.sockets.http_protocol:is_used": always,
    },
    "leaving the line": {"bridge.sockets.metered:_WaitingRequest.leave": nothing},
    "files from memory": {"bridge.pages.memory_files:MemoryFiles.mount": from_disk},
    "keys in the loop": {ADMINISTRATOR: Changed(in_a_thread)},
    "reading in the background": {"bridge.admin.ids:run_in_background": in_one_go},
    "bound of id maps": {"bridge.admin.ids:MOST_IDS": 1_000_000_000},
    "a record for each": {"bridge.broker.addresses:Addresses.record": one_for_all},
    "pace of orders": {"bridge.admin.pace:Pace.spend": nothing},
    "bodies of a party": {"bridge.admin.pace:party_of": one_party, "bridge.admin.pace:Pace.spend": nothing},
    "streams of a key": {"bridge.admin.events:Streams._has_room": up_to_the_last},
    "turns of reports": {"bridge.records.report_turns:ReportTurns.turn": without_turns},
    "reports of the gone": {"bridge.admin.report_answer:_left": for_ever},
    "budget of polls": {"bridge.socketio.packet_budget:PacketBudget.turn": without_waiting},
    "sessions of an address": {"bridge.socketio.pending_sessions:PendingSessions.gives_way": the_longest_waiting},
    "keys meanwhile": {"bridge.handshake.key_cache:KeyCache.key": once_it_is_fetched, **NO_DEADLINE},
    "public members": {"bridge.handshake.published_keys:PUBLIC_MEMBERS": {"RSA": ("kty", "n", "e", "d")}},
    "size of keys": {"bridge.handshake.key_fetch:MOST_BYTES": 1_000_000_000, **NO_DEADLINE},
    "events": {"v3.said:check_event": nothing},
    "our word": {"bridge.messaging.v2:speaks_as_the_bridge": never},
    "keep-alive": {"bridge.runtime.server:KEEP_ALIVE_SECONDS": 1},
    "log of its own thread": {"bridge.runtime.logs:LogWriter": logging.StreamHandler},
    "redaction": {"bridge.config.redaction:redact": str},
    "closed directory": {"bridge.broker.private_server:_keep_to_ourselves": nothing},
    "hangups": {"bridge.runtime.hangup:Hangup.install": as_a_program_does},
    "claims": {"bridge.handshake.authentication:Authentication._may_be_claimed": never},
    "origins": {"bridge.handshake.preflight:OriginCheck.passes_anonymously": always},
    "shares": {"bridge.budget.shares:Shares.has_room_for": while_there_is_any},
    "equal shares": {"bridge.budget.shared_rate:SharedRate._share_of": at_once},
    "limits of tenants": {
        "bridge.budget.shared_rate:TenantRate.spend": always,
        "bridge.budget.shares:Shares.holds_its_most": never,
    },
    "bound of names": {
        "bridge.tenants.table:MOST_OTHERS": 1_000_000_000,
        "bridge.tenants.table:OTHERS_PER_LOOK": 1_000_000_000,
        "bridge.tenants.table:OTHERS_SECONDS": 3_600.0,
    },
    "ends": {"bridge.tenants.table:TenantTable.run": deaf_to_every_end},
    "names in Redis": {
        "bridge.broker.leases:process_in": bytes.decode,
        "bridge.records.cluster_counts:process_in": bytes.decode,
    },
    "numbers in Redis": {"bridge.records.cluster_counts:_read": believingly},
    "sum of outboxes": {"bridge.budget.outboxes:Outboxes.look": nothing},
    "bound of reading": {"bridge.continuity.part:TEXTS_IN_MESSAGE": 0},  # of no bytes is of all
    "few at a time": {"bridge.continuity.tails:MOST_READ_TOGETHER": 1_000_000_000},
}


def take_out(places: Mapping[str, Any]) -> None:
    """Put what a table says in the place of what defends."""
    for place, instead in places.items():
        owner, _, name = place.replace(":", ".").rpartition(".")
        there = getattr(resolve_name(owner), name)
        setattr(resolve_name(owner), name, instead.of(there) if isinstance(instead, Changed) else instead)


def serve_without(defences: Mapping[str, Mapping[str, Any]]) -> None:
    """Take some out, before anyone has imported what they stand in by name, and serve."""
    for defence in sys.argv.pop(1).split("+"):
        take_out(defences[defence])
    resolve_name("bridge.cli.main:main")()


def main() -> None:
    """One of these."""
    serve_without(DEFENCES)


if __name__ == "__main__":
    main()
