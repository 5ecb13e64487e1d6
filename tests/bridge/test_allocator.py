"""What goes back to the system, in a process of its own: few small objects that stay keep little of what was there."""

import subprocess
import sys

import pytest

MIB = 1024 * 1024
LEFT = """
import gc, sys
from bridge import allocator
if sys.argv[1] == "c": allocator.use_c_library()
before = allocator.resident_bytes()
wave = [bytes(200) for _ in range(150_000)]
stay = wave[::1_000]
del wave
gc.collect()
allocator.give_back()
print(allocator.uses_c_library(), allocator.resident_bytes() - before, len(stay))
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
    uses, left_bytes = left("own")
    assert uses == "False"
    assert left_bytes > 10 * MIB


@pytest.mark.parametrize("chosen", ["malloc", "pymalloc_debug"])
def test_what_the_operator_chose_stays(chosen: str) -> None:
    assert left("c", PYTHONMALLOC=chosen)[0] == str(chosen == "malloc")
