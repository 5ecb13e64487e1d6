"""WebSocket frames, allowed and not, as raw bytes: sizes, fragments, masks, encodings. Each end has its close code.

After every test a bystander is asked whether it is still served.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, v3_path
from tests.end_to_end.configuration import QUIET, UNHURRIED
from tests.end_to_end.raw import BINARY, CLOSE, CONTINUATION, PING, PONG, TEXT, RawSocket, frame, raw_websocket
from tests.servers import BridgeProcess

LIMIT = 65_536
TOLERANCE = 64 * 1024 * 1024


@pytest.fixture(scope="module")
def shared(module_bridge: StartBridge) -> BridgeProcess:
    return module_bridge(config=QUIET + UNHURRIED)


@pytest.fixture
async def bridge(shared: BridgeProcess) -> AsyncIterator[BridgeProcess]:
    """The process, beside a bystander whom nothing may disturb."""
    async with client(shared, v3_path("elsewhere", "bystander")) as bystander:
        yield shared
        assert await bystander.is_served()
    assert "Traceback" not in shared.log


@pytest.fixture
async def raw(bridge: BridgeProcess) -> AsyncIterator[RawSocket]:
    """One client that says any bytes."""
    async with raw_websocket(bridge, v3_path("team", "ann")) as one:
        yield one


def message_of(size: int) -> bytes:
    """A message of so many bytes."""
    empty = json.dumps({"msg_type": "msg", "target": "echo", "msg": ""})
    return empty.replace('"msg": ""', '"msg": "' + "x" * (size - len(empty)) + '"').encode()


async def test_a_message_of_the_largest_size_is_taken(raw: RawSocket) -> None:
    await raw.send(frame(TEXT, message_of(LIMIT)))
    assert len((await raw.hear())["msg"]) > LIMIT - 100
    half = LIMIT // 2
    await raw.send(frame(TEXT, message_of(LIMIT)[:half], fin=False) + frame(CONTINUATION, message_of(LIMIT)[half:]))
    assert len((await raw.hear())["msg"]) > LIMIT - 100


TOO_BIG = {
    "one byte more": frame(TEXT, message_of(LIMIT + 1)),
    "binary": frame(BINARY, message_of(LIMIT + 1)),
    "ten megabytes": frame(TEXT, b"x" * 10_000_000),
    "a head that promises it": frame(TEXT, b"x" * (LIMIT + 1))[:14],
    "a head that promises the most": b"\x81\xff" + (2**63 - 1).to_bytes(8) + b"mask",
    "fragments": b"".join(frame(CONTINUATION if n else TEXT, b"x" * 1_000, fin=False) for n in range(70)),
    "a last fragment": frame(TEXT, b"x" * LIMIT, fin=False) + frame(CONTINUATION, b"x"),
}


@pytest.mark.parametrize("case", TOO_BIG)
async def test_a_message_that_is_too_big_ends_with_1009(raw: RawSocket, case: str) -> None:
    await raw.send(TOO_BIG[case])
    assert (await raw.hear())["payload"]["code"] == "message_too_big"
    assert await raw.close_code() == 1009


async def test_a_binary_frame_that_is_text_is_treated_as_text(raw: RawSocket) -> None:
    await raw.send(frame(BINARY, b'{"msg_type":"msg","target":"echo","msg":"h\xc3\xa9"}'))
    assert (await raw.hear())["msg"] == "hé"


@pytest.mark.parametrize("fragmented", [False, True])
async def test_a_binary_frame_that_is_no_text_ends_with_1003(raw: RawSocket, fragmented: bool) -> None:  # noqa: FBT001
    first, last = frame(BINARY, b"\xff", fin=False), frame(CONTINUATION, b"\xfe")
    await raw.send(first + last if fragmented else frame(BINARY, b"\xff\xfe"))
    assert (await raw.hear())["payload"]["code"] == "binary_not_supported"
    assert await raw.close_code() == 1003


NO_UTF_8 = (b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xf4\x90\x80\x80", b"\xc0\x80", b'{"msg":"\xe9"}')


@pytest.mark.parametrize("payload", NO_UTF_8)
@pytest.mark.parametrize("fragmented", [False, True])
async def test_text_that_is_not_utf_8_ends_with_1007(
    raw: RawSocket,
    payload: bytes,
    fragmented: bool,  # noqa: FBT001
) -> None:
    split = frame(TEXT, payload[:1], fin=False) + frame(CONTINUATION, payload[1:])
    await raw.send(split if fragmented else frame(TEXT, payload))
    assert await raw.close_code() == 1007


async def test_a_character_may_be_split_between_fragments(raw: RawSocket) -> None:
    whole = '{"msg_type":"msg","target":"echo","msg":"é😀"}'.encode()
    for cut in range(1, len(whole)):
        await raw.send(frame(TEXT, whole[:cut], fin=False) + frame(CONTINUATION, whole[cut:]))
        assert (await raw.hear())["msg"] == "é😀"


HELLO = b'{"msg_type":"msg","target":"echo"}'
BROKEN = {
    "no mask": frame(TEXT, HELLO, masked=False),
    "no mask, large": frame(TEXT, b"x" * 70_000, masked=False),
    "no mask on a ping": frame(PING, b"", masked=False),
    "reserved bit 1": frame(TEXT, HELLO, reserved=0b100),
    "reserved bit 2": frame(TEXT, HELLO, reserved=0b010),
    "reserved bit 3": frame(TEXT, HELLO, reserved=0b001),
    "reserved bit on a ping": frame(PING, b"", reserved=0b100),
    **{f"reserved opcode {opcode:x}": frame(opcode, HELLO) for opcode in (*range(3, 8), *range(11, 16))},
    "a ping of 126 bytes": frame(PING, b"x" * 126),
    "a pong of 126 bytes": frame(PONG, b"x" * 126),
    "a close of 126 bytes": frame(CLOSE, b"\x03\xe8" + b"x" * 124),
    "a ping of 70,000 bytes": frame(PING, b"x" * 70_000),
    "a fragmented ping": frame(PING, b"", fin=False),
    "a continuation of nothing": frame(CONTINUATION, HELLO),
    "a message within a message": frame(TEXT, b"{", fin=False) + frame(TEXT, HELLO),
    "a close of one byte": frame(CLOSE, b"\x03"),
    "a close code below 1000": frame(CLOSE, b"\x03\xe7"),
    "close code 1005": frame(CLOSE, b"\x03\xed"),
    "close code 1006": frame(CLOSE, b"\x03\xee"),
}


@pytest.mark.parametrize("case", BROKEN)
async def test_a_frame_that_rfc_6455_forbids_ends_with_1002(raw: RawSocket, case: str) -> None:
    await raw.send(BROKEN[case])
    assert await raw.close_code() == 1002
    assert await raw.rest(5) == b""


@pytest.mark.parametrize("pieces", [1, 7])
async def test_a_message_may_come_in_any_pieces(raw: RawSocket, pieces: int) -> None:
    data = frame(PING, b"are you there?") + frame(TEXT, HELLO[:9], fin=False) + frame(CONTINUATION, HELLO[9:])
    for start in range(0, len(data), pieces):
        await raw.send(data[start : start + pieces])
    assert await raw.receive() == (PONG, b"are you there?")
    assert (await raw.hear())["from_id"] == "ann"


async def test_a_close_is_answered_with_its_code(raw: RawSocket) -> None:
    await raw.send(frame(CLOSE, (4_000).to_bytes(2) + b"bye"))
    assert await raw.close_code() == 4_000
    assert await raw.rest(5) == b""


async def test_many_fragments_end_the_connection_and_cost_no_memory(raw: RawSocket, bridge: BridgeProcess) -> None:
    before = memory_of(bridge.pid)
    await raw.send(frame(TEXT, b"x", fin=False) + frame(CONTINUATION, b"x", fin=False) * 299_999)
    assert await raw.close_code() in (1008, 1009)
    assert memory_of(bridge.pid) - before < TOLERANCE


async def test_many_empty_fragments_end_the_connection(raw: RawSocket) -> None:
    await raw.send(frame(TEXT, b"", fin=False) + frame(CONTINUATION, b"", fin=False) * 299_999)
    assert await raw.close_code() in (1008, 1009)


def memory_of(process_id: int) -> int:
    """The most memory that a process has had so far, in bytes."""
    lines = Path(f"/proc/{process_id}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
