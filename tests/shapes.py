"""Inputs that look like others of their length and may cost far more: for whoever measures, and whoever attacks.

Each shape is a name and a function from a number of bytes to a text of about that many. `VALUES` are JSON values to be
put anywhere, `BROKEN` are none, `STRINGS` are what may stand where an id, a command or a key is expected.
"""

import json
from collections.abc import Callable, Iterator
from typing import Final

Shape = Callable[[int], str]


def plain(size: int) -> str:
    """What everything else is compared with."""
    return "The quick brown fox jumps over the lazy dog. " * (size // 45) + "." * (size % 45)


def listed(item: str) -> Shape:
    """A list of as many of this as fit."""
    return lambda size: "[" + ",".join([item] * max(1, (size - 2) // (len(item.encode()) + 1))) + "]"


def quoted(piece: str) -> Shape:
    """A string that repeats this, which is JSON already."""
    return lambda size: '"' + piece * ((size - 2) // len(piece.encode())) + '"'


def _distinct(member: str) -> Shape:
    """An object of so many members, each with a name of its own; `member` says how one is written."""

    def shape(size: int) -> str:
        count = max(1, (size - 2) // (len(member % 10_000) + 1))
        return "{" + ",".join(member % (10_000 + number) for number in range(count)) + "}"

    return shape


def _nested(opening: str, closing: str, core: str = "1") -> Shape:
    return lambda size: (
        opening * (size // (len(opening) + len(closing))) + core + closing * (size // (len(opening) + len(closing)))
    )


def _table(size: int) -> str:
    row = '{"id":%d,"name":"somebody","active":true,"score":0.5,"city":null}'
    return "[" + ",".join(row % (100_000 + number) for number in range(max(1, size // 70))) + "]"


VALUES: Final[dict[str, Shape]] = {
    "digits, nearly too many": quoted("9" * 198 + ","),
    "digits and a letter": quoted("1" * 198 + "a"),
    "digits, one short of an endless number": quoted("9" * 308 + " "),
    "exponents in a string": quoted("1e40"),
    "quotes in a string": quoted('\\"'),
    "backslashes": quoted("\\\\"),
    "escapes": quoted("\\u0041"),
    "escaped controls": quoted("\\u0001"),
    "short escapes": quoted("\\n"),
    "pairs of surrogates": quoted("\\ud83d\\ude00"),
    "emoji": quoted("😀"),
    "accents": quoted("é"),
    "commas in a string": quoted(","),
    "brackets in a string": quoted("[{"),
    "the word Infinity": quoted("Infinity NaN "),
    "ones": listed("1"),
    "nulls": listed("null"),
    "truths": listed("true"),
    "six digits": listed("123456"),
    "19 digits": listed("9" * 19),
    "20 digits": listed("9" * 20),
    "25 digits": listed("9" * 25),
    "100 digits": listed("9" * 100),
    "4,000 digits": listed("9" * 4_000),
    "halves": listed("0.5"),
    "17 places": listed("0.12345678901234567"),
    "4,000 places": listed("0." + "9" * 4_000),
    "one endless fraction": lambda size: "0." + "9" * (size - 2),
    "tiny numbers": listed("1e-400"),
    "large numbers": listed("1e300"),
    "zero with an exponent": listed("0e400"),
    "long exponents": listed("1.2345678901234567e-300"),
    "endless numbers": listed("1e400"),
    "empty strings": listed('""'),
    "letters": listed('"a"'),
    "words": listed('"abcdefgh"'),
    "escaped letters": listed('"\\u0041"'),
    "lists": listed("[]"),
    "objects": listed("{}"),
    "small objects": listed('{"a":1}'),
    "pairs": listed("[1,2]"),
    "lists eight deep": listed("[" * 8 + "]" * 8),
    "lists 30 deep": listed("[" * 30 + "]" * 30),
    "objects eight deep": listed('{"a":' * 8 + "1" + "}" * 8),
    "lists in lists": _nested("[", "]"),
    "objects in objects": _nested('{"a":', "}"),
    "new keys": _distinct('"%d":1'),
    "new keys with lists": _distinct('"%d":[]'),
    "new escaped keys": _distinct('"\\u0041%d":1'),
    "one key again and again": lambda size: "{" + ",".join(['"a":1'] * max(1, (size - 2) // 6)) + "}",
    "a table": _table,
    "white space": lambda size: "[" + " " * (size - 2) + "]",
}
"""JSON values."""

BROKEN: Final[dict[str, Shape]] = {
    "open brackets": lambda size: "[" * size,
    "open braces": lambda size: '{"a":' * (size // 5),
    "open lists of lists": lambda size: "[[]," * (size // 4),
    "an open string": lambda size: '"' + "a" * (size - 1),
    "a string of quotes": lambda size: '"' * size,
    "digits": lambda size: "9" * size,
    "digits and commas": lambda size: ("9" * 198 + ",") * (size // 199),
    "not a number": listed("NaN"),
    "half an emoji": quoted("\\ud83d"),
    "spaces": lambda size: " " * size,
    "closed brackets": lambda size: "]" * size,
    "a list that ends badly": lambda size: listed("1")(size - 1) + "x",
}
"""No JSON, or none that is read."""

STRINGS: Final[dict[str, Shape]] = {
    "a name of V2": lambda size: "v2-" + "a" * (size - 3),
    "an escaped name of V2": lambda size: "v2-" + "_20" * ((size - 3) // 3),
    "a name of V2 with half an escape": lambda size: "v2-" + "_c3" * ((size - 3) // 3),
    "a name of underscores": lambda size: "v2-" + "_" * (size - 3),
    "the name of a number": lambda size: "v2-" + "9" * (size - 3),
    "a number": lambda size: "9" * size,
    "a number and a letter": lambda size: "9" * (size - 1) + "x",
    "letters": lambda size: "a" * size,
    "spaces": lambda size: " " * size,
    "emoji": lambda size: "😀" * (size // 4),
    "accents": lambda size: "é" * (size // 2),
}
"""What may stand where a name is expected; no quotes, nothing to escape."""

UNCLEAR: Final = (
    *(" ", ", ", ":", "=", "/", "/*", "//", "'", "''", "'a',", "a ", "a=", "to ", "'to", '"to":1,', '{"to":1},'),
    *("{[", "[}", "\\", '\\"', "\\'", "1.", "-", "\\u0074o", "\\ud83d"),
)
"""What no parser reads, in an object that seems to name somebody."""


def v3_frames(size: int) -> Iterator[tuple[str, str]]:
    """Every shape as a V3 frame, wherever one can stand."""
    head = '{"msg_type":"msg","target":"group"'
    for name, value in VALUES.items():
        yield f"payload: {name}", f'{head},"payload":{{"a":{value(size)}}}}}'
        yield f"payload is: {name}", f'{head},"payload":{value(size)}}}'
        yield f"from_id: {name}", f'{head},"from_id":{value(size)}}}'
        yield f"unknown field: {name}", f'{head},"color":{value(size)}}}'
        yield f"frame: {name}", value(size)
        yield f"cut: {name}", f'{head},"payload":{{"a":{value(size)}'
    unknown = VALUES["new keys"](size)
    yield "unknown fields", f"{head},{unknown[1:]}"
    for name, broken in BROKEN.items():
        yield f"frame: {name}", broken(size)
        yield f"payload: {name}", f'{head},"payload":{broken(size)}}}'
    for name, string in STRINGS.items():
        yield f"to_id: {name}", f'{{"msg_type":"msg","target":"direct","to_id":"{string(size)}"}}'
        yield f"cmd: {name}", f'{{"msg_type":"cmd","target":"group","cmd":"{string(size)}"}}'
        yield f"key: {name}", f'{head},"{string(size)}":1}}'
        yield f"payload key: {name}", f'{head},"payload":{{"{string(size)}":1}}}}'


MENTIONS = {
    "words": "to",
    "few words": "to, ",
    "words in prose": "say it to her; ",
    "words with a colon": "x to: ",
    "words that end": 'auto" ',
    "words that begin": '"tomato ',
    "quotes": '"',
    "blanks": "to" + " " * 98,
}
BEGINNINGS = ("<!--", "#\n", "/**/", ")]}'", "for(;;);", "(\ufeff ")


def v2_frames(size: int) -> Iterator[tuple[str, str]]:
    """Every shape as a V2 frame, wherever one can stand."""
    for name, value in VALUES.items():
        yield f"frame: {name}", value(size)
        yield f"payload: {name}", f'{{"msg":"a","payload":{{"a":{value(size)}}}}}'
        yield f"payload is: {name}", f'{{"msg":"a","payload":{value(size)},"version":1}}'
        yield f"member: {name}", f'{{"a":{value(size)}}}'
        yield f"claim: {name}", f'{{"client_id":{value(size)},"to":"bob"}}'
        yield f"recipient: {name}", f'{{"to":{value(size)},"msg":"a"}}'
        yield f"cut: {name}", f'{{"to":"bob","a":{value(size)}'
    members = VALUES["new keys"](size)
    yield "members beside a payload", f'{{"payload":{{"10000":1}},{members[1:]}'
    for name, broken in BROKEN.items():
        yield f"frame: {name}", broken(size)
        yield f"member: {name}", f'{{"to":"bob","a":{broken(size)}}}'
    for name, string in STRINGS.items():
        yield f"recipient: {name}", f'{{"to":"{string(size)}","msg":"a"}}'
        yield f"key: {name}", f'{{"{string(size)}":1}}'
    for piece in UNCLEAR:
        yield f"unclear: {piece}", "{" + piece * (size // len(piece))
        yield f"unclear rows: {piece}", '{"a":[' + piece * (size // len(piece)) + 'NaN],"to":"bob"}'
    yield "bridges", '{"a":"' + '\\"bridge\\":{' * (size // 12) + '"}'
    yield "bridges in text", '{"bridge":' * (size // 10)
    yield "escaped bridges in text", '{"\\u0062ridge"' * (size // 15)
    yield "quotes in text", "{\\u00" + '"' * size
    for beginning in BEGINNINGS:
        yield f"beginning: {beginning}", beginning * (size // len(beginning.encode())) + '{"to":"bob"}'
    for name, words in MENTIONS.items():
        yield f"mentions: {name}", "{to" + words * (size // len(words)) + '"'


def events(size: int) -> Iterator[tuple[str, str]]:
    """Every shape as the data of a Socket.IO event."""
    for name, value in VALUES.items():
        yield f"argument: {name}", f'["message",{value(size)}]'
        yield f"arguments: {name}", f'["message",{value(size)[1:-1] or 1}]'
        yield f"event: {name}", value(size)
    for name, broken in BROKEN.items():
        yield f"argument: {name}", f'["message",{broken(size)}]'
        yield f"event: {name}", broken(size)
    yield "a frame as text", json.dumps(["message", VALUES["new keys"](size)])
    yield "spaces around", '["message",{}' + " " * size + "]"
    yield "spaces behind", '["message",{}]' + " " * size
