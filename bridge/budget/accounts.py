"""What may be spent, in bytes, frames and milliseconds: by a connection, a key, a tenant, an address, and everybody.

Pure: it is told the time, and never reads, waits or refuses by itself. Work is bounded here, where the messages that a
client may say are only counted (`rate.py`): a frame can cost a hundred times what another costs.

An account may be overdrawn by what was under way when it ran out. Then nothing is bought until time has paid it back:
whoever spends from it waits, with reading paused. A connection whose own account is overdrawn on end is refused what it
says, unread, and at last closed. Nobody is refused or closed for what others spend from a shared account.

Decided here: time is the wall's, capped at `MOST_MILLISECONDS_AT_ONCE` for one piece of work, so that a machine that
stood still charges nobody for it.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, Protocol

from bridge.budget.rate import FORGIVEN_SECONDS, PATIENCE_SECONDS

BURST_SECONDS: Final = 1.0
"""What an account can save up: so many seconds of its allowance."""
REFUSED_AFTER_SECONDS: Final = PATIENCE_SECONDS / 2
MOST_MILLISECONDS_AT_ONCE: Final = 20.0
MOST_ACCOUNTS: Final = 10_000
"""Of one kind. Beyond, the one that was opened longest ago starts anew."""

Standing = Literal["within", "over", "far_over"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account gets each second; 0 does not bound that kind."""

    bytes: float = 0
    frames: float = 0
    milliseconds: float = 0


UNBOUNDED: Final = Allowance()


class Account:
    """What one holder has left. Filled up lazily, and only once something ran out: spending must cost nothing."""

    __slots__ = ("_allowance", "_at", "_bytes", "_frames", "_milliseconds", "spent_bytes", "spent_milliseconds")

    def __init__(self, allowance: Allowance, now_seconds: float) -> None:
        self._allowance = allowance
        self._at = now_seconds
        self._bytes = _full(allowance.bytes)
        self._frames = _full(allowance.frames)
        self._milliseconds = _full(allowance.milliseconds)
        self.spent_bytes = 0
        self.spent_milliseconds = 0.0

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None:
        """Take this from what is left, also where that is not enough."""
        self._bytes -= size_bytes
        self._frames -= frames
        self._milliseconds -= milliseconds
        self.spent_bytes += size_bytes
        self.spent_milliseconds += milliseconds

    def wait_seconds(self, now_seconds: float) -> float:
        """How long until what was overdrawn is paid back; 0 where more may be spent now."""
        if self._bytes > 0 and self._frames > 0 and self._milliseconds > 0:
            return 0.0
        allowance, passed = self._allowance, now_seconds - self._at
        self._at = now_seconds
        self._bytes = _refilled(self._bytes, allowance.bytes, passed)
        self._frames = _refilled(self._frames, allowance.frames, passed)
        self._milliseconds = _refilled(self._milliseconds, allowance.milliseconds, passed)
        return max(
            _owed_seconds(self._bytes, allowance.bytes),
            _owed_seconds(self._frames, allowance.frames),
            _owed_seconds(self._milliseconds, allowance.milliseconds),
        )


def _full(per_second: float) -> float:
    return per_second * BURST_SECONDS if per_second else inf


def _refilled(left: float, per_second: float, passed_seconds: float) -> float:
    return min(_full(per_second), left + passed_seconds * per_second)


def _owed_seconds(left: float, per_second: float) -> float:
    return -left / per_second if left <= 0 and per_second else 0.0


class Patience:
    """How long one holder has been over on end, and what follows. A pause of `FORGIVEN_SECONDS` forgives."""

    __slots__ = ("_over_at", "_over_since")

    def __init__(self) -> None:
        self._over_since = self._over_at = -inf

    def over(self, now_seconds: float) -> None:
        """It is over now."""
        if now_seconds - self._over_at > FORGIVEN_SECONDS:
            self._over_since = now_seconds
        self._over_at = now_seconds

    def standing(self, now_seconds: float) -> Standing:
        """`over`: what it says is refused unread. `far_over`: it is closed."""
        if now_seconds - self._over_at > FORGIVEN_SECONDS:
            return "within"
        seconds = now_seconds - self._over_since
        if seconds < REFUSED_AFTER_SECONDS:
            return "within"
        return "far_over" if seconds >= PATIENCE_SECONDS else "over"


class Accounts:
    """The accounts of one kind, by the name of their holders."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.opened: Final[OrderedDict[str, Account]] = OrderedDict()

    def of(self, holder: str, now_seconds: float) -> Account:
        """The holder's account, opened if need be."""
        account = self.opened.get(holder)
        if account is None:
            account = self.opened[holder] = Account(self._allowance, now_seconds)
            if len(self.opened) > MOST_ACCOUNTS:
                self.opened.popitem(last=False)
        return account


class Work(Protocol):
    """What can be done a piece at a time."""

    def go_on(self) -> None:
        """Do one piece, synchronously; what is left has to wait anew."""


Line = OrderedDict[Work, None]
"""Who waits, the first at its beginning; whoever leaves it leaves no gap."""


class Holder:
    """Whose work it is. It is charged to `accounts`; while one of them, or of `behind`, is overdrawn none is done."""

    __slots__ = ("_newcomers", "_waiting", "_waits_for", "accounts", "is_listed")

    def __init__(self, accounts: Sequence[Account] = (), behind: Sequence[Account] = ()) -> None:
        self.accounts: Final = tuple(accounts)
        self._waits_for: Final = (*accounts, *behind)
        self._newcomers: Line | None = None  # there are thousands of holders, and few for whom anything waits
        self._waiting: Line | None = None
        self.is_listed = False
        """Whether its turn will come: it waits in line, or sleeps until an account is paid back."""

    @property
    def has_work(self) -> bool:
        """Whether anything of it waits."""
        return self._newcomers is not None or self._waiting is not None

    @property
    def waiting(self) -> int:
        """How many pieces of its work wait."""
        return len(self._newcomers or ()) + len(self._waiting or ())

    def put(self, work: Work, *, is_new: bool) -> None:
        """It waits from now on; what is new goes before all that is not."""
        if is_new:
            self._newcomers = self._newcomers or OrderedDict()
            self._newcomers[work] = None
        else:
            self._waiting = self._waiting or OrderedDict()
            self._waiting[work] = None

    def next(self) -> Work:
        """What is to be done next; it waits no longer. Raises `KeyError` where there is nothing."""
        line = self._newcomers or self._waiting or OrderedDict()
        work, _ = line.popitem(last=False)
        self._forget_empty_lines()
        return work

    def withdraw(self, work: Work) -> None:
        """It waits no longer, if it did."""
        for line in (self._newcomers, self._waiting):
            if line is not None:
                line.pop(work, None)
        self._forget_empty_lines()

    def _forget_empty_lines(self) -> None:
        self._newcomers, self._waiting = self._newcomers or None, self._waiting or None

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None:
        """From each of the accounts."""
        for account in self.accounts:
            account.spend(size_bytes, frames, milliseconds)

    def wait_seconds(self, now_seconds: float) -> float:
        """How long until everything is paid back that it waits for; 0 where its work may be done now."""
        longest = 0.0
        for account in self._waits_for:
            longest = max(longest, account.wait_seconds(now_seconds))
        return longest
