"""Imported before all else: from here on a hangup does not end a bridge that is starting.

The rest of the bridge takes a second to import. SIGHUP would end the process in that time; `serve` handles it later.
It changes nothing for other commands, which shall end with their terminal.
"""

import signal
import sys

if sys.argv[1:2] == ["serve"]:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
