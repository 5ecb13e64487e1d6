"""The configuration of a bridge with a victim and a rowdy tenant, and what a single attacker may have of it."""

from __future__ import annotations

from tests.end_to_end.configuration import QUIET, key
from tests.hostile.attackers import Allowance

FRAMES_PER_SECOND = 200
ALLOWANCE = Allowance(at_once=3 * FRAMES_PER_SECOND, per_second=1.5 * FRAMES_PER_SECOND)
"""What is configured, and as much again as lies on the way."""

TIGHT = f"""
messages_per_second = 50
burst = 50
[budget.connection]
frames = {FRAMES_PER_SECOND}
[budget.address]
frames = {FRAMES_PER_SECOND}
"""
TENANTS = '[tenants.early]\nstage = "legacy"\n' + "".join(key(name, name) for name in ("victim", "rowdy", "early"))
CONFIG = QUIET + TENANTS
TIGHT_CONFIG = QUIET + TIGHT + TENANTS
