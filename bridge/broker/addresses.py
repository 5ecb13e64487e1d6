"""Every key and channel name that the bridge uses in Redis. Pure.

The names are safe because the ids in them have a restricted alphabet; nothing that a client sends is used as a pattern.
The braces keep keys that are used together on one cluster slot. Any other program can store something under these
names: a member that the bridge cannot have written is read as `None` here.
"""

import re
from typing import Final

_PROCESS: Final = re.compile(rb"[A-Za-z0-9_-]{1,64}")
_GROUP: Final = re.compile(rb"([A-Za-z0-9_-]{1,64}):([A-Za-z0-9_-]{1,8192})")
"""A tenant and a group. The name of a V2 group is its escaped id, which can be long."""
_NUMBER: Final = re.compile(rb"[0-9]{1,20}")
_PART: Final = b"#"
"""Before the name of a tenant, in the name of its part of the platform's channel."""


def said_on(channel: bytes) -> bytes:
    """The channel of Redis on which is said what is heard on this one: another only for `Addresses.platform_for`."""
    return channel.partition(_PART)[0]


def process_in(member: bytes) -> str | None:
    """The process id in a member of the set `Addresses.processes`, or `None`."""
    return member.decode() if _PROCESS.fullmatch(member) else None


def group_in(member: bytes) -> tuple[str, str] | None:
    """The tenant and group in a member of the set `Addresses.held_by`, or `None`."""
    match = _GROUP.fullmatch(member)
    return None if match is None else (match[1].decode(), match[2].decode())


def number_in(reply: object) -> int | None:
    """The number that a string holds, as Redis has answered, or `None`."""
    return int(reply) if isinstance(reply, bytes) and _NUMBER.fullmatch(reply) else None


