"""Where Python's objects come from, and how what none needs any more goes back to the system. It decides nothing.

Python's own allocator keeps memory by the MiB: of a wave of connections one small object that outlives it, in each MiB,
keeps all that they took. The C library gives back every page on which nothing lies, when asked. So what is loaded at
the start stays where it is, and everything after comes from the C library; Python's own allocator passes on what is
freed that is not its own, as it always has for whatever is larger than 512 bytes. Only what begins empty and grows,
the room of a short list, is still its own.

It costs a tenth of the CPU where every client talks, measured with 200, and nothing where few talk to many.

Linux with glibc, and CPython with its own allocator. Elsewhere nothing is changed, and nothing given back.
"""

import ctypes
from pathlib import Path
from resource import getpagesize
from typing import Final

RAW, MEMORY, OBJECTS = 0, 1, 2
"""Python's three domains; the first is the C library's always."""
RESIDENT: Final = 1
"""Which number in `statm` counts the pages that are in memory."""


class _Functions(ctypes.Structure):
    """`PyMemAllocatorEx`: what a domain is served by."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("context", "allocate", "allocate_zeroed", "change", "free"))


def use_c_library() -> None:
    """From now on, where that is possible."""
    if not _can_give_back() or not _has_own():
        return
    library = _functions(RAW)
    for domain in (MEMORY, OBJECTS):
        functions = _functions(domain)
        functions.allocate, functions.allocate_zeroed = library.allocate, library.allocate_zeroed
        ctypes.pythonapi.PyMem_SetAllocator(domain, ctypes.byref(functions))


def uses_c_library() -> bool:
    """Whether what is free can be given back."""
    return _can_give_back() and _functions(OBJECTS).allocate == _functions(RAW).allocate


def resident_bytes() -> int:
    """How much of this process is in memory."""
    return int(Path("/proc/self/statm").read_text().split()[RESIDENT]) * getpagesize()


def give_back() -> None:
    """Every whole page on which nothing lies."""
    ctypes.CDLL(None).malloc_trim(0)


def _can_give_back() -> bool:
    return hasattr(ctypes.CDLL(None), "malloc_trim")


def _has_own() -> bool:
    """Whether objects come from Python's own allocator: `PYTHONMALLOC` and tools that look on put others there."""
    try:
        name = ctypes.pythonapi._PyMem_GetCurrentAllocatorName  # noqa: SLF001 - nothing else tells
    except AttributeError:
        return False
    name.restype = ctypes.c_char_p
    return bool(name() == b"pymalloc")


def _functions(domain: int) -> _Functions:
    functions = _Functions()
    ctypes.pythonapi.PyMem_GetAllocator(domain, ctypes.byref(functions))
    return functions
