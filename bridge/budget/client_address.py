"""The client address that a request is counted for: the peer's, or one from `X-Forwarded-For` of a trusted proxy. Pure.

It must never believe the header of a peer that is not a trusted proxy: anyone can write one. The address is used for
counting only; nobody is let in because of an address.

Decided here: an IPv6 client is counted by its /64 network, because a client usually controls all addresses in it. In a
chain of proxies the last address that is not one of our proxies counts. With `*`, which trusts every peer, it is the
last address of the chain, since the peer itself wrote it. When the header cannot be parsed, the peer's own address
counts.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

ANY_PEER: Final = "*"
NOBODY: Final = ""
"""The peer has no address, as on a unix socket."""
HEADER: Final = b"x-forwarded-for"
PREFIX_OF_ONE: Final = 64
"""Prefix length of the IPv6 network that counts as one client."""
MOST_PROXIES: Final = 16
"""So many addresses of a chain are looked at, from its end."""
REMEMBERED: Final = 4_096
"""Peers whose address is remembered as it was read: it is asked for several times in one handshake."""
NO_PORT: Final = 1
"""Colons in an IPv4 address with a port; text with more colons is an IPv6 address without one."""

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(scope: Mapping[str, Any], trusted_proxies: tuple[str, ...]) -> str:
    """The address that the request of this ASGI scope is counted for. `trusted_proxies` as configured."""
    peer = scope.get("client")
    headers: Iterable[tuple[bytes, bytes]] = scope.get("headers", ())
    said = b",".join(value for name, value in headers if name == HEADER)
    return address_of(str(peer[0]) if peer else NOBODY, said.decode("latin-1"), trusted_proxies)


def address_of(peer: str, forwarded_for: str, trusted_proxies: tuple[str, ...]) -> str:
    """The same, from the peer's address and the header's value: for example `203.0.113.7`, or `2001:db8:0:1::/64`."""
    if forwarded_for and is_proxy(peer, trusted_proxies):
        return _counted(_passed_on(forwarded_for, networks_of(trusted_proxies)) or _read(peer), peer)
    return counted(peer) or peer


@lru_cache(maxsize=REMEMBERED)
def counted(text: str) -> str | None:
    """The name that the address in this text is counted under; `None` if it cannot be parsed."""
    address = _read(text)
    return None if address is None else _counted(address, text)


@lru_cache(maxsize=REMEMBERED)
def is_proxy(peer: str, trusted_proxies: tuple[str, ...]) -> bool:
    """Whether the `X-Forwarded-For` of this peer is believed."""
    return ANY_PEER in trusted_proxies or _is_among(_read(peer), networks_of(trusted_proxies))


@lru_cache(maxsize=16)
def networks_of(trusted_proxies: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of the trusted proxies, without `*`. Raises `ValueError` naming the first that cannot be parsed."""
    return tuple(_network(name) for name in trusted_proxies if name != ANY_PEER)


def _network(name: str) -> Network:
    try:
        return ip_network(name)
    except ValueError as error:
        raise ValueError(f"{name!r} is no address and no network such as 10.0.0.0/8: {error}") from None


def _passed_on(forwarded_for: str, networks: tuple[Network, ...]) -> Address | None:
    """The last address of a chain that is not one of our proxies; when all are, the first one that was looked at.

    `None` when an address cannot be parsed.
    """
    address = None
    for said in _from_the_end(forwarded_for):
        address = _read(_without_port(said))
        if not _is_among(address, networks):
            return address
    return address


def _from_the_end(chain: str) -> Iterator[str]:
    for _ in range(MOST_PROXIES):
        chain, comma, last = chain.rpartition(",")
        yield last.strip()
        if not comma:
            return


def _without_port(said: str) -> str:
    """The address without its port: some proxies write `203.0.113.7:1234` or `[2001:db8::1]:1234`."""
    if said.startswith("["):
        return said[1:].partition("]")[0]
    return said.partition(":")[0] if said.count(":") == NO_PORT else said


def _read(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _is_among(address: Address | None, networks: tuple[Network, ...]) -> bool:
    return address is not None and any(address in network for network in networks)


def _counted(address: Address | None, peer: str) -> str:
    """The name that an address is counted under; for a peer whose address cannot be parsed, the peer's own text."""
    if isinstance(address, IPv6Address):
        return f"{IPv6Address(int(address) >> PREFIX_OF_ONE << PREFIX_OF_ONE)}/{PREFIX_OF_ONE}"
    return peer if address is None else str(address)
