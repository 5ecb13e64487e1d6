"""What listeners hear of a batch; those on V2: `test_v2.py`."""

from bridge.messaging.gaps import gap_message
from bridge.messaging.renderers import V3Renderer
from bridge.messaging.v2 import V2Renderer
from bridge.records.counters import Counts
from bridge.sockets.framing import text_frame
from tests.bridge.messaging.rendering import said
from tests.bridge.population import NOW, table_of


def test_v3_hears_the_lines_own_bytes() -> None:
    batch = [said(msg="hi"), said("verbatim", msg="verbatim"), said(msg_type="presence")]
    assert V3Renderer().render(batch) == b"".join(text_frame(message.line) for message in batch)


def test_v3_hears_no_heartbeat_of_v2() -> None:
    batch = [said('{"type":"ping"}', msg_type="heartbeat"), said('{"a":1}', payload={"a": 1})]
    assert V3Renderer().render(batch) == text_frame(batch[1].line)


def test_everyone_on_v3_hears_alike() -> None:
    assert len({V3Renderer.render(V3Renderer(), [said(msg="hi")]), V3Renderer().render([said(msg="hi")])}) == 1


def test_both_hear_of_a_gap() -> None:
    gap = gap_message(NOW, NOW)
    assert V3Renderer().render([gap]) == text_frame(gap.line)
    assert V2Renderer("acme", table_of(), Counts()).render([gap]) == text_frame(gap.v2_text or b"")
