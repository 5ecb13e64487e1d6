"""Accounts of work, in bytes, frames and milliseconds, for a connection, a key, a tenant, an address or the process.

Pure: callers pass in the time. An account only counts; it never reads a socket, waits, or refuses anything. `rate.py`
limits the number of messages of a connection. These accounts limit the work, because one frame can cost a hundred times
as much as another.

An account can be overdrawn by the work that was under way when it ran out. Until time has refilled it, no more work is
done for its holders: they wait, and reading from their sockets is paused. When a connection keeps its own account
overdrawn, its frames are first refused without being read; later the connection is closed (see `Patience`). Nobody is
refused or closed because others have overdrawn a shared account.

Decided here: time is wall-clock time, and one piece of work is charged at most `MOST_MILLISECONDS_AT_ONCE`. So nobody
is charged for the time during which the whole machine stood still.
"""

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Literal, Protocol

from bridge.budget.rate import PATIENCE_SECONDS, Excess

BURST_SECONDS: Final = 1.0
"""Capacity of an account, in seconds of its allowance."""
REFUSED_AFTER_SECONDS: Final = PATIENCE_SECONDS / 2
"""After so many seconds overdrawn without a pause, a connection's frames are refused unread."""
MOST_MILLISECONDS_AT_ONCE: Final = 20.0
"""The most that one piece of work is charged."""
MOST_ACCOUNTS: Final = 10_000
"""Accounts of one kind. Beyond that, the one opened first is dropped, and its holder gets a new one."""

Standing = Literal["within", "over", "far_over"]


@dataclass(frozen=True, slots=True)
class Allowance:
    """What one account gets each second; 0 means that this unit has no limit."""

    bytes: float = 0
    frames: float = 0
    milliseconds: float = 0


UNBOUNDED: Final = Allowance()


class Account:
    """What one holder has left to spend.

    It is refilled only when a unit has run out, and only when `wait_seconds` is called: spending must cost nothing.
    """

    __slots__ = (
        "_allowance",
        "_at",
        "_bytes",
        "_frames",
        "_milliseconds",
        "is_solvent",
        "spent_bytes",
        "spent_milliseconds",
    )

    def __init__(self, allowance: Allowance, now_seconds: float) -> None:
        self._allowance = allowance
        self._at = now_seconds
        self._bytes = _full(allowance.bytes)
        self._frames = _full(allowance.frames)
        self._milliseconds = _full(allowance.milliseconds)
        self.is_solvent = True
        """Whether more may be spent, whatever time it is. If not, `wait_seconds` may still say so."""
        self.spent_bytes = 0
        self.spent_milliseconds = 0.0

    def allow(self, allowance: Allowance) -> None:
        """Another allowance from now on. What is overdrawn stays so, unless the unit has no limit any more."""
        self._allowance = allowance
        self._bytes = _within(self._bytes, allowance.bytes)
        self._frames = _within(self._frames, allowance.frames)
        self._milliseconds = _within(self._milliseconds, allowance.milliseconds)
        self._look()

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None:
        """Subtract this. The result may be negative: the account is then overdrawn."""
        self._bytes = left_bytes = self._bytes - size_bytes
        self._frames = left_frames = self._frames - frames
        self._milliseconds = left_milliseconds = self._milliseconds - milliseconds
        self.spent_bytes += size_bytes
        self.spent_milliseconds += milliseconds
        if left_bytes <= 0 or left_frames <= 0 or left_milliseconds <= 0:
            self.is_solvent = False

    def wait_seconds(self, now_seconds: float) -> float:
        """Seconds until no unit is overdrawn any more; 0 when more may be spent now."""
        if self.is_solvent:
            return 0.0
        allowance, passed = self._allowance, now_seconds - self._at
        self._at = now_seconds
        self._bytes = _refilled(self._bytes, allowance.bytes, passed)
        self._frames = _refilled(self._frames, allowance.frames, passed)
        self._milliseconds = _refilled(self._milliseconds, allowance.milliseconds, passed)
        self._look()
        return max(
            _owed_seconds(self._bytes, allowance.bytes),
            _owed_seconds(self._frames, allowance.frames),
            _owed_seconds(self._milliseconds, allowance.milliseconds),
        )

    def _look(self) -> None:
        self.is_solvent = self._bytes > 0 and self._frames > 0 and self._milliseconds > 0


def _full(per_second: float) -> float:
    return per_second * BURST_SECONDS if per_second else inf


def _within(left: float, per_second: float) -> float:
    return min(left, _full(per_second)) if per_second else inf


def _refilled(left: float, per_second: float, passed_seconds: float) -> float:
    return min(_full(per_second), left + passed_seconds * per_second)


def _owed_seconds(left: float, per_second: float) -> float:
    return -left / per_second if left <= 0 and per_second else 0.0


class Patience(Excess):
    """How long one connection has kept its account overdrawn, and what follows."""

    __slots__ = ()

    def standing(self, now_seconds: float) -> Standing:
        """`within`: read on. `over`: its frames are refused unread. `far_over`: the connection is closed."""
        seconds = self.seconds_over(now_seconds)
        if seconds < REFUSED_AFTER_SECONDS:
            return "within"
        return "far_over" if seconds >= PATIENCE_SECONDS else "over"


