"""The shim's translator, in a real Chromium, against the Python one: the same words, and the two laws once more.

Nothing is connected here; `test_v2_shim.py` speaks to bridges.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final, cast
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from playwright.sync_api import Page, sync_playwright

from bridge.api.client_files import shim_script
from bridge.broker.message import read
from compat.downgrade import hear, is_spoken
from compat.identity import encode
from compat.upgrade import upgrade_text
from legacy_v2.frames import write as write_v2
from legacy_v2.websocket_door import ids_in
from tests.compat.addressed import TO_ALICE, UNREADABLE
from tests.compat.strategies import TOGETHER, WORLDS, World, contents, frames, nested, together
from tests.compat.vectors import vectors
from v3.form import depth
from v3.messages import Content, content_of
from v3.messages import write as write_v3
from v3.said import read_said

pytestmark = [pytest.mark.fuzz, pytest.mark.timeout(1200)]  # a thousand examples each, where CI is set
LAWS: Final = settings.get_profile("laws")
law = settings(LAWS, max_examples=LAWS.max_examples // 10 // TOGETHER, suppress_health_check=list(HealthCheck))

FACTS: Final = ("v2-42", "v2-a_20b", "2026-01-02T03:04:05.000006Z")
SHAPE: Final = "_v2_shape"
DEEPEST_SHAPED: Final = 28
"""A shape holds what V3 has no place for three containers deeper, and V3 takes 32."""

SET_UP: Final = """(worlds) => {
  const { Dialect, Interpreter, Names, hear, readMessage, upgradeText, writeJson } = AetherV2Shim;
  const known = worlds.map(({ rules, ids }) => ({ ids, names: new Names(ids), dialect: new Dialect(rules) }));
  const own = { client: "42", group: "a b" };
  const interpreter = ({ ids, dialect }) => new Interpreter({ ids, dialect, maxMessageBytes: 1e6 }, own);
  window.upgraded = (text) => known.map((world) => writeJson(upgradeText(text, world.names, world.dialect).content));
  const heard = (line, { names, dialect }) => writeJson(hear(readMessage(line), names, dialect));
  window.heard = (lines) => known.map((world, at) => heard(lines[at], world));
  const frames = (one, { frame, own }) => [frame ?? one.toOneself([own])];
  window.said = (text) => known.map(interpreter).map((one) => frames(one, one.said(text)));
  window.shown = (lines) => known.map((world, at) => interpreter(world).heard(readMessage(lines[at])).shown);
}"""

ODD_TEXTS: Final = (
    *(
        "",
        " ",
        "hello",
        "NaN",
        "Infinity",
        "-Infinity",
        "1e400",
        "-1e400",
        "[1e400]",
        "-",
        "+1",
        "01",
        "1.",
        ".5",
        "1e5",
        "-0",
    ),
    *(
        "\ufeff{}",
        "\x0b1",
        " \t\r\n1 ",
        "[1,]",
        '{"a":1,}',
        '{"a":1',
        '{"a" 1}',
        "{a:1}",
        "{'a':1}",
        "[1 2]",
        "1 2",
        "tru",
    ),
    *("true", "nul", "null", '"a', '"a\\"', '"\\\\"', '"\\x"', '"\\u12"', '"\x00"', '"\x7f"', '"\u2028"', '"a\\/b"'),
    *(
        '"\\ud800"',
        '"\\ud83d\\ude00"',
        '"\\ude00\\ud83d"',
        '{"\\ud800":1}',
        '{"a":1,"b":2,"a":3}',
        '{"to":-0,"msg":"x"}',
    ),
    *(
        "1" * 4300,
        "1" * 4301,
        "-" + "1" * 4300,
        "-" + "1" * 4301,
        "0." + "1" * 5000,
        "1" * 4301 + ".5",
        "0" + "1" * 5000,
    ),
    *("[" * 32 + "]" * 32, "[" * 33 + "]" * 33, "[" * 500 + "]" * 500, '{"a":' * 33 + "1" + "}" * 33),
    *('{"payload":' * depth + "1" + "}" * depth for depth in (33, 34, 35)),
    '{"a":' + "[" * 40 + "]" * 40 + ',"a":1}',
    '{"a":' + "[" * 400 + "]" * 400 + ',"a":1}',
)
ADDRESSED: Final = (
    *('{"to":7.0}', '{"to":7e0,"a":1}', '{"to":70e-1}', '{"to":-0.0}', '{"to":9223372036854775808.0}', '{"to":1e22}'),
    *(r'{"to":"bob","msg":"x \ud83d"}', r'{"to":"bo\ud83d","msg":1}', '{"to":"bob","a":1e400}', '{"to":1e400,"a":1}'),
    *('\ufeff{"to":"bob"}\x00', '{"msg":"a\nb","to":"bob"}', '{"to":7.0,"a":"\n"}', '{"to":7.5,"a":1e400}'),
    *('{"to":"bob","a":' + "[" * 40 + "]" * 40 + "}", '{"to":[1],"a":1e400}', '{"to":null,"a":1e400}', '{"a":"x'),
    *('{"target":"broadcast","a":1e400}', '{"data":{"to":"eve"},"a":1e400}', '{"to":"","a":1e400}'),
)
IDS: Final = (
    "42",
    "007",
    "dev_1",
    "a b",
    "server",
    "v2-42",
    "é🜁",
    "9" * 70,
    "x" * 128,
    "a/b",
    "_",
    "-5",
    "%",
    "\ufeff",
)


@pytest.fixture(scope="module")
def page(chromium: str) -> Iterator[Page]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium)
        page = browser.new_page()
        page.add_script_tag(content=shim_script())
        page.evaluate(SET_UP, [described(world) for world in WORLDS])
        yield page
        browser.close()


def described(world: World) -> dict[str, Any]:
    rules = {word: rule.model_dump(exclude_none=True) for word, rule in world.rules.items()}
    return {"rules": rules, "ids": world.names.id_map}


def exactly(value: Any) -> str:
    """Its members in their order, so that the order is compared too."""
    return json.dumps(value)


def assert_upgraded_alike(page: Page, text: str) -> None:
    for world, said in zip(WORLDS, page.evaluate("(text) => upgraded(text)", text), strict=True):
        assert exactly(json.loads(said)) == exactly(upgrade_text(text, world.names, world.dialect).content)


@law
@given(many=together(frames))
def test_frames_are_upgraded_as_the_bridge_does_it(page: Page, many: list[dict[str, Any]]) -> None:
    for frame in many:
        assert_upgraded_alike(page, write_v2(frame))


@law
@given(many=together(st.one_of(st.text(max_size=12), st.text('{}[]":,0123456789eE+-.\\u tfn', max_size=20))))
def test_texts_are_json_where_they_are_to_the_bridge(page: Page, many: list[str]) -> None:
    for text in many:
        assert_upgraded_alike(page, text)


def test_an_odd_text_is_what_it_is_to_the_bridge(page: Page) -> None:
    for text in ODD_TEXTS:
        assert_upgraded_alike(page, text)


def test_whom_a_text_names_is_whom_it_names_to_the_bridge(page: Page) -> None:
    for text in (*ADDRESSED, *TO_ALICE, *UNREADABLE):
        if len(text) < 1_000:  # the bridge has bounds, beyond which the shim reads on
            assert_upgraded_alike(page, text)


def test_what_does_not_fit_into_v3_goes_to_whom_it_names(page: Page) -> None:
    frame = {"to": "bob", "a": nested(33, 1, ("b", "c"))}
    for lines in page.evaluate("(text) => said(text)", json.dumps(frame)):
        assert json.loads(lines[0])["to_id"] == "bob"


@pytest.mark.parametrize(("v2", "v3"), vectors("v2_to_v3"))
def test_a_worked_vector_is_upgraded_as_written(page: Page, v2: Any, v3: Any) -> None:
    assert json.loads(page.evaluate("(text) => upgraded(text)", json.dumps(v2))[0]) == v3


@law
@given(many=together(contents))
def test_what_v3_says_is_heard_as_the_bridge_says_it_to_v2(page: Page, many: list[dict[str, Any]]) -> None:
    for said in many:
        content = cast(Content, said)
        line = write_v3(content, *FACTS).decode()
        for world, heard in zip(WORLDS, page.evaluate("(lines) => heard(lines)", [line] * len(WORLDS)), strict=True):
            assert heard == write_v2(hear(content, *FACTS, world.names, world.dialect))


@law
@given(many=together(frames))
@example(many=[{}, {"type": "typing", "user": "bob"}, {"to": "42", "data": {"a": 1, "b": 2}, "a": 3, "client_id": 7}])
def test_between_two_shims_frames_come_back_with_their_own_words(page: Page, many: list[dict[str, Any]]) -> None:
    for frame in many:
        assert_comes_back_with_its_own_words(page, frame)


def assert_comes_back_with_its_own_words(page: Page, frame: dict[str, Any]) -> None:
    text = write_v2(frame)
    spoken = page.evaluate("(text) => said(text)", text)
    carried = [[over_the_wire(line) for line in lines] for lines in spoken]
    shown = page.evaluate("(lines) => shown(lines)", [lines[0] for lines in carried])
    for world, lines, texts in zip(WORLDS, carried, shown, strict=True):
        assert_heard(world, frame, text, json.loads(lines[0]), texts)


def over_the_wire(line: str) -> str:
    """As the bridge would say it on: it takes whatever a page says."""
    return write_v3(content_of(read_said(line)), *FACTS).decode()


def assert_heard(world: World, frame: dict[str, Any], text: str, message: dict[str, Any], texts: list[str]) -> None:
    content = upgrade_text(text, world.names, world.dialect).content
    if content["msg_type"] == "heartbeat" or texts == [text]:
        assert texts == [text]
        return
    if content["msg_type"] == "presence" and depth(frame) > DEEPEST_SHAPED and not texts:
        return
    [heard] = texts
    members = json.loads(heard)
    is_shaped = SHAPE in message.get("payload", {})
    if is_shaped or depth(frame) <= DEEPEST_SHAPED:
        assert {name: exactly(members[name]) for name in frame} == {name: exactly(frame[name]) for name in frame}
        assert {"client_id", "group_id", "sent_at"} <= members.keys()
    if is_shaped:
        assert list(members)[: len(frame)] == list(frame)
        message["payload"].pop(SHAPE)
    understood = read(json.dumps(message).encode(), str).content
    assert exactly(understood | {"payload": understood.get("payload") or {}}) == exactly(
        content | {"payload": content.get("payload") or {}}
    )


def is_no_object(text: str) -> bool:
    """Whether it is plain text, or any other JSON value: an object comes back with what the bridge adds to it."""
    try:
        return not isinstance(json.loads(text), dict)
    except ValueError:
        return True


@law
@given(many=together(st.text(st.characters(exclude_categories=["Cs"]), max_size=12).filter(is_no_object)))
@example(many=["[]"])
def test_between_two_shims_texts_come_back_as_they_were(page: Page, many: list[str]) -> None:
    for text in many:
        lines = [over_the_wire(lines[0]) for lines in page.evaluate("(text) => said(text)", text)]
        for [shown] in page.evaluate("(lines) => shown(lines)", lines):
            assert shown == text or json.loads(shown) == json.loads(text)


def test_what_v2_has_no_word_for_is_not_shown(page: Page) -> None:
    for msg_type in ("presence", "heartbeat"):
        line = write_v3({"msg_type": cast(Any, msg_type), "target": "group", "payload": {"a": 1}}, *FACTS).decode()
        assert not is_spoken(read(line.encode(), str).content)
        assert page.evaluate("(lines) => shown(lines)", [line] * len(WORLDS)) == [[]] * len(WORLDS)


@pytest.mark.parametrize("id_", IDS)
def test_an_id_is_named_as_the_bridge_names_it(page: Page, id_: str) -> None:
    assert page.evaluate("(id) => AetherV2Shim.encodeId(id)", id_) == encode(id_)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "/ws",
            "/ws/",
            "/ws/42",
            "/ws/client/42",
            "/ws/group/a%20b",
            "/ws_redis/group/a%2Fb/client/%C3%A9",
            "/ws_redis",
        ),
        *(
            "/ws/group",
            "/ws/client",
            "/ws/group//client/42",
            "/ws/group/g/",
            "/ws/a/b",
            "/ws/%ff%zz%",
            "/ws/group/g/client/",
        ),
    ],
)
def test_an_address_is_v2_where_it_is_to_the_bridge(page: Page, path: str) -> None:
    ids = page.evaluate("(path) => AetherV2Shim.idsIn(path) ?? null", path)
    assert (None if ids is None else (ids.get("group"), ids.get("client"))) == ids_in(path)


@pytest.mark.parametrize("path", ["/", "/wss/42", "/v3/ws/group/g/client/c", "/api/ws/42", "/sockjs-node"])
def test_an_address_that_is_not_v2s_is_none_of_ours(page: Page, path: str) -> None:
    assert page.evaluate("(path) => AetherV2Shim.idsIn(path) ?? null", quote(path)) is None


@pytest.mark.parametrize(
    "rules", ['{"msg":{"cmd":"A"}}', '{"a":{}}', '{"a":{"field":"b"}}', '{"a":{"cmd":"A"},"b":{"cmd":"A"}}']
)
def test_a_dialect_that_is_none_is_refused_as_in_the_configuration(page: Page, rules: str) -> None:
    refused = "(rules) => { try { new AetherV2Shim.Dialect(JSON.parse(rules)); return false; } catch { return true; } }"
    assert page.evaluate(refused, rules)


LENIENT: Final = {
    '{"to":"alice","msg":"x \\ud83d"}': ("direct", "alice"),
    '{"to":"alice","msg":NaN}': ("direct", "alice"),
    '{"msg":-Infinity,"to_client_id":42}': ("direct", "v2-42"),
    '{"to":7,"n":1e400}': ("direct", "v2-7"),
    '\ufeff{"to":"alice"}': ("direct", "alice"),
    '{"to":"alice","msg":"line\nbreak"}': ("direct", "alice"),
    '{"to":"alice"}\x00': ("direct", "alice"),
    '{"to":"alice","a":' + "[" * 40 + "]" * 40 + "}": ("direct", "alice"),
    '{"a":' + "[" * 5_000 + "]" * 5_000 + ',"\\u0074o":"alice"}': ("direct", "alice"),
    '{"to":"alice",}': ("direct", "alice"),
    "{'to':'alice'}": ("direct", "alice"),
    '{to:"alice"}': ("direct", "alice"),
    '{"to":"alice"': ("direct", "alice"),
    '{"to":"a","to":"alice","x":NaN}': ("direct", "alice"),
    '{"to":NaN}': ("direct", "server"),
    '{"to":1e400}': ("direct", "server"),
    '{"to":"alice': ("direct", "server"),
    '{"x":{"to":"eve"},"n":NaN}': ("group", None),
    '{"msg":"the word \\"to\\": here","n":NaN}': ("group", None),
    '{"to":"alice","target":"broadcast","n":NaN}': ("broadcast", None),
    '{"to":7.5,"n":NaN}': ("group", None),
    '{"to":7.0,"msg":"x"}': ("direct", "v2-7"),
    '{"to":7e0}': ("direct", "v2-7"),
    '{"to":-0.0}': ("direct", "v2-0"),
    '{"to":1e22}': ("direct", "v2-10000000000000000000000"),
    'hello {"to":"alice"': ("group", None),
    "/*" * 20_000: ("group", None),
    "// (" * 15_000: ("group", None),
    '{"' + '\\"' * 30_000: ("group", None),
}
"""Texts that are no strict JSON, and whom they name; or whose recipient is a number that equals an integer."""


@pytest.mark.parametrize(("text", "named"), LENIENT.items(), ids=[text[:40] for text in LENIENT])
def test_nothing_is_heard_by_more_than_it_names(page: Page, text: str, named: tuple[str, str | None]) -> None:
    content = json.loads(page.evaluate("(text) => upgraded(text)", text)[0])
    assert (content["target"], content.get("to_id")) == named
    assert_upgraded_alike(page, text)


def test_a_large_frame_costs_a_few_times_what_the_browser_takes_to_read_and_write_it(page: Page) -> None:
    """Not in seconds: a busy machine is as much slower for both."""
    [own, browsers] = page.evaluate(
        """() => {
          const row = (id) => ({ id, name: `name ${id}`, price: id * 1.25, ok: true, tags: ["a", "b"] });
          const rows = Array.from({ length: 780 }, (_, id) => row(id));
          const text = JSON.stringify({ type: "table", data: { rows } });
          const { Dialect, Interpreter } = AetherV2Shim;
          const options = { dialect: new Dialect(), ids: {}, maxMessageBytes: 1e6 };
          const one = new Interpreter(options, { client: "42", group: "g" });
          const quickest = (act) => Math.min(...Array.from({ length: 60 }, () => {
            const begun = performance.now();
            for (let times = 0; times < 5; times += 1) act();
            return performance.now() - begun;
          }));
          return [quickest(() => one.said(text)), quickest(() => JSON.stringify(JSON.parse(text)))];
        }"""
    )
    assert own < 12 * browsers  # 60 times when each value was an object of its own