class Addresses:
    """All names under one prefix.

    A database has keys of its own, but channels are those of the whole server. So the number of the database is part of
    the names of channels, except 0: two deployments that differ in it alone do not hear each other.
    The arguments `tenant`, `group` and `client` must be names that were validated when the client connected.
    """

    def __init__(self, prefix: str, database: int = 0) -> None:
        self.prefix: Final = prefix
        self._channels: Final = f"{prefix}@{database}" if database else prefix
        self.tenants: Final = f"{prefix}:tenants"
        self.keys: Final = f"{prefix}:{{keys}}"
        """Hash: the API keys that live in Redis, and their version."""
        self.changes: Final = f"{prefix}:stage-changes"
        """Stream: changes of all tenants, from versions before each tenant had its own record. It is only emptied."""
        self.memory: Final = f"{prefix}:{{processes}}:memory"
        self.loss: Final = f"{prefix}:{{processes}}:loss"
        self.processes: Final = f"{prefix}:{{processes}}"
        self.platform: Final = f"{self._channels}:{{b}}".encode()
        self.probe: Final = f"{self._channels}:{{probe}}".encode()
        """A key and a channel that nobody uses, and the beginning of the channels of processes."""
        self._before_tenant: Final = len(f"{self._channels}:{{")

    def platform_for(self, tenant: str) -> bytes:
        """The platform's channel as a tenant's listeners hear it: no channel of Redis, but a part of one (`said_on`).

        What is said there waits with what else the tenant hears, so that its listeners get all of it in order.
        """
        return b"%b%b%b" % (self.platform, _PART, tenant.encode())

    @property
    def last_number(self) -> str:
        """String: the highest number that a message of this deployment has."""
        return f"{self.prefix}:{{b}}:last-number"

    @property
    def history_begin(self) -> str:
        """String: the number since which there is a history without a break."""
        return f"{self.prefix}:{{b}}:history-begin"

    @property
    def history_server(self) -> str:
        """String: the Redis server that has written the history."""
        return f"{self.prefix}:{{b}}:history-server"

    @property
    def path(self) -> bytes:
        """Channel: on it each process says what shows how long a message takes. No client listens there."""
        return f"{self._channels}:{{path}}".encode()

    def group(self, tenant: str, group: str) -> bytes:
        """Channel: messages to a group."""
        return f"{self._channels}:{{{tenant}:g:{group}}}".encode()

    def client(self, tenant: str, client: str) -> bytes:
        """Channel: messages to one client."""
        return f"{self._channels}:{{{tenant}:c:{client}}}".encode()

    def broadcast(self, tenant: str) -> bytes:
        """Channel: messages to a whole tenant."""
        return f"{self._channels}:{{{tenant}:b}}".encode()

    def everyone_on_v2(self, tenant: str) -> bytes:
        """Channel: messages to all V2 connections of a tenant, in all groups."""
        return f"{self._channels}:{{{tenant}:v2}}".encode()

    def listening_process(self, process: str) -> bytes:
        """Channel: on it a process listens to nothing, so that others can see whether it listens."""
        return b"%b:of:%b" % (self.probe, process.encode())

    def kept_under(self, channel: bytes) -> bytes:
        """What the keys of a channel begin with: its history, what was not kept, and whether its client is expected.

        They are in the channel's cluster slot: `…:history` (stream), `…:unkept` (string), `…:expected` (string).
        """
        return self.prefix.encode() + said_on(channel)[self._before_tenant - len(":{") :]

    def kind_of(self, channel: bytes) -> bytes:
        """One letter: `g` for the channel of a group, `c` of a client, `b` of a tenant, `v` of V2, `p` of everybody."""
        _, colon, rest = channel[self._before_tenant :].partition(b":")
        return rest[:1] if colon else b"p"

    def left(self, tenant: str, client: str) -> str:
        """String, kept as long as a history: up to where a V2 client had heard everything when it went, or is here."""
        return f"{self.prefix}:{{{tenant}:c:{client}}}:left"

    def tenant_of(self, channel: bytes) -> str:
        """The tenant that hears what is said on a channel; empty for the channel of the whole platform."""
        tenant, colon, _ = channel[self._before_tenant :].partition(b":")
        return (tenant if colon else channel.partition(_PART)[2]).decode()

    def audience_of(self, channel: bytes) -> str:
        """Who listens on a channel, in words for a person, such as `group lobby`, `client ann`, `everybody`."""
        _, colon, rest = channel[self._before_tenant : -1].decode().partition(":")
        kind, _, name = rest.partition(":")
        if not colon:
            return "everybody, of every tenant"
        return {"g": f"group {name}", "c": f"client {name}", "v2": "everybody on V2"}.get(kind, "everybody")

    def presence(self, tenant: str, group: str) -> str:
        """Sorted set: client -> when its presence entry expires, in seconds since the epoch."""
        return f"{self.prefix}:{{{tenant}:g:{group}}}:presence"

    def holders(self, tenant: str, group: str) -> str:
        """Sorted set, all scores 0: `client:process:protocol:since` of each holder of a client's presence entry.

        `since` is in microseconds since the epoch.
        """
        return f"{self.prefix}:{{{tenant}:g:{group}}}:holders"

    def held_by(self, process: str) -> str:
        """Set of `tenant:group`: where a process holds presence entries, so that another can clean up after it."""
        return f"{self.prefix}:{{processes}}:groups:{process}"

    def headcount(self, process: str) -> str:
        """String, kept for a few seconds: how many connections a process has, as JSON."""
        return f"{self.prefix}:{{processes}}:headcount:{process}"

    def configuration(self, process: str) -> str:
        """String, kept for a few seconds: the hash of a process's configuration."""
        return f"{self.prefix}:{{processes}}:configuration:{process}"

    def swept(self, process: str) -> str:
        """String, kept for one hour: another process took this process for dead and announced LEAVE for its clients."""
        return f"{self.prefix}:{{processes}}:swept:{process}"

    def tenant(self, tenant: str) -> str:
        """Hash: a tenant's stage, share, routing and version."""
        return f"{self.prefix}:tenant:{tenant}"

    def record(self, tenant: str) -> str:
        """Stream: the changes of a tenant's stage, share and routing."""
        return f"{self.prefix}:{{{tenant}:record}}"

    def held_step(self, tenant: str) -> str:
        """String, kept for a minute: the last step of a tenant that guards held up at a command line."""
        return f"{self.prefix}:{{{tenant}:record}}:held"

    def id_map(self, tenant: str) -> str:
        """Hash: a tenant's V2 ids -> Vision IDs."""
        return f"{self.prefix}:tenant:{tenant}:ids"

    def previous_id_map(self, tenant: str) -> str:
        """Hash: a tenant's id map as it was before its last change."""
        return f"{self.prefix}:tenant:{tenant}:ids:previous"

    def roll(self, tenant: str, name: str) -> str:
        """Hash: the rows of one of a tenant's rolls.

        The key with `:order` appended is the sorted set of when each row was last noted.
        """
        return f"{self.prefix}:{{{tenant}:roll}}:{name}"
