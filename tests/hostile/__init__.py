"""One stranger, one tenant, one frame against everybody: each attack once against the defence, once without it.

What is asserted is counted, never timed: how much an attacker got of what it may have, that a victim's messages are all
heard meanwhile, bytes of memory and log, files, and CPU time against the CPU time of something harmless. A busy machine
changes none of it.
"""
