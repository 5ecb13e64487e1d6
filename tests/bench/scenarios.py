"""What is asked of every server: so many clients in so many groups, so many messages in flight. Pure."""

from dataclasses import dataclass, replace
from typing import Final, Literal

Kind = Literal["talk", "one", "storm"]
"""talk: as many deliveries as can be; one: a single message in flight, until all have heard it; storm: handshakes."""

STORM_SETTLES_SECONDS: Final = 2.0
"""After the last handshake: whatever a server frees at once is freed before its memory is looked at."""


@dataclass(frozen=True)
class Scenario:
    """`window` messages are in flight over all connections together, shared by `senders`.

    `opening`: so many handshakes are under way at once. `servers`: who takes part unless others are asked for.
    """

    name: str
    title: str
    kind: Kind
    groups: int
    per_group: int
    servers: tuple[str, ...]
    window: int = 0
    senders: int = 0
    opening: int = 32

    @property
    def connections(self) -> int:
        return self.groups * self.per_group

    def seconds(self, measured: float) -> float:
        """How long one trial takes, about: the usual server opens a thousand connections in a second."""
        opening = self.connections / (1_000 if self.opening > 1 else 700)
        return 2.0 + opening + (STORM_SETTLES_SECONDS if self.kind == "storm" else 1.5 + measured)


BRIDGE: Final = ("bridge",)
WITH_GROWTH: Final = (*BRIDGE, "floor")
PLAIN: Final = ("floor", "bun", "nats", "wse")
WITH_REDIS: Final = ("socketio", "python-socketio", "fastapi")
OTHER_WAYS: Final = ("bridge-history", "bridge-v2")
HALF: Final = ("bridge-half", "bridge-half-global")

TALK: Final = (
    Scenario(
        "1000x64",
        "1000 listeners, 64 in flight",
        "talk",
        1,
        1000,
        (*BRIDGE, *PLAIN, "nchan", *WITH_REDIS, *OTHER_WAYS, *HALF),
        window=64,
        senders=1,
    ),
    Scenario(
        "1000x512",
        "1000 listeners, 512 in flight",
        "talk",
        1,
        1000,
        (*BRIDGE, *PLAIN, "bridge-history"),
        window=512,
        senders=1,
    ),
    Scenario(
        "100x64",
        "100 listeners, 64 in flight",
        "talk",
        1,
        100,
        (*BRIDGE, *PLAIN, *OTHER_WAYS, *HALF),
        window=64,
        senders=1,
    ),
    Scenario(
        "10x64",
        "10 listeners, 64 in flight",
        "talk",
        1,
        10,
        (*BRIDGE, *PLAIN, "nchan", "socketio", *OTHER_WAYS),
        window=64,
        senders=1,
    ),
    Scenario(
        "200x5",
        "200 groups of 5, all talk",
        "talk",
        200,
        5,
        (*BRIDGE, *PLAIN, "nchan", *WITH_REDIS, *OTHER_WAYS),
        window=1000,
        senders=1000,
    ),
    Scenario(
        "1000x5",
        "1000 groups of 5, all talk",
        "talk",
        1000,
        5,
        (*BRIDGE, *PLAIN),
        window=5000,
        senders=5000,
    ),
)
ONE: Final = (
    Scenario("one-10", "one at a time, 10 listeners", "one", 1, 10, (*BRIDGE, *PLAIN, "bridge-history"), 1, 1),
    Scenario("one-1000", "one at a time, 1000 listeners", "one", 1, 1000, (*BRIDGE, *PLAIN), 1, 1),
)
STORM: Final = (
    Scenario(
        "storm-32",
        "5000 handshakes, 32 at once; then idle",
        "storm",
        1000,
        5,
        (*BRIDGE, "bridge-v2", *PLAIN, "nchan", "socketio", "python-socketio"),
    ),
    Scenario(
        "storm-1",
        "1000 handshakes, one after the other",
        "storm",
        200,
        5,
        (*BRIDGE, "floor", "bun", "nats", "socketio"),
        opening=1,
    ),
)


def _many(listeners: int) -> Scenario:
    title = f"{listeners:,} listeners, 64 in flight"
    return Scenario(f"listeners-{listeners}", title, "talk", 1, listeners, WITH_GROWTH, window=64, senders=1)


def _spread(groups: int) -> Scenario:
    """As many messages in flight in few groups as in many: only the number of groups differs."""
    title = f"{groups:,} groups of 1, 1000 in flight"
    return Scenario(f"groups-{groups}", title, "talk", groups, 1, WITH_GROWTH, window=1000, senders=groups)


LISTENERS: Final = tuple(_many(number) for number in (100, 1_000, 10_000))
GROUPS: Final = tuple(_spread(number) for number in (10, 100, 1_000, 10_000))
GROWTH: Final = {"listeners": LISTENERS, "groups": GROUPS}
SHARED: Final = tuple(
    replace(each, name=f"{each.name}-many", title=f"{each.title}, as many speakers", senders=each.window)
    for each in TALK[:4]
)
"""Spread over as many senders as there can be: little arrives together. Only where they are asked for."""

USUAL: Final = (*TALK, *ONE, *STORM, *LISTENERS, *GROUPS)
ALL: Final = (*USUAL, *SHARED)
BY_NAME: Final = {each.name: each for each in ALL}
