"""Reads settings from environment variables, and names the variable that must hold JSON but does not.

No message quotes a variable's value: it may be a secret.
"""

import json
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource


class NotJson(Exception):
    """A variable must hold JSON and does not; the message names the variable and shows an example.

    It is not a `ValueError`, because pydantic would reword or ignore one.
    """


class Variables(EnvSettingsSource):
    """The environment variables as a source of settings. Reading it raises `NotJson`."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> object:
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        except (ValueError, RecursionError):
            # Members of a table with free names come without a field, and may be plain words instead of JSON.
            if field is None:
                raise
            example = "".join(f", as in {json.dumps(example)}" for example in field.examples or ())
            raise NotJson(f"{self._variable(field_name, value)}: write JSON{example}") from None

    def _variable(self, field_name: str, value: str) -> str:
        """The name of the variable with this value; for a member of a table pydantic gives only the member's name."""
        return next(
            name for name, given in self.env_vars.items() if given == value and name.endswith(field_name.lower())
        ).upper()
