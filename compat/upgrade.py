"""V2 words -> V3 words. Pure, total, and without loss: every V2 frame has a V3 content, and every member of it is kept.

It never decides who hears a message: it says what was meant. `from_id`, `group_id` and `sent_at` are never taken from a
frame; what claims to be one of them is kept in the stash, `payload._v2`, and not believed. So is a `JOIN` or `LEAVE`
that a presence frame claims: only the server says these in V3.

Decided here: a dialect word that names a command puts its value into `payload.value`; where a `payload` object brought
its own `value`, the word's value goes into the stash under its own name, and the command is still given. A frame with
too much structure to be read is text, but whom it names is read from it, so that nobody else hears it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from compat.dialect import STANDARD, Dialect
from compat.identity import PLAIN_NAMES, Names
from compat.reading import NotJson, TooMuch, address_of, read
from legacy_v2 import frames
from v3.messages import SERVER_EVENTS, Content

Outcome = Literal["exact", "stashed", "suppressed"]
EXACT: Final[Outcome] = "exact"
STASHED: Final[Outcome] = "stashed"
SUPPRESSED: Final[Outcome] = "suppressed"

VALUE: Final = "value"


@dataclass(frozen=True, slots=True)
class Upgraded:
    """What a V2 frame means in V3, and whether anything of it had to go to the stash.

    `frame` is the JSON value that was read, `None` where it was text.
    """

    content: Content
    outcome: Outcome
    frame: object = field(default=None, compare=False)


def upgrade_text(text: str, names: Names = PLAIN_NAMES, dialect: Dialect = STANDARD) -> Upgraded:
    """Any V2 text frame; one that is no JSON becomes `msg` with the text."""
    try:
        frame = read(text, dialect.said_as["payload"])
    except TooMuch:
        named = address_of(text, dialect.spellings["to_id"], dialect.spellings["target"])
        return _as_text(text, _Reading(named, names, dialect).address())
    except NotJson:
        return _as_text(text, {"target": "group"})
    return upgrade(frame, names, dialect)


def _as_text(text: str, address: Mapping[str, str]) -> Upgraded:
    return Upgraded({"msg_type": "msg", **address, "msg": text}, EXACT)  # type: ignore[typeddict-item]


def upgrade(frame: object, names: Names = PLAIN_NAMES, dialect: Dialect = STANDARD) -> Upgraded:
    """Any JSON value; one that is no object becomes `payload.value`."""
    if not isinstance(frame, dict):
        return Upgraded({"msg_type": "msg", "target": "group", "payload": {VALUE: frame}}, EXACT, frame)
    return _Reading(frame, names, dialect).upgraded()


class _Reading:
    """One frame being read: each word that is understood leaves `unused`, and what stays there becomes payload."""

    def __init__(self, frame: Mapping[str, Any], names: Names, dialect: Dialect) -> None:
        self.frame = frame
        self.unused = dict(frame)
        self.names = names
        self.dialect = dialect
        self.disbelieved: dict[str, object] = {}

    def upgraded(self) -> Upgraded:
        spellings = self.dialect.spellings
        msg_type = self._msg_type()
        if msg_type == "presence":
            self.disbelieved = {word: self.unused.pop(word) for word in spellings["cmd"] if self._is_event(word)}
        cmd = self._take(spellings["cmd"], _is_text)
        word = None if cmd is not None else self._command_word(msg_type)
        if word is not None:
            cmd = self.dialect.commands[word]
        said: dict[str, object] = {"msg_type": msg_type or ("msg" if cmd is None else "cmd"), **self.address()}
        said |= {
            name: text
            for name, text in (("cmd", cmd), ("msg", self._take(spellings["msg"], _is_text)))
            if text is not None
        }
        payload, outcome = self._payload(word)
        if payload is not None:
            said["payload"] = payload
        return Upgraded(said, outcome, self.frame)  # type: ignore[arg-type]

    def _find(self, words: Sequence[str], fits: Callable[[object], bool]) -> str | None:
        return next((word for word in words if word in self.unused and fits(self.unused[word])), None)

    def _take(self, words: Sequence[str], fits: Callable[[Any], bool]) -> Any:
        word = self._find(words, fits)
        return None if word is None else self.unused.pop(word)

    def _is_event(self, word: str) -> bool:
        value = self.unused.get(word)
        return isinstance(value, str) and value in SERVER_EVENTS

    def _command_word(self, msg_type: str | None) -> str | None:
        not_theirs = SERVER_EVENTS if msg_type == "presence" else ()
        commands = self.dialect.commands.items()
        return next((word for word, cmd in commands if word in self.unused and cmd not in not_theirs), None)

    def _msg_type(self) -> str | None:
        plain, *spelled = self.dialect.spellings["msg_type"]
        if self.unused.get(plain) in _MSG_TYPES_OF_V3:
            return str(self.unused.pop(plain))
        return frames.TYPE_WORDS.get(self._take(spelled, _is_type_word))

    def address(self) -> dict[str, str]:
        recipient = self._find(self.dialect.spellings["to_id"], frames.is_recipient)
        targets = self.dialect.spellings["target"]
        target = self._take(targets, lambda value: _is_target(value, has_recipient=recipient is not None))
        if target is None:
            target = "group" if recipient is None else "direct"
        if target != "direct" or recipient is None:
            return {"target": target}
        return {"target": target, "to_id": self.names.name_of(self.unused.pop(recipient))}

    def _payload(self, command_word: str | None) -> tuple[dict[str, object] | None, Outcome]:
        word = self._find(self.dialect.spellings["payload"], lambda value: isinstance(value, dict))
        container = None if word is None else self.unused.pop(word)
        places, stash = self._settle(container or {}, command_word)
        if word is not None and frames.STASH in places and frames.STASH in stash:
            places, stash = self._settle({}, command_word)
            stash[word] = container
        if stash:
            if frames.STASH in places:
                stash[frames.STASH] = places[frames.STASH]
            places[frames.STASH] = stash
        return (None if container is None and not places else places), (STASHED if stash else EXACT)

    def _settle(
        self, container: Mapping[str, object], command_word: str | None
    ) -> tuple[dict[str, object], dict[str, object]]:
        """Each unused member in its place in the payload, or in the stash where that place is taken or not its own."""
        places, stash = dict(container), dict(self.disbelieved)
        unused = dict(self.unused)
        if command_word is not None:
            value = unused.pop(command_word)
            if VALUE in places:
                stash[command_word] = value
            else:
                places[VALUE] = value
        taken = (unused.keys() & places.keys()) | (unused.keys() & frames.CLAIMS)
        if taken:
            stash |= {name: unused.pop(name) for name in list(unused) if name in taken}
        places |= unused
        return places, stash


_MSG_TYPES_OF_V3: Final = ("msg", "cmd", "heartbeat", "presence")


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_type_word(value: object) -> bool:
    return isinstance(value, str) and value in frames.TYPE_WORDS


def _is_target(value: object, *, has_recipient: bool) -> bool:
    return value in ("group", "broadcast") or (value == "direct" and has_recipient)
