"""Host names and web origins, compared as hosts and browsers compare them: case, a dot at the end, IDNA, IPv6. Pure.

`host_in` reads what a stranger sent and never fails. `host_setting` and `origin_setting` read what an operator wrote:
they accept what has one plain meaning, and refuse what could never match with a sentence that says what to write.

Decided here: `null` is an origin, and so is one of another scheme (`app://localhost`, `file://`): browsers send these
for local files and in apps. An operator who lists one means it.
"""

import ipaddress
import re
from contextlib import suppress
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

import idna

LOOPBACK_NAME: Final = "localhost"
NO_ORIGIN: Final = "null"
_PORT: Final = re.compile(r":[0-9]*\Z")
_MOST_CHARACTERS: Final = 512
_NAME: Final = re.compile(r"(?=.{1,253}\Z)[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*")
_NUMBER: Final = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""A name that ends in one is an IPv4 address for browsers, who write it in four decimal parts, or no address at all."""
_REMEMBERED: Final = 1_024
"""Hosts whose reading is remembered: nearly all requests name the same few."""
_SHORT: Final = 255
"""Longer ones are read each time, so that what strangers send takes little memory."""
_DEFAULT_PORTS: Final = {"http": 80, "https": 443}
_SCHEME: Final = re.compile(r"[a-z][a-z0-9+.-]*", re.ASCII)


def host_in(header: str) -> str:
    """The host of a Host header or of an origin's authority: in lower case, without port and dot at the end."""
    return _host_in(header) if len(header) <= _SHORT else _host_in.__wrapped__(header)


@lru_cache(maxsize=_REMEMBERED)
def _host_in(header: str) -> str:
    name = _PORT.sub("", header.strip())
    try:
        return _canonical(name)
    except ValueError:
        return name.lower()


def host_setting(text: str) -> str:
    """The host that an operator wrote. Raises `ValueError` if no request can ever have it."""
    try:
        return _canonical(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no host name: write it alone, without scheme, port, path or wildcard, as in acme.example.com"
        ) from None


def origin_setting(text: str) -> str:
    """The origin that an operator wrote, as browsers send it. Raises `ValueError` if no browser ever sends it."""
    if text.strip() == NO_ORIGIN:
        return NO_ORIGIN
    try:
        return _origin(text.strip())
    except ValueError:
        raise ValueError(
            f"{text!r} is no web origin: write scheme and host, and the port if it has one, as in "
            "https://app.example.com; each origin by itself, without path or wildcard"
        ) from None


def is_loopback(host: str) -> bool:
    """Whether a host, as `host_in` gives it, is a name of this machine itself: `localhost`, below it, or an address."""
    return _is_loopback(host) if len(host) <= _SHORT else _is_loopback.__wrapped__(host)


@lru_cache(maxsize=_REMEMBERED)
def _is_loopback(host: str) -> bool:
    if host == LOOPBACK_NAME or host.endswith(f".{LOOPBACK_NAME}"):
        return True
    try:
        return ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return False


def _canonical(name: str) -> str:
    if name.startswith("[") and name.endswith("]"):
        name = name[1:-1]
    if ":" in name:
        return f"[{ipaddress.IPv6Address(name)}]"
    name = _ascii(name[:_MOST_CHARACTERS]).lower().removesuffix(".")
    if _NAME.fullmatch(name) is None:
        raise ValueError(name)
    return str(ipaddress.IPv4Address(name)) if _NUMBER.fullmatch(name.rpartition(".")[2]) else name


def _ascii(name: str) -> str:
    if name.isascii():
        return name
    with suppress(UnicodeError):
        name = name.encode("latin-1").decode()  # a header with UTF-8 in it comes as Latin-1
    return idna.encode(name, uts46=True).decode()


def _origin(text: str) -> str:
    parts = urlsplit(text)
    scheme, rest = parts.scheme, text.partition("://")[2]
    if not _SCHEME.fullmatch(scheme) or scheme in ("ws", "wss") or rest.rstrip("/") != parts.netloc or "@" in rest:
        raise ValueError(text)
    if not parts.netloc and scheme == "file":
        return "file://"
    host = _canonical(_PORT.sub("", parts.netloc))
    port = None if parts.port == _DEFAULT_PORTS.get(scheme) else parts.port
    return f"{scheme}://{host}" if port is None else f"{scheme}://{host}:{port}"
