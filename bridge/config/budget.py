"""The `[budget]` of bridge.toml: what each holder may spend in a second. It only says what was asked for.

Key and tenant are bounded only where the configuration has another of the same kind: alone, it may have the whole
process.
"""

from typing import Annotated, Final

from pydantic import BaseModel, ConfigDict, Field

from bridge.budget.accounts import UNBOUNDED, Allowance

Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0)]
FRAMES_PER_MESSAGE: Final = 4
"""Who may say so many messages a second may send at least so many frames for each."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PerSecond(_Table):
    """One `[budget.HOLDER]`; 0 does not bound that kind."""

    bytes: Count = 0
    frames: Count = 0
    milliseconds: Milliseconds = 0

    @property
    def allowance(self) -> Allowance:
        return Allowance(self.bytes, self.frames, self.milliseconds)


class _OfConnection(_PerSecond):
    bytes: Count = 8_388_608
    frames: Count = 2_000
    milliseconds: Milliseconds = 250


class _OfKey(_PerSecond):
    bytes: Count = 33_554_432
    frames: Count = 20_000
    milliseconds: Milliseconds = 400


class _OfTenant(_PerSecond):
    bytes: Count = 67_108_864
    frames: Count = 40_000
    milliseconds: Milliseconds = 500


class _OfAddress(_PerSecond):
    bytes: Count = 16_777_216
    frames: Count = 5_000
    milliseconds: Milliseconds = 300


class _OfProcess(_PerSecond):
    milliseconds: Milliseconds = 700


class BudgetTable(_Table):
    """The whole `[budget]`. See `bridge/budget/accounts.py` for what happens to whoever spends more."""

    connection: _OfConnection = Field(_OfConnection(), description="One connection.")
    key: _OfKey = Field(_OfKey(), description="All that came with one key, where there is another key.")
    tenant: _OfTenant = Field(_OfTenant(), description="All of one tenant, where there is another tenant.")
    address: _OfAddress = Field(_OfAddress(), description="Requests and handshakes from one address.")
    process: _OfProcess = Field(_OfProcess(), description="Everybody: beyond it, requests and handshakes wait.")
    turn_milliseconds: float = Field(4, gt=0, le=100, description="For how long is read, or said, in one go.")

    def of_connection(self, messages_per_second: float, max_message_bytes: int) -> Allowance:
        """Unbounded where the operator took the rate off (0); never less than its messages need."""
        if not messages_per_second:
            return UNBOUNDED
        own = self.connection
        frames = max(own.frames, FRAMES_PER_MESSAGE * messages_per_second) if own.frames else 0
        size = max(own.bytes, messages_per_second * max_message_bytes) if own.bytes else 0
        return Allowance(size, frames, own.milliseconds)
