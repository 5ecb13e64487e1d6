"""A bridge that is attacked, with all its defences or without one, and what can be read from outside of how it is."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import BinaryIO

from tests.forking import Forked
from tests.servers import BridgeProcess, ServerProcess

PAGE_BYTES = 4_096


class Attacked(BridgeProcess):
    """`without` is the name of a defence in `undefended.py`; it is taken out before the command runs."""

    without: str | None = None
    most_files: int | None = None

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes] | Forked:
        """Not from the template where something is to be different before it has loaded."""
        if self.without is None and self.most_files is None:
            return super().begin(log)
        return ServerProcess.begin(self, log)

    def command(self) -> list[str]:
        """The command line, through the module that takes a defence out."""
        limit = ["sh", "-c", f'ulimit -n {self.most_files}; exec "$@"', "sh"] if self.most_files else []
        if self.without is None:
            return [*limit, *super().command()]
        _python, _m, _module, *arguments = super().command()
        return [*limit, sys.executable, "-m", "tests.hostile.undefended", self.without, *arguments]

    def close(self) -> None:
        """What has a defence less owes nothing."""
        if self.without is None:
            super().close()
        else:
            self.kill()

    @property
    def cpu_seconds(self) -> float:
        """CPU time of the process, to the nanosecond: what `clock_getcpuclockid(3)` gives on Linux."""
        return time.clock_gettime(~self.pid << 3 | 2)

    @property
    def resident_bytes(self) -> int:
        """How much memory it holds."""
        return int(Path(f"/proc/{self.pid}/statm").read_text().split()[1]) * PAGE_BYTES

    @property
    def open_files(self) -> int:
        """How many files and sockets it has open."""
        return len(list(Path(f"/proc/{self.pid}/fd").iterdir()))

    @property
    def log_bytes(self) -> int:
        """How much it has written so far."""
        return self.log_file.stat().st_size
