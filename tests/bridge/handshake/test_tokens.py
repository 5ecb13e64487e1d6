"""Which tokens are believed, and by which keys."""

import asyncio
import itertools
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import jwt
import pytest
import structlog
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from pydantic import SecretStr

from bridge.config.settings import Settings
from bridge.config.tables import Jwt
from bridge.handshake.authentication import Authentication
from bridge.handshake.tokens import LEEWAY_SECONDS
from bridge.tenants.tenant import Tenant
from tests.bridge.broker.parts import until
from tests.bridge.handshake.credentials import (
    A_DAY,
    HS256,
    ISSUER,
    SECRET,
    admission,
    base64url,
    claims,
    forged,
    key,
    query,
    refused,
    strict,
    tenant_of,
    token,
    without,
)
from tests.bridge.handshake.key_server import KeyServer, Mood, key_server

NO_TIMES: tuple[Any, ...] = (
    *(None, "", "tomorrow", True, False, [], [9e9], {}, -1, 0, 10**400, float("nan"), float("inf")),
)
UNSIGNED = base64url(json.dumps(claims()).encode())
ATTACKERS_JWK = {"kty": "oct", "k": base64url(b"a key that the attacker has made")}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(f"{base64url(b'{}')}.{UNSIGNED}.", id="no alg"),
        *(
            pytest.param(f"{base64url(json.dumps({'alg': name}).encode())}.{UNSIGNED}.", id=f"alg {name!r}")
            for name in ("none", "None", "NONE", "", None, 1, ["HS256"])
        ),
        pytest.param(forged({"alg": "none"}, claims()), id="alg none, signed"),
        pytest.param(forged({"alg": "HS512"}, claims(), digest="sha512"), id="an algorithm that is not configured"),
        pytest.param(forged({"alg": "hs256"}, claims()), id="an algorithm in another case"),
        pytest.param(forged(HS256, claims(), b"tiny!"), id="signed with 5 bytes"),
        pytest.param(forged(HS256, claims(), b""), id="signed with nothing"),
        pytest.param(forged(HS256, claims(), SECRET.encode()[:-1]), id="signed with another key"),
        pytest.param(forged(HS256, claims())[:-3], id="signature cut short"),
        pytest.param(forged(HS256, without("exp")), id="no exp"),
        pytest.param(forged(HS256, claims(exp=int(time.time()) - LEEWAY_SECONDS - 1)), id="exp past"),
        pytest.param(forged(HS256, claims(exp=1)), id="exp long past"),
        *(pytest.param(forged(HS256, claims(exp=exp)), id=f"exp {exp!r:.12}") for exp in NO_TIMES),
        pytest.param(forged(HS256, without("iss")), id="no iss"),
        *(
            pytest.param(forged(HS256, claims(iss=issuer)), id=f"iss {issuer!r}")
            for issuer in ("https://evil.example.com", ISSUER + "/", "", None, 7, [ISSUER], True)
        ),
        pytest.param(forged(HS256, without("aud")), id="no aud"),
        *(
            pytest.param(forged(HS256, claims(aud=audience)), id=f"aud {audience!r}")
            for audience in ("other", "Aether", "", None, 7, [], ["other"], ["aether", 7], {"aether": 1})
        ),
        pytest.param(forged(HS256, claims(nbf=int(time.time()) + A_DAY)), id="not yet good"),
        pytest.param(forged(HS256, claims(nbf="soon")), id="not good at a time that is none"),
        *(
            pytest.param(forged(HS256 | {"crit": crit, "bill": 1}, claims()), id=f"crit {crit!r}")
            for crit in (["bill"], ["exp"], [], "bill", None, [7], ["b64"])
        ),
        pytest.param(forged(HS256 | {"kid": 7}, claims()), id="kid as a number"),
        pytest.param(forged(HS256 | {"kid": ["a"]}, claims()), id="kid as a list"),
        *(
            pytest.param(forged(HS256 | {name: value}, claims()), id=f"{name}, well signed")
            for name, value in (("jku", "http://x"), ("x5u", "http://x"), ("jwk", ATTACKERS_JWK), ("x5c", ["MII"]))
        ),
        pytest.param(
            forged(HS256 | {"jwk": ATTACKERS_JWK}, claims(), b"a key that the attacker has made"), id="own jwk"
        ),
        pytest.param(forged([], claims()), id="a header that is a list"),
        pytest.param(forged(b"{", claims()), id="a header that is no JSON"),
        pytest.param(forged(b"\xff\xfe", claims()), id="a header that is not UTF-8"),
        pytest.param(forged(b"[" * 3000, claims()), id="a header that is deep"),
        pytest.param(forged(HS256, []), id="claims that are a list"),
        pytest.param(forged(HS256, b"{"), id="claims that are no JSON"),
        pytest.param(forged(HS256, b"[" * 3000), id="claims that are deep"),
        *(
            pytest.param(text, id=repr(text))
            for text in (".", "..", "a", "a.b", "a.b.c", "a.b.c.d", "é.é.é", " ", "null")
        ),
        pytest.param("\x00" * 99, id="zeros"),
        pytest.param(forged(HS256, claims(more="a" * 60_000)), id="60 KB, well signed"),
        pytest.param(forged(b"[" * 5_000, claims()), id="a header that is too deep to be read"),
        pytest.param("e30." * 5_000, id="many parts"),
    ],
)
async def test_a_bad_token_is_unauthenticated(text: str) -> None:
    """Bad inputs, Handshake 3."""
    assert await refused(strict(), ("api_key", "one"), ("jwt", text)) == "unauthenticated"


