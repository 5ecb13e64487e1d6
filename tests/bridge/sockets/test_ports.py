from typing import Any

from bridge.sockets.ports import VOUCH, WHEN_GONE, nothing, vouch, when_gone


def test_whoever_vouches_is_heard_where_somebody_asks() -> None:
    heard: list[str] = []
    vouch({"extensions": {VOUCH: lambda: heard.append("good")}})
    assert heard == ["good"]


def test_on_any_other_server_nobody_asks() -> None:
    scopes: list[dict[str, Any]] = [{}, {"extensions": {}}]
    for scope in scopes:
        vouch(scope)
        when_gone(scope, nothing)


def test_what_is_to_be_done_once_somebody_is_gone_is_told_to_whoever_knows_it() -> None:
    told: list[object] = []
    when_gone({"extensions": {WHEN_GONE: told.append}}, nothing)
    assert told == [nothing]
