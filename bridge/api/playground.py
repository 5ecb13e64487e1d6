"""`GET /`: the page on which a developer tries both protocols side by side, and the route that converts for it.

For development: mounted only if the settings enable it. The page is served from this package, and its Content Security
Policy lets it load nothing else.

Decided here: a frame that a listener received also holds its sender, group and time. If such a V2 frame has
`client_id`, `group_id` and `sent_at`, it counts as written by the bridge, and these three are not converted as content.
"""

from collections.abc import Sequence
from typing import Any, Final, Literal

from fastapi import FastAPI, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse

from bridge.pages.static_page import StaticPage
from bridge.sockets.request_body import TooLong, read_body
from bridge.tenants.table import TenantTable
from bridge.tenants.tenant import DEFAULT_TENANT, Tenant
from compat.downgrade import downgrade, hear, is_spoken
from compat.reading import NotJson, read
from compat.upgrade import EXACT, SUPPRESSED, Upgraded, outcome_of, upgrade, upgrade_text
from legacy_v2 import frames
from v3.form import from_json
from v3.messages import Content, Unreadable, content_of, write
from v3.said import read_said

MAX_CHARACTERS: Final = 65_536
MAX_BODY_BYTES: Final = 6 * MAX_CHARACTERS + 1_024  # the longest escape of a character is six bytes
FACTS_OF_A_LISTENER: Final = ("client_id", "group_id", "sent_at")


class Asked(BaseModel):
    """The request: one frame to be converted. `heard`: it is a frame that a listener received."""

    model_config = ConfigDict(extra="forbid")

    direction: Literal["v2-to-v3", "v3-to-v2"]
    text: str = Field(max_length=MAX_CHARACTERS)
    heard: bool = False


class NotConvertible(ValueError):
    """The request holds nothing that can be converted. `status` is the HTTP status of the answer."""

    def __init__(self, problem: str, status: int, detail: Sequence[dict[str, str]] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.status = status
        self.detail = list(detail)


def mount(app: FastAPI, table: TenantTable) -> None:
    """Add the page and its route to the application."""

    @app.post("/page/convert", include_in_schema=False)
    async def convert(request: Request) -> JSONResponse:
        """`{"content": …, "outcome": …}`, or `{"problem": …, "detail": […]}` if nothing can be converted."""
        try:
            asked = await _asked(request)
        except NotConvertible as reason:
            return JSONResponse({"problem": reason.problem, "detail": reason.detail}, reason.status)
        return JSONResponse(converted(asked, table.of(DEFAULT_TENANT)))

    StaticPage("playground", "'self' ws: wss:").mount(app, ("/",), "/page")


def converted(asked: Asked, tenant: Tenant) -> dict[str, Any]:
    """The answer to a request, converted with the dialect and the names of one tenant."""
    return _upgraded(asked, tenant) if asked.direction == "v2-to-v3" else _downgraded(asked, tenant)


async def _asked(request: Request) -> Asked:
    try:
        return Asked.model_validate_json(await _body(request))
    except ValidationError as error:
        raise NotConvertible("unreadable", 422, [_problem(dict(each)) for each in error.errors()]) from None


async def _body(request: Request) -> bytes:
    try:
        return await read_body(request, MAX_BODY_BYTES)
    except TooLong:
        raise NotConvertible("too_long", 413) from None
    except ClientDisconnect:
        raise NotConvertible("unfinished", 400) from None  # nobody reads this answer


def _problem(problem: dict[str, Any]) -> dict[str, str]:
    return {"field": ".".join(str(part) for part in problem["loc"]), "problem": problem["msg"]}


def _upgraded(asked: Asked, tenant: Tenant) -> dict[str, object]:
    said = _said_to_listener(asked.text, tenant) if asked.heard else None
    if said is not None:
        return said
    upgraded = upgrade_text(asked.text, tenant.names, tenant.dialect)
    return _answer(upgraded, upgraded.content)


def _said_to_listener(text: str, tenant: Tenant) -> dict[str, object] | None:
    """The answer for a frame that the bridge wrote for V2 listeners: a V3 message. `None` for any other frame."""
    try:
        frame = read(text, tenant.dialect.said_as["payload"])
    except NotJson:
        return None
    facts = _facts(frame)
    if facts is None:
        return None
    content = {name: value for name, value in frame.items() if name not in FACTS_OF_A_LISTENER}
    upgraded = upgrade(content, tenant.names, tenant.dialect)
    client_id, group_id, sent_at = facts
    line = write(upgraded.content, tenant.names.name_of(client_id), tenant.names.name_of(group_id), sent_at)
    return _answer(upgraded, from_json(line))


def _facts(frame: Any) -> list[Any] | None:
    facts = [frame.get(name) for name in FACTS_OF_A_LISTENER] if isinstance(frame, dict) else []
    return facts if facts and all(map(frames.is_recipient, facts[:2])) and isinstance(facts[2], str) else None


def _answer(upgraded: Upgraded, content: object) -> dict[str, object]:
    outcome = outcome_of(upgraded)
    return {"content": None if outcome == SUPPRESSED else content, "outcome": outcome}


def _downgraded(asked: Asked, tenant: Tenant) -> dict[str, object]:
    try:
        message = read_said(asked.text)
    except Unreadable as unreadable:
        return {"problem": unreadable.code, "detail": unreadable.problems}
    content = content_of(message)
    if not is_spoken(content):
        return {"content": None, "outcome": SUPPRESSED}
    return {"content": _as_v2_hears(content, message, asked, tenant), "outcome": EXACT}


def _as_v2_hears(content: Content, message: dict[str, object], asked: Asked, tenant: Tenant) -> dict[str, object]:
    from_id, group_id, sent_at = (message.get(name) for name in ("from_id", "group_id", "sent_at"))
    if asked.heard and isinstance(from_id, str) and isinstance(group_id, str) and isinstance(sent_at, str):
        return hear(content, from_id, group_id, sent_at, tenant.names, tenant.dialect)
    return downgrade(content, tenant.names, tenant.dialect)
