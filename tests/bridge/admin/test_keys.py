"""Who may make which key. That a key works and ends is in `tests/end_to_end/test_keys.py`."""

import pytest

from bridge.admin.keys import NewKey, _check_grant
from bridge.api.errors import AdminRefusal
from bridge.config.tables import GRANTS, Grant
from bridge.handshake.authentication import Administrator


@pytest.mark.parametrize("own", GRANTS)
@pytest.mark.parametrize("wanted", GRANTS)
def test_a_tenants_administrator_gives_no_more_than_its_own_grant(own: Grant, wanted: Grant) -> None:
    chief, order = Administrator("chief", ("acme",), "admin", own), NewKey(tenants=["acme"], broadcast=wanted)
    if GRANTS.index(wanted) <= GRANTS.index(own):
        _check_grant(chief, order)
    else:
        with pytest.raises(AdminRefusal):
            _check_grant(chief, order)


def test_the_platforms_administrator_gives_any() -> None:
    _check_grant(Administrator("boss", ("*",), "admin", "none"), NewKey(tenants=["*"], broadcast="platform"))
