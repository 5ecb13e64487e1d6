"""The share of a tenant's V2 clients that move in stage `drain`: a percentage with at most two decimals. Pure.

A share is an `int` where it is whole, else a `float`, so that it reads as people wrote it. Shares and buckets are
compared as hundredths of a percent, which are integers.
"""

import re
from decimal import Decimal
from typing import Annotated, Final
from zlib import crc32

from pydantic import BeforeValidator, WithJsonSchema

WHOLE: Final = 100
HUNDREDTHS: Final = 100
"""Of one percent."""
GENERATED_ID_BUCKET: Final = WHOLE * HUNDREDTHS - 1
SENTENCE: Final = "a share is a number from 0 to 100 with at most two decimals, such as 12.25"
_DECIMALS: Final = re.compile(r"[0-9]{1,3}(?:\.[0-9]{1,9})?")


def share_of(number: object) -> int | float:
    """The share that this number is. Raises `ValueError` with a sentence if it is none."""
    if isinstance(number, bool) or not isinstance(number, int | float) or not 0 <= number <= WHOLE:
        raise ValueError(SENTENCE)
    if Decimal(str(number)) * HUNDREDTHS % 1:
        raise ValueError(SENTENCE)
    return _percent(hundredths_of(number))


def share_in(text: str) -> int | float:
    """The share that is written here. Raises `ValueError` with a sentence if it is none."""
    if not _DECIMALS.fullmatch(text):
        raise ValueError(SENTENCE)
    return share_of(float(text))


Share = Annotated[
    int | float,
    BeforeValidator(share_of),
    WithJsonSchema({"type": "number", "minimum": 0, "maximum": WHOLE, "multipleOf": 1 / HUNDREDTHS}),
]


def hundredths_of(share: float) -> int:
    """A share in hundredths of a percent: 12.25 is 1225."""
    return round(share * HUNDREDTHS)


def bucket_hundredths(client_id: str | None) -> int:
    """0 to 9,999, the same in every process for ever: from the CRC-32 of the V2 client id as in the URL path.

    All generated ids (`None`) have the last bucket, so that they move at a share of 100 alone.
    """
    if client_id is None:
        return GENERATED_ID_BUCKET
    fraction, whole = divmod(crc32(client_id.encode()), WHOLE)
    return whole * HUNDREDTHS + fraction % HUNDREDTHS


def bucket(client_id: str | None) -> int | float:
    """The bucket of a V2 client as a percentage, as in reports: the client is moved if it is below the share."""
    return _percent(bucket_hundredths(client_id))


def _percent(hundredths: int) -> int | float:
    whole, rest = divmod(hundredths, HUNDREDTHS)
    return hundredths / HUNDREDTHS if rest else whole
