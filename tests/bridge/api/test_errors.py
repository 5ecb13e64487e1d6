"""What no route takes, in the words of every other refusal."""

from __future__ import annotations

import json
from typing import Any

import httpx
from fastapi import APIRouter, FastAPI
from redis.exceptions import ResponseError
from starlette.responses import Response

from bridge.api.errors import AdminRefusal, handle_errors, redis_away, redis_refuses, unreadable


def body_of(response: Response) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(bytes(response.body))
    return found


def test_only_whoever_showed_no_key_is_asked_for_one() -> None:
    assert AdminRefusal(401, "unauthenticated", "Send a key.").response().headers["www-authenticate"] == "Bearer"
    assert "www-authenticate" not in AdminRefusal(403, "forbidden", "Another key.").response().headers


def test_while_redis_is_away_the_answer_says_when_to_come_back() -> None:
    response = redis_away().response()
    assert (response.status_code, response.headers["retry-after"]) == (503, "1")
    assert body_of(response)["code"] == "bus_down"


def test_where_redis_is_there_and_refuses_the_answer_says_what_it_said() -> None:
    body = body_of(redis_refuses(ResponseError("OOM command not allowed" + "." * 1_000)).response())
    assert body["msg"].startswith("Redis refuses: OOM command not allowed")
    assert len(body["msg"]) < 200


def test_what_cannot_be_read_is_said_field_by_field_and_in_a_sentence() -> None:
    problems = [
        {"loc": ("query", "most"), "msg": "Input should be greater than 0"},
        {"loc": (), "msg": "Value error, name a stage"},
    ]
    body = body_of(unreadable("invalid_order", problems).response())
    assert body == {
        "code": "invalid_order",
        "msg": "most: Input should be greater than 0. name a stage.",
        "detail": [
            {"field": "most", "problem": "Input should be greater than 0"},
            {"field": "", "problem": "name a stage"},
        ],
    }


async def test_a_method_that_a_path_has_not_is_refused_with_those_that_it_has() -> None:
    app, routes = FastAPI(), APIRouter(prefix="/api")
    for method, path in (("GET", "/keys"), ("POST", "/keys"), ("DELETE", "/keys/{name:path}"), ("PUT", "/{any}")):
        routes.add_api_route(path, lambda: None, methods=[method])
    app.include_router(routes)
    handle_errors(app)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://test") as http:
        answers = [await http.request("PATCH", path) for path in ("/api/keys", "/api/keys/a/b", "/api/more")]
    assert [(one.status_code, one.json()["code"]) for one in answers] == [(405, "method_not_allowed")] * 3
    assert [one.headers["allow"] for one in answers] == ["GET, POST, PUT", "DELETE", "PUT"]
