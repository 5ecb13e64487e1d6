"""deploy/compose.yaml, built and started under a name of its own, on ports of loopback; and taken away again."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from tests.deploy.certificate import Certificate
from tests.machine import compose_command, docker_image
from tests.ports import free_port
from tests.servers import PROJECT

FILE = PROJECT / "deploy" / "compose.yaml"
SECONDS = 600
IMAGES = {
    "BUILD_BASE": ("BRIDGE_TEST_BUILD_BASE", "python:3.13"),
    "BASE": ("BRIDGE_TEST_BASE", "python:3.13-slim"),
    "NGINX_IMAGE": ("BRIDGE_TEST_NGINX_IMAGE", "nginx:1.28"),
    "REDIS_IMAGE": ("BRIDGE_TEST_REDIS_IMAGE", "redis:8"),
}


class Composition:
    """The services of one project. What is said to `docker` and to compose must succeed, or the test has failed."""

    def __init__(self, command: Sequence[str], images: Mapping[str, str], bridge_toml: Path, tls: Certificate) -> None:
        """`images` are the variables of the file that name images; `command` is how compose is called here."""
        self.name = f"aether-bridge-test-{secrets.token_hex(4)}"
        self.images = {"BRIDGE_IMAGE": f"{self.name}:latest", **images}
        self.port = free_port()
        self.bridge_ports = (free_port(), free_port())
        self.tls = tls.tls
        self._command = [*command, "--project-name", self.name, "--file", str(FILE)]
        self._environment = {
            **os.environ,
            **self.images,
            "BRIDGE_TOML": str(bridge_toml),
            "TLS_DIRECTORY": str(tls.directory),
            "HTTPS_ADDRESS": f"127.0.0.1:{self.port}",
            "HTTP_ADDRESS": f"127.0.0.1:{free_port()}",
            "BRIDGE_1_PORT": str(self.bridge_ports[0]),
            "BRIDGE_2_PORT": str(self.bridge_ports[1]),
            "CLIENTS_NETWORK": f"10.{200 + secrets.randbelow(50)}.{secrets.randbelow(256)}",  # a network is one suite's
            "OPEN_FILES": "4096",  # an engine may not have as many to give as a real deployment needs
            "COMPOSE_DOCKER_CLI_BUILD": "0",  # the old compose then needs no buildx
        }

    @property
    def image(self) -> str:
        """The bridges' image."""
        return self.images["BRIDGE_IMAGE"]

    def compose(self, *arguments: str) -> str:
        """What `docker-compose ARGUMENTS` prints."""
        return self._run([*self._command, *arguments])

    def docker(self, *arguments: str) -> str:
        """What `docker ARGUMENTS` prints."""
        return self._run(["docker", *arguments])

    def inside(self, service: str, *command: str) -> str:
        """What a command prints that runs in the container of a service."""
        return self.compose("exec", "-T", service, *command)

    def container(self, service: str) -> dict[str, Any]:
        """What Docker knows of the container of a service, stopped or not."""
        labels = [f"label=com.docker.compose.{key}={value}" for key, value in self._labels(service)]
        found = self.docker("ps", "--all", "--quiet", "--filter", labels[0], "--filter", labels[1]).split()
        known: list[dict[str, Any]] = json.loads(self.docker("inspect", *found))
        return known[0]

    def processes(self) -> list[int]:
        """The process ids of its containers that run now: nobody started them here, and they work for the test."""
        label = f"label=com.docker.compose.project={self.name}"
        found = self.docker("ps", "--quiet", "--filter", label).split()
        return (
            [int(pid) for pid in self.docker("inspect", "--format", "{{.State.Pid}}", *found).split()] if found else []
        )

    async def is_ready(self) -> bool:
        """Whether a bridge behind nginx is ready."""
        return await self.answers(f"https://localhost:{self.port}/readyz")

    async def answers(self, url: str) -> bool:
        """Whether it is answered with 200."""
        async with httpx.AsyncClient(verify=self.tls) as asking:
            try:
                return (await asking.get(url)).status_code == 200
            except httpx.TransportError:
                return False

    def remove(self) -> None:
        """Containers, networks, the volume, the image."""
        self.compose("down", "--volumes", "--timeout", "1")
        self.docker("rmi", "--force", self.image)

    def _labels(self, service: str) -> list[tuple[str, str]]:
        return [("project", self.name), ("service", service)]

    def _run(self, command: Sequence[str]) -> str:
        done = subprocess.run(
            command, env=self._environment, capture_output=True, text=True, check=False, timeout=SECONDS
        )
        assert done.returncode == 0, f"{command}:\n{done.stdout}{done.stderr}"
        return done.stdout


@contextmanager
def composition(directory: Path, bridge_toml: str, certificate: Certificate) -> Iterator[Composition]:
    """Everything, built and up, and gone afterwards. `directory` is where the file of the bridges is put."""
    command = compose_command()
    images = {name: docker_image(variable, default) for name, (variable, default) in IMAGES.items()}
    file = directory / "bridge.toml"
    file.write_text(bridge_toml)
    started = Composition(command, images, file, certificate)
    try:
        started.compose("build")
        started.compose("up", "--detach")
        yield started
    finally:
        print(started.compose("logs", "--no-color"))
        started.remove()
