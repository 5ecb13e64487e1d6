"""What an administrator is answered who has the configuration read anew. The rest is in `tests/end_to_end/`."""

import pytest

from bridge.admin.configuration import _said
from bridge.api.errors import AdminRefusal
from bridge.config.reload import Reloaded


def test_what_was_taken_is_told_with_what_needs_a_restart() -> None:
    said = _said(Reloaded("0123456789ab", ("keys",), ("port",)))
    assert said == {"ok": True, "configuration": "0123456789ab", "changed": ["keys"], "needs_restart": ["port"]}


@pytest.mark.parametrize(
    ("reloaded", "status", "code"),
    [
        (Reloaded("0", problem="burst: no number"), 400, "invalid_configuration"),
        (Reloaded("0", problem="no file", is_nothing_to_read=True), 409, "nothing_to_read"),
    ],
)
def test_what_was_not_taken_is_a_refusal(reloaded: Reloaded, status: int, code: str) -> None:
    with pytest.raises(AdminRefusal) as refused:
        _said(reloaded)
    assert (refused.value.status, refused.value.body["code"]) == (status, code)
    assert reloaded.problem in refused.value.body["msg"]
