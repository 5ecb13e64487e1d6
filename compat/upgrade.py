"""Conversion of V2 frames to V3 content. Pure and without loss: every frame has a content, and every member is kept.

It never decides who receives a message; it returns what the sender meant. `from_id`, `group_id` and `sent_at` are
never taken from a frame. A member that claims one of them is not believed; it is kept in the stash, `payload._v2`. The
same holds for `JOIN` or `LEAVE` in a presence frame, because in V3 only the server sends these.

Decided here: a dialect key for a command puts its value into `payload.value`. If the frame has a `payload` object with
a `value` of its own, the key's value goes into the stash under the key's name, and the command is still set. A frame
that becomes text has its recipient and its target still read (`address.py`), so that nobody else receives it.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, get_args

from compat.address import address_of
from compat.dialect import STANDARD, Dialect
from compat.identity import PLAIN_NAMES, Names
from compat.reading import NotJson, TooMuch, read
from legacy_v2 import frames
from v3.messages import SERVER_EVENTS, SERVER_ID, Content, MsgType

Outcome = Literal["exact", "stashed", "suppressed"]
"""Every member has its place in V3; some members are in the stash; or listeners of the other protocol get nothing."""
EXACT: Final[Outcome] = "exact"
STASHED: Final[Outcome] = "stashed"
SUPPRESSED: Final[Outcome] = "suppressed"

VALUE: Final = "value"
TO_NOBODY: Final = {"target": "direct", "to_id": SERVER_ID}
"""The address of a frame whose recipient cannot be read. No client can have the server's id, so nobody hears it."""


@dataclass(frozen=True, slots=True)
class Upgraded:
    """The V3 content of a V2 frame, and whether a part of the frame had to go to the stash.

    `frame` is the parsed JSON value, or `None` if the frame counts as text.
    """

    content: Content
    outcome: Outcome
    frame: object = field(default=None, compare=False)


def outcome_of(upgraded: Upgraded) -> Outcome:
    """The outcome of an upgrade. A heartbeat counts as suppressed, since no V3 client receives it."""
    return SUPPRESSED if upgraded.content["msg_type"] == "heartbeat" else upgraded.outcome


def upgrade_text(text: str, names: Names = PLAIN_NAMES, dialect: Dialect = STANDARD) -> Upgraded:
    """The V3 content of any V2 text frame. A frame that is not JSON becomes a `msg` with that text."""
    try:
        frame = read(text, dialect.said_as["payload"])
    except NotJson as reason:
        recipients, targets = dialect.spellings["to_id"], dialect.spellings["target"]
        named = address_of(text, recipients, targets, is_heavy=isinstance(reason, TooMuch))
        return _as_text(text, TO_NOBODY if named is None else _Reading(named, names, dialect).address())
    return upgrade(frame, names, dialect)


def _as_text(text: str, address: Mapping[str, str]) -> Upgraded:
    return Upgraded({"msg_type": "msg", **address, "msg": text}, EXACT)  # type: ignore[typeddict-item]


def upgrade(frame: object, names: Names = PLAIN_NAMES, dialect: Dialect = STANDARD) -> Upgraded:
    """The V3 content of any JSON value. A value that is not an object becomes `payload.value`."""
    if not isinstance(frame, dict):
        return Upgraded({"msg_type": "msg", "target": "group", "payload": {VALUE: frame}}, EXACT, frame)
    return _Reading(frame, names, dialect).upgraded()


class _Reading:
    """The conversion of one frame. Each member that is used is removed from `unused`; the rest becomes the payload."""

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
        named = None if recipient is None else frames.recipient_of(self.unused[recipient])
        targets = self.dialect.spellings["target"]
        target = self._take(targets, lambda value: _is_target(value, has_recipient=named is not None))
        if target is None:
            target = "group" if named is None else "direct"
        if target != "direct" or recipient is None or named is None:
            return {"target": target}
        del self.unused[recipient]
        return {"target": target, "to_id": self.names.name_of(named)}

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
        """Payload and stash of the unused members. Those whose name is taken, or is the server's, go to the stash."""
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


_MSG_TYPES_OF_V3: Final = get_args(MsgType)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_type_word(value: object) -> bool:
    return isinstance(value, str) and value in frames.TYPE_WORDS


def _is_target(value: object, *, has_recipient: bool) -> bool:
    return value in ("group", "broadcast") or (value == "direct" and has_recipient)
