"""The reader of the address of a V2 frame that counts as text: whom it names, read as leniently as anybody might. Pure.

Other clients take for an object what strict JSON forbids: `NaN`, half a surrogate pair, a raw line break, a BOM, a
comma too many, single quotes, a missing end. Such a frame stays text, but it must never be heard by more people than it
names. So its recipient and its target are read from it. This module must never raise, never recurse, and never take
longer than the strict parser takes for plain text, times a small constant.

Decided here:

- A recipient that is named and cannot be read (a string without an end, `NaN`, `1e400`) is nobody: the frame is direct,
  and its sender is told so. Half of a surrogate pair is U+FFFD, as browsers write it into a URL.
- What is readable but no recipient in strict JSON (7.5, a list, `null`, 129 characters) is none here either.
- Of a doubled key the last value counts, as in strict JSON.
- A text is read token by token where no JSON parser reads it, up to `MOST_TOKENS`. If its structure is not clear even
  then, and it mentions a recipient somewhere, it is for nobody.
- What lenient readers skip before an object is skipped: comments, a BOM (also one that was read as Latin-1), and the
  prefixes that keep JSON from being run as a script. UTF-16 in a binary frame is the text without its NULs.
"""

import json
import math
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final

import msgspec

from legacy_v2.frames import recipient_of

Members = Mapping[str, object]

MOST_TOKENS: Final = 500
MOST_MENTIONS: Final = 10_000
MOST_BLANKS: Final = 64
"""Beyond these what is not clear is taken for an address: it is for nobody, rather than for everybody."""
MOST_ADDRESS_BYTES: Final = 2_048
"""Of a recipient as JSON text: 128 characters, each possibly two escapes of six characters."""
_UNREADABLE: Final = math.nan
"""Stands for a value that is there and cannot be read."""

_LENIENT: Final = json.JSONDecoder(strict=False)
_INVISIBLE: Final = r"\s\x00-\x20\x7f-\xa0\u200b-\u200f\u2060\ufeff\ufffe"
_COMMENT: Final = r"/\*(?:[^*]++|\*(?!/))*+(?:\*/)?|//[^\n]*+"
_BEFORE: Final = rf"[({_INVISIBLE}]++|{_COMMENT}|#[^\n]*+|<!--|ï»¿|\)\]\}}'?+,?+|(?:for\(;;\)|while\(1\));"
_BEGIN: Final = re.compile(rf"(?:{_BEFORE})*+\{{")
_UTF_16: Final = "{\x00"
_END: Final = re.compile(rf"[);{_INVISIBLE}]*+\Z")
_QUOTES: Final = "\"'"
_ANY_QUOTE: Final = ('"', "'", "`")
_BEFORE_KEYS: Final = ("{", ",", ";")
_STRING: Final = "\"[^\"]*+\"|'[^']*+'"
_WORD: Final = r"[A-Za-z_$\x80-\U0010ffff][A-Za-z0-9_$\x80-\U0010ffff-]*+"
_NUMBER: Final = r"[+-]?[0-9.][A-Za-z0-9_.+-]*+"
_SPACE: Final = rf"(?:[{_INVISIBLE}]++|{_COMMENT})*+"
_PYTHON: Final = "(?:[ubUB](?=[\"']))?+"
"""What Python 2 writes before a text, and Python 3 before bytes."""
_TOKEN: Final = re.compile(
    r"[^\[\]{}\"'\\/A-Za-z_$\x80-\U0010ffff]*+"
    rf"(?:(?P<open>[\[{{]++)|(?P<close>[\]}}]++)|{_COMMENT}|/"
    rf"|{_PYTHON}(?P<name>{_STRING}|{_WORD})"
    rf"(?:{_SPACE}[:=]>?{_SPACE}{_PYTHON}(?P<value>{_STRING}|{_WORD}|{_NUMBER}|[+-]{_WORD}|))?+"
    r"|(?P<broken>[\"'\\])|\Z)"
)
_ESCAPE: Final = re.compile(
    r"\\(?:u\{([0-9A-Fa-f]{1,6})\}|u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|[^bfnrtv0-9ux])", re.DOTALL
)
"""An escape of JavaScript that means a character which could stand there by itself."""
_ESCAPED_LETTERS: Final = tuple(rf"\u00{digit}" for digit in "4567")
_NO_NAMES: Final = frozenset({"true", "false", "null", "undefined", "True", "False", "None"})
_SURROGATE: Final = re.compile("[\ud800-\udfff]")