class Accounts:
    """All accounts of one kind (for example of all tenants), by the name of their holder. At most `MOST_ACCOUNTS`."""

    def __init__(self, allowance: Allowance) -> None:
        self._allowance = allowance
        self.opened: Final[OrderedDict[str, Account]] = OrderedDict()

    def allow(self, allowance: Allowance) -> None:
        """Another allowance from now on, for those that are open too."""
        if allowance != self._allowance:
            self._allowance = allowance
            for account in self.opened.values():
                account.allow(allowance)

    def of(self, holder: str, now_seconds: float) -> Account:
        """The account of this holder; a new one is opened when there is none."""
        account = self.opened.get(holder)
        if account is None:
            account = self.opened[holder] = Account(self._allowance, now_seconds)
            if len(self.opened) > MOST_ACCOUNTS:
                self.opened.popitem(last=False)
        return account


class Work(Protocol):
    """Work that is done one piece at a time."""

    def go_on(self) -> None:
        """Do one piece, synchronously. When some work is left, it must queue again."""


Line = OrderedDict[Work, None]
"""A queue: the first to be served comes first. An entry can be removed from any position in constant time."""


class Payer(Protocol):
    """Who pays for work: an account, or a reserve."""

    @property
    def is_solvent(self) -> bool: ...

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None: ...

    def wait_seconds(self, now_seconds: float) -> float: ...


class Reserve:
    """Pays for those who come behind an account that others spend, while that is overdrawn, out of a small one.

    So whoever comes then is served slowly, and is not shut out for as long as the others go on. While the account
    before is not overdrawn, nothing is charged here.
    """

    __slots__ = ("_before", "_own")

    def __init__(self, before: Account, own: Account) -> None:
        self._before = before
        self._own = own

    @property
    def is_solvent(self) -> bool:
        """Whether more may be spent, whatever time it is."""
        return self._before.is_solvent or self._own.is_solvent

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None:
        """Charge this, if it was done out of the reserve."""
        if not self._before.is_solvent:
            self._own.spend(size_bytes, frames, milliseconds)

    def wait_seconds(self, now_seconds: float) -> float:
        """Seconds until one of the two is paid back; 0 when more may be spent now."""
        return min(self._before.wait_seconds(now_seconds), self._own.wait_seconds(now_seconds))


class Holder:
    """The owner of queued work, and the accounts that pay for it: no work is done while one of them is overdrawn.

    Work that was put with `is_new` is done before all other work.
    """

    __slots__ = ("_newcomers", "_waiting", "accounts", "is_listed")

    def __init__(self, accounts: Sequence[Payer] = ()) -> None:
        self.accounts: Final = tuple(accounts)
        self._newcomers: Line | None = None  # made only when needed: few holders ever queue work
        self._waiting: Line | None = None
        self.is_listed = False
        """Whether its turn is arranged: it is in the queue of `Turns`, or sleeps until an account is paid back."""

    @property
    def has_work(self) -> bool:
        """Whether any work is queued."""
        return self._newcomers is not None or self._waiting is not None

    @property
    def is_free(self) -> bool:
        """Whether no work is queued, and none of `accounts` is overdrawn, whatever time it is."""
        if self._newcomers is not None or self._waiting is not None:
            return False
        for account in self.accounts:  # noqa: SIM110 - asked for each message: a generator would cost more
            if not account.is_solvent:
                return False
        return True

    @property
    def waiting(self) -> int:
        """How many pieces of work are queued."""
        return len(self._newcomers or ()) + len(self._waiting or ())

    def put(self, work: Work, *, is_new: bool) -> None:
        """Queue this work. New work goes before all work that is not new."""
        if is_new:
            self._newcomers = self._newcomers or OrderedDict()
            self._newcomers[work] = None
        else:
            self._waiting = self._waiting or OrderedDict()
            self._waiting[work] = None

    def next(self) -> Work:
        """Remove the next piece of work from the queue, and return it. Raises `KeyError` when the queue is empty."""
        line = self._newcomers or self._waiting or OrderedDict()
        work, _ = line.popitem(last=False)
        self._forget_empty_lines()
        return work

    def withdraw(self, work: Work) -> None:
        """Remove this work from the queue, if it is there."""
        for line in (self._newcomers, self._waiting):
            if line is not None:
                line.pop(work, None)
        self._forget_empty_lines()

    def _forget_empty_lines(self) -> None:
        self._newcomers, self._waiting = self._newcomers or None, self._waiting or None

    def spend(self, size_bytes: int, frames: int, milliseconds: float) -> None:
        """Charge this to each of `accounts`."""
        for account in self.accounts:
            account.spend(size_bytes, frames, milliseconds)

    def wait_seconds(self, now_seconds: float) -> float:
        """Seconds until none of `accounts` is overdrawn; 0 when work may be done now."""
        longest = 0.0
        for account in self.accounts:
            longest = max(longest, account.wait_seconds(now_seconds))
        return longest
