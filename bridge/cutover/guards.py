"""A tenant's guards: conditions for a step towards V3, which must hold before it and for a while after it. Pure.

Guards apply to steps into `drain` or `v3` and within `drain`; any step back is free. If a guard no longer holds after a
step, the step is taken back, unless it was forced: then no guard that applied to it is asked again.

Decided here: each guard is for its own step. `quiet_days` is for the step to `v3` alone, because V2 still speaks before
that: that is why one drains. `lost_percent` judges the clients of the newest step (`lost.py`), and so it can hold up
the step that comes after it, but never the first one, nor one after a step that was taken back.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from bridge.records.rows import MILLISECONDS_PER_DAY
from bridge.tenants.guard_rules import GUARD_NAMES, GuardName, GuardRules
from bridge.tenants.standing import Standing

GUARDED: Final = ("drain", "v3")
"""The stages that guards protect: a step into one of them is refused while a guard does not hold."""
RECENT_DAYS: Final = 2
"""Conversions of so many days, today included, are judged: a fault that was fixed must not hold a tenant for ever."""


@dataclass(frozen=True, slots=True)
class GuardFacts:
    """What the guards judge. Times are in milliseconds since the epoch. `data_lost`: when Redis lost its data, if ever.

    `moved`: the clients that the newest step moved; `lost`: those of them that are lost.
    """

    now: int
    converted: int = 0
    stashed: int = 0
    last_v2_message: int | None = None
    moved: int = 0
    lost: int = 0
    data_lost: int | None = None


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
        *([_lost(rules.lost_percent, facts)] if rules.lost_percent is not None else []),
    ]


def report(rules: GuardRules, verdicts: Iterable[Verdict]) -> dict[str, object]:
    """The limits, and what each guard says now, as a JSON object of the admin API."""
    return {**rules.model_dump(), "verdicts": [verdict.as_json() for verdict in verdicts]}


def guards_of(rules: GuardRules, before: Standing, after: Standing) -> list[GuardName]:
    """The guards with a limit that apply to this step."""
    return [name for name in GUARD_NAMES if getattr(rules, name) is not None and _is_for(name, before, after)]


def is_guarded(before: Standing, after: Standing) -> bool:
    """Whether guards apply to a step: it goes forward, and leads to one of the stages `GUARDED`."""
    return after.place > before.place and after.stage in GUARDED


def _is_for(name: GuardName, before: Standing, after: Standing) -> bool:
    return is_guarded(before, after) and (name != "quiet_days" or after.stage == "v3")


def _stashed(limit: float, facts: GuardFacts) -> Verdict:
    percent = _percent(facts.stashed, facts.converted)
    found = f"{percent or 0:.4g} % of what V2 said in the last {RECENT_DAYS} days was stashed"
    value = None if percent is None else round(percent, 2)
    return Verdict("stashed_percent", limit, value, (percent or 0) <= limit, f"{found}; at most {limit:g} % may be.")


def _quiet(limit: float, facts: GuardFacts) -> Verdict:
    """Without a V2 message on record, the time counts from the last data loss: one may have come just before it."""
    since = facts.data_lost if facts.last_v2_message is None else facts.last_v2_message
    if since is None:
        return Verdict("quiet_days", limit, None, holds=True, sentence="No V2 message is on record.")
    days = (facts.now - since) / MILLISECONDS_PER_DAY
    event = "The last V2 message was" if facts.last_v2_message is not None else "What was known of V2 messages was lost"
    sentence = f"{event} {_days(round(days, 2))} ago; {_days(limit)} must be quiet before v3."
    return Verdict("quiet_days", limit, round(days, 2), days >= limit, sentence)


def _days(number: float) -> str:
    return "1 day" if number == 1 else f"{number:g} days"


def _lost(limit: float, facts: GuardFacts) -> Verdict:
    percent = _percent(facts.lost, facts.moved)
    if percent is None:
        return Verdict("lost_percent", limit, None, holds=True, sentence="The newest step has moved nobody yet.")
    clients = "1 client" if facts.moved == 1 else f"{facts.moved} clients"
    found = f"Of {clients} that the newest step moved {facts.lost} ({percent:.4g} %) knock on V2 again and again"
    return Verdict("lost_percent", limit, round(percent, 2), percent <= limit, f"{found}; at most {limit:g} % may.")


def _percent(part: int, whole: int) -> float | None:
    return 100 * part / whole if whole else None
