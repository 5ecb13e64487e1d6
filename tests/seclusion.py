"""Programs that hear nothing of the machine's network interfaces.

Chromium gives up what it is connecting whenever an interface comes or goes (`ERR_NETWORK_CHANGED`), also to loopback,
and has no option against it: a container that somebody starts beside the suite fails a test. Run as a program this
becomes the program that its arguments name, and the kernel refuses that one the sockets on which it would be told.
Must never refuse it anything else.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import shlex
import socket
import struct
import subprocess
import sys
from pathlib import Path
from typing import Final

SOCKET_CALL: Final = {"x86_64": 41, "aarch64": 198}  # its number in the kernel
NETLINK_ROUTE: Final = 0
CALL_AT, FAMILY_AT, PROTOCOL_AT = 0, 16, 32  # bytes, in `struct seccomp_data` where the low byte comes first

INSTRUCTION: Final = struct.Struct("HBBI")  # `struct sock_filter`: what, over how many if so, and if not, a value
LOAD, RETURN, IS_EQUAL = 0x20, 0x06, 0x15  # <linux/bpf_common.h>
ALLOW, REFUSE = 0x7FFF0000, 0x00050000 | errno.EAFNOSUPPORT  # <linux/seccomp.h>
PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2


class Program(ctypes.Structure):
    """`struct sock_fprog`."""

    _fields_ = [("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p)]


def secluded(program: str, directory: Path) -> str:
    """Path of what runs `program` so; of `program` itself where that cannot be (no Linux, a program with set-uid)."""
    path = directory / "secluded"
    path.write_text(f'#!/bin/sh\nexec {shlex.join([sys.executable, "-I", __file__, program])} "$@"\n')
    path.chmod(0o700)
    tried = subprocess.run([path, "--version"], capture_output=True, check=False, timeout=60)
    return str(path) if tried.returncode == 0 else program


def become(program: str, *arguments: str) -> None:
    """Be it, without what it should not hear."""
    refuse_news(SOCKET_CALL[platform.machine()])
    os.execv(program, [program, *arguments])  # noqa: S606 - a shell would be one process more


def refuse_news(socket_call: int) -> None:
    """Refuse this process, and all that it will be, sockets of the family and protocol that tell of interfaces."""
    code = asked(CALL_AT, socket_call, else_over=5)
    code += asked(FAMILY_AT, socket.AF_NETLINK, else_over=3)
    code += asked(PROTOCOL_AT, NETLINK_ROUTE, else_over=1)
    code += INSTRUCTION.pack(RETURN, 0, 0, REFUSE) + INSTRUCTION.pack(RETURN, 0, 0, ALLOW)
    control(PR_SET_NO_NEW_PRIVS, 1)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(Program(len(code) // INSTRUCTION.size, code)))


def asked(at: int, value: int, *, else_over: int) -> bytes:
    """Whether `value` is there; if not, jump over so many instructions."""
    return INSTRUCTION.pack(LOAD, 0, 0, at) + INSTRUCTION.pack(IS_EQUAL, 0, else_over, value)


def control(what: int, value: int, argument: object = 0) -> None:
    """`prctl`."""
    if ctypes.CDLL(None, use_errno=True).prctl(what, value, argument, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl")


if __name__ == "__main__":
    become(*sys.argv[1:])
