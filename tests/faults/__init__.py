"""Redis, the network, the processes and the clients at their worst, one row of faults after the other.

Each row is played on two processes with fifty members of all doors (`population.py`; fewer where a fault is repeated
very often), who come back when their connection ends and go on where they were. Some of them say numbered messages all
the while. Afterwards the laws of `judge.py` hold: nothing is lost unannounced, doubled, shuffled, or heard by whom it
was not said to, and nobody was told that a return is complete that was not. When everybody has left, files, tasks,
links, keys and presence are what they were before (`baseline.py`). A row adds what is its own: how soon who is told
what. `soak.py` (`make soak`) plays many faults one after the other, and looks at what grows.

What only takes its time in real life is made sooner there: pings after 2 s and leases of 5 s (`HASTE` in
`undefended.py`), so that the dead are missed within seconds.

Each row is played once more without what defends against its fault (`undefended.py`): then one law, which it names,
does not hold.

| fault | where |
|---|---|
| none | `test_clients.py` |
| the subscriber is killed, 100 times; links that publish are killed | `test_links.py` |
| resets, slices of 1 to 7 bytes, 200 ms of delay | `test_links.py` |
| a black hole; one that gives back what it swallowed (B15) | `test_links.py` |
| a subscriber is overrun; it stood still before (B14) | `test_links.py` |
| Redis crashes, for a second and for longer than leases last; stands still for 6 s; is flushed | `test_redis.py` |
| Redis is full, read-only (B3), does not permit, has no room for links | `test_redis.py` |
| a master is demoted, a replica promoted, an address leads elsewhere (B3); MASTERDOWN (B17, B23) | `test_failover.py` |
| a process is killed; is stopped with open sockets and polls (B16); stands still for 5 s | `test_processes.py` |
| ten flips a second; clients are moved (B16, B22) | `test_processes.py` |
| clients break off, stay away for too long, are dead, come back by the thousand | `test_clients.py` |

Some rows are held elsewhere, since they need no population. Those with a mark are played without their defence in
`test_elsewhere.py`.

| fault | where | |
|---|---|---|
| a slow reader | `end_to_end/test_ends.py`, `end_to_end/test_slow_readers.py` | * |
| a reload of the proxy | `deploy/test_nginx.py` | |
| B1, B2: a recipient in a frame that is not strict | `end_to_end/test_audience.py`, `compat/test_address.py` | * |
| B4 to B8, B20: what `aether.js` says, queues and drops | `end_to_end/test_client.py` | |
| B9: one message of megabytes | `end_to_end/test_slow_readers.py` | * |
| B10: a burst on a slow line | `end_to_end/test_slow_readers.py` | * |
| B11: two databases of one Redis | `end_to_end/test_bus.py` | * |
| B12: names of hosts | `end_to_end/test_handshake.py`, `bridge/config/test_hosts.py` | |
| B13, B21: the shim's dialect, and its direct messages | `end_to_end/test_v2_shim.py` | |
| B18: many packets in one POST | `end_to_end/test_socketio_hostile.py` | * |
| B19: clients of Socket.IO come back | `end_to_end/test_socketio_return.py` | * |
| B24: a clock that is days ahead | `bridge/records/test_part.py`, `bridge/broker/test_redis_clock.py` | |
"""
