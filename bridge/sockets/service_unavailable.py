"""The HTTP response for a client that should try again later: 503 with a random `Retry-After`. It decides nothing."""

import random
from typing import Final

from starlette.responses import JSONResponse, Response

RETRY_AFTER_SECONDS: Final = (1, 5)


def service_unavailable(code: str, sentence: str) -> Response:
    """A 503 response with this code and sentence, and a random `Retry-After` of `RETRY_AFTER_SECONDS` (least, most)."""
    seconds = random.randint(*RETRY_AFTER_SECONDS)  # noqa: S311 - jitter
    return JSONResponse({"code": code, "msg": sentence}, 503, {"Retry-After": str(seconds)})
