"""`aether-bridge audit`."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from bridge.audit.key_usage import LONGEST_KEY, MOST_KEYS
from bridge.cli.audit import MOST_ROWS
from bridge.config.settings import load
from tests.bridge.cli.running import run, run_apart, sentence

RECORDING = b"""{"reload": true}
{"reload": true}
{"caption": "a secret caption", "page": 7}
{"msg": "a secret text", "page": 1.5, "client_id": 3}
[1, 2]

plain secret text
{"type": "ping"}\r
\xff
"""

UNNAMED = "names longer than 128 characters are not kept, nor what comes after the first 1,000 keys"


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    file = tmp_path / "recorded.jsonl"
    file.write_bytes(RECORDING)
    return file


def test_a_program_reads_it_as_json(recording: Path) -> None:
    facts = json.loads(run("audit", recording, "--json").stdout)
    assert (facts["frames"], facts["not_utf8"], facts["other_members"]) == (7, 1, 0)
    assert facts["shapes"] == {"object": 5, "value": 1, "text": 1}
    assert facts["outcomes"] == {"exact": 5, "stashed": 1, "suppressed": 1}
    assert facts["stashed_words"] == {"client_id": 1}
    assert facts["keys"] == {
        "reload": {"frames": 2, "types": {"boolean": 2}, "stashed": 0, "rule": {"cmd": "RELOAD"}, "mended": 0},
        "page": {"frames": 2, "types": {"integer": 1, "number": 1}, "stashed": 0, "rule": None, "mended": 0},
        "caption": {
            "frames": 1,
            "types": {"string": 1},
            "stashed": 0,
            "rule": {"field": "msg", "speak": False},
            "mended": 0,
        },
    }


def test_a_person_reads_it_as_a_table(recording: Path) -> None:
    shown = run("audit", recording).stdout
    assert "7 frames: 5 objects, 1 other JSON values, 1 plain texts" in shown
    assert "1 lines are not UTF-8" in shown
    assert re.search(r"^reload +2 +boolean +perhaps the command RELOAD$", shown, re.MULTILINE)
    assert re.search(r"^caption +1 +string +perhaps another spelling of msg$", shown, re.MULTILINE)
    assert re.search(r"^page +2 +integer 1, number 1 +data: needs no rule", shown, re.MULTILINE)
    assert "Standard words that had to be stashed: client_id 1" in shown


@pytest.mark.parametrize("options", [(), ("--json",)])
def test_no_value_is_shown(recording: Path, options: tuple[str, ...]) -> None:
    assert "secret" not in run("audit", recording, *options).output


def test_the_proposed_rules_can_be_pasted_and_are_then_known(recording: Path, tmp_path: Path) -> None:
    shown = run("audit", recording).stdout
    config = tmp_path / "bridge.toml"
    config.write_text(shown[shown.index("# Proposed") :])
    assert load(config).tenants["NAME"].dialect.keys() == {"reload", "caption"}
    again = json.loads(run("audit", recording, "--config", config, "--tenant", "NAME", "--json").stdout)
    assert (list(again["keys"]), again["toml"]) == (["page"], "")


def test_what_a_rule_keeps_out_of_the_stash_is_said_and_is_true(tmp_path: Path) -> None:
    file, config = tmp_path / "recorded.jsonl", tmp_path / "bridge.toml"
    file.write_text('{"msg": "m", "colour": 1, "payload": {"colour": 2}}\n' * 5)
    shown = run("audit", file).stdout
    assert "perhaps the command COLOUR: by itself it makes 5 stashed frames exact" in shown
    config.write_text(shown[shown.index("# Proposed") :])
    facts = json.loads(run("audit", file, "--json").stdout)
    again = json.loads(run("audit", file, "--config", config, "--tenant", "NAME", "--json").stdout)
    assert (facts["outcomes"]["stashed"], facts["keys"]["colour"]["mended"]) == (5, 5)
    assert again["outcomes"] == {"exact": 5, "stashed": 0, "suppressed": 0}


def test_what_no_rule_keeps_out_of_the_stash_is_not_said_to_cross_under_its_name(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text('{"cmd": "PAINT", "colour": 1, "payload": {"colour": 2}}\n{"msg": "m", "colour": 1}\n')
    shown = run("audit", file).stdout
    assert "data: stashed 1 time, since its place in the payload was taken, and no rule by itself can help" in shown
    assert "crosses in the payload" not in shown


def test_names_that_a_terminal_would_obey_are_escaped(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text(json.dumps({"\x1b[2J\u202e": True}))
    shown = run("audit", file).stdout
    assert "\x1b" not in shown
    assert "\u202e" not in shown
    assert "\x1b[2J\u202e" in tomllib.loads(shown[shown.index("# Proposed") :])["tenants"]["NAME"]["dialect"]


def test_more_keys_than_a_person_reads_are_counted(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text("".join(f'{{"k{number}": 1, "m{number}": 1}}\n' for number in range(MOST_KEYS)))
    shown = run("audit", file).stdout
    assert len(re.findall(r"^[km]\d+ ", shown, re.MULTILINE)) == MOST_ROWS
    assert f"and {MOST_KEYS - MOST_ROWS} keys more" in shown
    assert f"1,000 members counted without a name: {UNNAMED}" in shown
    assert len(json.loads(run("audit", file, "--json").stdout)["keys"]) == MOST_KEYS


@pytest.mark.parametrize("more", ["", '"page": 1, '])
def test_a_name_that_is_too_long_to_be_kept_is_counted_all_the_same(tmp_path: Path, more: str) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text(f'{{{more}"{"x" * (LONGEST_KEY + 1)}": 1}}\n')
    shown = run("audit", file).stdout
    assert f"1 member counted without a name: {UNNAMED}" in shown
    assert "No proprietary keys" not in shown


def test_traffic_in_standard_words_needs_no_dialect(tmp_path: Path) -> None:
    file = tmp_path / "recorded.jsonl"
    file.write_text('{"msg": "hi"}\n')
    shown = run("audit", file).stdout
    assert "No proprietary keys" in shown
    assert "[tenants" not in shown


def test_standard_input_is_a_recording_too(recording: Path) -> None:
    assert run_apart("audit", "-", say=RECORDING).stdout.decode() == run("audit", recording).stdout


def test_a_missing_recording_is_one_sentence(tmp_path: Path) -> None:
    assert "No such file" in sentence(run("audit", tmp_path / "missing"))
