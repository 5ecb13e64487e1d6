"""The configuration of a bridge with a victim and a rowdy tenant, and what a single attacker may have of it."""

from __future__ import annotations

from tests.end_to_end.configuration import QUIET, key
from tests.hostile.attackers import Allowance

FRAMES_PER_SECOND = 200
SLOWER_FRAMES_PER_SECOND = 40


def allowance(frames_per_second: int) -> Allowance:
    """What is configured, and as much again as lies on the way."""
    return Allowance(at_once=3 * frames_per_second, per_second=1.5 * frames_per_second)


def tight(frames_per_second: int) -> str:
    """Of messages a quarter as many as of frames."""
    return f"""
messages_per_second = {frames_per_second // 4}
burst = 50
[budget.connection]
frames = {frames_per_second}
[budget.address]
frames = {frames_per_second}
"""


ALLOWANCE = allowance(FRAMES_PER_SECOND)
SLOWER_ALLOWANCE = allowance(SLOWER_FRAMES_PER_SECOND)
TENANTS = '[tenants.early]\nstage = "legacy"\n' + "".join(key(name, name) for name in ("victim", "rowdy", "early"))
CONFIG = QUIET + TENANTS
TIGHT_CONFIG = QUIET + tight(FRAMES_PER_SECOND) + TENANTS
SLOWER_CONFIG = QUIET + tight(SLOWER_FRAMES_PER_SECOND) + TENANTS
"""For attackers that are slow themselves: each of their frames, or each sixteen, wants an answer first."""
