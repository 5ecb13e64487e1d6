"""What some tests ask of the machine. Must never let such a test pass unseen: it is skipped by name and fails in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

CHROMIUM_PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
NODE_MODULES = Path(__file__).resolve().parents[1] / ".venv/node_modules"
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


def compose_command() -> list[str]:
    """How Docker's compose is called here, of the new kind or the old, with an engine that answers."""
    for command in (["docker", "compose"], ["docker-compose"]):
        if shutil.which(command[0]) and succeeds(*command, "version"):
            break
    else:
        missing("docker-compose", "install it (Debian: apt-get install docker-compose docker.io).")
    if not (shutil.which("docker") and succeeds("docker", "info")):
        missing("A Docker engine", "start it (Debian: apt-get install docker.io; as root: dockerd).")
    return command


def docker_image(variable: str, default: str) -> str:
    """The image that the environment names, else the one that is shipped with; it must be here, nothing is pulled."""
    image = os.environ.get(variable, default)
    if not succeeds("docker", "image", "inspect", image):
        missing(f"The image {image}", f"docker pull it, or name another in {variable} (Debian: tests/deploy/images).")
    return image


def succeeds(*command: str) -> bool:
    """Whether it ends with status 0."""
    return subprocess.run(command, capture_output=True, check=False, timeout=30).returncode == 0


def socketio_package() -> Path:
    """Directory of npm's `socket.io-client`."""
    return npm_package("socket.io-client")


def npm_package(name: str) -> Path:
    """Directory of a package that `make test` installs where there is an npm."""
    package = NODE_MODULES / name
    if not package.is_dir():
        missing(f"npm's {name}", "install npm (Debian: apt-get install npm), then `make .venv/node_modules`.")
    return package


def program(name: str) -> str:
    """Path of a program whose package is called as it is."""
    if found := shutil.which(name):
        return found
    missing(name, f"install it (Debian: apt-get install {name}).")


def java_program() -> str:
    """Path of a Java that runs a source file: it has the compiler, which a mere runtime has not."""
    if (found := shutil.which("java")) and "jdk.compiler" in output(found, "--list-modules"):
        return found
    missing("Java with its compiler", "install it (Debian: apt-get install default-jdk-headless).")


def output(*command: str) -> str:
    """What it prints."""
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60).stdout


def generator_program() -> Path:
    """Path of `openapi-python-client`, which `make test` installs."""
    program = NODE_MODULES.parent / "generator/bin/openapi-python-client"
    if not program.is_file():
        missing("openapi-python-client", "`make .venv/generator`.")
    return program


def node_program() -> str:
    """Path of a Node that can run it."""
    if found := shutil.which("node"):
        return found
    missing("Node", "install it (Debian: apt-get install nodejs).")


def node_of_version(major: int) -> str:
    """Path of a Node of this major version: one that `make test` installs, else the one on `PATH` if it is of it."""
    program = NODE_MODULES / f"node-{major}/bin/node"
    if program.is_file():
        return str(program)
    if (found := shutil.which("node")) and says(found, "--version").startswith(f"v{major}."):
        return found
    missing(f"Node {major}", "install npm (Debian: apt-get install npm), then `make .venv/node_modules`.")


def npm_program() -> str:
    """Path of an npm."""
    if found := shutil.which("npm"):
        return found
    missing("npm", "install it (Debian: apt-get install npm).")


def says(*command: str) -> str:
    """What it prints."""
    return subprocess.run(command, capture_output=True, check=False, timeout=30, text=True).stdout
