"""Text in TOML syntax. Characters that a terminal would not show but obey are escaped: the text is safe to print."""

import re
from typing import Final

_BARE: Final = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_ESCAPES: Final = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t"}


def toml_text(text: str) -> str:
    """A quoted basic string. A lone surrogate, which TOML cannot express, becomes U+FFFD."""
    return f'"{"".join(map(_escaped, text))}"'


def toml_key(name: str) -> str:
    """A key, quoted only where it must be."""
    return name if _BARE.fullmatch(name) else toml_text(name)


def toml_array(texts: tuple[str, ...]) -> str:
    """An array of strings."""
    return f"[{', '.join(map(toml_text, texts))}]"


def _escaped(character: str) -> str:
    if character in _ESCAPES:
        return _ESCAPES[character]
    if character.isprintable():
        return character
    code = ord(character)
    if 0xD800 <= code <= 0xDFFF:
        return "\\ufffd"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
