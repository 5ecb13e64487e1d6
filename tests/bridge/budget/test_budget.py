"""Who spends from which accounts."""

import time

import pytest

from bridge.budget import budget as budget_module
from bridge.budget.budget import Budget
from bridge.config.settings import Settings
from bridge.config.tables import Key

KEYS = tuple(
    Key(name=name, sha256=character * 64, tenants=(name,)) for name, character in (("acme", "a"), ("beta", "b"))
)


def overdrawn(budget: Budget, milliseconds: float = 1e6) -> set[str]:
    """Of the holders of one tenant and of others: who has to wait after so much was spent by one key."""
    budget.key("acme", "acme").spend(0, 0, milliseconds)
    now = time.monotonic()
    holders = {
        "key": budget.key("acme", "acme"),
        "another key of the tenant": budget.key("acme", "other"),
        "tenant": budget.tenant("acme"),
        "another tenant": budget.tenant("beta"),
        "stranger": budget.stranger("192.0.2.1"),
    }
    return {name for name, holder in holders.items() if holder.wait_seconds(now)}


def test_a_key_spends_from_its_own_account_and_its_tenants() -> None:
    assert overdrawn(Budget(Settings(keys=KEYS).limits)) == {"key", "another key of the tenant", "tenant"}


def test_a_key_that_is_alone_may_have_the_whole_process() -> None:
    assert overdrawn(Budget(Settings(keys=KEYS[:1]).limits)) == set()


def test_strangers_share_a_tenth_while_everybody_together_has_spent_all() -> None:
    budget = Budget(Settings().limits)
    budget.everybody.spend(0, 0, 1_500)
    now = time.monotonic()
    strangers = [budget.stranger("192.0.2.1"), budget.heads("192.0.2.2"), budget.peer("192.0.2.3")]
    assert not any(stranger.wait_seconds(now) for stranger in strangers)
    strangers[0].spend(0, 0, 70 + 35)
    assert all(stranger.wait_seconds(now) == pytest.approx(0.5, abs=0.01) for stranger in strangers)
    assert not budget.key("default", "").wait_seconds(now)


def test_what_strangers_do_in_peace_is_not_taken_from_their_tenth() -> None:
    budget = Budget(Settings().limits)
    budget.stranger("192.0.2.1").spend(0, 0, 200)
    budget.everybody.spend(0, 0, 1_500)
    assert not budget.stranger("192.0.2.1").wait_seconds(time.monotonic())


def test_one_address_does_not_spend_for_another() -> None:
    budget = Budget(Settings().limits)
    budget.stranger("192.0.2.1").spend(10**9, 0, 0)
    now = time.monotonic()
    assert budget.stranger("192.0.2.1").wait_seconds(now)
    assert not budget.stranger("192.0.2.2").wait_seconds(now)


def test_what_a_peer_sends_is_its_own_to_pay_for_unless_it_is_a_proxy_of_ours() -> None:
    budget = Budget(Settings(trusted_proxies=("192.0.2.1",)).limits)
    for peer in ("192.0.2.1", "192.0.2.2"):
        budget.peer(peer).spend(0, 0, 1e6)
        budget.stranger(peer).spend(0, 0, 1e6)
    now = time.monotonic()
    assert not budget.peer("192.0.2.1").wait_seconds(now)
    assert budget.peer("192.0.2.2").wait_seconds(now)


def test_a_connection_may_always_send_what_its_rate_allows_it_to_say() -> None:
    account = Budget(Settings(messages_per_second=1_000, max_message_bytes=1_048_576).limits).connection()
    account.spend(1_000 * 1_048_576 - 1, 3_999, 0)
    assert account.wait_seconds(time.monotonic()) == 0


def test_where_the_rate_is_off_a_connection_is_not_bounded() -> None:
    account = Budget(Settings(messages_per_second=0).limits).connection()
    account.spend(10**12, 10**9, 10**6)
    assert account.wait_seconds(time.monotonic()) == 0


def test_holders_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget_module, "MOST_HOLDERS", 3)
    budget = Budget(Settings().limits)
    first = budget.stranger("1")
    assert budget.stranger("1") is first
    for number in range(2, 5):
        budget.stranger(str(number))
    assert budget.stranger("1") is not first
