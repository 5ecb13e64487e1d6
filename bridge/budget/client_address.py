"""Whose address a request counts for: its peer's, or the one that a proxy of ours says it passes on. Pure.

It must never believe a header of a peer that is not among the trusted proxies: anyone can write one. What it yields is
for counting and for nothing else; nobody is let in because of an address.

Decided here: an IPv6 client is its /64, since whoever has one address has all of them. Of a chain of proxies the last
address counts that is none of ours; with `*`, which trusts every peer, the last one, since the peer itself wrote that.
A header that cannot be read means the peer.
"""

from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, Final

ANY_PEER: Final = "*"
NOBODY: Final = ""
"""Stands for a peer without an address, as behind a unix socket."""
HEADER: Final = b"x-forwarded-for"
PREFIX_OF_ONE: Final = 64
MOST_PROXIES: Final = 16
"""So many addresses of a chain are read, from its end."""
NO_PORT: Final = 1

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address


def client_address(scope: Mapping[str, Any], trusted_proxies: tuple[str, ...]) -> str:
    """The address for which an ASGI request counts; `trusted_proxies` as they are configured."""
    peer = scope.get("client")
    headers: Iterable[tuple[bytes, bytes]] = scope.get("headers", ())
    said = b",".join(value for name, value in headers if name == HEADER)
    return address_of(str(peer[0]) if peer else NOBODY, said.decode("latin-1"), trusted_proxies)


def address_of(peer: str, forwarded_for: str, trusted_proxies: tuple[str, ...]) -> str:
    """The address of whoever sent a request: `203.0.113.7`, or `2001:db8:0:1::/64`."""
    proxy, networks = _read(peer), networks_of(trusted_proxies)
    if forwarded_for and (ANY_PEER in trusted_proxies or _is_among(proxy, networks)):
        return _counted(_passed_on(forwarded_for, networks) or proxy, peer)
    return _counted(proxy, peer)


def is_proxy(peer: str, trusted_proxies: tuple[str, ...]) -> bool:
    """Whether this peer is believed when it says whom it speaks for."""
    return ANY_PEER in trusted_proxies or _is_among(_read(peer), networks_of(trusted_proxies))


@lru_cache(maxsize=16)
def networks_of(trusted_proxies: tuple[str, ...]) -> tuple[Network, ...]:
    """The networks of the trusted proxies. Raises `ValueError`, saying which of them is none."""
    return tuple(_network(name) for name in trusted_proxies if name != ANY_PEER)


def _network(name: str) -> Network:
    try:
        return ip_network(name)
    except ValueError as error:
        raise ValueError(f"{name!r} is no address and no network such as 10.0.0.0/8: {error}") from None


def _passed_on(forwarded_for: str, networks: tuple[Network, ...]) -> Address | None:
    """The last address of a chain that is none of our proxies'; its first where all are. `None` for garbage."""
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
    """Some proxies write `203.0.113.7:1234` and `[2001:db8::1]:1234`."""
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
    """As it is counted; a peer that is no address counts by its own name."""
    if isinstance(address, IPv6Address):
        return str(IPv6Network((int(address), PREFIX_OF_ONE), strict=False))
    return peer if address is None else str(address)
