"""Where the objects of a connection come from, and how what none needs any more goes back to the system.

Python's own allocator keeps memory by the MiB: of a wave of connections one small object that outlives it, in each MiB,
keeps all that they took. The C library gives back every page on which nothing lies, when asked. So whoever knocks is
let in on memory of the C library; what is said afterwards has Python's own, which is quicker. Whatever is freed goes to
where it came from: Python's allocator passes on what is not its own, as it always has for what is larger than 512
bytes. It decides nothing.

Linux with glibc, and CPython with its own allocator. Elsewhere nothing is changed, and nothing given back.
"""

import ctypes
from pathlib import Path
from resource import getpagesize
from typing import Final

_RAW, _MEMORY, _OBJECTS = 0, 1, 2
"""Python's three domains; the first is the C library's always."""
_RESIDENT: Final = 1
"""Which number in `statm` counts the pages that are in memory."""
_library: Final = ctypes.CDLL(None)
_set: Final = ctypes.pythonapi.PyMem_SetAllocator


class _Functions(ctypes.Structure):
    """`PyMemAllocatorEx`: what a domain is served by."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("context", "allocate", "allocate_zeroed", "change", "free"))


class CLibrary:
    """`with c_library:` what is made in there comes from the C library. It may be nested; nothing may await in it."""

    def __init__(self) -> None:
        self._depth = 0
        self.is_used = _can_give_back() and _has_own()
        domains = (_MEMORY, _OBJECTS) if self.is_used else ()
        self._own: Final[list[tuple[int, object]]] = [(domain, ctypes.byref(_functions(domain))) for domain in domains]
        self._library: Final[list[tuple[int, object]]] = [(domain, ctypes.byref(_mixed(domain))) for domain in domains]

    def __enter__(self) -> None:
        self._depth += 1
        if self._depth == 1:
            for domain, functions in self._library:
                _set(domain, functions)

    def __exit__(self, *_: object) -> None:
        self._depth -= 1
        if self._depth == 0:
            for domain, functions in self._own:
                _set(domain, functions)


def resident_bytes() -> int:
    """How much of this process is in memory."""
    return int(Path("/proc/self/statm").read_text().split()[_RESIDENT]) * getpagesize()


def give_back() -> None:
    """Every whole page on which nothing lies."""
    _library.malloc_trim(0)


def _can_give_back() -> bool:
    return hasattr(_library, "malloc_trim")


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


def _mixed(domain: int) -> _Functions:
    """The C library's to make something, and this domain's own to change or free it, wherever it came from."""
    functions, library = _functions(domain), _functions(_RAW)
    functions.allocate, functions.allocate_zeroed = library.allocate, library.allocate_zeroed
    return functions


c_library: Final = CLibrary()
