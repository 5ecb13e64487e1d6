"""Imported before all else: what a signal does to a bridge that is starting.

The rest of the bridge takes a second to import. SIGHUP would end the process in that time, and Ctrl-C would print where
in the library it was: the one does nothing until `serve` handles it, the other ends the process without a word. It
changes nothing for other commands, which shall end with their terminal.
"""

import signal
import sys


def import_is_over() -> None:
    """From here on Ctrl-C is an exception again, so that what was begun is ended."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_DFL:
        signal.signal(signal.SIGINT, signal.default_int_handler)


if sys.argv[1:2] == ["serve"]:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
