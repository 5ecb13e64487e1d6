"""Autobahn's TestSuite: what its fuzzing client says is answered as RFC 6455 has it, on both doors.

Its own runner needs Python 2.7. This one, `kosoku`, runs the same case files and has judged as the other did: a bridge,
and six more that had a defect each. It is a process of its own, for its cases want Python changed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.end_to_end.clients import v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.hostile.conftest import StartAttacked

CONFIG = QUIET + UNHURRIED + 'v2_anonymous_tenant = "acme"\n[tenants.acme]\n'
SUITE = Path(sys.executable).with_name("kosoku")
ECHO = "/ws/"
"""V2 hears its own text, byte for byte. The cases come one after the other: nobody else is there to be heard."""

LEFT_OUT = {
    "1.2.*": "binary messages: V2 says them back as text, and refuses with 1003 what is no UTF-8",
    "9.*": "how long messages take, of up to 16 MB: more than any bridge takes",
    "12.*": "permessage-deflate: no bridge offers it",
    "13.*": "permessage-deflate: no bridge offers it",
}
WANT_AN_ECHO = {
    "1": "*",
    "3": "2 3 4",
    "4.1": "3 4 5",
    "4.2": "3 4 5",
    "5": "3 4 5 6 7 8 15 19 20",
    "6": "1.* 2.* 4.* 5.* 6.* 7.* 9.* 11.* 22.* 23.*",
    "7": "1.1",
    "10": "*",
}
"""Cases whose text V3 does not say back, for it is no message. That their frames are read well, V2 shows."""

GOOD, WELL_CLOSED = {"OK", "NON-STRICT", "INFORMATIONAL"}, {"OK", "INFORMATIONAL"}
TRIES = 3
"""A case waits a second for its answer: what fails on a busy machine is tried again."""


def judged(url: str, reports: Path, only: Iterable[str], without: Iterable[str]) -> dict[str, str]:
    """Each case that was run, and what was wrong; nothing where all was well."""
    chosen = [*(f"--include={case}" for case in only), *(f"--exclude={case}" for case in without)]
    done = subprocess.run(
        [SUITE, *chosen, "--outdir", reports, url], capture_output=True, text=True, check=False, timeout=110
    )
    index = reports / "index.json"
    assert index.is_file(), done.stdout + done.stderr
    (cases,) = json.loads(index.read_text()).values()
    return {name: verdict(case) for name, case in cases.items()}


def verdict(case: dict[str, str]) -> str:
    is_well = case["behavior"] in GOOD and case["behaviorClose"] in WELL_CLOSED
    return "" if is_well else f"{case['behavior']}, close: {case['behaviorClose']}"


def failed(
    url: str, reports: Path, only: Iterable[str] = (), without: Iterable[str] = LEFT_OUT
) -> tuple[int, dict[str, str]]:
    """How many cases were run, and those that failed each time."""
    cases = judged(url, reports / "1", only, without)
    wrong = {name: what for name, what in cases.items() if what}
    for number in range(2, TRIES + 1):
        if wrong:
            wrong = {name: what for name, what in judged(url, reports / str(number), wrong, ()).items() if what}
    return len(cases), wrong


def test_v2_passes_every_case_of_text_frames_and_closing(attacked: StartAttacked, tmp_path: Path) -> None:
    assert failed(attacked(config=CONFIG).websocket_url + ECHO, tmp_path) == (239, {})


def test_v3_passes_every_case_that_wants_no_echo(attacked: StartAttacked, tmp_path: Path) -> None:
    url = attacked(config=CONFIG).websocket_url + v3_path("team", "ann")
    silent = [f"{group}.{case}" for group, cases in WANT_AN_ECHO.items() for case in cases.split()]
    assert failed(url, tmp_path, without=[*LEFT_OUT, *silent]) == (130, {})


@pytest.mark.parametrize(("defence", "case"), [("closes between fragments", "7.1.5"), ("reserved bits", "3.1")])
def test_a_bridge_with_a_defect_fails(attacked: StartAttacked, tmp_path: Path, defence: str, case: str) -> None:
    url = attacked(config=CONFIG, without=defence).websocket_url + ECHO
    run, wrong = failed(url, tmp_path, [case, "7.1.1"])
    assert (run, set(wrong)) == (2, {case})
