"""uvicorn's flow control, extended: reading can be held while bytes that were read wait to be parsed. No rules."""

from uvicorn.protocols.http.flow_control import FlowControl


class Flow(FlowControl):
    """The flow control of one connection.

    uvicorn resumes reading each time the application asks for more of a body; here, not while reading is held.
    """

    is_held = False

    def hold(self) -> None:
        """Pause reading until `release`."""
        self.is_held = True
        self.pause_reading()

    def release(self) -> None:
        """Resume reading."""
        self.is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self.is_held:
            super().resume_reading()
