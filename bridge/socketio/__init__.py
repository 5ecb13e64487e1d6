"""The Socket.IO endpoint: Engine.IO 4 and Socket.IO 5, by long polling and WebSocket, namespaces `/v3` and `/v2`.

`engine` and `namespaces` are the two protocols as pure state machines. `session` carries out what they decide.
`transport` and `outgoing` bring packets to the client. `endpoint`, `polling` and `websocket` are the ASGI side.
`connect`, `v2` and `v3` admit clients. If this folder is deleted, everything else of the bridge still works.

Decided here: this is our own implementation, because python-socketio 5.18 has no public hooks for what is needed:

- A handler cannot see whether the sender of an event waits for an acknowledgement.
- Packets that no poll has taken when a session ends are lost.
- After an upgrade that was broken off, every later poll is empty.
- Each message to each listener is a task, which costs about 50 times as much.
- A queue with a bound in bytes, a session that is not connected to a namespace yet, and the end of a session can be
  reached only by its internals.

The tests use the client of python-socketio, as an independent implementation.
"""
