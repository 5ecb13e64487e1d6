"""What the documentation says is so: tables, links and examples are compared with the code and the tree."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from bridge.config.settings import load
from legacy_v2.refusals import REFUSALS as V2_REFUSALS
from tests.documents import (
    BLOCK,
    BUDGET_BLOCK,
    CLIENTS,
    CUTOVER,
    DOCUMENTS,
    OPERATING,
    README,
    ROOT,
    budget_table,
    settings_table,
)
from v3.refusals import REFUSALS as V3_REFUSALS

MOST_LINES_OF_README = 120
FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
CODE = re.compile(r"`[^`]*`")
LINK = re.compile(r"\]\((?!https?:)([^)\s]+)\)")
HEADING = re.compile(r"^#+ (.+)$", re.MULTILINE)
NO_PART_OF_AN_ANCHOR = re.compile(r"[^\w\- ]")
TOML = re.compile(r"^```toml\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def prose(document: Path) -> str:
    """A document without its examples."""
    return FENCED.sub("", document.read_text())


def anchors(document: Path) -> set[str]:
    """The headings of a document as a Git host names them in addresses."""
    headings = HEADING.findall(prose(document))
    return {NO_PART_OF_AN_ANCHOR.sub("", heading.lower()).replace(" ", "-") for heading in headings}


def links() -> Iterator[tuple[str, str]]:
    """Every link within the tree: where it stands, and where it leads."""
    for document in DOCUMENTS:
        for target in LINK.findall(CODE.sub("", prose(document))):
            yield document.relative_to(ROOT).as_posix(), target


def tables() -> Iterator[tuple[str, str]]:
    """Every example of bridge.toml, and where it stands."""
    for document in (OPERATING, CUTOVER, CLIENTS):
        for text in TOML.findall(document.read_text()):
            yield document.name, text


def test_the_configuration_reference_is_what_the_settings_say() -> None:
    """`python -m tests.documents` writes it anew."""
    found = BLOCK.search(OPERATING.read_text())
    assert found is not None
    assert found.group() == settings_table()


def test_what_may_be_spent_is_what_the_settings_say() -> None:
    """`python -m tests.documents` writes it anew."""
    found = BUDGET_BLOCK.search(OPERATING.read_text())
    assert found is not None
    assert found.group() == budget_table()


def test_every_refusal_is_explained_with_its_close_code() -> None:
    rows = {line.split("|")[1].strip(): line for line in CLIENTS.read_text().splitlines() if line.startswith("| `")}
    for refusals in (V3_REFUSALS, V2_REFUSALS):
        for code, refusal in refusals.items():
            assert str(refusal.close or "–") in rows[f"`{code}`"].split("|")[2], code


@pytest.mark.parametrize(("document", "target"), sorted(set(links())))
def test_every_link_leads_to_a_file_and_a_heading_that_are_there(document: str, target: str) -> None:
    path, _, anchor = target.partition("#")
    file = ((ROOT / document).parent / path).resolve() if path else ROOT / document
    assert file.is_relative_to(ROOT)
    assert file.exists()
    assert not anchor or anchor in anchors(file)


@pytest.mark.parametrize(("document", "text"), list(tables()))
def test_every_example_of_the_configuration_is_accepted(
    document: str, text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BRIDGE_JWT_SECRET", raising=False)
    file = tmp_path / f"{document}.toml"
    file.write_text(text)
    load(file)


def test_the_readme_is_short() -> None:
    assert len(README.read_text().splitlines()) <= MOST_LINES_OF_README


def test_what_the_house_is_said_to_hold_is_there() -> None:
    for folder in ("bridge", "compat", "legacy_v2", "v3", "tests", "deploy"):
        assert (ROOT / folder).is_dir()
