"""Every name that we use in Redis, made in one place. Pure.

Names are safe because ids are safe by their alphabet; nothing that a client sends is ever a pattern. The braces keep
what belongs together on one cluster slot. What stands there under a name may be anybody's: what is none of our words is
`None` here.
"""

import re
from typing import Final

_PROCESS: Final = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_GROUP: Final = re.compile(rb"([A-Za-z0-9_-]{1,64}):([A-Za-z0-9_-]{1,8192})")
"""A tenant and a group; the name of a V2 group is as long as its id is, escaped."""


def process_in(member: bytes) -> str | None:
    """The process of which one of `Addresses.processes` speaks."""
    return member.decode() if _PROCESS.fullmatch(member) else None


def group_in(member: bytes) -> tuple[str, str] | None:
    """The tenant and group of which one of `Addresses.held_by` speaks."""
    match = _GROUP.fullmatch(member)
    return None if match is None else (match[1].decode(), match[2].decode())


class Addresses:
    """The names under one prefix. `tenant`, `group` and `client` are names that were checked at the door."""

    def __init__(self, prefix: str) -> None:
        self.prefix: Final = prefix
        self.tenants: Final = f"{prefix}:tenants"
        self.changes: Final = f"{prefix}:stage-changes"
        """Stream: the changes of all tenants, as bridges wrote them before each had a record; it is only emptied."""
        self.memory: Final = f"{prefix}:{{processes}}:memory"
        self.loss: Final = f"{prefix}:{{processes}}:loss"
        self.processes: Final = f"{prefix}:{{processes}}"
        self.platform: Final = f"{prefix}:{{b}}".encode()
        self.probe: Final = f"{prefix}:{{probe}}".encode()
        self._before_tenant: Final = len(f"{prefix}:{{")

    def group(self, tenant: str, group: str) -> bytes:
        """Channel: what is said in a group."""
        return f"{self.prefix}:{{{tenant}:g:{group}}}".encode()

    def client(self, tenant: str, client: str) -> bytes:
        """Channel: what is said to one client."""
        return f"{self.prefix}:{{{tenant}:c:{client}}}".encode()

    def broadcast(self, tenant: str) -> bytes:
        """Channel: what is said to a whole tenant."""
        return f"{self.prefix}:{{{tenant}:b}}".encode()

    def everyone_on_v2(self, tenant: str) -> bytes:
        """Channel: what a tenant's V2 connections hear wherever they are."""
        return f"{self.prefix}:{{{tenant}:v2}}".encode()

    def tenant_of(self, channel: bytes) -> str:
        """The tenant whose channel it is; empty for the platform's."""
        tenant, colon, _ = channel[self._before_tenant :].partition(b":")
        return tenant.decode() if colon else ""

    def presence(self, tenant: str, group: str) -> str:
        """Sorted set: client -> when its entry expires (seconds since the epoch)."""
        return f"{self.prefix}:{{{tenant}:g:{group}}}:presence"

    def holders(self, tenant: str, group: str) -> str:
        """Sorted set, all scores 0: `client:process:protocol:since`, who holds a presence entry and how."""
        return f"{self.prefix}:{{{tenant}:g:{group}}}:holders"

    def held_by(self, process: str) -> str:
        """Set of `tenant:group`: where a process holds entries, so that another can clean up after it."""
        return f"{self.prefix}:{{processes}}:groups:{process}"

    def headcount(self, process: str) -> str:
        """String, a few seconds: how many connections a process has, as JSON."""
        return f"{self.prefix}:{{processes}}:headcount:{process}"

    def swept(self, process: str) -> str:
        """String, one hour: another process took this one for dead and said LEAVE for its clients."""
        return f"{self.prefix}:{{processes}}:swept:{process}"

    def tenant(self, tenant: str) -> str:
        """Hash: a tenant's stage, share, routing and version."""
        return f"{self.prefix}:tenant:{tenant}"

    def record(self, tenant: str) -> str:
        """Stream: the changes of a tenant's stage, share and routing."""
        return f"{self.prefix}:{{{tenant}:record}}"

    def id_map(self, tenant: str) -> str:
        """Hash: a tenant's V2 ids -> Vision IDs."""
        return f"{self.prefix}:tenant:{tenant}:ids"

    def roll(self, tenant: str, name: str) -> str:
        """Hash: the rows of one of a tenant's rolls. With `:order`, the sorted set of when each was last noted."""
        return f"{self.prefix}:{{{tenant}:roll}}:{name}"

    def refused(self, tenant: str, slice_number: int) -> str:
        """HyperLogLog, two minutes: clients of a tenant that were refused because of its stage, in one slice of time.

        On the slot of the tenant's rolls: who is in the census is looked up there.
        """
        return f"{self.prefix}:{{{tenant}:roll}}:refused:{slice_number}"
