from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from legacy_v2.websocket_door import ids_in

ids = st.text(min_size=1, max_size=20)


@pytest.mark.parametrize("prefix", ["/ws", "/ws_redis"])
@pytest.mark.parametrize(
    ("rest", "expected"),
    [
        ("", (None, None)),
        ("/", (None, None)),
        ("/42", (None, "42")),
        ("/client/42", (None, "42")),
        ("/group/lobby", ("lobby", None)),
        ("/group/lobby/client/42", ("lobby", "42")),
        ("/group/group/client/client", ("group", "client")),
        ("/group", (None, "group")),
        ("/client", (None, "client")),
        ("/group/a%20b/client/%2F%3F%23", ("a b", "/?#")),
        ("/a%2Fb", (None, "a/b")),
        ("/group/a%2Fclient%2Fb", ("a/client/b", None)),
        ("/%c3%a9", (None, "é")),
        ("/..", (None, "..")),
        ("/%2e%2e", (None, "..")),
        ("/%00", (None, "\x00")),
        ("/%ff", (None, "\ufffd")),
        ("/%zz", (None, "%zz")),
        ("/" + "x" * 500, (None, "x" * 500)),
    ],
)
def test_a_path_names_group_and_client(prefix: str, rest: str, expected: tuple[str | None, str | None]) -> None:
    assert ids_in(prefix + rest) == expected


@pytest.mark.parametrize("prefix", ["/ws", "/ws_redis"])
@pytest.mark.parametrize(
    "rest",
    [
        *("//", "/42/", "/group/", "/client/", "/group//client/42", "/group/lobby/", "/group/lobby/client"),
        *("/group/lobby/client/", "/group/lobby/client/42/", "/group/lobby/member/42", "/a/b", "/a/b/c", "//42"),
        *("/client/42/group/lobby", "/Group/lobby"),
    ],
)
def test_another_path_is_none_of_v2s(prefix: str, rest: str) -> None:
    assert ids_in(prefix + rest) is None


@given(ids, ids)
def test_any_id_may_stand_in_a_path(group_id: str, client_id: str) -> None:
    group, client = quote(group_id, safe=""), quote(client_id, safe="")
    assert ids_in(f"/ws/group/{group}/client/{client}") == (group_id, client_id)
    assert ids_in(f"/ws_redis/group/{group}") == (group_id, None)
    assert ids_in(f"/ws/client/{client}") == (None, client_id)
    assert ids_in(f"/ws/{client}") == (None, client_id)
