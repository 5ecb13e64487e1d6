"""A tenant's guards: conditions for a step towards V3, which must hold before it and for a while after it. Pure.

Guards apply to steps into `drain` or `v3` and within `drain`; any step back is free. If a guard no longer holds after a
step, the step is rolled back, unless it was forced in spite of this guard.

Decided here: the guard on refusals counts clients, not handshakes, and only clients that were in the census before they
were refused. Each client counts once, however often it tries. A client that was never admitted does not count, because
only the clients that a step concerns may cause its rollback.
"""

from dataclasses import dataclass
from typing import Final

from bridge.records.rows import MILLISECONDS_PER_DAY
from bridge.tenants.guard_rules import GuardName, GuardRules
from bridge.tenants.standing import Standing

GUARDED: Final = ("drain", "v3")
"""The stages that guards protect: a step into one of them is refused while a guard does not hold."""
RECENT_DAYS: Final = 2
"""Conversions of so many days, today included, are judged: a fault that was fixed must not hold a tenant for ever."""


@dataclass(frozen=True, slots=True)
class GuardFacts:
    """What the guards judge. Times are in milliseconds since the epoch. `lost`: when Redis lost its data, if ever."""

    now: int
    converted: int = 0
    stashed: int = 0
    last_v2_message: int | None = None
    refused_in_a_minute: int = 0
    lost: int | None = None


@dataclass(frozen=True, slots=True)
class Verdict:
    """The verdict of one guard: its limit, the value found (`None`: no data yet), and a sentence for people."""

    name: GuardName
    limit: float
    value: float | None
    holds: bool
    sentence: str

    def as_json(self) -> dict[str, object]:
        """As a JSON object of the admin API."""
        return {
            "name": self.name,
            "limit": self.limit,
            "value": self.value,
            "holds": self.holds,
            "msg": self.sentence,
        }


def judge(rules: GuardRules, facts: GuardFacts) -> list[Verdict]:
    """A verdict for each guard that has a limit."""
    return [
        *([_stashed(rules.stashed_percent, facts)] if rules.stashed_percent is not None else []),
        *([_quiet(rules.quiet_days, facts)] if rules.quiet_days is not None else []),
        *([_refusals(rules.refusals_per_minute, facts)] if rules.refusals_per_minute is not None else []),
    ]


def _stashed(limit: float, facts: GuardFacts) -> Verdict:
    percent = 100 * facts.stashed / facts.converted if facts.converted else None
    found = f"{percent or 0:.4g} % of what V2 said in the last {RECENT_DAYS} days was stashed"
    value = None if percent is None else round(percent, 2)
    return Verdict("stashed_percent", limit, value, (percent or 0) <= limit, f"{found}; at most {limit:g} % may be.")


def _quiet(limit: float, facts: GuardFacts) -> Verdict:
    """Without a V2 message on record, the time counts from the last data loss: one may have come just before it."""
    since = facts.lost if facts.last_v2_message is None else facts.last_v2_message
    if since is None:
        return Verdict("quiet_days", limit, None, holds=True, sentence="No V2 message is on record.")
    days = (facts.now - since) / MILLISECONDS_PER_DAY
    event = "The last V2 message was" if facts.last_v2_message is not None else "What was known of V2 messages was lost"
    sentence = f"{event} {_days(round(days, 2))} ago; {_days(limit)} must be quiet."
    return Verdict("quiet_days", limit, round(days, 2), days >= limit, sentence)


def _days(number: float) -> str:
    return "1 day" if number == 1 else f"{number:g} days"


def _refusals(limit: int, facts: GuardFacts) -> Verdict:
    number = facts.refused_in_a_minute
    clients = "1 known client was" if number == 1 else f"{number} known clients were"
    sentence = f"{clients} refused within a minute; at most {limit} may be."
    return Verdict("refusals_per_minute", limit, number, number <= limit, sentence)


def is_guarded(before: Standing, after: Standing) -> bool:
    """Whether guards apply to a change: it goes forward, and leads to one of the stages `GUARDED`."""
    return after.place > before.place and after.stage in GUARDED
