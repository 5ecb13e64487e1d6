"""deploy/aether-bridge.service, as systemd's own tools judge it."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.machine import systemd_analyze_program
from tests.servers import PROJECT

SERVICE = PROJECT / "deploy" / "aether-bridge.service"
STATED_EXPOSURE = re.compile(r"an exposure of (\d+\.\d)")


@pytest.fixture
def systemd_analyze() -> str:
    return systemd_analyze_program()


def test_it_is_no_more_exposed_than_it_states(systemd_analyze: str) -> None:
    stated = STATED_EXPOSURE.search(SERVICE.read_text())
    assert stated is not None
    judging = [systemd_analyze, "security", "--offline=true", "--no-pager", str(SERVICE)]
    verdict = subprocess.run(judging, capture_output=True, text=True, check=True, timeout=30).stdout.splitlines()[-1]
    found = re.search(r"(\d+\.\d) OK", verdict)
    assert found is not None, verdict
    assert float(found.group(1)) <= float(stated.group(1))


def test_a_reload_reads_the_file_of_the_operator_anew(tmp_path: Path) -> None:
    """The copy is made by the line of the unit, run with other folders."""
    lines = [line.partition("=+")[2] for line in SERVICE.read_text().splitlines() if "=+/bin/sh" in line]
    assert len(lines) == 2
    assert lines[0] == lines[1]
    theirs, ours = tmp_path / "etc", tmp_path / "run"
    (ours / "aether-bridge").mkdir(parents=True)
    theirs.mkdir()
    command = lines[0].replace("%t", str(ours)).replace("/etc/aether-bridge", str(theirs))
    for text in ("burst = 1\n", "burst = 2\n"):
        (theirs / "bridge.toml").write_text(text)
        subprocess.run(shlex.split(command), check=True, timeout=30)
        copy = ours / "aether-bridge" / "bridge.toml"
        assert (copy.read_text(), copy.stat().st_mode & 0o777) == (text, 0o600)
    assert "ExecReload=/bin/kill -HUP $MAINPID" in SERVICE.read_text()


def test_systemd_understands_every_line(systemd_analyze: str, tmp_path: Path) -> None:
    """A word that it does not know it warns of, and passes over: a line of the hardening would be missing."""
    unit = tmp_path / SERVICE.name
    unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", SERVICE.read_text(), flags=re.MULTILINE))
    verified = subprocess.run(
        [systemd_analyze, "verify", unit], capture_output=True, text=True, check=False, timeout=30
    )
    assert (verified.returncode, verified.stderr) == (0, "")
