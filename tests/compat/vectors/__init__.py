"""Worked examples as data: what a frame of one language is in the other. The translator must agree with every line."""

import json
from pathlib import Path
from typing import Any, Final

import pytest

FOLDER: Final = Path(__file__).parent


def vectors(name: str) -> list[Any]:
    """The cases of one file as parameters: (V2, V3)."""
    cases = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(case["v2"], case["v3"], id=case["case"]) for case in cases]
