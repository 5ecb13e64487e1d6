from typing import Final

from bridge.broker.message import BusMessage
from bridge.broker.recent_messages import MOST_BYTES_PER_TURN, RecentMessages
from v3.messages import Line

LINE: Final = b'{"version":"3"}'


def message(text: bytes = LINE) -> BusMessage:
    return BusMessage(text, None, Line("3", "msg", "group"))


def test_what_was_kept_is_found_by_its_very_bytes() -> None:
    recent, kept = RecentMessages(), message()
    recent.keep(LINE, kept)
    assert recent.find(bytes(bytearray(LINE))) is kept
    assert recent.find(LINE + b" ") is None


def test_it_is_found_for_one_turn_and_forgotten_after_two() -> None:
    recent = RecentMessages()
    recent.keep(LINE, message())
    recent.turn()
    assert recent.find(LINE) is not None
    recent.turn()
    assert recent.find(LINE) is None


def test_of_more_than_there_is_room_for_the_oldest_is_forgotten() -> None:
    recent, quarter = RecentMessages(), MOST_BYTES_PER_TURN // 4
    texts = [bytes([number]) * quarter for number in range(12)]
    for text in texts:
        recent.keep(text, message(text))
    known = [text for text in texts if recent.find(text) is not None]
    assert known == texts[-len(known) :]
    assert quarter * len(known) <= 2 * MOST_BYTES_PER_TURN
    assert len(known) >= 4


def test_a_single_one_may_be_larger() -> None:
    recent, text = RecentMessages(), b"a" * (2 * MOST_BYTES_PER_TURN)
    recent.keep(text, message(text))
    assert recent.find(text) is not None
