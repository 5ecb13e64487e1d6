"""README.md says which files go with V2."""

import re

from tests.documents import README, ROOT


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
