"""Recognises a Redis Cluster behind a plain address, and says what to do. It speaks no cluster protocol."""

import re
from typing import Final

import redis
from redis.exceptions import AskError, ClusterCrossSlotError, ClusterDownError, RedisError, TryAgainError

SENTENCE: Final = (
    "this is a node of a Redis Cluster, which answers for a part of the keys alone: name a single Redis or Valkey "
    "server, or one that is replicated without a cluster (cluster-enabled no)"
)
LOOK_SECONDS: Final = 2.0
_ERROR: Final = re.compile(
    r"(?:MOVED|ASK|TRYAGAIN|CLUSTERDOWN|CROSSSLOT)\b|.*(?:Hash slot not served|hash to the same slot)"
)

_ERRORS: Final = (AskError, TryAgainError, ClusterDownError, ClusterCrossSlotError)
"""In these redis-py keeps the text without its first word, by which it is known. One that is MOVED is an `AskError`."""


def is_of_cluster(error: object) -> bool:
    """Whether only a server in cluster mode answers with this error."""
    return isinstance(error, _ERRORS) or _ERROR.match(str(error)) is not None


def explained(error: object) -> str:
    """The error as a sentence for operators."""
    return f"{SENTENCE} ({error})" if is_of_cluster(error) else str(error)


def is_cluster(url: str) -> bool:
    """Whether the server at `url` runs in cluster mode. No, where it cannot be asked: then it is not known yet."""
    try:
        with redis.Redis.from_url(url, socket_timeout=LOOK_SECONDS, socket_connect_timeout=LOOK_SECONDS) as server:
            return bool(int(server.info("cluster").get("cluster_enabled", 0)))
    except (RedisError, OSError, ValueError):
        return False
