"""What may be spent, and what follows for whoever spends more."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.accounts import (
    BURST_SECONDS,
    MOST_ACCOUNTS,
    REFUSED_AFTER_SECONDS,
    UNBOUNDED,
    Account,
    Accounts,
    Allowance,
    Holder,
    Patience,
    Reserve,
)
from bridge.budget.rate import FORGIVEN_SECONDS, PATIENCE_SECONDS

PIECES = st.lists(st.tuples(st.floats(0, 2), st.integers(0, 5_000), st.integers(0, 50), st.floats(0, 20)), max_size=80)


@given(PIECES)
def test_whoever_waits_as_told_never_gets_more_than_its_allowance(
    pieces: list[tuple[float, int, int, float]],
) -> None:
    """But for what it saved up, twice at most, and the one piece with which it overdraws."""
    allowance, now = Allowance(1_000, 10, 5), 100.0
    account, spent, largest = Account(allowance, now), [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    for pause, size, frames, milliseconds in pieces:
        now += pause
        now += account.wait_seconds(now)
        assert account.wait_seconds(now + 1e-6) == 0
        account.spend(size, frames, milliseconds)
        for kind, amount in enumerate((size, frames, milliseconds)):
            spent[kind] += amount
            largest[kind] = max(largest[kind], amount)
    for kind, per_second in enumerate((1_000, 10, 5)):
        assert spent[kind] <= per_second * (now - 100 + 2 * BURST_SECONDS) + largest[kind] + 1e-3


@given(st.floats(0.01, 10), st.integers(1, 500))
def test_whoever_keeps_within_the_allowance_never_waits(pause: float, times: int) -> None:
    account, now = Account(Allowance(1_000, 10, 5), 0.0), 0.0
    for _ in range(times):
        share = min(pause, BURST_SECONDS) * 0.99
        account.spend(int(1_000 * share), int(10 * share), 5 * share)
        now += pause
        assert account.wait_seconds(now) == 0


@pytest.mark.parametrize(("piece", "seconds"), [((3_000, 0, 0), 2.0), ((0, 40, 0), 3.0), ((0, 0, 10), 1.0)])
def test_what_is_overdrawn_is_waited_for_in_each_kind(piece: tuple[int, int, float], seconds: float) -> None:
    account = Account(Allowance(1_000, 10, 5), 0.0)
    account.spend(*piece)
    assert account.wait_seconds(0.0) == pytest.approx(seconds)
    assert account.wait_seconds(seconds / 2) == pytest.approx(seconds / 2)
    assert account.wait_seconds(seconds + 0.01) == 0


def test_what_is_not_bounded_is_never_waited_for() -> None:
    account = Account(UNBOUNDED, 0.0)
    account.spend(10**12, 10**9, 1e9)
    assert account.wait_seconds(0.0) == 0
    assert (account.spent_bytes, account.spent_milliseconds) == (10**12, 1e9)


def test_a_holder_is_charged_to_all_of_its_accounts_and_waits_for_each() -> None:
    own, shared = (Account(Allowance(milliseconds=10), 0.0) for _ in range(2))
    holder = Holder([own, shared])
    shared.spend(0, 0, 20)
    assert holder.wait_seconds(0.0) == pytest.approx(1)
    assert holder.wait_seconds(1.1) == 0
    holder.spend(0, 0, 30)
    assert own.spent_milliseconds == 30
    assert shared.spent_milliseconds == 50
    assert holder.wait_seconds(1.1) == pytest.approx(2.9)  # what came in since it was full counts


def test_a_reserve_is_spent_only_while_the_account_before_it_is_overdrawn() -> None:
    before, own = Account(Allowance(milliseconds=100), 0.0), Account(Allowance(milliseconds=10), 0.0)
    reserve = Reserve(before, own)
    reserve.spend(0, 0, 50)
    assert (own.spent_milliseconds, reserve.is_solvent) == (0, True)
    before.spend(0, 0, 200)
    assert reserve.is_solvent
    reserve.spend(0, 0, 15)
    assert (own.spent_milliseconds, reserve.is_solvent) == (15, False)
    assert reserve.wait_seconds(0.0) == pytest.approx(0.5)  # its own, and not the second of the other
    assert before.wait_seconds(0.0) == pytest.approx(1)


def test_who_is_over_on_end_is_refused_and_then_closed() -> None:
    patience, standings = Patience(), []
    for tenth in range(int(PATIENCE_SECONDS * 10) + 2):
        patience.over(tenth / 10)
        standings.append(patience.standing(tenth / 10))
    first_refused = standings.index("over") / 10
    assert first_refused == pytest.approx(REFUSED_AFTER_SECONDS, abs=0.11)
    assert standings.index("far_over") / 10 == pytest.approx(PATIENCE_SECONDS, abs=0.11)
    assert standings == sorted(standings, key=["within", "over", "far_over"].index)


def test_a_pause_within_the_budget_forgives() -> None:
    patience, now = Patience(), 0.0
    for _ in range(20):
        for _ in range(20):
            patience.over(now)
            assert patience.standing(now) == "within"
            now += REFUSED_AFTER_SECONDS / 30
        now += FORGIVEN_SECONDS + 0.1
        assert patience.standing(now) == "within"


def test_one_holder_has_one_account_until_there_are_too_many() -> None:
    accounts = Accounts(Allowance(milliseconds=1))
    first = accounts.of("0", 0.0)
    assert accounts.of("0", 5.0) is first
    for number in range(1, MOST_ACCOUNTS + 1):
        accounts.of(str(number), 0.0)
    assert len(accounts.opened) == MOST_ACCOUNTS
    assert accounts.of("0", 0.0) is not first


class Piece:
    def go_on(self) -> None: ...


def test_what_is_new_goes_first_and_whatever_is_withdrawn_is_waited_for_no_longer() -> None:
    holder, pieces = Holder(), [Piece() for _ in range(5)]
    for number, piece in enumerate(pieces):
        holder.put(piece, is_new=number >= 3)
    for number in (0, 4, 4):
        holder.withdraw(pieces[number])
    holder.withdraw(Piece())
    assert (holder.waiting, [holder.next() for _ in range(3)]) == (3, [pieces[3], pieces[1], pieces[2]])
    assert not holder.has_work


def test_a_holder_all_of_whose_work_was_withdrawn_has_none() -> None:
    holder, piece = Holder(), Piece()
    holder.put(piece, is_new=False)
    holder.withdraw(piece)
    assert (holder.has_work, holder.waiting) == (False, 0)
    with pytest.raises(KeyError):
        holder.next()


def test_another_allowance_counts_at_once_and_what_is_overdrawn_stays_so() -> None:
    accounts = Accounts(Allowance(1_000, 10, 5))
    account = accounts.of("ann", 0.0)
    account.spend(1_500, 1, 1)
    accounts.allow(Allowance(100, 10, 0))
    assert account.wait_seconds(0.0) == pytest.approx(5.0)
    accounts.allow(UNBOUNDED)
    assert account.wait_seconds(0.0) == 0
    account.spend(10**9, 10**9, 10**9)
    assert account.wait_seconds(0.0) == 0
    accounts.allow(Allowance(100, 10, 5))
    assert account.wait_seconds(0.0) == 0
    account.spend(101, 0, 0)
    assert account.wait_seconds(0.0) > 0
    assert accounts.of("ben", 0.0).wait_seconds(0.0) == 0
