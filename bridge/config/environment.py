"""The environment as a source of settings, which names the variable where only JSON will do. It quotes no value."""

import json
from typing import Any

from pydantic.fields import FieldInfo
from pydantic_settings import EnvSettingsSource


class NotJson(Exception):
    """A variable that must hold JSON does not; the message says which, and what it could look like.

    It is no `ValueError`: pydantic would put such a one into words of its own, or pass over it.
    """


class Variables(EnvSettingsSource):
    """The variables of the environment. Raises `NotJson` when it is read."""

    def decode_complex_value(self, field_name: str, field: FieldInfo | None, value: Any) -> object:
        try:
            return super().decode_complex_value(field_name, field, value)  # type: ignore[arg-type]
        except (ValueError, RecursionError):
            # A member of a table whose names are free comes without a field, and may be a plain word.
            if field is None:
                raise
            example = "".join(f", as in {json.dumps(example)}" for example in field.examples or ())
            raise NotJson(f"{self._variable(field_name, value)}: write JSON{example}") from None

    def _variable(self, field_name: str, value: str) -> str:
        """The variable that gave this value; for a member of a table pydantic tells only the member's name."""
        return next(
            name for name, given in self.env_vars.items() if given == value and name.endswith(field_name.lower())
        ).upper()