def address_of(
    text: str, recipients: Sequence[str], targets: Sequence[str], *, is_heavy: bool = False
) -> Members | None:
    """The members of a frame that address it; none if nobody would take the text for an object.

    `None` if it names a recipient that cannot be read. `is_heavy`: it has too much structure to be parsed.
    """
    begin = _BEGIN.match(text)
    if begin is None:
        return {}
    text, words = text[begin.end() - 1 :], (*recipients, *targets)
    if text.startswith(_UTF_16):
        text = text.replace("\x00", "")
    members = _found(text, words) if is_heavy else _parsed(text, words)
    if members is None:
        return _scanned(text, recipients, words)
    return members if _is_readable(members, recipients) else None


def _is_readable(members: Members, recipients: Iterable[str]) -> bool:
    values = [members[word] for word in recipients if word in members]
    return any(recipient_of(value) is not None for value in values) or not any(map(_is_broken, values))


def _is_broken(value: object) -> bool:
    return isinstance(value, float) and not math.isfinite(value)


def _parsed(text: str, words: Iterable[str]) -> Members | None:
    """The members, by a parser that accepts `NaN`, surrogates and control characters; `None` if that does not do."""
    try:
        value, end = _LENIENT.raw_decode(text)
    except (ValueError, RecursionError):
        return None
    if _END.match(text, end) is None:
        return None
    return {word: _well_formed(value[word]) for word in words if word in value}


def _found(text: str, words: Sequence[str]) -> Members | None:
    """The members of strict JSON, without making an object of the other ones; `None` if it is no strict JSON."""
    try:
        members = msgspec.structs.astuple(_finder_of(*words).decode(text))
    except (msgspec.DecodeError, RecursionError, UnicodeEncodeError):
        return None
    return {word: _short_value(written) for word, written in zip(words, members, strict=True) if written}


@lru_cache
def _finder_of(*names: str) -> msgspec.json.Decoder[Any]:
    """A decoder that returns these members of an object as raw JSON text, and creates no objects for the others."""
    fields = {f"member_{number}": name for number, name in enumerate(names)}
    members = [(field, msgspec.Raw, msgspec.Raw()) for field in fields]
    return msgspec.json.Decoder(msgspec.defstruct("Members", members, rename=fields))


def _short_value(written: msgspec.Raw) -> object:
    data = bytes(written)
    if data[:1] in b"[{":
        return None
    if len(data) > MOST_ADDRESS_BYTES:
        return None if data[:1] == b'"' else _UNREADABLE
    return _scalar(data.decode())


def _scanned(text: str, recipients: Sequence[str], words: Iterable[str]) -> Members | None:
    members, is_clear = _scan(text, frozenset(words))
    if not _is_readable(members, recipients):
        return None
    is_found = any(recipient_of(members.get(word)) is not None for word in recipients)
    return members if is_clear or is_found or not _mentions(text, recipients) else None


