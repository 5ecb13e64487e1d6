"""The body of an order to the admin API: one JSON object, read strictly. It carries nothing out.

It is read after the key was looked at, and what it holds is never said back: what cannot be read might be anything.
"""

from typing import Any, Final, Self

from fastapi import Request
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.requests import ClientDisconnect

from bridge.api.errors import AdminRefusal, unreadable
from bridge.sockets.request_body import Count, TooLong, read_body, uncounted

MAX_BODY_BYTES: Final = 65_536


class Body(BaseModel):
    """What an order says. Each kind of order has its own fields, and no others are allowed."""

    model_config = ConfigDict(extra="forbid", strict=True)

    @classmethod
    def in_body(cls, body: bytes) -> Self:
        """The order of a request. Raises `AdminRefusal`."""
        try:
            return cls.model_validate_json(body)
        except ValidationError as error:
            raise unreadable("invalid_order", error.errors(include_input=False, include_context=False)) from None


async def body_of(request: Request, most_bytes: int = MAX_BODY_BYTES, count: Count = uncounted) -> bytes:
    """The body, bounded. Raises `AdminRefusal`, and what `count` raises."""
    try:
        return await read_body(request, most_bytes, count)
    except TooLong:
        raise AdminRefusal(413, "body_too_big", f"This order has at most {most_bytes:,} bytes.") from None
    except ClientDisconnect:
        raise AdminRefusal(400, "unfinished", "The request ended before its body did.") from None


def described(order: type[BaseModel], *, is_required: bool) -> dict[str, Any]:
    """The body as OpenAPI has it."""
    content = {"application/json": {"schema": order.model_json_schema()}}
    return {"requestBody": {"required": is_required, "content": content}}
