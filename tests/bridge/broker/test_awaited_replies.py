"""Each reply goes to whoever waits for it, in the order of the commands, whatever becomes of the others."""

from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from bridge.broker.awaited_replies import AwaitedReplies

ERROR = ResponseError("no")


def test_each_reply_is_for_who_asked_and_a_publish_has_the_sum_of_its_own() -> None:
    replies, told = AwaitedReplies(), list[object]()
    replies.await_one(told.append)
    replies.await_sum(1, told.append)
    replies.await_sum(2, told.append)
    assert replies.take([b"PONG", 3])
    assert replies.take([2])
    assert told == [b"PONG", 3]
    assert replies.take([5])
    assert (told, len(replies)) == ([b"PONG", 3, 7], 0)


def test_an_error_is_told_as_it_is_to_who_gave_a_command_and_as_nothing_to_who_published() -> None:
    replies, told = AwaitedReplies(), list[object]()
    replies.await_one(told.append)
    replies.await_sum(1, told.append)
    replies.await_sum(3, told.append)
    assert replies.take([ERROR, ERROR, 1, ERROR, 1])
    assert told == [ERROR, None, None]
    assert replies.failed == 2


def test_a_reply_for_which_nobody_waits_is_no_reply_of_ours() -> None:
    replies, told = AwaitedReplies(), list[object]()
    replies.await_sum(1, told.append)
    assert not replies.take([1, 2])
    assert told == [1]


def test_when_the_link_is_lost_everybody_is_told_once() -> None:
    replies, told = AwaitedReplies(), list[object]()
    replies.await_one(told.append)
    replies.await_sum(2, told.append)
    replies.await_sum(1, told.append)
    replies.sent(5.0)
    assert replies.take([b"OK", 1])
    replies.lose()
    assert (told, replies.failed, len(replies)) == ([b"OK", None, None], 2, 0)
    assert not replies.are_overdue(9.0)


def test_what_was_sent_is_overdue_until_all_of_it_is_answered() -> None:
    replies = AwaitedReplies()
    for deadline in (5.0, 7.0):
        replies.await_sum(2, lambda _reply: None)
        replies.sent(deadline)
    assert (replies.are_overdue(5.0), replies.are_overdue(5.1)) == (False, True)
    assert replies.take([1])
    assert replies.are_overdue(5.1)
    assert replies.take([1])
    assert (replies.are_overdue(7.0), replies.are_overdue(7.1)) == (False, True)
    assert replies.take([1, 1])
    assert not replies.are_overdue(9.0)


def test_a_callback_that_fails_keeps_no_other_from_its_reply() -> None:
    replies, told = AwaitedReplies(), list[object]()

    def fail(reply: object) -> None:
        raise ZeroDivisionError(reply)

    replies.await_sum(1, fail)
    replies.await_sum(1, told.append)
    with capture_logs() as logs:
        assert replies.take([1, 2])
    assert (told, replies.errors) == ([2], 1)
    assert [line["event"] for line in logs] == ["receipt_failed"]


def test_a_callback_that_loses_the_link_ends_the_replies() -> None:
    replies, told = AwaitedReplies(), list[object]()
    replies.await_one(lambda _reply: replies.lose())
    replies.await_sum(1, told.append)
    assert not replies.take([1, 2])
    assert told == [None]
