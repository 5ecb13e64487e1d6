"""What the page is served with, and what it may ask. A browser tries it in `tests/end_to_end/test_playground.py`."""

from __future__ import annotations

import socket
from typing import Any

import httpx
import pytest

from bridge.api.playground import MAX_BODY_BYTES, MAX_CHARACTERS, Asked, converted
from bridge.pages.static_page import PAGES
from bridge.tenants.tenant import DEFAULT_TENANT, Tenant
from compat.dialect import Dialect, Rule
from compat.identity import Names
from tests.conftest import StartBridge

KEY = f'[[keys]]\nname = "web"\nsha256 = "{"0" * 64}"\ntenants = ["acme"]\n'
HEARD = '"from_id":"v2-42","group_id":"lobby","sent_at":"2026-01-02T03:04:05.000006Z"'
PLAIN = Tenant(DEFAULT_TENANT)
OF_ITS_OWN = Tenant(
    DEFAULT_TENANT,
    dialect=Dialect({"reload": Rule(cmd="RELOAD_UI"), "body": Rule(field="payload")}),
    names=Names({"42": "Xk3"}),
)


def convert(direction: Any, text: str, *, heard: bool = False, tenant: Tenant = PLAIN) -> dict[str, Any]:
    return converted(Asked(direction=direction, text=text, heard=heard), tenant)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"msg":"hi"}', {"content": {"msg_type": "msg", "target": "group", "msg": "hi"}, "outcome": "exact"}),
        ("hi", {"content": {"msg_type": "msg", "target": "group", "msg": "hi"}, "outcome": "exact"}),
        (
            '{"from_id":"boss"}',
            {
                "content": {"msg_type": "msg", "target": "group", "payload": {"_v2": {"from_id": "boss"}}},
                "outcome": "stashed",
            },
        ),
        ('{"type":"ping"}', {"content": None, "outcome": "suppressed"}),
    ],
)
def test_a_v2_frame_is_shown_as_v3_hears_it(text: str, answer: dict[str, Any]) -> None:
    assert convert("v2-to-v3", text) == answer
    assert convert("v2-to-v3", text, heard=True) == answer


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        (
            '{"msg_type":"msg","target":"direct","to_id":"v2-42","msg":"hi"}',
            {"content": {"type": "msg", "msg": "hi", "to_id": 42}, "outcome": "exact"},
        ),
        ('{"msg_type":"heartbeat","target":"echo"}', {"content": None, "outcome": "suppressed"}),
        ('{"msg_type":"presence","target":"group","cmd":"JOIN"}', {"content": None, "outcome": "suppressed"}),
    ],
)
def test_a_v3_message_is_shown_as_v2_hears_it(text: str, answer: dict[str, Any]) -> None:
    assert convert("v3-to-v2", text) == answer


def test_a_v3_message_that_would_be_refused_is_answered_with_the_reason() -> None:
    answer = convert("v3-to-v2", '{"msg_type":"msg","target":"direct","msg":"hi"}')

    assert answer["problem"] == "invalid_message"
    assert [problem["field"] for problem in answer["detail"]] == ["to_id"]


def test_a_heard_v3_message_is_shown_with_who_said_it_where_and_when() -> None:
    text = f'{{"version":"3","msg_type":"msg","target":"group","msg":"hi",{HEARD}}}'
    facts = {"client_id": 42, "group_id": "lobby", "sent_at": "2026-01-02T03:04:05.000006Z"}

    assert convert("v3-to-v2", text, heard=True)["content"] == {"type": "msg", "msg": "hi", **facts}
    assert convert("v3-to-v2", text)["content"] == {"type": "msg", "msg": "hi"}


