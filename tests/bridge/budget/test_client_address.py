"""Whose address counts, and that nobody but a proxy of ours has a say in it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.budget.client_address import address_of, client_address, networks_of
from bridge.config.settings import SettingsError, load

PROXY, CLIENT, OTHER = "10.0.0.1", "203.0.113.7", "198.51.100.9"
TRUSTED = ("10.0.0.0/8", "2001:db8:ffff::/48")


def test_a_peer_that_is_no_proxy_of_ours_is_itself_whatever_it_says() -> None:
    assert address_of(CLIENT, OTHER, ()) == CLIENT
    assert address_of(CLIENT, OTHER, TRUSTED) == CLIENT
    assert address_of("127.0.0.1", OTHER, TRUSTED) == "127.0.0.1"


def test_a_proxy_of_ours_says_whom_it_passes_on() -> None:
    assert address_of(PROXY, CLIENT, TRUSTED) == CLIENT
    assert address_of("2001:db8:ffff::1", CLIENT, TRUSTED) == CLIENT
    assert address_of(f"::ffff:{PROXY}", CLIENT, TRUSTED) == CLIENT
    assert address_of(PROXY, "", TRUSTED) == PROXY


@pytest.mark.parametrize(
    ("chain", "address"),
    [
        (f"{OTHER}, {CLIENT}", CLIENT),
        (f"{OTHER}, {CLIENT}, 10.9.9.9", CLIENT),
        ("10.2.2.2, 10.3.3.3", "10.2.2.2"),
        (f"garbage, {CLIENT}", CLIENT),
        (f" {CLIENT} ", CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        ("[2001:db8::1]:443", "2001:db8::/64"),
        (f"::ffff:{CLIENT}", CLIENT),
    ],
)
def test_of_a_chain_the_last_that_is_none_of_ours_counts(chain: str, address: str) -> None:
    assert address_of(PROXY, chain, TRUSTED) == address


def test_with_a_star_every_peer_is_believed_and_what_the_client_wrote_itself_is_not() -> None:
    assert address_of(OTHER, CLIENT, ("*",)) == CLIENT
    assert address_of(PROXY, f"127.0.0.1, {CLIENT}", ("*",)) == CLIENT
    assert address_of("", CLIENT, ("*",)) == CLIENT


@pytest.mark.parametrize(
    "said", ["garbage", ",", f"{CLIENT},", "1.2.3", "1.2.3.4.5", "[", "999.1.1.1", "٣.1.1.1", "a" * 8_000, "," * 8_000]
)
def test_a_header_that_cannot_be_read_means_the_proxy(said: str) -> None:
    assert address_of(PROXY, said, TRUSTED) == PROXY


@given(st.text(), st.text())
def test_whatever_is_said_there_is_an_answer(peer: str, said: str) -> None:
    for trusted in ((), TRUSTED, ("*",)):
        assert isinstance(address_of(peer, said, trusted), str)


def test_an_ipv6_client_is_its_network() -> None:
    assert address_of("2001:db8:1:2:3::4", "", ()) == address_of("2001:db8:1:2:ffff::", "", ()) == "2001:db8:1:2::/64"
    assert address_of("2001:db8:1:3::", "", ()) == "2001:db8:1:3::/64"
    assert address_of("fe80::1%eth0", "", ()) == "fe80::/64"


def test_a_scope_is_read_as_the_server_gives_it() -> None:
    scope: dict[str, Any] = {"client": (PROXY, 1), "headers": [(b"x-forwarded-for", CLIENT.encode()), (b"host", b"a")]}
    assert client_address(scope, ("10.0.0.1",)) == CLIENT
    assert client_address(scope, ()) == PROXY
    scope["headers"].append((b"x-forwarded-for", OTHER.encode()))
    assert client_address(scope, ("10.0.0.1",)) == OTHER
    assert client_address({"client": None, "headers": []}, ("*",)) == client_address({}, ()) == ""


@pytest.mark.parametrize("name", ["example.com", "10.0.0.1/8", "", "1.2.3", "10.0.0.0/33", "* "])
def test_what_is_no_network_is_refused_at_start(name: str) -> None:
    with pytest.raises(SettingsError, match=r"trusted_proxies: .* is no address"):
        load(trusted_proxies=(name,))


def test_what_is_a_network_is_taken() -> None:
    names = ("127.0.0.1", "::1", "10.0.0.0/8", "*")
    assert load(trusted_proxies=names).trusted_proxies == names
    assert len(networks_of(names)) == 3
