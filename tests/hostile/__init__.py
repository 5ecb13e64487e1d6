"""One stranger, one tenant, one frame against everybody: each attack once against the defence, once without it.

What is asserted is counted, never timed: how much an attacker got of what it may have, that a victim's messages are all
heard meanwhile, bytes of memory and log, files, and CPU time against the CPU time of something else. A busy machine
changes none of it. Where a defence is taken out somebody may wait for ever; that is found after two seconds.

| the attack | where |
|---|---|
| frames, pings and fragments without end, by who was refused, let in on V3, on V2, over Socket.IO | `test_floods.py` |
| frames that say much with few bytes | `test_dear_frames.py` |
| heads that list much with few bytes | `test_dear_heads.py` |
| who is in a group, asked again and again | `test_presence.py` |
| requests whose answers nobody reads; garbage that would fill the log | `test_requests.py` |
| requests of those who do not stay for the answer | `test_requests.py` |
| offers of another protocol, and rests between two requests, as proxies take them | `test_requests.py` |
| files and addresses for which a thread would look | `test_threads.py` |
| connections by the thousand that come and go | `test_memory.py` |
| idle sockets, until no file is left for others, or for the links to Redis | `test_files.py` |
| all places of a process by one tenant; many who never read | `test_shares.py` |
| connections, handshakes and messages without end by one tenant, within what each connection may | `test_tenants.py` |
| sessions of Socket.IO that are begun and left alone | `test_sessions.py` |
| sids that lift limits, networks of many addresses, lies about who one is, before nginx | `test_proxy.py` |
| an id that a token would name, a page of elsewhere, JOIN and LEAVE, the bridge's own word | `test_identity.py` |
| knocks that would undo a step of a migration | `test_guards.py` |
| a tenant's administrator: a huge id map, one that never ends, orders without end | `test_administrators.py` |
| a tenant's administrator: the record filled, streams of events, reports without end | `test_administrators.py` |
| a server of keys that drips, or never ends | `test_key_server.py` |
| a password in an address, an open data directory | `test_secrets.py` |
| ids that nobody sees, or that a spreadsheet reckons with | `test_pages.py` |
| a log that nobody reads | `test_log.py` |
| names of tenants by the ten thousand in Redis | `test_names.py` |
| a hangup; something that is deaf to the end | `test_signals.py` |

Without a test here: a wall clock that is set, since a bridge looks at it each half minute
(`tests/bridge/messaging/test_connections.py` sets one). Without their twins:
of the dear frames all but the digits, for what reads them has no part that could be left out.
"""
