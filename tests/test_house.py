"""What CONTRIBUTING.md promises of the structure, measured from the code itself."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGES = ("bridge", "compat", "legacy_v2", "v3")
MODULES = sorted(path for package in PACKAGES for path in (ROOT / package).rglob("*.py"))
LONGEST_FUNCTION_LINES = 40
MOST_LONG_FUNCTIONS = 34
A_LONG_FUNCTION_LINES = 20
LONGEST_FILE_LINES = 300
MOST_FIELDS = 15
MOST_FIELDS_OF_PROCESS = 9
MOST_ANY = 180


def name_of(path: Path) -> str:
    return path.relative_to(ROOT).as_posix()


def functions() -> Iterator[tuple[str, int]]:
    """Every function by its file and name, and how many lines it has."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
                yield f"{name_of(path)}:{node.name}", node.end_lineno - node.lineno + 1


def classes() -> Iterator[tuple[str, ast.ClassDef]]:
    """Every class by its file and name."""
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.ClassDef):
                yield f"{name_of(path)}:{node.name}", node


def fields(cls: ast.ClassDef) -> set[str]:
    """What an instance holds: what is declared in the class, and what its methods assign to `self`."""
    declared = {
        node.target.id for node in cls.body if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name)
    }
    assigned = {
        node.attr
        for node in ast.walk(cls)
        if isinstance(node, ast.Attribute)
        and isinstance(node.ctx, ast.Store)
        and isinstance(node.value, ast.Name)
        and node.value.id == "self"
    }
    return declared | assigned


def test_no_module_lies_in_the_hall_of_bridge() -> None:
    assert [path.name for path in (ROOT / "bridge").glob("*.py")] == ["__init__.py"]


def test_every_room_says_what_it_is() -> None:
    rooms = [path for path in MODULES if path.name == "__init__.py"]
    assert [name_of(room) for room in rooms if not ast.get_docstring(ast.parse(room.read_text()))] == []


@pytest.mark.parametrize("path", [path for path in MODULES if path.name != "__init__.py"], ids=name_of)
def test_every_module_has_the_test_of_its_name(path: Path) -> None:
    relative = path.relative_to(ROOT)
    assert (ROOT / "tests" / relative.parent / f"test_{relative.name}").is_file()


def test_functions_are_short() -> None:
    lines = dict(functions())
    assert {name: length for name, length in lines.items() if length > LONGEST_FUNCTION_LINES} == {}
    assert sum(length > A_LONG_FUNCTION_LINES for length in lines.values()) <= MOST_LONG_FUNCTIONS


def test_files_are_short() -> None:
    lengths = {name_of(path): len(path.read_text().splitlines()) for path in MODULES}
    assert {name: length for name, length in lengths.items() if length > LONGEST_FILE_LINES} == {}


def test_classes_hold_few_things() -> None:
    held = {name: fields(cls) for name, cls in classes()}
    assert {name: len(names) for name, names in held.items() if len(names) > MOST_FIELDS} == {}
    assert len(held["bridge/runtime/process.py:Process"]) <= MOST_FIELDS_OF_PROCESS


def test_any_stands_only_where_a_library_gives_nothing_else() -> None:
    """Where something unknown is only handed on or looked at, it is an `object`."""
    found = sum(
        isinstance(node, ast.Name) and node.id == "Any"
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
    )
    assert found <= MOST_ANY
