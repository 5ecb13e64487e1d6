"""What is asked of every server: so many clients in so many groups, so many messages in flight. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Scenario:
    """`window` messages are in flight over all connections together, shared by `senders`; 0 means idle connections."""

    name: str
    title: str
    groups: int
    per_group: int
    window: int
    senders: int

    @property
    def connections(self) -> int:
        return self.groups * self.per_group


ALL = (
    Scenario("1000x64", "1000 in one group, 64 in flight", 1, 1000, window=64, senders=1),
    Scenario("1000x512", "1000 in one group, 512 in flight", 1, 1000, window=512, senders=1),
    Scenario("100x64", "100 in one group, 64 in flight", 1, 100, window=64, senders=1),
    Scenario("10x64", "10 in one group, 64 in flight", 1, 10, window=64, senders=1),
    Scenario("1000x64-many", "1000 in one group, 64 of them talk", 1, 1000, window=64, senders=64),
    Scenario("1000x512-many", "1000 in one group, 512 of them talk", 1, 1000, window=512, senders=512),
    Scenario("100x64-many", "100 in one group, 64 of them talk", 1, 100, window=64, senders=64),
    Scenario("10x64-many", "10 in one group, all talk, 64 in flight", 1, 10, window=64, senders=10),
    Scenario("200x5", "200 groups of 5, all talk", 200, 5, window=1000, senders=1000),
    Scenario("idle", "1000 idle connections", 200, 5, window=0, senders=0),
)
