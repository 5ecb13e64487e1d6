from v3.unanswered import Unanswered


def test_an_echo_with_nothing_before_it_comes_back_at_once() -> None:
    unanswered, back = Unanswered(), list[str]()
    unanswered.echo(lambda: back.append("one"))
    unanswered.answered(unanswered.say())
    unanswered.echo(lambda: back.append("two"))
    assert back == ["one", "two"]


def test_an_echo_waits_for_all_before_it_and_for_nothing_after_it() -> None:
    unanswered, back = Unanswered(), list[str]()
    first, second = unanswered.say(), unanswered.say()
    unanswered.echo(lambda: back.append("one"))
    later = unanswered.say()
    unanswered.echo(lambda: back.append("two"))
    unanswered.answered(later)
    unanswered.answered(second)
    assert back == []
    unanswered.answered(first)
    assert back == ["one", "two"]


def test_what_is_said_after_an_echo_does_not_hold_it_up() -> None:
    unanswered, back = Unanswered(), list[str]()
    first = unanswered.say()
    unanswered.echo(lambda: back.append("one"))
    unanswered.echo(lambda: back.append("two"))
    unanswered.say()
    unanswered.answered(first)
    assert back == ["one", "two"]
    unanswered.echo(lambda: back.append("three"))
    assert back == ["one", "two"]
