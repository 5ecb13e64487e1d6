"""`aether-bridge convert`."""

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic_core import from_json, to_json

from tests.bridge.cli.running import PROGRAM, SECONDS, environment_of_process, run, run_apart, sentence
from tests.compat.strategies import contents, frames

DIALECT = '[tenants.acme]\ndialect.reload = { cmd = "RELOAD_UI" }\ndialect.caption = { field = "msg" }\n'
UNSPOKEN = ("heartbeat", "presence")


def convert(direction: str, *values: Any, options: tuple[str | Path, ...] = ()) -> list[Any]:
    """JSON values through the pipe; every one must be convertible."""
    said = b"".join(to_json(value) + b"\n" for value in values)
    result = run("convert", direction, *options, say=said)
    assert (result.exit_code, result.stderr) == (0, "")
    return [from_json(line) for line in result.stdout_bytes.split(b"\n")[:-1]]


@pytest.fixture
def dialect(tmp_path: Path) -> tuple[str | Path, ...]:
    file = tmp_path / "bridge.toml"
    file.write_text(DIALECT)
    return "--config", file, "--tenant", "acme"


def test_the_guides_example() -> None:
    result = run("convert", "v2-to-v3", say='{"msg": "hi"}\n')
    assert result.stdout == '{"msg_type":"msg","target":"group","msg":"hi"}\n'


def test_a_v3_message_loses_what_only_a_connection_knows() -> None:
    message = {"version": "3", "msg_type": "cmd", "target": "direct", "from_id": "a", "to_id": "v2-42", "group_id": "g"}
    assert convert("v3-to-v2", {**message, "cmd": "GO", "sent_at": "now"}) == [
        {"type": "cmd", "to_id": 42, "cmd": "GO"}
    ]


@pytest.mark.parametrize("claim", ["x", 7, None, {"deep": [1]}])
def test_any_value_may_stand_in_a_servers_field(claim: Any) -> None:
    message = {"msg_type": "msg", "target": "group", "msg": "hi", "from_id": claim, "group_id": claim, "sent_at": claim}
    assert convert("v3-to-v2", message) == [{"type": "msg", "msg": "hi"}]


@given(st.lists(frames, min_size=1, max_size=20))
def test_there_and_back_gives_the_same_content(said: list[dict[str, Any]]) -> None:
    upgraded = [content for content in convert("v2-to-v3", *said) if content["msg_type"] not in UNSPOKEN]
    assert to_json(convert("v2-to-v3", *convert("v3-to-v2", *upgraded))) == to_json(upgraded)


@given(st.lists(contents, min_size=1, max_size=20))
def test_what_v3_says_comes_back_the_same(said: list[dict[str, Any]]) -> None:
    readable = [content for content in said if not content.get("to_id", "v2-").startswith("v2-_")]
    assert to_json(convert("v2-to-v3", *convert("v3-to-v2", *readable))) == to_json(readable)


@given(st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), min_size=1), max_size=20))
def test_there_is_one_line_for_each_whatever_the_text(lines: list[str]) -> None:
    result = run("convert", "v2-to-v3", say="\n".join(lines).encode())
    assert len(result.stdout_bytes.split(b"\n")) - 1 == len(lines)


@pytest.mark.parametrize(
    "text", ["hello", "a\u2028b\u0085c\x0bd", "\ufeff{}", '{"a": NaN}', '{"a": "\\ud800"}', '{"a": 1', "9" * 5_000]
)
def test_a_line_that_is_no_json_is_text(text: str) -> None:
    result = run("convert", "v2-to-v3", say=text.encode() + b"\n")
    assert json.loads(result.stdout) == {"msg_type": "msg", "target": "group", "msg": text}


def test_nothing_is_escaped_that_json_allows() -> None:
    result = run("convert", "v2-to-v3", say='{"msg":"é\u2028🜁"}'.encode())
    assert result.stdout_bytes == '{"msg_type":"msg","target":"group","msg":"é\u2028🜁"}\n'.encode()


@pytest.mark.parametrize("direction", ["v2-to-v3", "v3-to-v2"])
def test_empty_lines_are_passed_over(direction: str) -> None:
    result = run("convert", direction, "--summary", say=b"\n\r\n\n")
    assert (result.exit_code, result.stdout, result.stderr) == (0, "", "3 lines: 3 empty\n")


def test_what_v2_has_no_word_for_is_null_and_counted() -> None:
    said = "\n".join(
        f'{{"msg_type":"{msg_type}","target":"{target}"}}'
        for msg_type, target in (("presence", "group"), ("heartbeat", "group"), ("msg", "echo"), ("msg", "group"))
    )
    result = run("convert", "v3-to-v2", "--summary", say=said)
    assert result.stdout == 'null\nnull\nnull\n{"type":"msg"}\n'
    assert (result.exit_code, result.stderr) == (0, "4 lines: 1 exact, 3 suppressed\n")


def test_outcomes_of_frames_are_counted() -> None:
    result = run("convert", "v2-to-v3", "--summary", say='{"type":"ping"}\n{"client_id":1}\ntext\n')
    assert result.stderr == "3 lines: 1 exact, 1 stashed, 1 suppressed\n"


