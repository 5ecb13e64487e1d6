"""uvicorn's flow control, by which reading also rests while something that was read waits for its turn. No rules."""

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """Of one connection. uvicorn resumes reading whenever the application asks for more of a body."""

    is_held = False

    def hold(self) -> None:
        """Read nothing more until `release`."""
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Read on."""
        self.is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()
