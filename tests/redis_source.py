"""Where the suite's shared Redis comes from. Must never change its mind once it chose: the session's header names it.

In this order: the server that `BRIDGE_TEST_REDIS_URL` names; a container, where a Docker daemon answers and has or can
pull the image (`BRIDGE_TEST_REDIS_IMAGE`, default `redis:8`); the embedded Valkey on loopback. `BRIDGE_TEST_REDIS` set
to `url`, `container` or `embedded` allows that one alone.
"""

from __future__ import annotations

import gc
import tempfile
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from tests.servers import RedisServer, embedded_program

if TYPE_CHECKING:
    from docker import DockerClient

DEFAULT_IMAGE = "redis:8"


class RedisUnavailable(Exception):
    """A source cannot be had on this machine; the message is the reason."""


@dataclass(frozen=True, slots=True)
class RedisSource:
    """One way to a Redis. `running()` holds it up as long as its context lasts, and gives its URL."""

    name: str
    description: str
    running: Callable[[], AbstractContextManager[str]]


def choose_redis(environment: Mapping[str, str]) -> RedisSource:
    """The first source that this machine has; raises `RedisUnavailable` with every reason why there is none."""
    wanted = environment.get("BRIDGE_TEST_REDIS")
    if wanted and wanted not in SOURCES:
        raise RedisUnavailable(f"BRIDGE_TEST_REDIS is {wanted!r}; it may be one of {', '.join(SOURCES)}.")
    reasons = []
    for name in [wanted] if wanted else SOURCES:
        try:
            return SOURCES[name](environment)
        except RedisUnavailable as reason:
            reasons.append(f"{name}: {reason}")
    raise RedisUnavailable("; ".join(reasons))


def named(environment: Mapping[str, str]) -> RedisSource:
    """The server that somebody else runs. Its credentials stay out of the description."""
    url = environment.get("BRIDGE_TEST_REDIS_URL")
    if not url:
        raise RedisUnavailable("BRIDGE_TEST_REDIS_URL is not set")
    address = urlsplit(url)
    return RedisSource("url", f"the server at {address.hostname}:{address.port or 6379}", lambda: nullcontext(url))


def contained(environment: Mapping[str, str]) -> RedisSource:
    """A container of the suite's own, removed at its end."""
    image = environment.get("BRIDGE_TEST_REDIS_IMAGE", DEFAULT_IMAGE)
    require_image(image)
    return RedisSource("container", f"container of {image}", lambda: running_container(image))


def embedded(_environment: Mapping[str, str]) -> RedisSource:
    """The Valkey that comes with the bridge."""
    return RedisSource("embedded", "embedded Valkey on loopback", running_embedded)


SOURCES: Mapping[str, Callable[[Mapping[str, str]], RedisSource]] = {
    "url": named,
    "container": contained,
    "embedded": embedded,
}


def require_image(image: str) -> None:
    """Have `image` on this machine, pulled if need be; raises `RedisUnavailable`."""
    from docker.errors import DockerException, ImageNotFound

    client = docker_client()
    if client is None:
        raise RedisUnavailable("no Docker daemon answers")
    try:
        client.images.get(image)
    except ImageNotFound:
        try:
            client.images.pull(image)
        except DockerException as error:
            raise RedisUnavailable(f"Docker has no image {image} and cannot pull it; see tests/redis_image") from error
    finally:
        client.close()


def docker_client() -> DockerClient | None:
    """The daemon's client, found as testcontainers finds it; None where no daemon answers."""
    from docker.errors import DockerException
    from testcontainers.core import docker_client

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)  # where nobody answers, the client drops its socket unclosed
        try:
            return docker_client.DockerClient().client
        except DockerException:
            pass
        gc.collect()
    return None


@contextmanager
def running_container(image: str) -> Iterator[str]:
    """A container with nothing kept on disk."""
    from testcontainers.community.redis import RedisContainer

    with RedisContainer(image).with_command(["--save", ""]) as container:
        yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(container.port)}/0"


@contextmanager
def running_embedded() -> Iterator[str]:
    """The embedded server's program on a free port of loopback."""
    with tempfile.TemporaryDirectory(prefix="bridge-redis-") as directory:
        server = RedisServer(Path(directory), program=embedded_program())
        server.start()
        try:
            yield server.url
        finally:
            server.kill()