async def test_a_token_is_good_for_ten_more_seconds() -> None:
    late = claims(exp=int(time.time()) - LEEWAY_SECONDS + 5)
    identity = await strict().identify(query(api_key="one", jwt=token(late)))
    assert identity.expires_at == late["exp"]


@pytest.mark.parametrize("audience", ["aether", ["other", "aether"]])
async def test_the_audience_may_be_one_of_several(audience: Any) -> None:
    assert await tenant_of(strict(), *query(api_key="one", jwt=token(claims(aud=audience)))) == "acme"


async def test_issuer_and_audience_are_checked_where_they_are_configured() -> None:
    payload = {"exp": time.time() + A_DAY, "account_id": "acme", "iss": "anyone", "aud": ["anything"]}
    assert await tenant_of(admission({"secret": SECRET}), *query(api_key="one", jwt=token(payload))) == "acme"


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture(scope="module")
def public_pem(private_key: rsa.RSAPrivateKey) -> bytes:
    return private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture
def by_public_key(public_pem: bytes, tmp_path: Path) -> Authentication:
    """Tokens signed with a private key, of which the bridge has the public half in a file."""
    file = tmp_path / "public.pem"
    file.write_bytes(public_pem)
    return admission({"algorithms": ("RS256",), "public_key_file": file})


async def test_a_token_signed_with_the_private_key_is_believed(
    by_public_key: Authentication, private_key: rsa.RSAPrivateKey
) -> None:
    good = jwt.encode(claims(), private_key, "RS256")
    assert (await by_public_key.identify(query(api_key="one", jwt=good))).tenant == "acme"


async def test_the_public_key_is_no_secret(by_public_key: Authentication, public_pem: bytes) -> None:
    """Bad inputs, Handshake 3: signed with the RS256 public key as an HS256 secret."""
    for secret in (public_pem, public_pem.strip(), public_pem.replace(b"\n", b"\r\n")):
        for header in (HS256, {"alg": "RS256"}):
            assert await refused(by_public_key, ("api_key", "one"), ("jwt", forged(header, claims(), secret))) == (
                "unauthenticated"
            )


async def test_another_private_key_is_not_believed(
    by_public_key: Authentication, private_key: rsa.RSAPrivateKey
) -> None:
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    for signed in (jwt.encode(claims(), stranger, "RS256"), jwt.encode(claims(), private_key, "RS512")):
        assert await refused(by_public_key, ("api_key", "one"), ("jwt", signed)) == "unauthenticated"


