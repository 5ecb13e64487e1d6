from typing import Any

from bridge.sockets.ends import VOUCH, vouch


def test_whoever_vouches_is_heard_where_somebody_asks() -> None:
    heard: list[str] = []
    vouch({"extensions": {VOUCH: lambda: heard.append("good")}})
    assert heard == ["good"]


def test_on_any_other_server_nobody_asks() -> None:
    scopes: list[dict[str, Any]] = [{}, {"extensions": {}}]
    for scope in scopes:
        vouch(scope)
