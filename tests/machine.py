"""What some tests ask of the machine. Must never let such a test pass unseen: it is skipped by name and fails in CI."""

from __future__ import annotations

import os
import shutil
from typing import NoReturn

import pytest

CHROMIUM_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SYSTEM_PROGRAMS = "/usr/local/sbin:/usr/sbin:/sbin"  # where Debian keeps nginx; not on everyone's PATH


def missing(what: str, remedy: str) -> NoReturn:
    """Skip the test, saying how to get what it needs; where `CI` is "true" fail it instead."""
    sentence = f"{what} is missing: {remedy}"
    if os.environ.get("CI") == "true":
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def chromium_program() -> str:
    """Path of a Chromium that Playwright can drive: `BRIDGE_TEST_CHROMIUM`, else the first found on `PATH`."""
    for candidate in (os.environ.get("BRIDGE_TEST_CHROMIUM", ""), *CHROMIUM_PROGRAMS):
        if found := shutil.which(candidate):
            return found
    missing("Chromium", "install it (Debian: apt-get install chromium), or name its program in BRIDGE_TEST_CHROMIUM.")


def nginx_program() -> str:
    """Path of an nginx."""
    if found := shutil.which("nginx", path=f"{os.environ.get('PATH', os.defpath)}:{SYSTEM_PROGRAMS}"):
        return found
    missing("nginx", "install it (Debian: apt-get install nginx).")


def systemd_analyze_program() -> str:
    """Path of `systemd-analyze`, which needs no running systemd."""
    if found := shutil.which("systemd-analyze"):
        return found
    missing("systemd-analyze", "install it (Debian: apt-get install systemd); it is made for Linux alone.")
