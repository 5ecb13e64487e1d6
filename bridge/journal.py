"""What is logged, and what never is. One line per event, JSON or for a terminal; credentials are cut out of every line.

Whatever anyone logs passes here, uvicorn's own lines included: a query string is never written, whatever it holds.
"""

import logging
import re
import sys
from typing import Any, Final, Literal

import structlog
from structlog.typing import EventDict, Processor

_QUERY: Final = re.compile(r"\?[^\s\"'\]]*")
_USER_INFO: Final = re.compile(r"://[^\s\"']*@")
_NAME: Final = r"(?:api[_-]?key|jwt|x[_-]account[_-]id|token|secret|password|authorization)[\w-]*"
_BETWEEN: Final = r"(?:[\"'\\]*\s*[=:]\s*|[\"']\s*,\s*)(?:b(?=[\"']))?[\"'\\]*"
_CREDENTIAL: Final = re.compile(rf"(?i)({_NAME}{_BETWEEN})(?:(?:bearer|basic)\s+)?[^\s,;&\"'\\]+")
_CREDENTIAL_NAME: Final = re.compile(f"(?i){_NAME}")
_TOKEN: Final = re.compile(r"\beyJ[\w-]*\.[\w-]+\.[\w-]*")
_REDACTED: Final = "[redacted]"


def redact(text: str) -> str:
    """A line without query strings, credentials, and passwords in addresses."""
    text = _USER_INFO.sub("://", _QUERY.sub("?", text))
    return _CREDENTIAL.sub(rf"\1{_REDACTED}", _TOKEN.sub(_REDACTED, text))


def configure(log_format: Literal["auto", "json", "console"], level: str) -> None:
    """Send everything that any library logs through one formatter, to standard error."""
    as_json = log_format == "json" or (log_format == "auto" and not sys.stderr.isatty())
    renderer: Processor = structlog.processors.JSONRenderer() if as_json else structlog.dev.ConsoleRenderer()
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
    handler = logging.StreamHandler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncio"):
        logger = logging.getLogger(name)
        logger.handlers.clear()
        logger.propagate = True
    # At INFO uvicorn writes two lines for each connection, the path of each among them.
    logging.getLogger("uvicorn.error").setLevel(max(logging.WARNING, root.level))


def _redact_event(_logger: Any, _method: str, event: EventDict) -> EventDict:
    return {name: _redacted(name, value) for name, value in event.items()}


def _redacted(name: str, value: Any) -> Any:
    """What the formatter itself put there (its names begin with `_`) and plain numbers stay as they are."""
    if name.startswith("_") or value is None or isinstance(value, int | float):
        return value
    return _REDACTED if _CREDENTIAL_NAME.search(name) else redact(value if isinstance(value, str) else repr(value))
