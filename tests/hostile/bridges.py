"""A bridge that is attacked, with all its defences or without one, and what can be read from outside of how it is."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, TypeVar

from tests.forking import COMMAND_LINE, Forked
from tests.servers import BridgeProcess, ServerProcess

PAGE_BYTES = 4_096
UNDEFENDED = "tests.hostile.undefended"


class Attacked(BridgeProcess):
    """`without` is the name of a defence in `program`, which takes it out before the command runs."""

    program = UNDEFENDED
    without: str | None = None
    most_files: int | None = None

    def begin(self, log: BinaryIO) -> subprocess.Popen[bytes] | Forked:
        if self.most_files is not None:  # a bound from its first step on: no template has that
            return ServerProcess.begin(self, log)
        if self.without is not None:
            return Forked([self.without, *self.command()], self.directory, self.environment(), log, self.program)
        return super().begin(log)

    def command(self) -> list[str]:
        if self.most_files is None:
            return super().command()
        limit = ["sh", "-c", f'ulimit -n {self.most_files}; exec "$@"', "sh"]
        program = [COMMAND_LINE] if self.without is None else [self.program, self.without]
        return [*limit, sys.executable, "-m", *program, *super().command()]

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

    def turns_of_threads(self) -> dict[str, str]:
        """How often each of its threads but the first has gone to rest: a number that changes has had work."""
        tasks = Path(f"/proc/{self.pid}/task").iterdir()
        statuses = {task.name: (task / "status").read_text() for task in tasks if task.name != str(self.pid)}
        return {name: status.rpartition("\nvoluntary_ctxt_switches:")[2] for name, status in statuses.items()}

    @property
    def log_bytes(self) -> int:
        """How much it has written so far."""
        return self.log_file.stat().st_size


Bridge = TypeVar("Bridge", bound=Attacked)


@contextmanager
def running(bridge: Bridge) -> Iterator[Bridge]:
    """Started, and at the end it must end as it should; after a failure it is killed."""
    bridge.start()
    try:
        yield bridge
        bridge.close()
    finally:
        bridge.kill()
