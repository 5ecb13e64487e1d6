"""One finding of the doctor's."""

from dataclasses import asdict

from bridge.cli.checks.finding import bad, ok, warn


def test_what_is_as_it_should_be_needs_no_remedy() -> None:
    assert asdict(ok("redis", "answers")) == {"check": "redis", "level": "ok", "said": "answers", "remedy": ""}


def test_what_may_surprise_is_a_warning_with_a_remedy() -> None:
    found = warn("eviction", "is on", "set it to noeviction")
    assert (found.check, found.level, found.said, found.remedy) == ("eviction", "warn", "is on", "set it to noeviction")


def test_what_will_not_work_is_a_failure_with_a_remedy() -> None:
    found = bad("redis", "is away", "start it")
    assert (found.check, found.level, found.said, found.remedy) == ("redis", "fail", "is away", "start it")
