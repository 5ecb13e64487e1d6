"""SECURITY.md claims nothing that no test shows: each that it names is there."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TEXT = (ROOT / "SECURITY.md").read_text()
NODE = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
CLAIM = re.compile(r"^\| (?!\|)(?!shown by)(.+?) \| (.*) \|$", re.MULTILINE)
PARTIES = (
    "A client without a key",
    "A client with a key",
    "A tenant, and the administrator of one",
    "A web page",
    "A neighbour in Redis",
    "The server of the keys (JWKS)",
)


def names_in(path: Path) -> set[str]:
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {each.name for each in ast.walk(ast.parse(path.read_text())) if isinstance(each, kinds)}


@pytest.mark.parametrize("file", sorted({file for file, _ in NODE.findall(TEXT)}))
def test_every_test_that_is_named_exists(file: str) -> None:
    named = {name for each, name in NODE.findall(TEXT) if each == file}
    assert named <= names_in(ROOT / file), sorted(named - names_in(ROOT / file))


def test_every_claim_names_a_test() -> None:
    claims = CLAIM.findall(TEXT)
    assert len(claims) > 20
    assert [claim for claim, shown in claims if not NODE.search(shown)] == []


def test_every_party_has_its_part_and_everyone_is_told_where_to_report() -> None:
    assert [party for party in PARTIES if f"### {party}\n" not in TEXT] == []
    assert "Report a vulnerability" in TEXT
