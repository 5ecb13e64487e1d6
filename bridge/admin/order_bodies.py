"""Reads and validates the body of an order to the admin API: one JSON object, strictly. It carries nothing out.

A body is read only after the key was checked. Its content is never repeated in an answer, because it can be anything.
"""

from typing import Any, Final, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect

from bridge.api.document import SCHEMAS
from bridge.api.errors import AdminRefusal, unreadable
from bridge.sockets.request_body import Count, TooLong, read_body, uncounted

MAX_BODY_BYTES: Final = 65_536


class Body(BaseModel):
    """The body of an order. Each kind of order has its own fields, and no others are allowed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def in_body(cls, body: bytes) -> Self:
        """The order in a body. Raises `AdminRefusal` (422) if it is not valid."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise unreadable("invalid_order", error.errors(include_input=False, include_context=False)) from None


async def body_of(request: Request, most_bytes: int = MAX_BODY_BYTES, count: Count = uncounted) -> bytes:
    """The body of a request, at most `most_bytes`. Raises `AdminRefusal` (413, or 400), and what `count` raises."""
    try:
        return await read_body(request, most_bytes, count)
    except TooLong:
        raise AdminRefusal(413, "body_too_big", f"This order has at most {most_bytes:,} bytes.") from None
    except ClientDisconnect:
        raise AdminRefusal(400, "unfinished", "The request ended before its body did.") from None


def described(order: type[BaseModel], *, is_required: bool) -> dict[str, Any]:
    """The description of a body for OpenAPI, as FastAPI's `openapi_extra`."""
    content = {"application/json": {"schema": order.model_json_schema(ref_template=SCHEMAS + "{model}")}}
    return {"requestBody": {"required": is_required, "content": content}}
