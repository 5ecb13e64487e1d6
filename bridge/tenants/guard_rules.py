"""The limits of a tenant's guards, as an operator sets them. Pure: `cutover/guards.py` applies them.

The configuration gives the first ones. Once they were changed, those in Redis are used instead, all of them.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal, Self, get_args

from pydantic import BaseModel, ConfigDict, Field, model_validator

GuardName = Literal["stashed_percent", "quiet_days", "lost_percent"]

GUARD_NAMES: Final = get_args(GuardName)
GRACE_SECONDS: Final = 120.0
WATCH_MINUTES: Final = 10.0
REPLACED: Final = (
    "refusals_per_minute is no guard any more, because everyone who is moved is refused once: use lost_percent, "
    "which counts those of a step who knock again and again"
)
TOO_SHORT: Final = "grace_seconds must be less than watch_minutes, or lost_percent could never take a step back"


class GuardLimits(BaseModel):
    """Limits of guards, each by itself."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    stashed_percent: float | None = Field(None, ge=0, le=100, description="At most so many % of V2 messages stashed.")
    quiet_days: float | None = Field(None, gt=0, description="To v3: no V2 message for so many days.")
    lost_percent: float | None = Field(None, ge=0, le=100, description="At most so many % of those moved are lost.")
    grace_seconds: float = Field(GRACE_SECONDS, ge=0, description="So long nobody who is moved counts as lost.")
    watch_minutes: float = Field(WATCH_MINUTES, gt=0, le=1_440, description="So long a step is watched.")


class GuardRules(GuardLimits):
    """The limits of one tenant's guards, which agree with each other. A guard without a limit always holds."""

    @model_validator(mode="before")
    @classmethod
    def _name_what_replaces(cls, values: Any) -> Any:
        if isinstance(values, dict) and "refusals_per_minute" in values:
            raise ValueError(REPLACED)
        return values

    @model_validator(mode="after")
    def _leaves_time_to_watch(self) -> Self:
        if self.lost_percent is not None and self.grace_seconds >= self.watch_minutes * 60:
            raise ValueError(TOO_SHORT)
        return self

    @property
    def any(self) -> bool:
        """Whether any guard has a limit."""
        return any(getattr(self, name) is not None for name in GUARD_NAMES)

    def with_limits(self, given: Mapping[str, float | None]) -> Self:
        """These rules with the limits that are given (`None`: no limit). Raises `ValueError`."""
        return type(self).model_validate({**self.model_dump(), **given})


NO_GUARDS: Final = GuardRules()
