"""Configures logging: one line for each event, as JSON or for a terminal, with credentials cut out of every line.

Everything that any library logs passes through here, uvicorn's lines too. A query string is never written, and what a
stranger named has no effect on a terminal. Logging
never waits for the reader of the log. Lines with the same cause are written at most once a second; the next one says
how many were held back. Critical lines are always written.
"""

import logging
import sys
import time
from typing import Final, Literal

import structlog
from structlog.typing import EventDict, Processor

from bridge.config.redaction import CREDENTIAL_NAME, REDACTED, redact
from bridge.runtime.log_restraint import Restraint
from bridge.runtime.log_writer import LogWriter
from bridge.system.visible import visible, visible_lines

LogFormat = Literal["auto", "json", "console"]


def are_json(log_format: LogFormat) -> bool:
    """Whether each line of the log is a JSON object: then nothing else may be written between them."""
    return log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())


def configure(log_format: LogFormat, level: str) -> None:
    """Send everything that any library logs through one formatter to standard error, from this level up."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        _redact_event,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    last: list[Processor] = [_say_held_back, structlog.stdlib.ProcessorFormatter.remove_processors_meta]
    _send_all_to(_handler(shared, last + _renderers(log_format)), level)


def _renderers(log_format: LogFormat) -> list[Processor]:
    if are_json(log_format):
        return [structlog.processors.JSONRenderer()]
    return [_show_without_effect, structlog.dev.ConsoleRenderer()]


def _handler(first: list[Processor], last: list[Processor]) -> logging.Handler:
    """Writes in a thread of its own, and holds back what comes again and again."""
    handler = LogWriter()
    handler.addFilter(_Restrained())
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=first, processors=last))
    return handler


def _send_all_to(handler: logging.Handler, level: str) -> None:
    """Make this the only handler of all loggers, those of uvicorn and asyncio included."""
    root = logging.getLogger()
    root.handlers[:] = [handler]
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    set_level(level)


def set_level(level: str) -> None:
    """Write lines from this level up. At INFO uvicorn writes two lines for each connection, with its path."""
    root = logging.getLogger()
    root.setLevel(level.upper())
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, root.level))


def flush() -> None:
    """Write all waiting lines, in one second at most. For a process that ends by `os._exit`."""
    for handler in logging.getLogger().handlers:
        handler.flush()


def lost_lines() -> dict[str, int]:
    """How many lines were not written.

    `held_back`: by the limit of one a second for each cause. `dropped`: because nobody read the log.
    """
    writers = [handler for handler in logging.getLogger().handlers if isinstance(handler, LogWriter)]
    held_back = [
        one.restraint.held_back for writer in writers for one in writer.filters if isinstance(one, _Restrained)
    ]
    return {"held_back": sum(held_back), "dropped": sum(writer.dropped for writer in writers)}


SAME: Final = ("event", "tenant", "code", "reason", "link")
"""What makes two lines of one level and logger lines of one cause."""


class _Restrained(logging.Filter):
    """Holds back a line if one of its cause was just written: one of its level and logger that has the same `SAME`."""

    def __init__(self) -> None:
        super().__init__()
        self.restraint: Final = Restraint()

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno >= logging.CRITICAL:
            return True
        told = record.msg if isinstance(record.msg, dict) else {"event": record.msg}
        words = [str(told.get(name)) for name in SAME]
        held_back = self.restraint.may_say((record.levelno, record.name, *words), time.monotonic())
        record.held_back = held_back
        return held_back is not None


def _say_held_back(_logger: object, _method: str, event: EventDict) -> EventDict:
    held_back = getattr(event["_record"], "held_back", 0)
    return {**event, "suppressed": held_back} if held_back else event


def _show_without_effect(_logger: object, _method: str, event: EventDict) -> EventDict:
    """On a terminal, which would obey what a stranger named. JSON escapes by itself. A traceback keeps its lines."""
    return {
        name: (visible_lines if name in ("exception", "stack") else visible)(value) if isinstance(value, str) else value
        for name, value in event.items()
    }


def _redact_event(_logger: object, _method: str, event: EventDict) -> EventDict:
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: str, value: object) -> object:
    """The value without credentials. Values of the formatter itself (names with `_`) and numbers stay as they are.

    So do lists of texts in which nothing is to be cut out; anything else becomes text.
    """
    if name.startswith("_") or value is None or isinstance(value, int | float):
        return value
    if CREDENTIAL_NAME.search(name):
        return REDACTED
    text = redact(value if isinstance(value, str) else repr(value))
    is_plain = isinstance(value, list) and all(isinstance(one, str) for one in value) and text == repr(value)
    return value if is_plain else text
