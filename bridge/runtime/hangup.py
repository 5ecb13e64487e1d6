"""SIGHUP of this process: it is remembered until somebody listens, and never ends the process. It decides nothing.

The signal comes from a person or a service manager who wants the configuration read anew, or from a terminal that
closes.
"""

import signal
from collections.abc import Callable
from typing import Final


class Hangup:
    """The signal. One object for each process, as there is one handler."""

    def __init__(self) -> None:
        self._tell: Callable[[], object] | None = None
        self._is_due = False

    def install(self) -> None:
        """Handle the signal from now on."""
        signal.signal(signal.SIGHUP, self._came)

    def ignore(self) -> None:
        """The process is about to end. Python would give the signal its fatal meaning back before that."""
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def listen(self, tell: Callable[[], object] | None) -> None:
        """Call `tell` at each signal, in place of whoever listened before; at once if one came already."""
        self._tell = tell
        if self._is_due and tell is not None:
            self._is_due = False
            tell()

    def forget(self) -> None:
        """In a new child process: what its parent heard, and who listened there, is not the child's."""
        self._tell, self._is_due = None, False

    def _came(self, _number: int, _frame: object) -> None:
        if self._tell is None:
            self._is_due = True
        else:
            self._tell()


HANGUP: Final = Hangup()
"""That of this process."""
