"""Text as TOML."""

import tomllib

from hypothesis import given
from hypothesis import strategies as st

from bridge.cli.toml import toml_array, toml_key, toml_text

texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)


@given(texts, texts, st.lists(texts, max_size=3))
def test_what_is_written_is_read_back(key: str, text: str, array: list[str]) -> None:
    line = f"{toml_key(key)} = {{ text = {toml_text(text)}, array = {toml_array(tuple(array))} }}"
    assert tomllib.loads(line) == {key: {"text": text, "array": array}}


@given(st.text())
def test_a_terminal_has_nothing_to_obey(text: str) -> None:
    assert toml_key(text).isprintable()


def test_a_lone_surrogate_is_replaced() -> None:
    assert tomllib.loads(f"x = {toml_text(chr(0xD800))}") == {"x": "\ufffd"}


def test_a_bare_key_needs_no_quotes() -> None:
    assert toml_key("reload_UI-2") == "reload_UI-2"
