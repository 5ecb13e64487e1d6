"""Switches allocation between Python's allocator and the C library, and returns unused memory to the system.

Python's own allocator holds memory in arenas of 1 MiB, and frees an arena only when nothing in it is used. After a wave
of connections one small object left in each arena keeps all memory of that wave. The C library, when asked
(`malloc_trim`), returns every page that holds nothing. So the objects of a new connection are allocated by the C
library (`with c_library:`). Messages use Python's allocator, which is faster. Every object is freed by the allocator
that made it: Python's allocator hands memory that is not its own to the C library, as it always does for objects over
512 bytes. Callers decide what uses which allocator.

Works on Linux with glibc, on CPython with its own allocator. Elsewhere it changes nothing and gives nothing back.
"""

import ctypes
from pathlib import Path
from resource import getpagesize
from typing import Final

_RAW, _MEMORY, _OBJECTS = 0, 1, 2
"""CPython's three allocator domains; the raw domain always uses the C library."""
_RESIDENT: Final = 1
"""Index of the number of resident pages in `/proc/self/statm`."""
_library: Final = ctypes.CDLL(None)
_set: Final = ctypes.pythonapi.PyMem_SetAllocator


class _Functions(ctypes.Structure):
    """The C struct `PyMemAllocatorEx`: the functions of one domain."""

    _fields_ = tuple((name, ctypes.c_void_p) for name in ("context", "allocate", "allocate_zeroed", "change", "free"))


class CLibrary:
    """Context manager: objects made in it are allocated by the C library. It can be nested; never await in it."""

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
    """Bytes of this process that are in memory. Linux only; raises `OSError` when no file can be opened."""
    return int(Path("/proc/self/statm").read_text().split()[_RESIDENT]) * getpagesize()


def give_back() -> None:
    """Return every page that holds nothing to the operating system. glibc only."""
    _library.malloc_trim(0)


def _can_give_back() -> bool:
    return hasattr(_library, "malloc_trim")


def _has_own() -> bool:
    """Whether Python's own allocator is in use: `PYTHONMALLOC` and debugging tools can replace it."""
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
    """The C library's functions to allocate, and this domain's own to resize and free, whoever allocated."""
    functions, library = _functions(domain), _functions(_RAW)
    functions.allocate, functions.allocate_zeroed = library.allocate, library.allocate_zeroed
    return functions


c_library: Final = CLibrary()
