"""Which keys of a set are believed, and that nothing else of it is looked at."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm
from jwt.utils import to_base64url_uint

from bridge.handshake.key_fetch import MOST_BYTES
from bridge.handshake.published_keys import MOST_KEYS, PUBLIC_MEMBERS, published_keys

ALGORITHMS = ("RS256", "ES256", "ES384", "ES512", "EdDSA")

RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()

RSA = RSAAlgorithm.to_jwk(RSA_KEY, as_dict=True) | {"kid": "rsa"}
EC = ECAlgorithm.to_jwk(EC_KEY, as_dict=True) | {"kid": "ec"}
ED = OKPAlgorithm.to_jwk(ED_KEY, as_dict=True) | {"kid": "ed"}
"""Private ones."""
PUBLIC = {"RSA": RSA_KEY.public_key(), "EC": EC_KEY.public_key(), "OKP": ED_KEY.public_key()}


def public(jwk: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    """What a server says of a key that is well, and whatever else a test wants said."""
    return {member: jwk[member] for member in (*PUBLIC_MEMBERS[jwk["kty"]], "kid")} | more


def on(curve: ec.EllipticCurve) -> dict[str, Any]:
    return ECAlgorithm.to_jwk(ec.generate_private_key(curve).public_key(), as_dict=True) | {"kid": "on"}


def rsa_key(modulus: int, exponent: int = 65_537) -> dict[str, Any]:
    jwk = RSAAlgorithm.to_jwk(rsa.RSAPublicNumbers(3, 2**2048 - 1).public_key(), as_dict=True)
    return jwk | {"kid": "made", "n": number(modulus), "e": number(exponent)}


def number(value: int) -> str:
    """As it stands in a key."""
    return to_base64url_uint(value).decode()


def said(*keys: Any) -> bytes:
    return json.dumps({"keys": keys}).encode()


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(public(RSA), id="RSA"),
        pytest.param(public(EC), id="P-256"),
        pytest.param(on(ec.SECP384R1()), id="P-384"),
        pytest.param(on(ec.SECP521R1()), id="P-521"),
        pytest.param(public(ED), id="Ed25519"),
        pytest.param(public(RSA, use="sig", alg="RS256", key_ops=["verify"]), id="all is said of it"),
        pytest.param(rsa_key(2**8192 - 1), id="the largest RSA"),
        pytest.param(rsa_key(2**2048 - 1, 2**32 - 1), id="the largest exponent"),
    ],
)
def test_a_key_for_one_of_the_algorithms_is_believed(key: dict[str, Any]) -> None:
    assert set(published_keys(said(key), ALGORITHMS)) == {key["kid"]}


@pytest.mark.parametrize(
    "key",
    [
        pytest.param(RSA, id="whole"),
        pytest.param(public(RSA, d=RSA["d"]), id="to be calculated"),
        pytest.param(public(RSA, d="AQAB"), id="wrong"),
        pytest.param(public(RSA, d="AQAB", oth=[{}]), id="of several primes"),
        pytest.param(public(RSA, d=7, p=[], k={}), id="rubbish"),
        pytest.param(EC, id="EC"),
        pytest.param(public(EC, d="AQAB"), id="wrong EC"),
        pytest.param(ED, id="Ed25519"),
        pytest.param(public(ED, d="AQAB"), id="wrong Ed25519"),
    ],
)
def test_what_is_private_about_a_key_is_not_looked_at(key: dict[str, Any]) -> None:
    """Where it was, the wrong ones would not be believed, and the others would be no public keys."""
    expected = PUBLIC[key["kty"]]
    assert published_keys(said(key), ALGORITHMS) == {key["kid"]: expected}


BAD = {
    "RSA of 1,024 bits": rsa_key(2**1024 - 1),
    "RSA of 8,193 bits": rsa_key(2**8193 - 1),
    "RSA of 16,384 bits": rsa_key(2**16384 - 1),
    "RSA of 1,000,000 bits": rsa_key(2**1_000_000 - 1),
    "an exponent of 33 bits": rsa_key(2**2048 - 1, 2**32 + 1),
    "an exponent as long as the modulus": rsa_key(2**2048 - 1, 2**2047 + 1),
    "an exponent of 1,000,000 bits": rsa_key(2**2048 - 1, 2**1_000_000 + 1),
    "an even exponent": rsa_key(2**2048 - 1, 65_536),
    "an exponent of 1": rsa_key(2**2048 - 1, 1),
    "a modulus with zeros before it": public(RSA, n="A" * 100_000 + RSA["n"]),
    "a modulus of exclamation marks": public(RSA, n="!" * 100_000 + RSA["n"]),
    "no base64": public(RSA, n="é"),
    "a modulus that is a number": public(RSA, n=7),
    "no modulus": {"kty": "RSA", "kid": "a", "e": "AQAB"},
    "a point off its curve": public(EC, x=EC["y"]),
    "a point of another curve": on(ec.SECP384R1()) | {"crv": "P-256"},
    "a long point": public(EC, x=EC["x"] * 1_000),
    "a curve that nobody asked for": on(ec.SECP256K1()),
    "a curve that is a list": public(EC, crv=["P-256"]),
    "a short Ed25519": public(ED, x="AQAB"),
    "a secret": {"kty": "oct", "kid": "a", "k": "AQAB" * 20},
    "a secret for the algorithm": {"kty": "oct", "kid": "a", "k": "AQAB" * 20, "alg": "RS256"},
    "of no kind": {"kid": "a"},
    "of a kind that is a list": public(RSA, kty=["RSA"]),
    "for encryption": public(RSA, use="enc"),
    "for a list of uses": public(RSA, use=["sig"]),
    "for another algorithm": public(RSA, alg="RSA-OAEP"),
    "for an algorithm that is a list": public(RSA, alg=["RS256"]),
    "for an algorithm that is not accepted": public(RSA, alg="RS384"),
    "for an algorithm of another kind": public(RSA, alg="ES256"),
    "no name": public(RSA, kid=None),
    "an empty name": public(RSA, kid=""),
    "a number as its name": public(RSA, kid=7),
    "a list as its name": public(RSA, kid=["a"]),
    "a long name": public(RSA, kid="a" * 2_000),
    "null": None,
    "a text": "RSA",
    "a list": ["RSA"],
    "of true": True,
}


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD)
def test_a_bad_key_costs_itself_alone(bad: object) -> None:
    good = public(RSA, kid="good")
    assert list(published_keys(said(bad, good), ALGORITHMS)) == ["good"]
    assert list(published_keys(said(good, bad), ALGORITHMS)) == ["good"]
    with pytest.raises(ValueError, match="no key"):
        published_keys(said(bad), ALGORITHMS)


@pytest.mark.parametrize(("algorithm", "name"), [("PS512", "rsa"), ("ES256", "ec"), ("EdDSA", "ed")])
def test_keys_that_no_algorithm_uses_are_left_out(algorithm: str, name: str) -> None:
    every = said(public(RSA), public(EC), public(ED), on(ec.SECP384R1()))
    assert list(published_keys(every, [algorithm])) == [name]


def test_as_many_keys_as_may_be_are_read_with_their_certificates() -> None:
    more = {"use": "sig", "alg": "RS256", "x5t": "a" * 27, "x5c": ["a" * 1_600, "a" * 1_600], "issuer": "https://a/"}
    keys = [public(RSA, kid=str(one), **more) for one in range(MOST_KEYS)]
    assert len(said(*keys)) < MOST_BYTES
    assert len(published_keys(said(*keys), ALGORITHMS)) == MOST_KEYS
    with pytest.raises(ValueError, match="more than"):
        published_keys(said(*keys, {}), ALGORITHMS)


def test_a_mark_of_the_byte_order_is_no_part_of_it() -> None:
    assert published_keys(b"\xef\xbb\xbf" + said(public(RSA)), ALGORITHMS)


@pytest.mark.parametrize(
    "values",
    [
        pytest.param("[" * 100_000, id="deep"),
        pytest.param("[" * 100_000 + "]" * 100_000, id="deep, and closed"),
        pytest.param(f"[{','.join(['{}'] * 60_000)}]", id="objects"),
        pytest.param(f"[{','.join(['1'] * 100_000)}]", id="numbers"),
        pytest.param("1" * 200_000, id="a long number"),
        pytest.param(f"0.{'1' * 200_000}", id="a long fraction"),
    ],
)
def test_what_is_dear_to_read_is_not_read(values: str) -> None:
    keys = said(public(RSA)).decode().removesuffix("}")
    with pytest.raises(ValueError, match="too many values"):
        published_keys(f'{keys}, "more": {values}}}'.encode(), ALGORITHMS)


@pytest.mark.parametrize("body", [b"", b"\xff", b"[]", b"{}", b'{"keys":7}', b'{"keys":{}}', b'{"keys":"a"}', b"null"])
def test_rubbish_is_no_set(body: bytes) -> None:
    with pytest.raises((ValueError, TypeError, LookupError)):
        published_keys(body, ALGORITHMS)
