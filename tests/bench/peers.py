"""The programs that the bridge is measured beside: where they lie, how they are installed, and which are missing.

What comes from npm and PyPI is installed once into one directory outside the repository; what comes from the system's
packages is never installed here, only named.
"""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import typer

HERE: Final = Path(__file__).parent
PEERS: Final = HERE / "peers"
LOAD: Final = HERE / "load"
NEWER_PYTHONS: Final = ("python3.12", "python3.13", "python3.14")
WSE: Final = "wse-server==2.5.1"
SYSTEM_PROGRAMS: Final = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"])  # where Debian has nginx


@dataclass(frozen=True)
class Peers:
    """`directory` holds what was installed, `built` what was compiled for this run."""

    directory: Path
    built: Path

    @property
    def load_client(self) -> Path:
        return self.built / "load_client"

    @property
    def floor(self) -> Path:
        return self.built / "floor"

    @property
    def node_modules(self) -> Path:
        return self.directory / "node" / "node_modules"

    @property
    def bun(self) -> Path | None:
        return next(self.node_modules.glob("@oven/bun-*/bin/bun"), None)

    @property
    def wse_python(self) -> Path:
        return self.directory / "wse" / "bin" / "python"


def usual_directory() -> Path:
    """Where caches of this user belong."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "aether-bridge-bench"


def build(directory: Path) -> None:
    """Compile the load client and the floor into a new directory; `CalledProcessError` where the compiler refuses."""
    directory.mkdir()
    for program, sources in {"load_client": ("client", "dialects", "frames"), "floor": ("floor", "frames")}.items():
        files = [str(LOAD / f"{name}.c") for name in sources]
        subprocess.run(["cc", "-O2", "-o", str(directory / program), *files], check=True)


def install(peers: Peers, python: str | None) -> None:
    """Install what is wanted and not there yet. What cannot be had is missing afterwards, and its server left out."""
    _install_node_modules(peers)
    _install_wse(peers, python)


def _install_node_modules(peers: Peers) -> None:
    wanted, directory = PEERS / "node" / "package.json", peers.directory / "node"
    has = directory / "package.json"
    if not shutil.which("npm") or (peers.node_modules.exists() and has.read_bytes() == wanted.read_bytes()):
        return
    directory.mkdir(parents=True, exist_ok=True)
    shutil.copy(wanted, directory)
    command = ["npm", "install", "--no-audit", "--no-fund", "--no-package-lock", "--loglevel=error"]
    if not _succeeds("npm packages", command, directory):
        has.unlink()  # or the next run would take them for installed


def _install_wse(peers: Peers, python: str | None) -> None:
    if peers.wse_python.exists():
        return
    chosen = python or _newer_python()
    if chosen is None:
        return
    directory = peers.wse_python.parent.parent
    pip = [str(peers.wse_python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", WSE]
    peers.directory.mkdir(parents=True, exist_ok=True)
    made = _succeeds(
        "an environment for wse-server", [chosen, "-m", "venv", "--clear", str(directory)], peers.directory
    )
    if not (made and _succeeds(WSE, pip, peers.directory)):
        shutil.rmtree(directory, ignore_errors=True)


def _newer_python() -> str | None:
    """The Python that runs this, if it is new enough; else one on PATH that starts, or among pyenv's versions."""
    if sys.version_info >= (3, 12):
        return sys.executable
    return next((found for found in _pythons() if _starts(found)), None)


def _pythons() -> Iterator[str]:
    yield from filter(None, map(shutil.which, NEWER_PYTHONS))
    for name in NEWER_PYTHONS:
        version = name.removeprefix("python")
        yield from map(str, Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))


def _starts(python: str) -> bool:
    """Whether it is one: a version manager may have a command for a Python that is not chosen."""
    return subprocess.run([python, "--version"], capture_output=True, check=False).returncode == 0


def _succeeds(what: str, command: list[str], directory: Path) -> bool:
    typer.echo(f"installing {what} into {directory}", err=True)
    done = subprocess.run(
        command, cwd=directory, check=False, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    if done.returncode:
        typer.echo(done.stderr.strip()[-500:], err=True)
    return done.returncode == 0


def nothing(_peers: Peers) -> str:
    """Nothing is missing."""
    return ""


def without(program: str, advice: str) -> Callable[[Peers], str]:
    """What is missing where this program is."""
    return lambda _peers: "" if shutil.which(program) else f"{program} is missing: {advice}"


def without_node_modules(peers: Peers) -> str:
    for program in ("node", "npm"):
        if not shutil.which(program):
            return f"{program} is missing: apt-get install nodejs npm"
    return "" if (peers.node_modules / "socket.io").exists() else "npm could not install socket.io"


def without_bun(peers: Peers) -> str:
    if peers.bun is not None:
        return ""
    return "npm could not install @oven/bun-linux-…" if shutil.which("npm") else "npm is missing: apt-get install npm"


def without_wse(peers: Peers) -> str:
    if peers.wse_python.exists():
        return ""
    return f"{WSE} is missing: it wants a Python of 3.12 or newer on PATH (or --python), with its venv module"


def nginx() -> str | None:
    return shutil.which("nginx", path=SYSTEM_PROGRAMS)


def nchan_module() -> Path | None:
    """nchan's module, in the directory where this nginx looks for modules."""
    program = nginx()
    if program is None:
        return None
    told = subprocess.run([program, "-V"], capture_output=True, text=True, check=False).stderr
    directory = told.partition("--modules-path=")[2].split()[:1]
    module = Path(*directory) / "ngx_nchan_module.so"
    return module if module.exists() else None


def without_nchan(_peers: Peers) -> str:
    return "" if nchan_module() else "nginx or its nchan is missing: apt-get install nginx libnginx-mod-nchan"
