"""What a connection takes for its socket, in one namespace of a session."""

from bridge.socketio.namespace_wire import NamespaceWire
from tests.bridge.socketio.parts import EVENT, Home, code_of, heard


async def test_it_writes_to_its_session_and_closes_its_namespace_alone() -> None:
    home = Home()
    session = await home.joined("/v3", "/v2")
    wire = NamespaceWire(session, "/v2")
    wire.write(EVENT)
    wire.begin_close(4410, "v2_retired", EVENT)
    assert await heard(session) == [EVENT.decode(), EVENT.decode(), "41/v2,"]
    assert (list(session.namespaces.joined), wire.is_over) == (["/v3"], False)


async def test_an_abort_ends_the_session() -> None:
    session = await Home().joined("/v3")
    wire = NamespaceWire(session, "/v3")
    wire.abort()
    assert (wire.is_over, code_of(session)) == (True, 1006)
