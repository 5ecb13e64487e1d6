"""The table `[tenants.NAME.dialect]` of bridge.toml: which words a tenant's V2 clients use. It only validates."""

from typing import Annotated

from pydantic import AfterValidator

from compat.dialect import Dialect, Rule


def _without_collisions(rules: dict[str, Rule]) -> dict[str, Rule]:
    dialect_of(rules)
    return rules


DialectRules = Annotated[dict[str, Rule], AfterValidator(_without_collisions)]
"""A rule for each word. Two rules that would make the same word out of different ones are refused."""


def dialect_of(rules: dict[str, Rule]) -> Dialect:
    """The dialect that these rules describe. Raises `ValueError` if two of them collide."""
    return Dialect(rules)