@pytest.fixture
def keys_at() -> Iterator[KeyServer]:
    with key_server() as server:
        yield server


@pytest.fixture
def by_address(keys_at: KeyServer, private_key: rsa.RSAPrivateKey) -> Authentication:
    """Tokens signed with private keys, of which the public halves are at an address."""
    keys_at.keys = {"first": private_key.public_key()}
    return admission({"algorithms": ("RS256", "ES256"), "jwks_url": keys_at.url})


@pytest.fixture
def signed(private_key: rsa.RSAPrivateKey) -> Callable[..., tuple[str, str]]:
    """A credential: a token with this name of a key in its header, signed with the first key."""

    def sign(name: str | None, **headers: Any) -> tuple[str, str]:
        named = headers if name is None else headers | {"kid": name}
        return "jwt", jwt.encode(claims(), private_key, "RS256", named)

    return sign


Sign = Callable[..., tuple[str, str]]
KEY = ("api_key", "one")


async def test_keys_are_fetched_once_and_kept(by_address: Authentication, keys_at: KeyServer, signed: Sign) -> None:
    for _ in range(20):
        assert await tenant_of(by_address, KEY, signed("first")) == "acme"
    assert keys_at.asked == ["/jwks"]


async def test_many_who_come_at_once_fetch_once(by_address: Authentication, keys_at: KeyServer, signed: Sign) -> None:
    await asyncio.gather(*(by_address.identify([KEY, signed("first")]) for _ in range(50)))
    assert keys_at.asked == ["/jwks"]


async def test_unknown_names_of_keys_fetch_no_more_than_once_in_a_pause(
    by_address: Authentication, keys_at: KeyServer, signed: Sign
) -> None:
    await by_address.identify([KEY, signed("first")])
    for number in range(100):
        assert await refused(by_address, KEY, signed(f"unknown-{number}")) == "unauthenticated"
    await asyncio.gather(*(refused(by_address, KEY, signed(f"more-{number}")) for number in range(50)))
    assert keys_at.asked == ["/jwks"]


