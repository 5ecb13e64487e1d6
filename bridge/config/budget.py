"""The table `[budget]` of bridge.toml: what each holder may spend per second. It only holds values; it limits nothing.

A key or a tenant is limited only when another of its kind is configured: a single one may use the whole process (see
`Settings.limits`, and `bridge/handshake/tenant_limits.py` for messages and handshakes).
"""

from typing import Annotated, Final, NamedTuple

from pydantic import BaseModel, ConfigDict, Field

from bridge.budget.accounts import UNBOUNDED, Allowance

Count = Annotated[int, Field(ge=0)]
Milliseconds = Annotated[float, Field(ge=0)]
FRAMES_PER_MESSAGE: Final = 4
"""A connection may send at least so many frames for each message that its rate allows."""


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class _PerSecond(_Table):
    """One table `[budget.HOLDER]`; 0 means that this unit has no limit."""

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


class Rates(NamedTuple):
    """How many messages and handshakes may come in a second; 0: any number."""

    messages: int = 0
    handshakes: int = 0


class _OfMany(_PerSecond):
    """One table `[budget.HOLDER]` of a holder with many connections."""

    messages: Count = 0
    handshakes: Count = 0

    @property
    def rates(self) -> Rates:
        return Rates(self.messages, self.handshakes)


class _OfTenant(_OfMany):
    bytes: Count = 67_108_864
    frames: Count = 40_000
    milliseconds: Milliseconds = 500
    handshakes: Count = 200


class _OfAddress(_PerSecond):
    bytes: Count = 16_777_216
    frames: Count = 5_000
    milliseconds: Milliseconds = 300


class _OfProcess(_OfMany):
    milliseconds: Milliseconds = 700
    handshakes: Count = 1_000


class OwnBudget(_Table):
    """The table `budget` in that of a tenant: what this one may spend, in place of `[budget.tenant]`; 0: no limit."""

    messages: Count | None = None
    handshakes: Count | None = None

    def over(self, each: Rates) -> Rates:
        """Its own rates, and those of each tenant where it has none."""
        return Rates(
            each.messages if self.messages is None else self.messages,
            each.handshakes if self.handshakes is None else self.handshakes,
        )


class BudgetTable(_Table):
    """The whole table `[budget]`. `bridge/budget/accounts.py` says what happens when more is spent."""

    connection: _OfConnection = Field(_OfConnection(), description="One connection.")
    key: _OfKey = Field(_OfKey(), description="All that came with one key, where there is another key.")
    tenant: _OfTenant = Field(_OfTenant(), description="All of one tenant, where there is another tenant.")
    address: _OfAddress = Field(_OfAddress(), description="Requests and handshakes from one address.")
    process: _OfProcess = Field(
        _OfProcess(), description="Everybody: beyond these milliseconds requests and handshakes share a tenth."
    )
    turn_milliseconds: float = Field(4, gt=0, le=100, description="For how long is read, or said, in one go.")

    def of_connection(self, messages_per_second: float, max_message_bytes: int) -> Allowance:
        """The allowance of one connection: never less than the messages that its rate allows may need.

        No limit at all when the operator has turned the message rate off (0).
        """
        if not messages_per_second:
            return UNBOUNDED
        own = self.connection
        frames = max(own.frames, FRAMES_PER_MESSAGE * messages_per_second) if own.frames else 0
        size = max(own.bytes, messages_per_second * max_message_bytes) if own.bytes else 0
        return Allowance(size, frames, own.milliseconds)
