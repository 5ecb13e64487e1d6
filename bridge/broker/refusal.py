"""Tells a refusal of Redis (READONLY, LOADING, NOPERM, OOM, a wrong password) from everything else. Pure."""

from typing import Final

import hiredis
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError

from bridge.broker.cluster import explained


class LinkError(ConnectionError):
    """Redis could not be reached, or refused the connection; the message says which and why.

    `refusal` is what Redis itself said, if it refused.
    """

    def __init__(self, reason: str, refusal: str | None = None) -> None:
        super().__init__(reason)
        self.refusal: Final = refusal


def refusal_in(reply: object) -> str | None:
    """What Redis said, if this reply, or exception of redis-py, is a refusal of Redis; else `None`.

    Where only a cluster says so, that it is one, and what to do.
    """
    said_by_redis = isinstance(reply, (hiredis.ReplyError, ResponseError, AuthenticationError, BusyLoadingError))
    return explained(reply) if said_by_redis else None
