"""Conversion of V2 frames to V3 content. Pure and without loss: every frame has a content, and every member is kept.

It never decides who receives a message; it returns what the sender meant. `from_id`, `group_id` and `sent_at` are
never taken from a frame. A member that claims one of them is not believed; it is kept in the stash, `payload._v2`. The
same holds for `JOIN` or `LEAVE` in a presence frame, because in V3 only the server sends these.

Decided here: a dialect key for a command puts its value into `payload.value`. If the frame has a `payload` object with
a `value` of its own, the key's value goes into the stash under the key's name, and the command is still set. A frame
that becomes text has its recipient and its target still read (`address.py`), so that nobody else receives it.
"""

from collections.abc import Mapping
from typing import Any, Final, Literal

from msgspec import Struct

from compat.address import address_of
from compat.dialect import COMMAND, STANDARD, Dialect
from compat.identity import PLAIN_NAMES, Names
from compat.plain_frames import plain_content
from compat.reading import NotJson, TooMuch, read
from legacy_v2 import frames
from v3.messages import SERVER_EVENTS, SERVER_ID, Content

Outcome = Literal["exact", "stashed", "suppressed"]
"""Every member has its place in V3; some members are in the stash; or listeners of the other protocol get nothing."""
EXACT: Final[Outcome] = "exact"
STASHED: Final[Outcome] = "stashed"
SUPPRESSED: Final[Outcome] = "suppressed"

VALUE: Final = "value"
TO_NOBODY: Final = {"target": "direct", "to_id": SERVER_ID}
"""The address of a frame whose recipient cannot be read. No client can have the server's id, so nobody hears it."""


class Upgraded(Struct, frozen=True):
    """The V3 content of a V2 frame, and whether a part of the frame had to go to the stash.

    `frame` is the parsed JSON value, or `None` if the frame counts as text.
    """

    content: Content
    outcome: Outcome
    frame: object = None


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
    plain = plain_content(frame, names, dialect)
    return Upgraded(plain, EXACT, frame) if plain is not None else _Reading(frame, names, dialect).upgraded()


class _Reading:
    """The conversion of one frame. Each member that is used is removed from `unused`; the rest becomes the payload."""

    __slots__ = ("dialect", "disbelieved", "frame", "names", "unused", "words")

    def __init__(self, frame: Mapping[str, Any], names: Names, dialect: Dialect) -> None:
        self.frame = frame
        self.unused = dict(frame)
        self.words = dialect.words_in(frame)
        self.names = names
        self.dialect = dialect
        self.disbelieved: dict[str, object] = {}

    def upgraded(self) -> Upgraded:
        words, msg_type = self.words, self._msg_type()
        if msg_type == "presence":
            self.disbelieved = self._take_events()
        cmd, command_word = self._take_text("cmd"), None
        if cmd is None and COMMAND in words:
            command_word = self._command_word(msg_type)
            cmd = None if command_word is None else self.dialect.commands[command_word]
        said: dict[str, object] = {"msg_type": msg_type or ("msg" if cmd is None else "cmd"), **self.address()}
        if cmd is not None:
            said["cmd"] = cmd
        msg = self._take_text("msg")
        if msg is not None:
            said["msg"] = msg
        payload, outcome = self._payload(command_word)
        if payload is not None:
            said["payload"] = payload
        return Upgraded(said, outcome, self.frame)  # type: ignore[arg-type]

    def _take_text(self, field: str) -> str | None:
        for word in self.words.get(field, ()):
            if isinstance(self.unused.get(word), str):
                return str(self.unused.pop(word))
        return None

    def _take_events(self) -> dict[str, object]:
        """The words that claim who has come or gone: they are not believed, since in V3 only the server says it."""
        cmds = [word for word in self.words.get("cmd", ()) if self._is_event(word)]
        return {word: self.unused.pop(word) for word in cmds}

    def _is_event(self, word: str) -> bool:
        value = self.unused[word]
        return isinstance(value, str) and value in SERVER_EVENTS

    def _command_word(self, msg_type: str | None) -> str | None:
        not_theirs = SERVER_EVENTS if msg_type == "presence" else ()
        return next((word for word in self.words[COMMAND] if self.dialect.commands[word] not in not_theirs), None)

    def _msg_type(self) -> str | None:
        for word in self.words.get("msg_type", ()):
            value = self.unused[word]
            msg_type = frames.TYPE_WORDS.get(value) if isinstance(value, str) else None
            if msg_type is not None and (msg_type == value or word != frames.MSG_TYPE):
                del self.unused[word]
                return msg_type
        return None

    def address(self) -> dict[str, str]:
        """Whom the frame is for. A recipient is used only where no other target is named."""
        word, recipient = self._recipient()
        target = self._take_target(has_recipient=recipient is not None)
        if target is None:
            target = "group" if recipient is None else "direct"
        if target != "direct" or recipient is None:
            return {"target": target}
        del self.unused[word]
        return {"target": target, "to_id": self.names.name_of(recipient)}

    def _recipient(self) -> tuple[str, str | int | None]:
        """The word that names a recipient, and whom it names: `None` if there is no such word."""
        for word in self.words.get("to_id", ()):
            recipient = frames.recipient_of(self.unused[word])
            if recipient is not None:
                return word, recipient
        return "", None

    def _take_target(self, *, has_recipient: bool) -> str | None:
        for word in self.words.get("target", ()):
            value = self.unused[word]
            if value in ("group", "broadcast") or (value == "direct" and has_recipient):
                return str(self.unused.pop(word))
        return None

    def _payload(self, command_word: str | None) -> tuple[dict[str, object] | None, Outcome]:
        word, container = self._take_container()
        places, stash = self._settle(container or {}, command_word)
        if frames.STASH in places and frames.STASH in stash and container is not None:
            places, stash = self._settle({}, command_word)
            stash[word] = container
        if stash:
            if frames.STASH in places:
                stash[frames.STASH] = places[frames.STASH]
            places[frames.STASH] = stash
        return (None if container is None and not places else places), (STASHED if stash else EXACT)

    def _take_container(self) -> tuple[str, dict[str, object] | None]:
        """The word that carries the payload, and the payload: `None` if there is no such word."""
        for word in self.words.get("payload", ()):
            if isinstance(self.unused[word], dict):
                return word, self.unused.pop(word)
        return "", None

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
