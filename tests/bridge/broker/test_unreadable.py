"""What cannot be read in Redis is counted and logged, and never shown."""

from structlog.testing import capture_logs

from bridge.broker.unreadable import skip, skipped


def test_what_is_passed_over_is_counted_and_logged_by_what_it_should_have_been() -> None:
    before = skipped["holder"]
    with capture_logs() as logs:
        skip("holder")
    assert skipped["holder"] == before + 1
    assert logs == [{"event": "unreadable_in_redis", "log_level": "warning", "what": "holder"}]
