"""What goes back to the system, in a process of its own: few small objects that stay keep little of what was there."""

import subprocess
import sys

import pytest

MIB = 1024 * 1024
LEFT = """
import contextlib, gc, sys
from bridge.system import allocator
from bridge.system.allocator import c_library
before = allocator.resident_bytes()
with c_library if sys.argv[1] == "c" else contextlib.nullcontext():
    with c_library if sys.argv[1] == "c" else contextlib.nullcontext():
        wave = [bytes(200) for _ in range(75_000)]
    wave += [bytes(200) for _ in range(75_000)]
stay = wave[::1_000]
del wave
gc.collect()
allocator.give_back()
print(c_library.is_used, allocator.resident_bytes() - before, len(stay))
"""
PASSED_ON = """
from bridge.system.allocator import c_library
before = [[number] * number for number in range(300)]
for _ in range(3):
    with c_library:
        within = [[number] * number for number in range(300)]
        for room in before: room.append(None)
        before = None
    before, within = within, None
    for room in before: room.append(None)
    grown = {number: str(number) for number in range(10_000)}
    with c_library: grown.update({str(number): number for number in range(10_000)})
    for number in range(10_000): del grown[number]
print(sum(map(len, before)), len(grown))
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="glibc is Linux's")


def left(by: str, **environment: str) -> tuple[str, int]:
    command = [sys.executable, "-c", LEFT, by]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()
    return answer[0], int(answer[1])


def test_what_few_objects_outlive_is_given_back() -> None:
    uses, left_bytes = left("c")
    assert uses == "True"
    assert left_bytes < 4 * MIB


def test_pythons_own_allocator_keeps_it() -> None:
    _, left_bytes = left("own")
    assert left_bytes > 10 * MIB


@pytest.mark.parametrize("chosen", ["malloc", "pymalloc_debug"])
def test_what_the_operator_chose_stays(chosen: str) -> None:
    assert left("c", PYTHONMALLOC=chosen)[0] == "False"


def test_what_came_from_either_is_changed_and_freed_by_both() -> None:
    command = [sys.executable, "-c", PASSED_ON]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout.split() == ["45150", "10000"]
