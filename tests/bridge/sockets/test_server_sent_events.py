import pytest

from bridge.sockets.server_sent_events import KEEP_ALIVE, advice, event


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (event(b"{}"), b"data: {}\n\n"),
        (event(b"{}", "gap", "@1"), b"id: @1\nevent: gap\ndata: {}\n\n"),
        (event(b"{}", "end", retry_ms=250), b"retry: 250\nevent: end\ndata: {}\n\n"),
        (event(b"{}", position="@1", retry_ms=0), b"retry: 0\nid: @1\ndata: {}\n\n"),
        (advice("@1"), b"id: @1\n"),
        (advice(retry_ms=9), b"retry: 9\n"),
        (advice(), b""),
    ],
)
def test_an_event_is_written_as_the_standard_has_it(written: bytes, said: bytes) -> None:
    assert written == said


def test_a_carriage_return_between_tokens_ends_no_line() -> None:
    """Or another service could say any event, in the name of the bridge."""
    assert event(b'{"msg":\r"id: x"}') == b'data: {"msg": "id: x"}\n\n'


def test_a_keep_alive_is_a_comment() -> None:
    assert KEEP_ALIVE.startswith(b":")
    assert KEEP_ALIVE.endswith(b"\n\n")