@pytest.mark.parametrize("tenant", [PLAIN, OF_ITS_OWN])
def test_a_frame_that_the_bridge_wrote_for_v2_is_shown_as_the_message_that_it_was(tenant: Tenant) -> None:
    name = tenant.names.name_of("42")
    message = {
        "version": "3",
        "msg_type": "cmd",
        "target": "group",
        "from_id": name,
        "group_id": "lobby",
        "cmd": "RELOAD_UI",
        "payload": {"value": 1, "more": [None]},
        "sent_at": "2026-01-02T03:04:05.000006Z",
    }
    frame = convert("v3-to-v2", httpx.Response(200, json=message).text, heard=True, tenant=tenant)["content"]
    back = convert("v2-to-v3", httpx.Response(200, json=frame).text, heard=True, tenant=tenant)

    assert frame["client_id"] == 42
    assert back == {"content": message, "outcome": "exact"}


@pytest.mark.parametrize(
    "text",
    [
        '{"client_id":true,"group_id":"lobby","sent_at":"now"}',
        '{"client_id":42,"group_id":"lobby","sent_at":7}',
        '{"client_id":42,"group_id":"lobby"}',
    ],
)
def test_a_heard_frame_without_all_facts_is_one_that_a_v2_client_said(text: str) -> None:
    assert convert("v2-to-v3", text, heard=True)["outcome"] == "stashed"


def test_the_tenants_dialect_and_names_are_spoken() -> None:
    answer = convert("v2-to-v3", '{"reload":1,"to":42}', tenant=OF_ITS_OWN)

    assert answer["content"] == {
        "msg_type": "cmd",
        "target": "direct",
        "to_id": "Xk3",
        "cmd": "RELOAD_UI",
        "payload": {"value": 1},
    }


def test_every_file_of_the_page_comes_with_a_policy_that_forbids_what_is_inline(bridge: StartBridge) -> None:
    files = {"/": "text/html"} | {
        f"/page/{file.name}": _media_type(file.suffix)
        for folder in ("playground", "shared")
        for file in (PAGES / folder).iterdir()
    }
    with httpx.Client(base_url=bridge().url) as client:
        for path, media_type in files.items():
            answer = client.get(path)
            policy = answer.headers["content-security-policy"]

            assert answer.status_code == 200
            assert answer.headers["content-type"].startswith(media_type)
            assert "default-src 'none'; script-src 'self'; style-src 'self';" in policy
            assert "unsafe" not in policy
            assert answer.headers["cache-control"] == "no-cache"
            assert answer.headers["x-content-type-options"] == "nosniff"
        assert client.get("/page/..%2f__init__.py").status_code == 404


def test_what_cannot_be_converted_is_answered_and_nothing_is_left_behind(bridge: StartBridge) -> None:
    served = bridge()
    with httpx.Client(base_url=served.url) as client:

        def ask(body: str | bytes) -> tuple[int, dict[str, Any]]:
            answer = client.post("/page/convert", content=body)
            return answer.status_code, answer.json()

        assert ask('{"direction":"v2-to-v3","text":"hi"}')[0] == 200
        for body in (
            "",
            "hi",
            "[]",
            '{"direction":"up","text":""}',
            '{"direction":"v2-to-v3","text":"\\ud800"}',
            b"\xff",
        ):
            status, answer = ask(body)
            assert (status, answer["problem"]) == (422, "unreadable")
            assert answer["detail"]
        long = "x" * (MAX_CHARACTERS + 1)
        assert ask(f'{{"direction":"v2-to-v3","text":"{long}"}}')[0] == 422
        assert ask(b" " * (MAX_BODY_BYTES + 1)) == (413, {"problem": "too_long", "detail": []})

    with socket.create_connection(("127.0.0.1", served.port)) as unfinished:
        unfinished.sendall(b"POST /page/convert HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhalf")


@pytest.mark.parametrize(
    ("config", "status"), [("", 200), (KEY, 404), (f"page = true\n{KEY}", 200), ("page = false", 404)]
)
def test_the_page_is_there_for_development_or_when_it_is_asked_for(
    bridge: StartBridge, config: str, status: int
) -> None:
    with httpx.Client(base_url=bridge(config=config).url) as client:
        assert client.get("/").status_code == status
        assert client.get("/page/main.js").status_code == status
        assert client.post("/page/convert", json={"direction": "v2-to-v3", "text": "hi"}).status_code == status


def _media_type(suffix: str) -> str:
    return {".html": "text/html", ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml"}[suffix]
