"""What a handshake is taken to bring along."""

from __future__ import annotations

import pytest

from bridge.continuity.positions import UNKNOWN
from bridge.handshake.request import MAX_QUERY_FIELDS, TOO_MANY_FIELDS, request_in
from bridge.records.rows import LONGEST_USER_AGENT


def scope(query: bytes = b"", *headers: tuple[bytes, bytes]) -> dict[str, object]:
    return {"type": "websocket", "query_string": query, "headers": list(headers), "client": ("192.0.2.1", 5)}


def test_every_field_of_the_query_is_read_as_often_as_it_was_sent() -> None:
    sent = request_in(scope(b"api_key=a&jwt=&api_key=b%20c"), ()).query
    assert list(sent) == [("api_key", "a"), ("jwt", ""), ("api_key", "b c")]


def test_a_query_of_too_many_fields_counts_as_credentials_that_could_be_read_two_ways() -> None:
    assert len(request_in(scope(b"&".join([b"a=b"] * MAX_QUERY_FIELDS)), ()).query) == MAX_QUERY_FIELDS
    assert request_in(scope(b"&".join([b"a=b"] * (MAX_QUERY_FIELDS + 1))), ()).query == TOO_MANY_FIELDS


@pytest.mark.parametrize(
    ("query", "since"),
    [
        (b"", ""),
        (b"since", ""),
        (b"since=&since=", ""),
        (b"since=@1", "@1"),
        (b"since=&since=@1", "@1"),
        (b"since=@1&since=%401", "@1"),
        (b"since=%20", " "),
        (b"since=@1&since=@2", UNKNOWN),
        (b"since=@1&since=2&since=", UNKNOWN),
    ],
)
def test_who_comes_back_does_so_since_one_position_or_it_is_not_known_since_when(query: bytes, since: str) -> None:
    assert request_in(scope(query), ()).since == since


def test_of_what_a_program_calls_itself_so_much_is_kept() -> None:
    assert request_in(scope(b"", (b"user-agent", b"x" * 9_999)), ()).user_agent == "x" * LONGEST_USER_AGENT
    assert request_in(scope(), ()).user_agent == ""


def test_a_handshake_counts_for_its_peer_or_for_whom_a_trusted_proxy_names() -> None:
    forwarded = scope(b"", (b"x-forwarded-for", b"198.51.100.7"))
    assert request_in(forwarded, ()).address == "192.0.2.1"
    assert request_in(forwarded, ("192.0.2.0/24",)).address == "198.51.100.7"
