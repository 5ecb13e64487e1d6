import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from compat.identity import PLAIN_NAMES, Names, check_id_map, decode, encode, is_name
from v3.messages import is_vision_id
from v3.schema import NAME, VISION_ID

v2_ids = st.one_of(
    st.text(min_size=1, max_size=128),
    st.text("v2-_0123456789abcdefABCDEF", min_size=1, max_size=12).map(lambda text: f"v2-{text}"[:128]),
    st.text("_0123456789abcdef-", min_size=1, max_size=8),
    st.integers().map(str),
    st.text("0123456789", min_size=1, max_size=128),
    st.sampled_from(("server", "v2-", "v2-42", "-", "_", "lobby", "0", "00", "-0", "é" * 128, "🜁" * 128)),
)
names = st.one_of(
    v2_ids.map(encode),
    v2_ids,
    st.from_regex(r"v2-([A-Za-z0-9-]|_[0-9a-fA-F]{2}){0,9}", fullmatch=True),
)


@pytest.mark.parametrize(
    ("v2_id", "name"),
    [
        *(("dev_1", "dev_1"), ("42", "v2-42"), ("a b", "v2-a_20b"), ("server", "v2-server"), ("-5", "-5")),
        *(("v2-42", "v2-v2-42"), ("v2-", "v2-v2-"), ("a:b", "v2-a_3ab"), ("{x}*", "v2-_7bx_7d_2a"), ("_", "_")),
        *(("é", "v2-_c3_a9"), ("\x00", "v2-_00"), ("a/b", "v2-a_2fb"), ("a_b c", "v2-a_5fb_20c")),
        *(("x" * 64, "x" * 64), ("x" * 65, "v2-" + "x" * 65), ("٣", "v2-_d9_a3")),
    ],
)
def test_a_v2_id_has_this_name(v2_id: str, name: str) -> None:
    assert encode(v2_id) == name
    assert str(decode(name)) == v2_id


@given(v2_ids)
def test_the_name_of_every_v2_id_leads_back_to_it(v2_id: str) -> None:
    """And so no two V2 ids have one name."""
    assert str(decode(encode(v2_id))) == v2_id


@given(v2_ids)
def test_the_name_of_every_v2_id_is_a_name(v2_id: str) -> None:
    assert is_name(encode(v2_id))
    assert encode(v2_id).isascii()


@given(v2_ids)
def test_a_vision_id_stays_as_it_is_and_any_other_begins_with_v2(v2_id: str) -> None:
    is_kept = is_vision_id(v2_id) and not v2_id.startswith("v2-")
    assert encode(v2_id) == v2_id if is_kept else encode(v2_id).startswith("v2-")


@given(names | st.from_regex(NAME))
@example("v2-a_5fb")
@example("v2-a_d8_29b")
@example("v2-" + "_5f" * 64)
@example("v2-" + "_5f" * 65)
@example("v2-" + "a" * 129)
def test_the_schema_takes_whatever_is_a_name_and_nothing_else(name: str) -> None:
    assert bool(re.search(NAME, name)) == is_name(name)
    assert bool(re.search(VISION_ID, name)) == (is_name(name) and not name.startswith("v2-"))


@given(names)
def test_a_name_is_that_of_the_v2_id_behind_it(name: str) -> None:
    if is_name(name):
        assert encode(str(decode(name))) == name
    elif not name.startswith("v2-"):
        assert not is_vision_id(name)


@pytest.mark.parametrize("v2_id", [42, 0, 10**30, 10**127])
def test_a_canonical_decimal_is_an_integer_to_v2(v2_id: int) -> None:
    decoded = decode(encode(str(v2_id)))
    assert decoded == v2_id
    assert isinstance(decoded, int)


@pytest.mark.parametrize("v2_id", ["007", "00", "-0", "+1", "1.0", "1e5", " 1", "٣"])
def test_another_number_is_text_to_v2(v2_id: str) -> None:
    assert decode(encode(v2_id)) == v2_id


def test_a_decimal_too_long_for_an_integer_is_text() -> None:
    assert decode("v2-" + "9" * 4300) == 10**4300 - 1
    assert decode("v2-" + "9" * 4301) == "9" * 4301


@pytest.mark.parametrize(
    "name",
    [
        *("", "42", "server", "*", "a:b", "{x}", "é", "x" * 65, "a b", "a\n", "v2-"),
        *("v2-_zz", "v2-_5F", "v2-_61", "v2-dev", "v2-_", "v2-_c3", "v2-_ff", "v2-42\n", "v2-é", "v2-a b", "v2-a_b"),
        *("v2-" + "9" * 129, "v2-" + "_c3_a9" * 129),
    ],
)
def test_what_no_client_may_be_called_is_no_name(name: str) -> None:
    assert not is_name(name)
    assert PLAIN_NAMES.resolve(name) is None


@pytest.mark.parametrize("name", ["v2-_zz", "v2-_c3", "server", "42", "dev_1"])
def test_what_has_no_v2_id_behind_it_is_called_as_it_is(name: str) -> None:
    assert decode(name) == name
    assert PLAIN_NAMES.v2_id_of(name) == name


