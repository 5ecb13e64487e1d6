"""The budget of one process: whose account everything that is done is charged to. It decides by `accounts.py` alone.

Who is known by a key spends from the key's account and the tenant's; a stranger from its address's, and only while
everybody together leaves something. Key and tenant are bounded only where there is another of the same kind in the
configuration: alone, it may have the whole process.
"""

from collections import Counter, OrderedDict
from collections.abc import Callable, Hashable, Mapping, Sequence
from time import monotonic
from typing import Final, Literal

from bridge.budget.accounts import UNBOUNDED, Account, Accounts, Allowance, Holder
from bridge.budget.client_address import is_proxy
from bridge.budget.outboxes import Outboxes
from bridge.budget.turns import Turns
from bridge.config.settings import Settings

MOST_HOLDERS: Final = 10_000
FRAMES_PER_MESSAGE: Final = 4
"""Who may say so many messages a second may send at least so many frames for each."""

AccountsAt = Callable[[float], Sequence[Account]]


Over = Literal["refused_unread", "flood_ended", "request_refused"]
"""What befell those who were over: a frame was not read, a connection closed, a request answered with 503."""


class Budget:
    """One for each process. `over`: how often which of these was done."""

    def __init__(self, settings: Settings) -> None:
        budget = settings.budget
        self.everybody: Final = Account(budget.process.allowance, monotonic())
        self.turns: Final = Turns(budget.turn_milliseconds / 1_000, self.everybody)
        self._trusted_proxies: Final = settings.trusted_proxies
        self._siblings: Final = Holder()
        self.over: Final[Counter[Over]] = Counter()
        self.outboxes: Final = Outboxes(settings.outboxes_bytes)
        self._connection: Final = _of_a_connection(settings)
        has_many_tenants, has_many_keys = len(settings.known_tenants()) > 1, len(settings.keys) > 1
        self._keys = Accounts(budget.key.allowance if has_many_keys else UNBOUNDED)
        self._tenants = Accounts(budget.tenant.allowance if has_many_tenants else UNBOUNDED)
        self._addresses = Accounts(budget.address.allowance)
        self._holders: OrderedDict[Hashable, Holder] = OrderedDict()

    def spent_by_tenant(self) -> Mapping[str, Account]:
        """What each tenant has spent that was here."""
        return self._tenants.opened

    def connection(self) -> Account:
        """An account of one connection's own."""
        return Account(self._connection, monotonic())

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
        return self.heads(address) if is_proxy(address, self._trusted_proxies) else self._address("peer", address)

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


def _of_a_connection(settings: Settings) -> Allowance:
    """Unbounded where the operator took the rate off; never less than its messages need."""
    per_second = settings.messages_per_second
    if not per_second:
        return UNBOUNDED
    own = settings.budget.connection
    frames = max(own.frames, FRAMES_PER_MESSAGE * per_second) if own.frames else 0
    size = max(own.bytes, per_second * settings.max_message_bytes) if own.bytes else 0
    return Allowance(size, frames, own.milliseconds)
