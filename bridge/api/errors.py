"""What no route takes, in the words of every other refusal: a code for programs, a sentence for people. No routes.

It never says back what was sent: that may be anything, also what no JSON can hold.
"""

from http import HTTPStatus

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from bridge.admin.refusals import answer, unreadable


def unreadable_request(error: RequestValidationError) -> JSONResponse:
    """A field of the address is not what it should be."""
    return answer(unreadable("invalid_request", error.errors()))


def refused_by_framework(error: HTTPException) -> JSONResponse:
    """An unknown path, a method that is not served there, a body that cannot be read."""
    phrase = HTTPStatus(error.status_code).phrase
    body = {"code": phrase.lower().replace(" ", "_"), "msg": f"{phrase}. What is served is described at /docs."}
    return JSONResponse(body, error.status_code, error.headers)