MAPPED = Names({"42": "Xk3dQ", "dev_1": "Ab9", "a b": "Zz-1", "007": "Bond", "v2-42": "Ghost", "same": "same"})


@pytest.mark.parametrize(
    ("v2_id", "name"),
    [(42, "Xk3dQ"), ("42", "Xk3dQ"), ("dev_1", "Ab9"), ("a b", "Zz-1"), ("007", "Bond"), ("v2-42", "Ghost")],
    ids=repr,
)
def test_the_map_replaces_a_name_in_both_directions(v2_id: str | int, name: str) -> None:
    assert MAPPED.name_of(v2_id) == name
    assert str(MAPPED.v2_id_of(name)) == str(v2_id)


@pytest.mark.parametrize(
    ("alias", "name"),
    [("v2-42", "Xk3dQ"), ("dev_1", "Ab9"), ("v2-a_20b", "Zz-1"), ("v2-v2-42", "Ghost"), ("Xk3dQ", "Xk3dQ")],
)
def test_the_name_that_was_replaced_is_an_alias(alias: str, name: str) -> None:
    assert MAPPED.resolve(alias) == name


def test_whoever_takes_the_mapped_name_on_v2_is_the_same_person() -> None:
    assert MAPPED.name_of("Xk3dQ") == MAPPED.name_of(42)


def test_an_id_beside_the_map_keeps_its_name() -> None:
    assert MAPPED.name_of(43) == "v2-43"
    assert MAPPED.v2_id_of("v2-43") == 43
    assert MAPPED.v2_id_of("v2-7") == 7


def test_an_integer_is_mapped_by_its_digits_alone() -> None:
    assert MAPPED.name_of(7) == "v2-7"
    assert MAPPED.v2_id_of("Bond") == "007"


id_maps = st.dictionaries(
    v2_ids,
    st.text("ABCDEFGHabcdefgh0123_-", min_size=1, max_size=4).filter(is_vision_id),
    max_size=5,
)


@given(id_maps, v2_ids, names)
def test_a_map_is_one_to_one_in_both_directions(id_map: dict[str, str], v2_id: str, name: str) -> None:
    try:
        tenant = Names(id_map)
    except ValueError:
        return
    for one in (v2_id, *id_map):
        assert is_name(tenant.name_of(one))
        if one not in id_map.values():
            assert str(tenant.v2_id_of(tenant.name_of(one))) == one
    for known in (name, *map(encode, id_map), *id_map.values()):
        resolved = tenant.resolve(known)
        if resolved is not None:
            assert tenant.resolve(resolved) == resolved
            assert tenant.name_of(tenant.v2_id_of(resolved)) == resolved


@pytest.mark.parametrize(
    ("id_map", "sentence"),
    [
        pytest.param({"1": "Ab", "2": "Ab"}, "'Ab' is given to both '1' and '2'", id="a doubled value"),
        pytest.param({"1": "Ab", "Ab": "Cd"}, "is also the name that 'Ab' had", id="a value that another loses"),
        pytest.param({"Ab": "Cd", "1": "Ab"}, "is also the name that 'Ab' had", id="the other way round"),
        pytest.param({"1": "42"}, "no Vision ID", id="a decimal"),
        pytest.param({"1": "server"}, "no Vision ID", id="the server"),
        pytest.param({"1": "v2-1"}, "no Vision ID", id="a name of V2"),
        pytest.param({"1": ""}, "no Vision ID", id="nothing"),
        pytest.param({"1": "a b"}, "no Vision ID", id="a blank"),
        pytest.param({"1": "x" * 65}, "no Vision ID", id="too long a value"),
        pytest.param({"": "Ab"}, "1 to 128 characters", id="an empty id"),
        pytest.param({"x" * 129: "Ab"}, "1 to 128 characters", id="too long an id"),
    ],
)
def test_a_map_that_is_not_one_to_one_is_refused_by_a_sentence(id_map: dict[str, str], sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_id_map(id_map)
    with pytest.raises(ValueError, match=sentence):
        Names(id_map)


@pytest.mark.parametrize("name", ["v2-" + "9" * 60_000, "v2-" + "_20" * 20_000, "v2-é", "a" * 60_000])
def test_a_name_that_is_longer_than_any_is_not_even_looked_at(name: str) -> None:
    assert decode(name) == name
    assert not is_name(name)


def test_only_a_name_of_the_id_map_has_an_id_there() -> None:
    names = Names({"42": "Xk3dQ"})
    assert (names.mapped_id_of("Xk3dQ"), names.mapped_id_of("v2-42"), names.mapped_id_of("ann")) == (42, None, None)


@pytest.mark.parametrize(("name", "is_so"), [("v2-42", True), ("dev_1", True), ("Ab9", False), ("ann", False)])
def test_a_computed_name_is_from_v2(name: str, is_so: bool) -> None:  # noqa: FBT001
    assert Names({"dev_1": "Ab9"}).is_from_v2(name) == is_so


def test_a_name_is_decoded_alike_however_many_come_between() -> None:
    names = [encode(f"{number} x") for number in range(3_000)]
    assert [decode(name) for name in names] == [decode(name) for name in names] == [f"{n} x" for n in range(3_000)]
