"""README.md says what is: its reference is compared with the code."""

import re
from pathlib import Path

from legacy_v2.refusals import REFUSALS as V2_REFUSALS
from tests.readme import BLOCK, BUDGET_BLOCK, README, budget_table, settings_table
from v3.refusals import REFUSALS as V3_REFUSALS

ROOT = Path(__file__).parent.parent


def test_the_configuration_reference_is_what_the_settings_say() -> None:
    """`python -m tests.readme` writes it anew."""
    found = BLOCK.search(README.read_text())
    assert found is not None
    assert found.group() == settings_table()


def test_what_may_be_spent_is_what_the_settings_say() -> None:
    found = BUDGET_BLOCK.search(README.read_text())
    assert found is not None
    assert found.group() == budget_table()


def test_every_refusal_is_explained_with_its_close_code() -> None:
    rows = {line.split("|")[1].strip(): line for line in README.read_text().splitlines() if line.startswith("| `")}
    for refusals in (V3_REFUSALS, V2_REFUSALS):
        for code, refusal in refusals.items():
            assert str(refusal.close or "–") in rows[f"`{code}`"].split("|")[2], code


def test_what_the_house_is_said_to_hold_is_there() -> None:
    for folder in ("bridge", "compat", "legacy_v2", "v3", "tests", "deploy"):
        assert (ROOT / folder).is_dir()


def test_what_goes_with_v2_is_named() -> None:
    """The deletion test: the list is whole, and nothing on it is there in vain."""
    text = README.read_text().partition("**When V2 is gone**")[2].partition("[CONTRIBUTING.md]")[0]
    named = set(re.findall(r"`([\w/]+(?:\.py|/))`", text))
    importers = [
        path.relative_to(ROOT / "bridge")
        for path in (ROOT / "bridge").rglob("*.py")
        if re.search(r"^\s*from (?:compat|legacy_v2)\b", path.read_text(), re.MULTILINE)
    ]
    found = {"migration/" if path.parts[0] == "migration" else path.as_posix() for path in importers}
    assert named == {path.removeprefix("commands/") for path in found}
