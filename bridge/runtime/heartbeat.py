"""The heartbeat of one worker: its event loop writes a byte into a pipe every second. Whoever reads it judges it.

So a worker that is stopped, or whose loop is stuck, is noticed. It must never block, and never fail with its reader.
"""

import asyncio
import contextlib
import os
from typing import Final

BEAT_SECONDS: Final = 1.0


class Heartbeat:
    """Beats into the pipe `descriptor`, which does not block, as long as the tasks of the process run."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    async def run(self) -> None:
        """Beat every `BEAT_SECONDS`, until cancelled."""
        while True:
            with contextlib.suppress(OSError):  # nobody reads for a long time, or the reader is gone
                os.write(self._descriptor, b"\0")
            await asyncio.sleep(BEAT_SECONDS)
