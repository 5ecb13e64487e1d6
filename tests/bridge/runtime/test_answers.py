"""What a heartbeat is answered that asks."""

from __future__ import annotations

from bridge.runtime.answers import MOST_NAMES, answers
from bridge.tenants.tenant import Tenant
from compat.dialect import Dialect, Rule
from compat.identity import Names
from tests.bridge.population import table_of
from v3.ports import Guest

LIMITS = {"max_message_bytes": 65_536, "messages_per_second": 100, "burst": 200}
DIALECT = Dialect({"reload": Rule(cmd="RELOAD_UI"), "caption": Rule(field="msg", speak=False)})
ANN = Guest("acme", "team", "ann", "none")
EVE = Guest("other", "team", "eve", "none")
TOLD = answers(
    LIMITS,
    table_of(Tenant("acme", dialect=DIALECT, names=Names({"42": "Xk3dQ", "a b": "Zz9"})), Tenant("other")),
)


def test_who_asks_is_told_the_limits() -> None:
    assert TOLD["limits"](ANN, True) == LIMITS
    assert TOLD["limits"](ANN, {"mine": 1}) is None


def test_who_asks_is_told_the_dialect_of_its_own_tenant() -> None:
    rules = {"reload": {"cmd": "RELOAD_UI", "speak": True}, "caption": {"field": "msg", "speak": False}}
    assert TOLD["v2_dialect"](ANN, True) == rules
    assert TOLD["v2_dialect"](EVE, True) == {}
    assert TOLD["v2_dialect"](ANN, "a word") is None


def test_of_the_id_map_nobody_is_told_more_than_it_names() -> None:
    assert TOLD["v2_ids"](ANN, ["Xk3dQ", "alice", 7, ["Zz9"], {}]) == {"Xk3dQ": "42"}
    assert TOLD["v2_ids"](ANN, ["Zz9"]) == {"Zz9": "a b"}
    assert TOLD["v2_ids"](EVE, ["Xk3dQ", "Zz9"]) == {}
    assert TOLD["v2_ids"](ANN, [*("eve" for _ in range(MOST_NAMES)), "Zz9"]) == {}
    for asked in (True, "Xk3dQ", {"Xk3dQ": 1}, None, [], [7]):
        assert TOLD["v2_ids"](ANN, asked) is None
