"""The HTTP response for a client that should try again later: 503 with a random `Retry-After`. It decides nothing."""

import random
from typing import Final

from starlette.responses import JSONResponse, Response

RETRY_AFTER_SECONDS: Final = (1, 5)


def service_unavailable(code: str, sentence: str) -> Response:
    """A 503 response with this code and sentence, and `Retry-After`."""
    return JSONResponse({"code": code, "msg": sentence}, 503, {"Retry-After": str(retry_after_seconds())})


def retry_after_seconds() -> int:
    """A random number of seconds, from the least to the most of `RETRY_AFTER_SECONDS`."""
    return random.randint(*RETRY_AFTER_SECONDS)  # noqa: S311 - jitter
