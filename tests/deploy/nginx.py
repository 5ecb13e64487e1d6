"""A real nginx on deploy/nginx.conf, in which only places differ: ports, addresses, files.

What a test changes beyond that it names, as the words that stand there and the words that are to stand there instead;
words that are not there are an error, so that no test comes to test nothing.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.deploy.certificate import Certificate
from tests.ports import free_port
from tests.servers import PROJECT, ServerError, ServerProcess

SHIPPED = PROJECT / "deploy" / "nginx.conf"
AS_SHIPPED: Mapping[str, str] = {}
TEMPORARY = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
WEBSOCKET_BLOCK = re.compile(r"location ~ \^/\(v3/ws\|.*?\n        }\n", re.DOTALL)


def websocket_block() -> str:
    """The block that must not be missing."""
    found = WEBSOCKET_BLOCK.search(SHIPPED.read_text())
    assert found is not None
    return found.group()


def changed(text: str, changes: Mapping[str, str]) -> str:
    """The text with each change made, wherever its words stand."""
    for words, instead in changes.items():
        assert words in text, f"nginx.conf does not say {words!r}"
        text = text.replace(words, instead)
    return text


class Nginx(ServerProcess):
    """One master and its workers, on a port for TLS and a plain one."""

    def __init__(
        self,
        program: str,
        directory: Path,
        certificate: Certificate,
        bridges: Sequence[str],
        changes: Mapping[str, str] = AS_SHIPPED,
    ) -> None:
        """`bridges` are the two addresses that stand for `bridge-1:8000` and `bridge-2:8000`."""
        super().__init__(directory)
        self.plain_port = free_port()
        self.tls = certificate.tls
        self.url = f"https://localhost:{self.port}"
        self.config_file = directory / "nginx.conf"
        self.config_file.write_text(changed(changed(SHIPPED.read_text(), changes), self._places(certificate, bridges)))
        self._program = program

    def command(self) -> list[str]:
        """In the foreground. Root's workers stay root, or they could not enter a test's directory."""
        return self._nginx("daemon off;", "user root;" if os.geteuid() == 0 else "")

    def is_ready(self) -> bool:
        """Whether both ports are open."""
        return all(map(is_open, (self.port, self.plain_port)))

    @property
    def access_log(self) -> str:
        return (self.directory / "access.log").read_text()

    @property
    def error_log(self) -> str:
        return (self.directory / "error.log").read_text()

    @property
    def everything_logged(self) -> str:
        """Each file that it writes, and what it said on its terminal."""
        return "".join(path.read_text() for path in self.directory.glob("*.log")) + self.log

    def reload(self) -> None:
        """`nginx -s reload`; returns once the workers of before have been told to go."""
        before = self.error_log.count("gracefully shutting down")
        subprocess.run([*self._nginx(), "-s", "reload"], check=True, capture_output=True, timeout=10)
        self.wait_until(lambda: self.error_log.count("gracefully shutting down") > before, "reload")

    def close(self) -> None:
        """End it and whatever it started; it owes status 0."""
        try:
            if self.is_running and self.terminate() != 0:
                raise ServerError(f"nginx ended with status {self.process.returncode}:\n{self.log}")
        finally:
            self._end_workers()
            print(f"--- logs of nginx on port {self.port} ---\n{self.everything_logged}")

    def _end_workers(self) -> None:
        try:
            os.killpg(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            return

    def _nginx(self, *directives: str) -> list[str]:
        places = ["-e", "stderr", "-c", str(self.config_file)]
        return [self._program, *places, "-g", " ".join([f"pid {self.directory}/nginx.pid;", *directives])]

    def _places(self, certificate: Certificate, bridges: Sequence[str]) -> dict[str, str]:
        temporary = "".join(f"    {what}_temp_path {self.directory}/{what};\n" for what in TEMPORARY)
        return {
            "listen [::]:": "# only on loopback: ",
            "listen 443 ": f"listen 127.0.0.1:{self.port} ",
            "listen 80 ": f"listen 127.0.0.1:{self.plain_port} ",
            "/etc/nginx/tls/": f"{certificate.directory}/",
            "/var/log/nginx/": f"{self.directory}/",
            "server bridge-1:8000": f"server {bridges[0]}",
            "server bridge-2:8000": f"server {bridges[1]}",
            "http {\n": f"http {{\n{temporary}",
        }


def is_open(port: int) -> bool:
    """Whether somebody listens there."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
