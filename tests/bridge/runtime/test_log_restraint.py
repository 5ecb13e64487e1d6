from bridge.runtime.log_restraint import MOST_CAUSES, Restraint


def test_a_cause_speaks_once_a_second_and_says_what_was_held_back() -> None:
    restraint = Restraint()
    assert [restraint.may_say("a", now) for now in (5.0, 5.1, 5.9, 6.0, 6.5, 7.5, 8.5)] == [
        0,
        None,
        None,
        2,
        None,
        1,
        0,
    ]
    assert restraint.held_back == 3


def test_causes_do_not_silence_one_another() -> None:
    restraint = Restraint()
    assert [restraint.may_say(cause, 5.0) for cause in "abcabc"] == [0, 0, 0, None, None, None]


def test_causes_beyond_the_bound_are_forgotten_the_oldest_first() -> None:
    restraint = Restraint()
    for cause in range(MOST_CAUSES * 3):
        assert restraint.may_say(cause, 5.0) == 0
    assert len(restraint._said) == MOST_CAUSES
    assert restraint.may_say(MOST_CAUSES * 3 - 1, 5.0) is None
    assert restraint.may_say(0, 5.0) == 0
