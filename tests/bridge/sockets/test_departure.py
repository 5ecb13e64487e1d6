from bridge.sockets.departure import Departure


def test_the_call_that_was_given_last_is_made_once() -> None:
    calls: list[str] = []
    departure = Departure()
    departure.when_gone(lambda: calls.append("first"))
    departure.when_gone(lambda: calls.append("last"))
    assert calls == []
    departure.gone()
    departure.gone()
    assert calls == ["last"]


def test_who_asks_after_a_peer_that_is_gone_is_called_at_once() -> None:
    calls: list[str] = []
    departure = Departure()
    departure.gone()
    departure.when_gone(lambda: calls.append("late"))
    assert calls == ["late"]
