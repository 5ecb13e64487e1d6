"""Every accepted socket, and which must go where there are too many. Pure: it is told of sockets, and aborts them.

A stranger is a socket that nobody vouches for: idle, with an unfinished request, an answer that is not read, a
handshake under way, a refused client that lingers. Where there is no room the one that has waited longest goes, of the
address that holds most of them, and of that address first who has had an answer; so whoever comes gets in, though
strangers hold everything. No stranger ever ends a socket that somebody vouches for: a connection that was
admitted, a request whose credentials are good.
"""

from collections import Counter
from ipaddress import IPv6Address, ip_address
from typing import Final, Protocol

Holder = str
HERE: Final = ""
"""Who holds the sockets of this machine's own: the other workers of the command. They count, and never go."""
BITS_OF_A_NETWORK: Final = 64
REASONS: Final = ("all", "address", "late", "unread", "400", "414", "426", "431")
"""Why a socket is ended: too many of all or of one address, too slow, not reading, or with what is no request."""


class Abortable(Protocol):
    """As much of a transport as is needed here."""

    def abort(self) -> None: ...


class _Waiting:
    """The strangers of one holder, the longest waiting first."""

    __slots__ = ("_answered", "_unanswered")

    def __init__(self) -> None:
        self._answered: dict[Abortable, None] = {}
        self._unanswered: dict[Abortable, None] = {}

    def __len__(self) -> int:
        return len(self._answered) + len(self._unanswered)

    def put(self, one: Abortable, *, is_answered: bool) -> None:
        """From now on the last."""
        self.drop(one)
        (self._answered if is_answered else self._unanswered)[one] = None

    def drop(self, one: Abortable) -> None:
        """It waits no longer, if it did."""
        self._answered.pop(one, None)
        self._unanswered.pop(one, None)

    def first_to_go(self) -> Abortable:
        """Of those that had an answer, if there is one: whoever comes is not kept out by who goes on asking."""
        return next(iter(self._answered or self._unanswered))


class Strangers:
    """The sockets of one process.

    `most` may be open, `most_strangers` of them without anybody who vouches for them, `most_per_address` of those for
    one address.
    """

    def __init__(self, most: int, most_strangers: int, most_per_address: int) -> None:
        self.most: Final = most
        self._most_strangers = most_strangers
        self._most_per_address = most_per_address
        self._holders: dict[Abortable, Holder] = {}
        self._vouched_for: set[Abortable] = set()
        self._waiting: dict[Holder, _Waiting] = {}
        self._holding: dict[int, dict[Holder, None]] = {}  # how many strangers -> who holds so many
        self._most_held = 0
        self.ended: Counter[str] = Counter()
        """One of `REASONS` -> how many sockets."""

    @property
    def strangers(self) -> int:
        """How many sockets nobody vouches for."""
        return len(self._holders) - len(self._vouched_for)

    @property
    def vouched_for(self) -> int:
        """How many sockets somebody vouches for."""
        return len(self._vouched_for)

    def came(self, one: Abortable, address: str) -> None:
        """A socket was accepted. Another goes where it is one too many, or itself where all others are vouched for."""
        holder = holder_of(address)
        self._holders[one] = holder
        if holder == HERE:
            self._vouched_for.add(one)
            return
        self._enlist(one, holder, is_answered=False)
        self._make_room(holder)

    def vouch(self, one: Abortable) -> None:
        """Somebody answers for it: it is no stranger any more."""
        holder = self._holders.get(one)
        if holder is not None and one not in self._vouched_for:
            self._strike(one, holder)
            self._vouched_for.add(one)

    def asked(self, one: Abortable) -> None:
        """Its request has come, and it waits for us: among strangers it is the last to go."""
        self._put(one, is_answered=False)

    def served(self, one: Abortable) -> None:
        """Its request has its answer: it is a stranger again, and goes before those who had none."""
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
        """It is closed."""
        holder = self._holders.pop(one, None)
        if one in self._vouched_for:
            self._vouched_for.discard(one)
        elif holder is not None:
            self._strike(one, holder)

    def _make_room(self, holder: Holder) -> None:
        """After a stranger was added for that holder."""
        if len(self._waiting[holder]) > self._most_per_address:
            self._end_first_of(holder, "address")
        elif len(self._holders) > self.most or self.strangers > self._most_strangers:
            self._end_first_of(next(iter(self._holding[self._most_held])), "all")

    def _end_first_of(self, holder: Holder, reason: str) -> None:
        one = self._waiting[holder].first_to_go()
        self.gone(one)
        self.ended[reason] += 1
        one.abort()

    def _enlist(self, one: Abortable, holder: Holder, *, is_answered: bool) -> None:
        waiting = self._waiting.setdefault(holder, _Waiting())
        waiting.put(one, is_answered=is_answered)
        self._recount(holder, len(waiting) - 1, len(waiting))

    def _strike(self, one: Abortable, holder: Holder) -> None:
        waiting = self._waiting[holder]
        waiting.drop(one)
        if not waiting:
            del self._waiting[holder]
        self._recount(holder, len(waiting) + 1, len(waiting))

    def _recount(self, holder: Holder, before: int, after: int) -> None:
        """Keep at hand who holds most: a count changes by one, and so does the largest."""
        if before:
            del self._holding[before][holder]
            if not self._holding[before]:
                del self._holding[before]
        if after:
            self._holding.setdefault(after, {})[holder] = None
        if after > self._most_held or self._most_held not in self._holding:
            self._most_held = after


def holder_of(address: str) -> Holder:
    """Who counts as one: an IPv4 address, a /64 of IPv6, where a whole one is given to every customer."""
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return HERE
    if not isinstance(parsed, IPv6Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return f"{IPv6Address(int(parsed) >> BITS_OF_A_NETWORK << BITS_OF_A_NETWORK)}/{BITS_OF_A_NETWORK}"
