"""The Socket.IO door, whole: Engine.IO 4 and Socket.IO 5, by polls and by websocket, in the namespaces `/v3` and `/v2`.

`engine` and `namespaces` are the two protocols as pure state machines. Around them: `session` carries out what they
decide, `transport` and `outgoing` bring packets to the client, `endpoint`, `polling` and `websocket` are the edges in
ASGI, `connect`, `v2` and `v3` the way in. Without this folder the bridge serves everything else.

Our own, since python-socketio 5.18 lacks public hooks for what this door must keep. There a handler is not told whether
the sender of an event waits for an acknowledgement. What no poll has taken when a session ends is lost. An upgrade that
is broken off leaves every later poll empty. Each message to each listener is a task of its own, and costs some fifty
times as much. A queue with a bound in bytes, a session that has joined nothing yet, and the end of a session can only
be had from its internals. The tests use its client, which nobody here wrote.
"""
