"""The answer in HTTP to who should come back: 503, with a jittered `Retry-After`. It decides nothing."""

import random
from typing import Final

from starlette.responses import JSONResponse, Response

RETRY_AFTER_SECONDS: Final = (1, 5)


def later(code: str, sentence: str) -> Response:
    """503, with a jittered `Retry-After` in seconds."""
    seconds = random.randint(*RETRY_AFTER_SECONDS)  # noqa: S311 - jitter
    return JSONResponse({"code": code, "msg": sentence}, 503, {"Retry-After": str(seconds)})
