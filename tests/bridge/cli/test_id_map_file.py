"""An id map from CSV."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bridge.cli.id_map_file import Problem, read_id_map
from compat.identity import check_id_map

ids = st.one_of(st.sampled_from(["42", "43", "a b", "Q", "v2-42", "v2-7", "", "x" * 129]), st.text(max_size=5))
names = st.sampled_from(["Xk3", "Q", "R", "v2-42", "42", "server", "", "a b", "y" * 65])


def written(rows: list[tuple[str, str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows(rows)
    return text.getvalue()


def lines(text: str) -> list[int]:
    """The lines that have problems."""
    return [problem.line for problem in read_id_map(text)[1]]


def test_a_line_is_a_mapping() -> None:
    assert read_id_map("42,Xk3\r\n43,Yk3\n") == ({"42": "Xk3", "43": "Yk3"}, [])


@pytest.mark.parametrize("header", ["v2_id,vision_id", "V2_ID, Vision_ID", '\n"v2_id","vision_id"'])
def test_a_header_is_no_mapping(header: str) -> None:
    assert read_id_map(f"{header}\n42,Xk3\n") == ({"42": "Xk3"}, [])


def test_a_header_is_one_only_at_the_top() -> None:
    assert lines("42,Xk3\nv2_id,vision_id\nv2_id,vision_id\n") == [3]


def test_quotes_are_those_of_rfc_4180() -> None:
    assert read_id_map('"a,""b""\nc",Xk3\n') == ({'a,"b"\nc': "Xk3"}, [])


def test_empty_lines_are_passed_over_and_counted() -> None:
    assert lines("\n\n42,Xk3\n\n42,Yk3\n") == [5]


def test_a_problem_stands_on_the_line_on_which_its_row_begins() -> None:
    assert lines('"a\nb",Xk3\n"c\nd",77\n') == [3]


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("42\n", Problem(1, "has 1 columns; write `v2_id,vision_id`")),
        ("42,Xk3,x\n", Problem(1, "has 3 columns; write `v2_id,vision_id`")),
        ("42,Xk3\n42,Xk3\n", Problem(2, "the V2 id '42' stands already on line 1")),
        ("42,Xk3\n43,Xk3\n", Problem(2, "'Xk3' is given to both '42' and '43': one name, one person (see line 1)")),
        ("47,Q\nQ,Z\n", Problem(1, "'Q' (for '47') is also the name that 'Q' had: choose another (see line 2)")),
        ('42,"Xk3\n', Problem(1, "cannot be read as CSV: unexpected end of data")),
        ('42,"Xk3"x\n', Problem(1, "cannot be read as CSV: ',' expected after '\"'")),
    ],
)
def test_a_problem_says_what_it_is_and_where(text: str, problem: Problem) -> None:
    assert read_id_map(text)[1] == [problem]


def test_all_problems_are_named_in_the_order_of_lines() -> None:
    assert lines("1,77\n2\n3,Xk3\n4,Xk3\n1,Y\n") == [1, 2, 4, 5]


@settings(max_examples=5 * settings().max_examples)
@given(st.lists(st.tuples(ids, names), max_size=6))
def test_a_file_without_problems_is_what_the_translator_accepts(rows: list[tuple[str, str]]) -> None:
    id_map, problems = read_id_map("v2_id,vision_id\n" + written(rows))
    is_doubled = len({v2_id for v2_id, _ in rows}) < len(rows)
    try:
        check_id_map(dict(rows))
    except ValueError:
        assert problems
    else:
        assert bool(problems) == is_doubled
    if not problems:
        assert id_map == dict(rows)
