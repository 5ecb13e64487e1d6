"""Cuts credentials out of text that a person may read: query strings, tokens, keys, passwords in addresses. Pure."""

import re
from typing import Final

_QUERY: Final = re.compile(r"\?[^\s\"'\]]*")
_USER_INFO: Final = re.compile(r"://[^\s\"']*@")
_NAME: Final = r"(?:api[_-]?key|jwt|x[_-]account[_-]id|token|secret|password|authorization)[\w-]*"
_BETWEEN: Final = r"(?:[\"'\\]*\s*[=:]\s*|[\"']\s*,\s*)(?:b(?=[\"']))?[\"'\\]*"
_CREDENTIAL: Final = re.compile(rf"(?i)({_NAME}{_BETWEEN})(?:(?:bearer|basic)\s+)?[^\s,;&\"'\\]+")
CREDENTIAL_NAME: Final = re.compile(f"(?i){_NAME}")
_TOKEN: Final = re.compile(r"\beyJ[\w-]*\.[\w-]+\.[\w-]*")
REDACTED: Final = "[redacted]"


def redact(text: str) -> str:
    """The text without query strings, credentials, and passwords in addresses."""
    text = _USER_INFO.sub("://", _QUERY.sub("?", text))
    return _CREDENTIAL.sub(rf"\1{REDACTED}", _TOKEN.sub(REDACTED, text))
