"""An id map as the admin API takes it: one object, in which nothing may stand twice. It maps nobody by itself."""

import json
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field

from bridge.api.admin_refusals import AdminRefusal
from compat.identity import check_id_map

MOST_IDS: Final = 1_000_000
MAX_IDS_BYTES: Final = 128 * 1_024 * 1_024
"""So many ids of usual length, and as much again."""


class Ids(BaseModel):
    """A whole id map: V2 id -> Vision ID."""

    model_config = ConfigDict(extra="forbid")

    ids: dict[str, str] = Field(max_length=MOST_IDS)


def ids_in(body: bytes) -> dict[str, str]:
    """The map of a request. Raises `AdminRefusal` for one that is not one to one."""
    try:
        ids = Ids.model_validate(json.loads(body, object_pairs_hook=_without_doubles)).ids
    except DoubledKey as doubled:
        raise AdminRefusal(400, "invalid_ids", f"The key {doubled.args[0]!r} stands twice: one id, one name.") from None
    except (ValueError, RecursionError):
        raise AdminRefusal(422, "invalid_ids", 'Send {"ids": {"<V2 id>": "<Vision ID>", …}}.') from None
    try:
        check_id_map(ids)
    except ValueError as error:
        raise AdminRefusal(400, "invalid_ids", str(error)) from None
    return ids


class DoubledKey(Exception):
    """A JSON object has a key twice."""


def _without_doubles(members: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in members:
        if name in found:
            raise DoubledKey(name[:32])
        found[name] = value
    return found
