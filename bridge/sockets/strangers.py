"""Counts every accepted socket, and aborts unauthenticated ones when there are too many.

Pure: its callers report each change of a socket.

A socket is authenticated while it carries an admitted connection, or a request with valid credentials. All others are
unauthenticated: idle ones, those with an incomplete request, an unread response or a handshake under way, and those
that linger after a refusal.

When a new socket is one too many, one unauthenticated socket is aborted. If the network of the new socket has more than
its bound, it is one of that network, else one of the network that has most. Sockets whose request is answered go first,
and of these the one that has waited longest. So a new client always gets in, even if unauthenticated sockets hold all
places. An unauthenticated socket never causes the end of an authenticated one.
"""

from collections import Counter
from typing import Final, Protocol

from bridge.budget.client_address import counted

Network = str
REASONS: Final = ("all", "address", "late", "unread", "400", "414", "426", "431")
"""Why a socket was ended.

`all`, `address`: too many of all, or of one network. `late`: its request or handshake took too long. `unread`: it did
not read its response. The rest: HTTP status of the refusal of its request.
"""


class Abortable(Protocol):
    """What is needed of a transport here."""

    def abort(self) -> None: ...


class _Waiting:
    """The unauthenticated sockets of one network, those that have waited longest first."""

    __slots__ = ("_answered", "_unanswered")

    def __init__(self) -> None:
        self._answered: dict[Abortable, None] = {}
        self._unanswered: dict[Abortable, None] = {}

    def __len__(self) -> int:
        return len(self._answered) + len(self._unanswered)

    def put(self, one: Abortable, *, is_answered: bool) -> None:
        """Add a socket at the end, or move it there."""
        self.drop(one)
        (self._answered if is_answered else self._unanswered)[one] = None

    def drop(self, one: Abortable) -> None:
        """Remove a socket, if it is here."""
        self._answered.pop(one, None)
        self._unanswered.pop(one, None)

    def first_to_go(self) -> Abortable:
        """The socket to abort next: an answered one, if there is one.

        So clients that repeat requests on open sockets cannot keep out a new client that waits for its first response.
        """
        return next(iter(self._answered or self._unanswered))


class Strangers:
    """All accepted sockets of one process. A "stranger" is an unauthenticated socket.

    Bounds: `most` sockets may be open, `most_strangers` of them unauthenticated, `most_per_address` of these for one
    network (see `network_of`). At a bound an unauthenticated socket is aborted for each new one.
    """

    def __init__(self, most: int, most_strangers: int, most_per_address: int) -> None:
        self.bound(most, most_strangers, most_per_address)
        self._holders: dict[Abortable, Network] = {}
        self._vouched_for: set[Abortable] = set()
        self._waiting: dict[Network, _Waiting] = {}
        self._holding: dict[int, dict[Network, None]] = {}  # number of unauthenticated sockets -> networks that have it
        self._most_held = 0
        self.ended: Counter[str] = Counter()
        """One of `REASONS` -> how many sockets were ended for it."""

    def bound(self, most: int, most_strangers: int, most_per_address: int) -> None:
        """Set the bounds anew. Where there are too many now, each new socket ends one until there are not."""
        self.most = most
        self._most_strangers = most_strangers
        self._most_per_address = most_per_address

    def __len__(self) -> int:
        """The number of all sockets."""
        return len(self._holders)

    @property
    def strangers(self) -> int:
        """The number of unauthenticated sockets."""
        return len(self) - len(self._vouched_for)

    @property
    def vouched_for(self) -> int:
        """The number of authenticated sockets."""
        return len(self._vouched_for)

    def came(self, one: Abortable, address: str) -> None:
        """Add an accepted socket. If it is one too many, another is aborted.

        If all others are authenticated, the new one is aborted itself.
        """
        holder = network_of(address)
        self._holders[one] = holder
        self._enlist(one, holder, is_answered=False)
        self._make_room(holder)

    def vouch(self, one: Abortable) -> None:
        """Mark a socket as authenticated."""
        holder = self._holders.get(one)
        if holder is not None and one not in self._vouched_for:
            self._strike(one, holder)
            self._vouched_for.add(one)

    def asked(self, one: Abortable) -> None:
        """A socket's request has arrived and waits for its response: of the unauthenticated it is aborted last."""
        self._put(one, is_answered=False)

    def served(self, one: Abortable) -> None:
        """A socket's request is answered: it is unauthenticated again, and aborted before those not answered yet."""
        holder = self._holders.get(one)
        if holder and one in self._vouched_for:
            self._vouched_for.discard(one)
            self._enlist(one, holder, is_answered=True)
            self._make_room(holder)
        else:
            self._put(one, is_answered=True)

    def _put(self, one: Abortable, *, is_answered: bool) -> None:
        holder = self._holders.get(one)
        if holder is not None and one not in self._vouched_for:
            self._waiting[holder].put(one, is_answered=is_answered)

    def gone(self, one: Abortable) -> None:
        """Remove a socket: it is closed."""
        holder = self._holders.pop(one, None)
        if one in self._vouched_for:
            self._vouched_for.discard(one)
        elif holder is not None:
            self._strike(one, holder)

    def _make_room(self, holder: Network) -> None:
        """Abort one socket if there are too many, after an unauthenticated one of this network was added."""
        if len(self._waiting[holder]) > self._most_per_address:
            self._end_first_of(holder, "address")
        elif len(self) > self.most or self.strangers > self._most_strangers:
            self._end_first_of(next(iter(self._holding[self._most_held])), "all")

    def _end_first_of(self, holder: Network, reason: str) -> None:
        one = self._waiting[holder].first_to_go()
        self.gone(one)
        self.ended[reason] += 1
        one.abort()

    def _enlist(self, one: Abortable, holder: Network, *, is_answered: bool) -> None:
        waiting = self._waiting.setdefault(holder, _Waiting())
        waiting.put(one, is_answered=is_answered)
        self._recount(holder, len(waiting) - 1, len(waiting))

    def _strike(self, one: Abortable, holder: Network) -> None:
        waiting = self._waiting[holder]
        waiting.drop(one)
        if not waiting:
            del self._waiting[holder]
        self._recount(holder, len(waiting) + 1, len(waiting))

    def _recount(self, holder: Network, before: int, after: int) -> None:
        """Update the largest number that one network has. A count changes by one, and so the largest does too."""
        if before:
            del self._holding[before][holder]
            if not self._holding[before]:
                del self._holding[before]
        if after:
            self._holding.setdefault(after, {})[holder] = None
        if after > self._most_held or self._most_held not in self._holding:
            self._most_held = after


def network_of(address: str) -> Network:
    """The network that an address is counted for: an IPv4 address, or the /64 of an IPv6 address.

    Providers give each customer a whole /64. All addresses that are not IP addresses are one network, `""`.
    """
    return counted(address) or ""
