"""What V3 clients send, as Hypothesis draws it: mostly messages, valid or nearly so."""

import json

from hypothesis import strategies as st

from tests.compat.strategies import contents, known

NAMES = ("ann", "bob", "v2-42", "42", "server", "", "x" * 65)
VALUES = st.one_of(
    st.sampled_from((*NAMES, None, "3", "JOIN", "LEAVE", {}, {"cursor": True}, {"limits": True}, 7)), known
)
FIELDS = st.fixed_dictionaries(
    {"msg_type": st.sampled_from(("msg", "cmd", "heartbeat", "presence"))},
    optional={
        "target": st.sampled_from(("direct", "group", "broadcast", "echo")),
        **dict.fromkeys(
            ("to_id", "cmd", "msg", "payload", "version", "from_id", "group_id", "sent_at", "other"), VALUES
        ),
    },
)
HEARTBEATS = st.fixed_dictionaries(
    {
        "msg_type": st.sampled_from(("heartbeat", "presence")),
        "target": st.just("echo"),
        "payload": st.sampled_from(({}, {"cursor": True}, {"limits": True, "cursor": True}, {"limits": 7})),
    }
)
JUNK = ('{"msg_type":"msg","target":"group","payload":{"a":NaN}}', "[]", "null", '"hi"', "{", "\x00")


@st.composite
def texts(draw: st.DrawFn) -> str:
    """Mostly messages, valid or nearly so."""
    if draw(st.integers(0, 9)):
        return json.dumps(draw(st.one_of(contents, HEARTBEATS, FIELDS)))
    return draw(st.one_of(st.sampled_from(JUNK), st.text(max_size=20)))


NUMBERS = ("0", "-0", "-0.0", "1.0", "1E5", "1e400", "-1e400", "01", "+1", ".5", "5.", "NaN", "1e-400", "1" * 400)
MARKS = (*'"\\{}[],: \n\t\x00\x7f\ufeffé😀', r"\ud83d", r"\u0000")


@st.composite
def misspelt(draw: st.DrawFn) -> str:
    """A message with a part cut out and another put in, which may be no JSON any more, or other JSON."""
    text = draw(texts())
    start = draw(st.integers(0, len(text)))
    end = start + draw(st.integers(0, 2))
    return f"{text[:start]}{draw(st.sampled_from((*NUMBERS, *MARKS, '')))}{text[end:]}"


@st.composite
def numerical(draw: st.DrawFn) -> str:
    """A message with a number of any form in its payload."""
    values = ",".join(draw(st.lists(st.sampled_from(NUMBERS), min_size=1, max_size=3)))
    return f'{{"msg_type":"msg","target":"group","payload":{{"a":[{values}]}}}}'