def _scan(text: str, words: frozenset[str]) -> tuple[Members, bool]:
    """The members of every object that stands in no other, and whether the structure of the text is clear."""
    found: dict[str, re.Match[str]] = {}
    depth, is_clear, tokens = 0, True, _TOKEN.finditer(_without_escaped_quotes(text))
    for token in islice(tokens, MOST_TOKENS):
        kind = token.lastgroup
        if kind == "open":
            depth += token.end() - token.start(kind)
        elif kind == "close":
            depth -= token.end() - token.start(kind)
        elif kind and depth == 1 and (name := _name_of(token, text)) in words:
            found[name] = token
        if depth < 0 or kind == "broken" or (kind in ("name", "value") and not depth):
            depth, is_clear = max(0, depth), False
    members = {name: _value_of(token, text) for name, token in found.items()}
    return members, is_clear and not depth and next(tokens, None) is None


def _without_escaped_quotes(text: str) -> str:
    """The text, as long as it is, with blanks where a string has an escaped quote or backslash."""
    if "\\" not in text:
        return text
    for escape in ("\\\\", '\\"', "\\'"):
        text = text.replace(escape, "  ")
    return text


def _written(token: re.Match[str], part: str, text: str) -> str:
    return text[slice(*token.span(part))]


def _name_of(token: re.Match[str], text: str) -> str:
    """The name in a token, also where it is written with escapes that JSON does not have; empty if it has none.

    A bare word is a name only where something separates it from a value.
    """
    if not token["name"] or (token["value"] is None and token["name"][0] not in _QUOTES):
        return ""
    written = _written(token, "name", text)
    name = _text_of(written)
    return name if isinstance(name, str) else _ESCAPE.sub(_unescaped, written.strip(_QUOTES))


def _unescaped(escape: re.Match[str]) -> str:
    digits = escape[1] or escape[2] or escape[3]
    return chr(min(int(digits, 16), sys.maxunicode)) if digits else escape[0][1:]


def _value_of(token: re.Match[str], text: str) -> object:
    if token["value"]:
        return _scalar(_written(token, "value", text))
    return None if text.startswith(("[", "{"), token.end()) else _UNREADABLE


def _scalar(written: str) -> object:
    if written[0] in _QUOTES:
        return _text_of(written)
    if written in _NO_NAMES:
        return None
    return written if written[0].isalpha() and written not in ("NaN", "Infinity") else _number(written)


def _number(written: str) -> object:
    try:
        return _LENIENT.decode(written.removeprefix("+"))
    except ValueError:
        return _UNREADABLE


def _text_of(written: str) -> Any:
    """The text of a string token or of a bare word; `_UNREADABLE` if an escape in it cannot be read."""
    if written[0] not in _QUOTES:
        return written
    if "\\" not in written:
        return _well_formed(written[1:-1])
    try:
        return _well_formed(_LENIENT.decode(written))
    except ValueError:
        return _UNREADABLE


def _well_formed(value: object) -> object:
    return _SURROGATE.sub("\ufffd", value) if isinstance(value, str) else value


def _mentions(text: str, recipients: Iterable[str]) -> bool:
    """Whether a recipient's key may stand anywhere in the text: in quotes, in escapes, or after a brace or a comma."""
    if r"\u" in text and any(form in text for form in (*_ESCAPED_LETTERS, *map(json.dumps, recipients))):
        return True
    if sum(map(text.count, recipients)) > MOST_MENTIONS:
        return True
    found = list(islice(_mention_of(*recipients).finditer(text), MOST_TOKENS))
    return len(found) == MOST_TOKENS or any(_is_key(word, text) for word in found)


def _is_key(word: re.Match[str], text: str) -> bool:
    """Whether a recipient's word, in quotes or with a colon behind it, may be a key."""
    before = text[max(0, word.start() - MOST_BLANKS) : word.start()]
    return word[0].endswith(_ANY_QUOTE) or before.isspace() or before.rstrip().endswith(_BEFORE_KEYS)


@lru_cache
def _mention_of(*words: str) -> re.Pattern[str]:
    quote = f"[{''.join(_ANY_QUOTE)}]"
    return re.compile("|".join(rf"{w}(?:(?<={quote}{w})\\?{quote}|\s*+[:=])" for w in map(re.escape, words)))
