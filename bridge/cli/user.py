"""Who runs a command, for what is recorded of it. Whoever reaches Redis may say anything there: nothing is proven."""

import getpass
import socket


def who() -> str:
    """The user who runs this command, as `user@host`."""
    try:
        user = getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in a container; `KeyError` before Python 3.13
        user = "somebody"
    return f"{user}@{socket.gethostname()}"
