"""The table of a tenant's dialect."""

import pytest
from pydantic import TypeAdapter, ValidationError

from bridge.config.v2 import DialectRules, dialect_of
from compat.dialect import Rule

RULES: TypeAdapter[dict[str, Rule]] = TypeAdapter(DialectRules)


def test_rules_make_a_dialect() -> None:
    dialect = dialect_of(RULES.validate_python({"reload": {"cmd": "RELOAD_UI"}, "caption": {"field": "msg"}}))
    assert (dialect.commands, dialect.said_as["msg"]) == ({"reload": "RELOAD_UI"}, "caption")


def test_two_words_for_one_command_are_refused() -> None:
    with pytest.raises(ValidationError, match="RELOAD_UI"):
        RULES.validate_python({"reload": {"cmd": "RELOAD_UI"}, "again": {"cmd": "RELOAD_UI"}})
