import json
import logging
import re
from typing import Any

import pytest
import structlog

from bridge.runtime.logs import configure, flush, lost_lines

pytestmark = pytest.mark.usefixtures("loggers_as_they_were")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    flush()
    captured = capsys.readouterr()
    assert captured.out == ""
    return [json.loads(line) for line in captured.err.splitlines()]


def test_an_event_is_one_line_of_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    structlog.get_logger("bridge.test").warning(
        "redis_unreachable", reason="a\nb", seconds=1.5, count=2, ok=True, no=None
    )
    (line,) = lines(capsys)
    assert line.pop("timestamp").endswith("Z")
    expected = {"event": "redis_unreachable", "level": "warning", "reason": "a\nb", "seconds": 1.5, "count": 2}
    assert line == expected | {"ok": True, "no": None}


def test_several_names_are_a_list_in_json_unless_something_is_cut_out(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    held, pair = ["lost_percent", "quiet_days"], ["x-api-key", "hush"]
    structlog.get_logger("bridge.test").info("guard_held", guards=held, pair=pair, token=["hush"], seen=["?jwt=hush"])
    (line,) = lines(capsys)
    assert (line["guards"], line["token"]) == (held, "[redacted]")
    assert "hush" not in str(line)


def test_other_libraries_log_by_the_same_formatter(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    logging.getLogger("uvicorn.error").error('"WebSocket %s" refused', "/ws?jwt=hush")
    logging.getLogger("somebody.else").info("api_key=%s", "hush")
    first, second = lines(capsys)
    assert (first["event"], first["level"]) == ('"WebSocket /ws?" refused', "error")
    assert second["event"] == "api_key=[redacted]"


def test_no_field_of_an_event_carries_a_credential(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    structlog.get_logger("bridge.test").info(
        "refused",
        api_key="hush",
        X_Api_Key=b"hush",
        reason=ConnectionError("redis://:hush@host refused"),
        headers=[(b"x-api-key", b"hush")],
        query={"jwt": "hush"},
    )
    flush()
    text = capsys.readouterr().err
    assert "hush" not in text
    assert json.loads(text)["api_key"] == "[redacted]"


def connect(words: str = "redis://:hush@host?password=hush") -> None:
    raise ConnectionError(words)


def test_a_traceback_is_one_line_without_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    try:
        connect()
    except ConnectionError:
        structlog.get_logger("bridge.test").exception("failed")
        logging.getLogger("somebody.else").exception("failed too")
    for line in lines(capsys):
        assert "ConnectionError" in line["exception"]
        assert "hush" not in json.dumps(line)


@pytest.mark.parametrize("level", ["warning", "error"])
def test_what_is_below_the_level_is_not_logged(capsys: pytest.CaptureFixture[str], level: str) -> None:
    configure("json", level)
    logging.getLogger("somebody.else").info("hello")
    structlog.get_logger("bridge.test").info("hello")
    structlog.get_logger("bridge.test").error("failed")
    assert [line["event"] for line in lines(capsys)] == ["failed"]


def test_the_lines_of_uvicorn_about_each_connection_are_not_logged(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    logging.getLogger("uvicorn.error").info('"WebSocket /ws" [accepted]')
    logging.getLogger("uvicorn.error").warning("trouble")
    assert [line["event"] for line in lines(capsys)] == ["trouble"]


def test_a_level_above_warning_holds_for_uvicorn_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "error")
    logging.getLogger("uvicorn.error").warning("trouble")
    assert lines(capsys) == []


def test_what_is_no_terminal_is_given_json(capsys: pytest.CaptureFixture[str]) -> None:
    configure("auto", "info")
    logging.getLogger("somebody.else").info("hello")
    assert lines(capsys)[0]["event"] == "hello"


def test_a_terminal_is_given_plain_lines_without_credentials(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    structlog.get_logger("bridge.test").info("refused", reason="api_key=hush")
    flush()
    line = capsys.readouterr().err
    assert "refused" in line
    assert "hush" not in line


def test_configuring_twice_logs_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    configure("json", "info")
    logging.getLogger("uvicorn.access").info("hello")
    assert [line["event"] for line in lines(capsys)] == ["hello"]


def test_of_one_cause_there_is_one_line_a_second_which_says_what_was_held_back(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr("bridge.runtime.logs.time.monotonic", lambda: now[0])
    configure("json", "info")
    for second in range(2):
        now[0] += 1
        for number in range(1_000):
            structlog.get_logger("bridge.test").warning("refused", client=number)
            logging.getLogger("somebody.else").warning("client %d is odd", number)
            logging.getLogger("somebody.else").error("client %d is odd", number)
        expected = [("refused", "warning"), ("client 0 is odd", "warning"), ("client 0 is odd", "error")]
        said = lines(capsys)
        assert [(line["event"], line["level"]) for line in said] == expected
        assert [line.get("suppressed") for line in said] == [999 if second else None] * 3
    assert lost_lines() == {"held_back": 999 * 6, "dropped": 0}


def test_a_link_does_not_hold_back_what_is_said_of_another(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    for link in ("subscriber", "bus", "bus"):
        structlog.get_logger("bridge.test").warning("redis_link_lost", link=link)
    assert [line["link"] for line in lines(capsys)] == ["subscriber", "bus"]


def test_what_is_critical_is_always_said(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    for _ in range(10):
        structlog.get_logger("bridge.test").critical("process_broken")
    assert len(lines(capsys)) == 10


def test_on_a_terminal_nothing_that_a_stranger_named_has_an_effect(capsys: pytest.CaptureFixture[str]) -> None:
    configure("console", "info")
    hostile = "\x1b]0;x\x07\x9b31m\u202e\u2028\r\nforged"
    structlog.get_logger("bridge.test").info("client_refused", client_id=hostile, listed=[hostile])
    logging.getLogger("somebody.else").warning("said %s", hostile)
    try:
        connect(hostile)
    except ConnectionError:
        structlog.get_logger("bridge.test").exception("failed")
    flush()
    written = capsys.readouterr().err
    plain = re.sub(r"\x1b\[[0-9;]*m", "", written)
    assert all(line.isprintable() for line in plain.split("\n"))
    assert plain.count(r"\u{1b}]0;x\u{7}\u{9b}31m\u{202e}\u{2028}\u{d}") >= 3
    assert "Traceback" in plain
    assert not any(line.startswith("forged") for line in plain.split("\n")[:2])


def test_each_reason_is_told_at_once(capsys: pytest.CaptureFixture[str]) -> None:
    configure("json", "info")
    for reason in ("expired", "bad signature", "expired"):
        structlog.get_logger("bridge.test").info("token_refused", code="unauthenticated", reason=reason)
    assert [line["reason"] for line in lines(capsys)] == ["expired", "bad signature"]
