"""The budget of one process: whose account everything that is done is charged to. It decides by `accounts.py` alone.

Who is known by a key spends from the key's account and the tenant's; a stranger from its address's, and only while
everybody together leaves something.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Final, Literal

from bridge.budget.accounts import Account, Accounts, Allowance, Holder
from bridge.budget.client_address import is_proxy
from bridge.budget.outboxes import Outboxes
from bridge.budget.turns import Turns

MOST_HOLDERS: Final = 10_000

AccountsAt = Callable[[float], Sequence[Account]]


Over = Literal["refused_unread", "flood_ended", "request_refused"]
"""What befell those who were over: a frame was not read, a connection closed, a request answered with 503."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What may be spent in a second: one connection, key, tenant and address each, and everybody in one process.

    `turn_seconds`: for how long is read, or said, in one go. `outboxes_bytes`: what may wait for all connections.
    """

    connection: Allowance
    key: Allowance
    tenant: Allowance
    address: Allowance
    everybody: Allowance
    turn_seconds: float
    outboxes_bytes: int
    trusted_proxies: tuple[str, ...] = ()


class Budget:
    """One for each process. `over`: how often which of these was done."""

    def __init__(self, limits: Limits) -> None:
        self.everybody: Final = Account(limits.everybody, monotonic())
        self.turns: Final = Turns(limits.turn_seconds, self.everybody)
        self.over: Final[Counter[Over]] = Counter()
        self.outboxes: Final = Outboxes(limits.outboxes_bytes)
        self._limits = limits
        self._siblings: Final = Holder()
        self._keys = Accounts(limits.key)
        self._tenants = Accounts(limits.tenant)
        self._addresses = Accounts(limits.address)
        self._holders: OrderedDict[Hashable, Holder] = OrderedDict()

    def spent_by_tenant(self) -> Mapping[str, Account]:
        """What each tenant has spent that was here."""
        return self._tenants.opened

    def connection(self) -> Account:
        """An account of one connection's own."""
        return Account(self._limits.connection, monotonic())

    def tenant(self, tenant: str) -> Holder:
        """Who hears in this tenant: what is said to it is charged to it."""
        return self._holder(("tenant", tenant), lambda now: [self._tenants.of(tenant, now)])

    def key(self, tenant: str, key_name: str) -> Holder:
        """Whoever came with this key to this tenant; without a key the name is empty."""
        return self._holder(
            ("key", tenant, key_name), lambda now: [self._keys.of(key_name, now), self._tenants.of(tenant, now)]
        )

    def stranger(self, address: str) -> Holder:
        """Whoever comes from this address, and has not said who it is.

        Without an address it came by a unix socket, where another worker passes on whom it has charged already.
        """
        return self._address("stranger", address)

    def _address(self, kind: str, address: str) -> Holder:
        if not address:
            return self._siblings
        name = (kind, address)
        return self._holder(name, lambda now: [self._addresses.of(address, now)], behind=(self.everybody,))

    def peer(self, address: str) -> Holder:
        """Who pays for what is read of requests: the address they come from. What does not come at once waits for that.

        A proxy of ours pays for none: it is only known whom it speaks for when a request has come.
        """
        return (
            self.heads(address) if is_proxy(address, self._limits.trusted_proxies) else self._address("peer", address)
        )

    def heads(self, address: str) -> Holder:
        """Whoever begins a request there: it waits for a turn, and while everybody has spent all, but for no account.

        Only when it was read it is known whom it is for.
        """
        return self._holder(("heads", address), lambda _: (), behind=(self.everybody,))

    def _holder(self, name: Hashable, accounts: AccountsAt, behind: Sequence[Account] = ()) -> Holder:
        """Bounded: the one that was made longest ago is forgotten; who still has it goes on with it."""
        holder = self._holders.get(name)
        if holder is None:
            holder = self._holders[name] = Holder(accounts(monotonic()), behind)
            if len(self._holders) > MOST_HOLDERS:
                self._holders.popitem(last=False)
        return holder
