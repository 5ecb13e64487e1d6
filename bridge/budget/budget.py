"""The budget of one process: which account pays for which work. What an account allows is decided in `accounts.py`.

A client that is identified by a key is charged to the account of the key and of its tenant. A client that is not
identified yet is charged to its address. While the account of the whole process is overdrawn, such clients are served
out of a small reserve: slowly, however many clients are busy that are identified.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal, get_args

from prometheus_client.core import Metric

from bridge.budget.accounts import Account, Accounts, Allowance, Holder, Payer, Reserve
from bridge.budget.client_address import is_proxy
from bridge.budget.outboxes import Outboxes
from bridge.budget.turns import Turns
from bridge.system.metrics import counter, counters, gauge
from bridge.system.part import Part, Task

MOST_HOLDERS: Final = 10_000
"""Holders that are remembered. When there are more, the one that was made first is forgotten."""

RESERVED: Final = 0.1
"""Part of the time of the whole process that goes to who is not identified, when the others have spent it all."""

AccountsAt = Callable[[float], Sequence[Payer]]
"""Opens the accounts of a holder; the argument is the time in seconds."""


Over = Literal["refused_unread", "flood_ended", "request_refused"]
"""What was done because an account was overdrawn.

`refused_unread`: a frame was refused unread. `flood_ended`: a connection was closed. `request_refused`: an HTTP request
was answered with 503.
"""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent each second: by one connection, key, tenant or address, and by the whole process (`everybody`).

    `turn_seconds`: how long one turn of reading or delivering may take. `outboxes_bytes`: how much may be queued for
    all connections of the process together. `trusted_proxies`: as configured, see `client_address.py`.
    """

    connection: Allowance
    key: Allowance
    tenant: Allowance
    address: Allowance
    everybody: Allowance
    turn_seconds: float
    outboxes_bytes: int
    trusted_proxies: tuple[str, ...] = ()


class Budget(Part):
    """All accounts and holders of one process. `over` counts what was done because an account was overdrawn."""

    def __init__(self, limits: Limits) -> None:
        self.everybody: Final = Account(limits.everybody, monotonic())
        self._reserved: Final = Account(_reserved(limits), monotonic())
        self._reserve: Final = Reserve(self.everybody, self._reserved)
        self.turns: Final = Turns(limits.turn_seconds, self.everybody)
        self.over: Final[Counter[Over]] = Counter()
        self.outboxes: Final = Outboxes(limits.outboxes_bytes)
        self._limits = limits
        self._keys = Accounts(limits.key)
        self._tenants = Accounts(limits.tenant)
        self._addresses = Accounts(limits.address)
        self._holders: OrderedDict[Hashable, Holder] = OrderedDict()

    def allow(self, limits: Limits) -> None:
        """Other limits from now on. A connection that is open keeps its own account as it is."""
        self._limits = limits
        self.everybody.allow(limits.everybody)
        self._reserved.allow(_reserved(limits))
        self._keys.allow(limits.key)
        self._tenants.allow(limits.tenant)
        self._addresses.allow(limits.address)
        self.turns.turn_seconds = limits.turn_seconds
        self.outboxes.most_bytes = limits.outboxes_bytes

    def spent_by_tenant(self) -> Mapping[str, Account]:
        """The accounts of all tenants that spent anything in this process, by the tenant's name."""
        return self._tenants.opened

    def connection(self) -> Account:
        """A new account for one connection."""
        return Account(self._limits.connection, monotonic())

    def tenant(self, tenant: str) -> Holder:
        """The holder of deliveries to this tenant's listeners."""
        return self._holder(("tenant", tenant), lambda now: [self._tenants.of(tenant, now)])

    def key(self, tenant: str, key_name: str) -> Holder:
        """The holder for clients of this tenant that use this key. `key_name` is empty for clients without a key."""
        return self._holder(
            ("key", tenant, key_name), lambda now: [self._keys.of(key_name, now), self._tenants.of(tenant, now)]
        )

    def stranger(self, address: str) -> Holder:
        """The holder for clients at this address that are not identified yet."""
        return self._address("stranger", address)

    def _address(self, kind: str, address: str) -> Holder:
        name = (kind, address)
        return self._holder(name, lambda now: [self._addresses.of(address, now), self._reserve])

    def peer(self, address: str) -> Holder:
        """The holder that is charged for reading requests: the address that the bytes come from.

        A request that does not arrive all at once waits for the accounts of this holder. One of our own proxies is not
        charged (see `heads`): which client it forwards for is known only when a request has arrived.
        """
        return (
            self.heads(address) if is_proxy(address, self._limits.trusted_proxies) else self._address("peer", address)
        )

    def heads(self, address: str) -> Holder:
        """The holder for the first read of a request. It has no account, since only the request shows whose it is.

        It waits for its turn, and while the account of the whole process and the reserve are overdrawn.
        """
        return self._holder(("heads", address), lambda _: [self._reserve])

    def tasks(self) -> Iterable[Task]:
        return (self.outboxes,)

    def metrics(self) -> Iterable[Metric]:
        spent = self.spent_by_tenant()
        seconds = {tenant: account.spent_milliseconds / 1_000 for tenant, account in spent.items()}
        yield counters("bridge_spent_seconds", "Time that was charged to tenants.", ("tenant",), seconds)
        size = {tenant: account.spent_bytes for tenant, account in spent.items()}
        yield counters("bridge_spent_bytes", "Bytes that were read from tenants.", ("tenant",), size)
        over = {what: self.over[what] for what in get_args(Over)}
        yield counters("bridge_over_budget", "What befell those who were over.", ("what",), over)
        yield counter("bridge_turns_waited", "Pieces of work that had to wait.", self.turns.waited)
        yield counter("bridge_turns_failed", "Pieces of work that failed unforeseen.", self.turns.errors)
        waiting = self.outboxes.waiting_bytes
        yield gauge("bridge_outboxes_waiting_bytes", "Bytes that wait where much does.", waiting)
        yield counter("bridge_outboxes_cut", "Connections cut for all outboxes.", self.outboxes.cut)

    def _holder(self, name: Hashable, accounts: AccountsAt) -> Holder:
        """The holder of this name, made if there is none.

        Beyond `MOST_HOLDERS` the oldest is forgotten; code that has a reference to it keeps using it.
        """
        holder = self._holders.get(name)
        if holder is None:
            holder = self._holders[name] = Holder(accounts(monotonic()))
            if len(self._holders) > MOST_HOLDERS:
                self._holders.popitem(last=False)
        return holder


def _reserved(limits: Limits) -> Allowance:
    return Allowance(milliseconds=limits.everybody.milliseconds * RESERVED)
