"""What a V3 client may ask the bridge with a heartbeat: a member of the payload asks, and comes back as the answer.

`{"limits": true}` comes back as `{"limits": {"max_message_bytes": …, "messages_per_second": …, "burst": …}}`, so that a
client can keep within them. `v2_dialect` and `v2_ids` are asked by the script that lets a V2 page speak V3.

It never tells a tenant's whole id map: who asks for the V2 id of a name has heard that name already.
"""

from collections.abc import Mapping
from functools import lru_cache  # V2
from typing import Final  # V2

from bridge.tenants.table import TenantTable
from compat.dialect import Dialect  # V2
from v3.ports import Answer, Guest

MOST_NAMES: Final = 100  # V2


def answers(limits: Mapping[str, int | float], table: TenantTable) -> dict[str, Answer]:
    """The answers of this process, by question."""

    def told_limits(_guest: Guest, asked: object) -> object:
        return limits if asked is True else None

    def told_dialect(guest: Guest, asked: object) -> object:  # V2
        return _described(table.of(guest.tenant).dialect) if asked is True else None  # V2

    def told_ids(guest: Guest, asked: object) -> object:  # V2
        listed = asked[:MOST_NAMES] if isinstance(asked, list) else ()  # V2
        names = [name for name in listed if isinstance(name, str)]  # V2
        ids = {name: table.of(guest.tenant).names.mapped_id_of(name) for name in names}  # V2
        return {name: str(v2_id) for name, v2_id in ids.items() if v2_id is not None} if names else None  # V2

    return {
        "limits": told_limits,
        "v2_dialect": told_dialect,  # V2
        "v2_ids": told_ids,  # V2
    }


@lru_cache(maxsize=1_000)  # V2
def _described(dialect: Dialect) -> Mapping[str, object]:  # V2
    return {word: rule.model_dump(exclude_none=True) for word, rule in dialect.rules.items()}  # V2