def test_without_a_terminal_there_is_no_summary() -> None:
    assert run("convert", "v2-to-v3", say="text").stderr == ""


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("hello", "is no JSON"),
        ('{"msg_type":"msg"', "is no JSON"),
        ("7", "should be an object"),
        ('{"msg_type":"msg"}', "target Field required"),
        ('{"msg_type":"msg","target":"group","to_id":"x"}', "to_id is only for target direct"),
        ('{"msg_type":"msg","target":"direct"}', "to_id is required"),
        ('{"msg_type":"msg","target":"direct","to_id":"42"}', "to_id is no Vision ID"),
        ('{"msg_type":"msg","target":"direct","to_id":"v2-_zz"}', "to_id is no Vision ID"),
        ('{"msg_type":"msg","target":"direct","to_id":"v2-' + "1" * 5_000 + '"}', "to_id is no Vision ID"),
        ('{"msg_type":"msg","target":"group","payload":[]}', "payload"),
        ('{"msg_type":"msg","target":"group","payload":' + '{"a":' * 40 + "1" + "}" * 41, "nested deeper"),
        ('{"msg_type":"msg","target":"group","payload":' + '{"a":' * 400 + "1" + "}" * 401, "nested deeper"),
        ('{"msg_type":"msg","target":"group","payload":{"a":1e400}}', "is no JSON"),
        ('{"version":"2","msg_type":"msg","target":"group"}', "version"),
        ('{"msg_type":"msg","target":"group","extra":1}', "extra is no field"),
    ],
)
def test_a_line_that_is_no_message_is_null_and_named(line: str, reason: str) -> None:
    result = run("convert", "v3-to-v2", say=f'{{"msg_type":"msg","target":"group"}}\n{line}\n')
    assert (result.exit_code, result.stdout) == (1, '{"type":"msg"}\nnull\n')
    assert result.stderr.startswith("aether-bridge: line 2 ")
    assert reason in result.stderr
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize("direction", ["v2-to-v3", "v3-to-v2"])
def test_a_line_that_is_not_utf8_is_null_and_named(direction: str) -> None:
    result = run("convert", direction, say=b"\xff\xfe\n")
    assert (result.exit_code, result.stdout) == (1, "null\n")
    assert "line 1 is not UTF-8" in result.stderr


def test_a_recipient_of_any_length_comes_back() -> None:
    (content,) = convert("v2-to-v3", {"to": 10**300, "msg": "hi"})
    assert convert("v2-to-v3", *convert("v3-to-v2", content)) == [content]


def test_a_stash_may_be_a_level_deeper_than_a_clients_payload() -> None:
    deep: Any = 1
    for _ in range(31):
        deep = [deep]
    (content,) = convert("v2-to-v3", {"client_id": deep})
    assert convert("v2-to-v3", *convert("v3-to-v2", content)) == [content]


def test_a_dialect_is_spoken_in_both_directions(dialect: tuple[str | Path, ...]) -> None:
    frames = [{"reload": 7}, {"type": "msg", "caption": "hi"}]
    said = convert("v2-to-v3", *frames, options=dialect)
    assert said == [
        {"msg_type": "cmd", "target": "group", "cmd": "RELOAD_UI", "payload": {"value": 7}},
        {"msg_type": "msg", "target": "group", "msg": "hi"},
    ]
    assert convert("v3-to-v2", *said, options=dialect) == [
        {"type": "cmd", "reload": 7},
        {"type": "msg", "caption": "hi"},
    ]


def test_a_configuration_in_the_environment_alone_changes_nothing(dialect: tuple[str | Path, ...]) -> None:
    result = run("convert", "v2-to-v3", say='{"caption":"x"}', environment={"BRIDGE_CONFIG": str(dialect[1])})
    assert json.loads(result.stdout)["payload"] == {"caption": "x"}


def test_a_dialect_that_collides_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "bridge.toml"
    file.write_text('[tenants.acme]\ndialect.a = { field = "msg" }\ndialect.b = { field = "msg" }\n')
    said = sentence(run("convert", "v2-to-v3", "--config", file, "--tenant", "acme"))
    assert said.startswith("tenants.acme.dialect: dialect.b and dialect.a would both be said for msg")


def test_each_line_is_answered_before_the_next_is_said() -> None:
    with subprocess.Popen(
        [*PROGRAM, "convert", "v2-to-v3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=environment_of_process(),
    ) as pipe:
        assert pipe.stdin is not None
        assert pipe.stdout is not None
        for text in ("a", "b"):
            pipe.stdin.write(f'{{"msg":"{text}"}}\n'.encode())
            pipe.stdin.flush()
            assert json.loads(pipe.stdout.readline())["msg"] == text
        pipe.stdin.close()
        assert pipe.wait(SECONDS) == 0


def test_a_large_input_flows_through() -> None:
    said = b"".join(b'{"msg":"%d","n":%d}\n' % (number, number) for number in range(50_000))
    result = run_apart("convert", "v2-to-v3", say=said)
    lines = result.stdout.splitlines()
    assert (result.returncode, result.stderr, len(lines)) == (0, b"", 50_000)
    assert json.loads(lines[-1])["payload"] == {"n": 49_999}


def test_a_reader_that_goes_away_ends_it_quietly() -> None:
    with subprocess.Popen(
        [*PROGRAM, "convert", "v2-to-v3"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment_of_process(),
    ) as pipe:
        assert pipe.stdout is not None
        pipe.stdout.close()
        assert pipe.stdin is not None
        assert pipe.stderr is not None
        pipe.stdin.write(b"text\n")
        pipe.stdin.close()
        assert pipe.stderr.read() == b""
        assert pipe.wait(SECONDS) != 0
