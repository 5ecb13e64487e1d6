"""JSON in which a list may be very long, put into words beside the loop. It knows nothing of what it says."""

import json
from collections.abc import Iterable, Mapping
from typing import Any

from fastapi import Response

from bridge.aside import aside


async def large_answer(said: Mapping[str, Any] | list[Any]) -> Response:
    """The object, or the list, as a response."""
    return Response(await aside(written, said), media_type="application/json")


def written(said: Mapping[str, Any] | list[Any]) -> bytes:
    """The object in words, each item of a list by itself: one call for all would keep everybody waiting."""
    if isinstance(said, list):
        return _value(said).encode()
    return _object(f"{json.dumps(name)}:{_value(value)}" for name, value in said.items()).encode()


def _value(value: Any) -> str:
    return f"[{','.join(json.dumps(item) for item in value)}]" if isinstance(value, list) else json.dumps(value)


def _object(members: Iterable[str]) -> str:
    return f"{{{','.join(members)}}}"