async def test_a_new_key_is_known_after_a_pause(
    by_address: Authentication, keys_at: KeyServer, signed: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_address.identify([KEY, signed("first")])
    young = ec.generate_private_key(ec.SECP256R1())
    keys_at.keys["second"] = young.public_key()
    second = ("jwt", jwt.encode(claims(), young, "ES256", {"kid": "second"}))
    assert await refused(by_address, KEY, second) == "unauthenticated"
    monkeypatch.setattr("bridge.handshake.key_cache.PAUSE_SECONDS", 0)
    assert await tenant_of(by_address, KEY, second) == "acme"
    assert len(keys_at.asked) == 2


async def test_a_key_that_was_withdrawn_is_believed_no_longer_than_the_set_is_kept(
    by_address: Authentication, keys_at: KeyServer, signed: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_address.identify([KEY, signed("first")])
    keys_at.keys = {"second": ec.generate_private_key(ec.SECP256R1()).public_key()}
    assert await tenant_of(by_address, KEY, signed("first")) == "acme"
    monkeypatch.setattr("bridge.handshake.key_cache.PAUSE_SECONDS", 0)
    monkeypatch.setattr("bridge.handshake.key_cache.KEPT_SECONDS", 0)
    assert await refused(by_address, KEY, signed("first")) == "unauthenticated"


async def test_a_token_must_name_its_key_where_keys_are_fetched(
    by_address: Authentication, keys_at: KeyServer, signed: Sign
) -> None:
    assert await refused(by_address, KEY, signed(None)) == "unauthenticated"
    assert keys_at.asked == []


@pytest.mark.parametrize("name", ["jku", "x5u"])
async def test_nothing_is_fetched_because_of_a_header(
    by_address: Authentication, keys_at: KeyServer, signed: Sign, name: str
) -> None:
    """Bad inputs, Handshake 3."""
    with key_server() as attackers:
        own = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
        attackers.keys = {"first": own.public_key()}
        bad = ("jwt", jwt.encode(claims(), own, "RS256", {"kid": "first", name: attackers.url}))
        assert await refused(by_address, KEY, bad) == "unauthenticated"
        assert await refused(by_address, KEY, signed("first", **{name: attackers.url})) == "unauthenticated"
        assert attackers.asked == []
    assert await tenant_of(by_address, KEY, signed("first")) == "acme"
    assert keys_at.asked == ["/jwks"]


@pytest.mark.parametrize("mood", ["failing", "mute", "babbling", "cutting short", "empty"])
async def test_while_an_address_gives_no_keys_nobody_is_called_a_liar_and_it_is_asked_again(
    by_address: Authentication, keys_at: KeyServer, signed: Sign, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys_at.mood = mood
    assert await refused(by_address, KEY, signed("first")) == "keys_unavailable"
    assert await refused(by_address, KEY, signed("first")) == "keys_unavailable"
    assert len(keys_at.asked) == 1
    assert by_address.keys_are_missing
    await until(lambda: all(thread.name != "key fetch" for thread in threading.enumerate()))  # one at a time
    keys_at.mood = "well"
    monkeypatch.setattr("bridge.handshake.key_cache.PAUSE_SECONDS", 0)
    assert await tenant_of(by_address, KEY, signed("first")) == "acme"


@pytest.mark.parametrize("mood", ["failing", "mute", "babbling", "cutting short", "empty"])
async def test_known_keys_stay_good_while_their_address_gives_none(
    by_address: Authentication, keys_at: KeyServer, signed: Sign, mood: Mood, monkeypatch: pytest.MonkeyPatch
) -> None:
    await by_address.identify([KEY, signed("first")])
    keys_at.mood = mood
    monkeypatch.setattr("bridge.handshake.key_cache.PAUSE_SECONDS", 0)
    monkeypatch.setattr("bridge.handshake.key_cache.KEPT_SECONDS", 0)
    for _ in range(3):
        assert await tenant_of(by_address, KEY, signed("first")) == "acme"
    assert len(keys_at.asked) > 1


@pytest.mark.parametrize("url", ["http://127.0.0.1:1/jwks", "http://no.such.host.invalid/jwks"])
async def test_where_nobody_is_at_the_address_nobody_is_called_a_liar(signed: Sign, url: str) -> None:
    door = admission({"algorithms": ("RS256",), "jwks_url": url})
    assert await refused(door, KEY, signed("first")) == "keys_unavailable"
    assert door.keys_are_missing
    unsigned = ("jwt", forged({"alg": "none", "kid": "first"}, claims()))
    assert await refused(door, KEY, unsigned) == await refused(door, KEY, signed(None)) == "unauthenticated"
    assert await tenant_of(door, KEY) == "acme"


async def test_a_name_that_is_unknown_is_no_key_while_the_address_answers(
    by_address: Authentication, keys_at: KeyServer, signed: Sign, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert await refused(by_address, KEY, signed("unknown")) == "unauthenticated"
    assert not by_address.keys_are_missing
    keys_at.mood = "failing"
    monkeypatch.setattr("bridge.handshake.key_cache.PAUSE_SECONDS", 0)
    assert await refused(by_address, KEY, signed("unknown")) == "keys_unavailable"
    assert await tenant_of(by_address, KEY, signed("first")) == "acme"
    keys_at.mood = "well"
    await until(lambda: not by_address.keys_are_missing)


async def test_keys_are_there_before_the_first_token(by_address: Authentication, keys_at: KeyServer) -> None:
    by_address.prefetch_keys()
    await until(lambda: keys_at.asked == ["/jwks"])
    admission().prefetch_keys()
    strict().prefetch_keys()
    assert not admission().keys_are_missing


@pytest.mark.parametrize("iat", [time.time() + 30, 9e15, -1, None, "soon", [], True, 10**400], ids=itertools.count())
async def test_when_it_was_issued_refuses_nobody(iat: Any) -> None:
    assert await tenant_of(strict(), *query(api_key="one", jwt=forged(HS256, claims(iat=iat)))) == "acme"


@pytest.mark.parametrize("odd", [7, 7.5, None, [], {}, True, ""])
async def test_a_name_of_the_token_and_a_subject_that_nobody_needs_refuse_nobody(odd: Any) -> None:
    assert await tenant_of(strict(), *query(api_key="one", jwt=forged(HS256, claims(jti=odd, sub=odd)))) == "acme"


@pytest.mark.parametrize("exp", [int(time.time()) + A_DAY + 0.5, str(int(time.time()) + A_DAY)], ids=itertools.count())
async def test_a_time_may_have_a_fraction(exp: Any) -> None:
    late = forged(HS256, claims(exp=exp, nbf=time.time() - 0.5))
    assert (await strict().identify(query(api_key="one", jwt=late))).expires_at == float(exp)


NUMBERS: tuple[Any, ...] = ((1234, "1234"), (42.0, "42"), (0, "0"), (-5, "-5"), ("7", "7"))


@pytest.mark.parametrize(("claim", "text"), NUMBERS)
async def test_digits_in_claims_count_as_their_text(claim: Any, text: str) -> None:
    door = Authentication(
        Settings(keys=(key("one", "*"),), jwt=Jwt(secret=SecretStr(SECRET), client_claim="sub")),
        lambda name: Tenant(name) if name == text else None,
    )
    identity = await door.identify(query(api_key="one", jwt=forged(HS256, claims(account_id=claim, sub=claim))))
    assert (identity.tenant, identity.subject) == (text, text)
    assert identity.may_be(text)


@pytest.mark.parametrize("claim", [True, False, None, 1.5, [], {}, [1], float("nan")])
async def test_what_is_no_number_and_no_text_is_no_claim(claim: Any) -> None:
    bad = query(api_key="one", jwt=forged(HS256, claims(account_id=claim)))
    assert await refused(strict(), *bad) == "forbidden"
    door = strict(client_claim="sub")
    identity = await door.identify(query(api_key="one", jwt=forged(HS256, claims(sub=claim))))
    assert (identity.subject, identity.may_be(str(claim))) == (None, False)


REFUSED: tuple[tuple[dict[str, Any], bytes, str], ...] = (
    (claims(exp=1), SECRET.encode(), "expired"),
    (claims(nbf=9e9), SECRET.encode(), "not valid yet (nbf)"),
    (claims(aud="other"), SECRET.encode(), "wrong audience (aud)"),
    (claims(iss="other"), SECRET.encode(), "wrong issuer (iss)"),
    (without("exp"), SECRET.encode(), "no claim exp"),
    (claims(), b"another secret", "bad signature"),
    (claims(account_id=None), SECRET.encode(), "no account in its claim, or another than x_account_id"),
    (claims(account_id="beta"), SECRET.encode(), "its account is not one of the key's tenants"),
)


@pytest.mark.parametrize(("payload", "secret", "reason"), REFUSED, ids=[reason for _, _, reason in REFUSED])
async def test_why_a_token_is_refused_is_in_the_log_without_the_token(
    payload: dict[str, Any], secret: bytes, reason: str
) -> None:
    bad = forged(HS256, payload, secret)
    with structlog.testing.capture_logs() as logged:
        await refused(strict(), *query(api_key="one", jwt=bad))
    assert [line["reason"] for line in logged] == [reason]
    assert all(part not in str(logged) for part in bad.split("."))


async def test_of_a_key_that_is_unknown_nothing_is_said_of_tokens() -> None:
    with structlog.testing.capture_logs() as logged:
        assert await refused(strict(), *query(api_key="bad", jwt="x")) == "unauthenticated"
    assert logged == []
