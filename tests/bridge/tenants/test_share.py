"""Which shares there are, and which bucket is below which."""

from __future__ import annotations

import math
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from bridge.tenants.share import (
    GENERATED_ID_BUCKET,
    SENTENCE,
    Share,
    bucket,
    bucket_hundredths,
    hundredths_of,
    share_in,
    share_of,
)

REFUSED_NUMBERS = [-1, -0.01, 100.01, 101, 12.255, 1e-300, 99.999, math.nan, math.inf, -math.inf, True, "50", None, [5]]
REFUSED_TEXTS = [
    "",
    "-1",
    "+5",
    "1e1",
    "1_0",
    "nan",
    "inf",
    " 5",
    "5 ",
    "25,5",
    "100.01",
    "101",
    "12.255",
    "\u0665",
    "5.",
    ".5",
]


@pytest.mark.parametrize("share", [0, 1, 25, 100, 0.01, 12.25, 12.5, 99.99])
def test_a_share_has_two_decimals_at_most_and_reads_as_it_was_written(share: float) -> None:
    assert repr(share_of(share)) == repr(share_in(str(share))) == repr(share)


def test_a_whole_share_is_an_integer_however_it_was_written() -> None:
    assert [repr(share_of(25.0)), repr(share_in("25.00")), repr(share_in("12.50"))] == ["25", "25", "12.5"]


@pytest.mark.parametrize("number", REFUSED_NUMBERS, ids=repr)
def test_what_is_no_share_is_refused_with_a_sentence(number: Any) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        share_of(number)


@pytest.mark.parametrize("text", REFUSED_TEXTS, ids=repr)
def test_a_text_that_is_no_share_is_refused_with_the_same_sentence(text: str) -> None:
    with pytest.raises(ValueError, match=SENTENCE):
        share_in(text)


def test_a_program_learns_from_the_schema_what_a_share_is() -> None:
    adapter = TypeAdapter(Share)
    assert adapter.json_schema() == {"type": "number", "minimum": 0, "maximum": 100, "multipleOf": 0.01}
    assert adapter.validate_json("12.25") == 12.25
    with pytest.raises(ValueError, match=SENTENCE):
        adapter.validate_json("NaN")


@given(st.integers(0, 10_000))
def test_each_hundredth_of_a_percent_is_a_share_of_its_own(hundredths: int) -> None:
    share = share_in(f"{hundredths // 100}.{hundredths % 100:02}")
    assert hundredths_of(share) == hundredths
    assert share_of(share) == share


@pytest.mark.parametrize(
    ("client_id", "expected"),
    [("123456789", 62.02), ("42", 88.52), ("dev_1", 74.1), ("", 0), ("é", 26.93), ("a b", 99.52)],
)
def test_the_whole_part_of_a_bucket_is_the_crc_32_of_the_id_modulo_100(client_id: str, expected: float) -> None:
    checksum = crc32(client_id.encode())
    assert bucket(client_id) == expected
    assert expected == pytest.approx(checksum % 100 + checksum // 100 % 100 / 100)


@given(st.text(max_size=128))
def test_there_are_ten_thousand_buckets(client_id: str) -> None:
    assert 0 <= bucket_hundredths(client_id) < 10_000
    assert hundredths_of(bucket(client_id)) == bucket_hundredths(client_id)


def test_a_generated_id_has_the_last_bucket() -> None:
    assert (bucket(None), bucket_hundredths(None)) == (99.99, GENERATED_ID_BUCKET)
