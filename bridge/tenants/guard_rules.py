"""The configured limits of a tenant's guards. Pure: `cutover/guards.py` applies them."""

from typing import Final, Literal

from pydantic import BaseModel, ConfigDict, Field

GuardName = Literal["stashed_percent", "quiet_days", "refusals_per_minute"]


class GuardRules(BaseModel):
    """The limits of one tenant's guards. A guard without a limit always holds."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    stashed_percent: float | None = Field(None, ge=0, le=100, description="At most so many % of V2 messages stashed.")
    quiet_days: float | None = Field(None, gt=0, description="No V2 message for so many days.")
    refusals_per_minute: int | None = Field(None, ge=0, description="At most so many known clients refused a minute.")

    @property
    def any(self) -> bool:
        """Whether any guard has a limit."""
        return self != NO_GUARDS


NO_GUARDS: Final = GuardRules()
