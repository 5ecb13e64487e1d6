"""What `/openapi.json` says of each operation is so: Schemathesis tries them all, with keys and without them.

`schemathesis.toml` says with which, and what is left out. It is a process of its own: it wants no pytest.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import httpx
import pytest
from hypothesis import settings

from tests.conftest import IS_FUZZING, StartBridge
from tests.end_to_end.configuration import QUIET, SECRET, UNHURRIED, key

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(1_200)]

TENANTS = "".join(f"[tenants.{name}]\n" for name in ("acme", "beta", "gamma", "delta"))
"""Several: each takes only so many orders a second."""
CONFIG = (
    QUIET
    + UNHURRIED
    + TENANTS
    + key("acme", "acme")
    + key("boss", "*", broadcast="platform").replace("broadcast", 'role = "admin"\nbroadcast')
    + "[jwt]\n"
)
SUITE = Path(sys.executable).with_name("schemathesis")
SETTINGS = Path(__file__).with_name("schemathesis.toml")
EXAMPLES = settings().max_examples // 10
"""For each operation. Beside these it has examples of its own for each rule of each field: some thousand in all."""
SEED: Sequence[str] = () if IS_FUZZING else ("--seed=1",)


def test_every_operation_answers_as_its_document_says(bridge: StartBridge, tmp_path: Path) -> None:
    server = bridge(config=CONFIG, environment={"BRIDGE_JWT_SECRET": SECRET})
    place = f"{server.url}/openapi.json"
    chosen = [*SEED, f"--max-examples={EXAMPLES}"]
    done = subprocess.run(
        [SUITE, f"--config-file={SETTINGS}", "run", place, *chosen],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        timeout=1_100,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    operations = sum(len(methods) for methods in httpx.get(place).json()["paths"].values())
    assert f"Tested: {operations - 1}\n" in done.stdout  # one is a stream without an end
