"""Keys, tokens and tenants at the handshake: who is let in, and what everyone else is told.

A browser must be able to read why: the handshake is accepted, one message is sent, and a close code says the rest.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from tests.conftest import StartBridge
from tests.end_to_end.clients import client, denied, refused, v3_path
from tests.end_to_end.configuration import QUIET, SECRET, api_key, key, token, with_key
from tests.end_to_end.socketio_clients import poller
from tests.servers import BridgeProcess

KEYED = (
    QUIET
    + "[tenants.acme]\n[tenants.beta]\n"
    + key("acme", "acme")
    + key("pair", "acme", "beta")
    + key("any", "*")
    + '[jwt]\nissuer = "https://accounts.example.com"\naudience = "aether"\n'
)
TRUSTED: dict[str, Any] = {"iss": "https://accounts.example.com", "aud": "aether", "account_id": "acme"}
LONG_AGO = 1


@pytest.fixture(scope="module")
def keyed(module_bridge: StartBridge) -> BridgeProcess:
    """Keys, and tokens that are signed with a secret."""
    return module_bridge(config=KEYED, environment={"BRIDGE_JWT_SECRET": SECRET})


@pytest.fixture(scope="module")
def private_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2048)


@pytest.fixture(scope="module")
def public_key(private_key: rsa.RSAPrivateKey) -> bytes:
    return private_key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


@pytest.fixture(scope="module")
def asymmetric(
    module_bridge: StartBridge, public_key: bytes, tmp_path_factory: pytest.TempPathFactory
) -> BridgeProcess:
    """Tokens signed with a private key, of which the bridge knows the public half."""
    file = tmp_path_factory.mktemp("keys") / "public.pem"
    file.write_bytes(public_key)
    jwt_table = f'[jwt]\nalgorithms = ["RS256"]\npublic_key_file = "{file}"\n'
    return module_bridge(config=QUIET + key("acme", "acme") + jwt_table)


@pytest.fixture
def trap() -> Iterator[socket.socket]:
    """A server that must not be asked for anything."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield listener


def with_token(text: str, name: str = "acme") -> str:
    return f"{with_key(name)}&jwt={text}"


async def admits(bridge: BridgeProcess, query: str) -> bool:
    async with client(bridge, v3_path("team", "ann", query)) as admitted:
        return await admitted.is_served()


async def why_refused(bridge: BridgeProcess, query: str) -> tuple[str, int]:
    error, close_code = await refused(bridge, v3_path("team", "ann", query))
    return error["payload"]["code"], close_code


NO_GOOD_KEY = ("", "api_key=", "api_key=unknown", "api_key=%00", "api_key=%ff", "api_key=" + "x" * 4_000)


@pytest.mark.parametrize("query", NO_GOOD_KEY)
async def test_a_missing_an_empty_and_an_unknown_key_are_refused_in_the_same_words(
    keyed: BridgeProcess, query: str
) -> None:
    error, close_code = await refused(keyed, v3_path("team", "ann", query))
    error.pop("sent_at")
    assert close_code == 4401
    assert error == {
        "version": "3",
        "msg_type": "cmd",
        "target": "echo",
        "from_id": "server",
        "group_id": "team",
        "cmd": "ERROR",
        "msg": "Connect with a valid api_key, and a valid jwt where one is used.",
        "payload": {"code": "unauthenticated", "retry": False, "detail": [], "refused": {}},
    }


@pytest.mark.parametrize("query", NO_GOOD_KEY)
@pytest.mark.parametrize("prefix", ["/ws", "/ws_redis"])
async def test_v2_is_refused_in_words_of_v2(keyed: BridgeProcess, prefix: str, query: str) -> None:
    sentence = "Connect with a valid api_key, and a valid jwt where one is used."
    expected = {"bridge": {"error": "unauthenticated", "msg": sentence}}
    assert await refused(keyed, f"{prefix}/group/team/client/ann?{query}") == (expected, 4401)


async def test_a_key_that_is_given_twice_is_refused(keyed: BridgeProcess) -> None:
    assert await why_refused(keyed, f"{with_key('acme')}&{with_key('acme')}") == ("unauthenticated", 4401)
    assert await why_refused(keyed, f"api_key=&{with_key('acme')}") == ("unauthenticated", 4401)
    assert await why_refused(keyed, f"{with_key('acme')}&jwt=&jwt=") == ("unauthenticated", 4401)


async def test_a_good_key_is_admitted(keyed: BridgeProcess) -> None:
    assert await admits(keyed, with_key("acme"))
    assert await admits(keyed, f"{with_key('acme')}&jwt=&x_account_id=")
    assert await admits(keyed, f"{with_key('pair')}&x_account_id=beta")
    assert await admits(keyed, f"{with_key('any')}&x_account_id=beta")


async def test_a_good_token_is_admitted(keyed: BridgeProcess) -> None:
    assert await admits(keyed, with_token(token(**TRUSTED)))
    assert await admits(keyed, with_token(token(**TRUSTED), "pair"))
    assert await admits(keyed, with_token(token(**TRUSTED), "any") + "&x_account_id=acme")


FORGED: dict[str, Callable[[], str]] = {
    "no algorithm": lambda: token(None, "none", **TRUSTED),
    "a short key": lambda: token("short", **TRUSTED),
    "another key": lambda: token("another secret, which is as long as the first", **TRUSTED),
    "another algorithm": lambda: token(algorithm="HS512", **TRUSTED),
    "no end": lambda: token(exp=None, **TRUSTED),
    "an end that is over": lambda: token(exp=int(time.time()) - 60, **TRUSTED),
    "an end long ago": lambda: token(exp=LONG_AGO, **TRUSTED),
    "an end before all time": lambda: token(exp=-(10**30), **TRUSTED),
    "an end that no number holds": lambda: token(exp=10**400, **TRUSTED),
    "an end that is no number": lambda: token(exp="soon", **TRUSTED),
    "a start to come": lambda: token(nbf=int(time.time()) + 600, **TRUSTED),
    "another issuer": lambda: token(**{**TRUSTED, "iss": "https://accounts.example.com.evil"}),
    "no issuer": lambda: token(**{**TRUSTED, "iss": None}),
    "another audience": lambda: token(**{**TRUSTED, "aud": "others"}),
    "no audience": lambda: token(**{**TRUSTED, "aud": None}),
    "an unknown crit": lambda: token(headers={"crit": ["b64"], "b64": False}, **TRUSTED),
    "a crit of ours": lambda: token(headers={"crit": ["x"], "x": 1}, **TRUSTED),
    "no token": lambda: "x.y.z",
    "another signature": lambda: token(**TRUSTED)[:-8] + "AAAAAAAA",
    "no UTF-8": lambda: "%ff%fe.%ff.%ff",
}


@pytest.mark.filterwarnings("ignore::jwt.warnings.InsecureKeyLengthWarning")
@pytest.mark.parametrize("forged", FORGED)
async def test_a_token_that_cannot_be_believed_is_refused(keyed: BridgeProcess, forged: str) -> None:
    assert await why_refused(keyed, with_token(FORGED[forged]())) == ("unauthenticated", 4401)


async def test_an_end_beyond_all_time_does_no_harm(keyed: BridgeProcess) -> None:
    for far in (10**12, 10**18, 1e300):
        assert await admits(keyed, with_token(token(exp=far, **TRUSTED)))


async def test_the_public_key_is_no_secret(
    asymmetric: BridgeProcess, private_key: rsa.RSAPrivateKey, public_key: bytes
) -> None:
    assert await admits(asymmetric, with_token(token(private_key, "RS256", account_id="acme")))
    forged = forge_with_public_key(public_key)
    assert await why_refused(asymmetric, with_token(forged)) == ("unauthenticated", 4401)
    assert await why_refused(asymmetric, with_token(token(account_id="acme"))) == ("unauthenticated", 4401)


def forge_with_public_key(public_key: bytes) -> str:
    """PyJWT will not sign so; what it writes for another key is signed anew by hand."""
    header, payload, _ = token(account_id="acme").split(".")
    signed = jwt.algorithms.HMACAlgorithm(jwt.algorithms.HMACAlgorithm.SHA256)
    signature = signed.sign(f"{header}.{payload}".encode(), public_key)
    return f"{header}.{payload}.{jwt.utils.base64url_encode(signature).decode()}"


@pytest.mark.parametrize("header", ["jku", "x5u"])
async def test_nothing_is_fetched_because_of_a_header(
    keyed: BridgeProcess, asymmetric: BridgeProcess, trap: socket.socket, header: str
) -> None:
    address = f"http://127.0.0.1:{trap.getsockname()[1]}/keys"
    forged = token("another secret, which is as long as the first", headers={header: address, "kid": "k"}, **TRUSTED)
    for bridge in (keyed, asymmetric):
        assert await why_refused(bridge, with_token(forged)) == ("unauthenticated", 4401)
    with pytest.raises(BlockingIOError):
        trap.accept()


async def test_a_key_in_the_header_is_not_believed(asymmetric: BridgeProcess) -> None:
    stranger = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
    own_key = jwt.algorithms.RSAAlgorithm.to_jwk(stranger.public_key(), as_dict=True)
    forged = token(stranger, "RS256", headers={"jwk": own_key}, account_id="acme")
    assert await why_refused(asymmetric, with_token(forged)) == ("unauthenticated", 4401)


async def test_a_connection_ends_with_its_token(keyed: BridgeProcess) -> None:
    brief = token(**{**TRUSTED, "exp": int(time.time()) + 2})
    async with client(keyed, v3_path("team", "ann", with_token(brief))) as guest:
        assert await guest.is_served()
        assert (await guest.hear())["payload"]["code"] == "token_expired"
        assert await guest.close_code() == 4401


NOT_OURS: dict[str, Callable[[], str]] = {
    "a token for another tenant": lambda: with_token(token(**{**TRUSTED, "account_id": "beta"})),
    "a token for no tenant": lambda: with_token(token(**{**TRUSTED, "account_id": None})),
    "a token whose tenant is no text": lambda: with_token(token(**{**TRUSTED, "account_id": ["acme"]})),
    "an account of another tenant": lambda: with_key("acme") + "&x_account_id=beta",
    "a token and an account that disagree": lambda: with_token(token(**TRUSTED), "pair") + "&x_account_id=beta",
    "two tenants and no choice": lambda: with_key("pair"),
    "every tenant and no choice": lambda: with_key("any"),
    "a tenant that the bridge does not know": lambda: with_key("any") + "&x_account_id=nowhere",
    "the word for every tenant": lambda: with_key("any") + "&x_account_id=*",
}


@pytest.mark.parametrize("attempt", NOT_OURS)
async def test_a_tenant_that_is_not_the_keys_is_forbidden(keyed: BridgeProcess, attempt: str) -> None:
    assert await why_refused(keyed, NOT_OURS[attempt]()) == ("forbidden", 4403)


@pytest.fixture(scope="module")
def personal(module_bridge: StartBridge) -> BridgeProcess:
    """Tokens say which client their bearer is; V2 clients without credentials are let in elsewhere."""
    config = QUIET + 'v2_anonymous_tenant = "visitors"\n[tenants.visitors]\n' + key("acme", "acme")
    claim = '[jwt]\nclient_claim = "sub"\n'
    return module_bridge(config=config + claim, environment={"BRIDGE_JWT_SECRET": SECRET})


async def test_where_a_claim_names_the_client_the_path_must_name_it_too(personal: BridgeProcess) -> None:
    for client_id, sub, is_admitted in (
        ("ann", "ann", True),
        ("ben", "ann", False),
        ("v2-42", "42", True),
        ("v2-43", "42", False),
    ):
        path = v3_path("team", client_id, with_token(token(account_id="acme", sub=sub)))
        if is_admitted:
            async with client(personal, path) as admitted:
                assert await admitted.is_served()
        else:
            assert (await refused(personal, path))[1] == 4403
    for query in (with_key("acme"), with_token(token(account_id="acme")), with_token(token(account_id="acme", sub=42))):
        assert (await refused(personal, v3_path("team", "ann", query)))[1] in (4401, 4403)


async def test_why_a_client_is_not_whom_its_token_names_is_in_the_log(module_bridge: StartBridge) -> None:
    claim = '[jwt]\nclient_claim = "sub"\n'
    bridge = module_bridge(config=QUIET + key("acme", "acme") + claim, environment={"BRIDGE_JWT_SECRET": SECRET})
    for query, why in (
        (with_token(token(account_id="acme", sub="ann")), "its claim names another client"),
        (with_token(token(account_id="acme", sub=True)), "no client in its claim"),
        (with_key("acme"), "no token, whose client claim would name the client"),
    ):
        assert (await refused(bridge, f"/ws/ben?{query}"))[1] == 4403
        assert (await refused(bridge, v3_path("team", "ben", query)))[1] == 4403
        assert why in bridge.log


async def test_where_a_claim_names_the_client_v2_is_held_to_it_as_well(personal: BridgeProcess) -> None:
    query = with_token(token(account_id="acme", sub="42"))
    async with client(personal, f"/ws/42?{query}") as admitted:
        assert await admitted.ask({"msg": "hi"}) == {"msg": "hi"}
    frame, close_code = await refused(personal, f"/ws/43?{query}")
    assert (frame["bridge"]["error"], close_code) == ("forbidden", 4403)
    frame, close_code = await refused(personal, f"/ws?{query}")
    assert (frame["bridge"]["error"], close_code) == ("forbidden", 4403)


async def test_where_a_claim_names_the_client_a_backend_is_held_to_it_as_well(personal: BridgeProcess) -> None:
    said = {"msg_type": "msg", "target": "group"}
    query = f"jwt={token(account_id='acme', sub='ann')}"
    async with httpx.AsyncClient(base_url=personal.url, headers={"X-Api-Key": api_key("acme")}) as http:
        answers = [await http.post(f"/v3/messages?{query}", json=said | {"from_id": who}) for who in ("ann", "ben")]
    assert [answer.status_code for answer in answers] == [202, 403]


@pytest.mark.parametrize("from_id", [{}, {"from_id": None}, {"from_id": "server"}, {"from_id": "ann"}], ids=str)
async def test_where_a_claim_names_the_client_nobody_speaks_without_one(
    personal: BridgeProcess, from_id: dict[str, Any]
) -> None:
    said = {"msg_type": "cmd", "target": "group", "cmd": "X"} | from_id
    async with httpx.AsyncClient(base_url=personal.url, headers={"X-Api-Key": api_key("acme")}) as http:
        for query in ("", f"?jwt={token(account_id='acme')}"):
            answer = await http.post(f"/v3/messages{query}", json=said)
            assert (answer.status_code, answer.json()["code"]) == (403, "forbidden")


async def test_in_a_tenant_that_no_key_opens_a_v2_client_without_credentials_has_no_claim_to_meet(
    personal: BridgeProcess,
) -> None:
    async with client(personal, "/ws/42") as visitor:
        assert await visitor.ask({"msg": "hi"}) == {"msg": "hi"}


@pytest.fixture(scope="module")
def claimed(module_bridge: StartBridge) -> BridgeProcess:
    """Tokens say which client their bearer is, in a tenant that lets V2 clients without credentials in."""
    config = QUIET + 'v2_anonymous_tenant = "acme"\n[tenants.acme]\nhosts = ["acme.example.test"]\n'
    config += key("acme", "acme") + '[jwt]\nclient_claim = "sub"\n'
    return module_bridge("--socketio", config=config, environment={"BRIDGE_JWT_SECRET": SECRET})


@pytest.mark.parametrize("host", ["127.0.0.1", "acme.example.test"])
@pytest.mark.parametrize("path", ["/ws/alice", "/ws/client/alice", "/ws_redis/group/team/client/42", "/ws/anonymous-x"])
async def test_without_credentials_no_id_can_be_had_that_a_token_could_claim(
    claimed: BridgeProcess, path: str, host: str
) -> None:
    frame, close_code = await refused(claimed, path, host=host)
    assert (frame["bridge"]["error"], close_code) == ("forbidden", 4403)


async def test_without_credentials_an_id_that_is_given_can_be_claimed_by_no_token(claimed: BridgeProcess) -> None:
    async with client(claimed, "/ws/group/team") as visitor:
        assert await visitor.ask({"msg": "hi"}) == {"msg": "hi"}
        query = with_token(token(account_id="acme", sub="anonymous-x"))
        assert (await refused(claimed, f"/ws/anonymous-x?{query}"))[1] == 4403
        assert (await refused(claimed, v3_path("team", "anonymous-x", query)))[1] == 4403


async def test_without_credentials_no_id_can_be_had_over_socketio_either(claimed: BridgeProcess) -> None:
    async with poller(claimed) as named, poller(claimed) as nameless:
        said = await named.enter("/v2", {"client_id": "alice"})
        assert said.startswith("44/v2,")
        assert '"forbidden"' in said
        assert (await nameless.enter("/v2", {})).startswith("40/v2,")


PAGES = {
    "https://evil.example": False,
    "null": False,
    "http://localhost": False,
    "https://acme.example.test:8443": True,
}


@pytest.mark.parametrize("origin", PAGES)
async def test_without_credentials_a_page_must_be_of_the_name_that_it_connects_to(
    claimed: BridgeProcess, origin: str
) -> None:
    for path in ("/ws", "/ws?jwt=", "/ws_redis/group/team?x=1"):
        if PAGES[origin]:
            async with client(claimed, path, headers={"Origin": origin}) as admitted:
                assert await admitted.ask({"msg": "hi"}) == {"msg": "hi"}
        else:
            answer = await denied(claimed, path, headers={"Origin": origin})
            assert (answer.status_code, json.loads(answer.body)["code"]) == (403, "forbidden_origin")
    async with poller(claimed) as io:
        io.http.headers["Origin"] = origin
        assert (await io.enter("/v2", {})).startswith("40/v2," if PAGES[origin] else "44/v2,")
    async with client(claimed, f"/ws/7?{with_token(token(account_id='acme', sub='7'))}", headers={"Origin": origin}):
        pass


@pytest.mark.parametrize("path", ["/ws/42", v3_path("team", "ann")])
async def test_a_query_of_too_many_fields_is_bad_credentials(
    keyed: BridgeProcess, claimed: BridgeProcess, path: str
) -> None:
    for bridge in (keyed, claimed):
        query = "&".join(f"field{number}=1" for number in range(65))
        assert (await refused(bridge, f"{path}?{query}"))[1] == 4401


async def test_credentials_that_are_bad_make_nobody_anonymous(personal: BridgeProcess) -> None:
    for query in ("api_key=", "api_key=unknown", "jwt=x.y.z", "x_account_id=acme"):
        frame, close_code = await refused(personal, f"/ws/42?{query}")
        assert (frame["bridge"]["error"], close_code) == ("unauthenticated", 4401)


async def test_credentials_are_in_no_line_of_the_log(keyed: BridgeProcess) -> None:
    secret = token(**TRUSTED)
    assert await admits(keyed, with_token(secret))
    assert await why_refused(keyed, "api_key=a-secret-that-is-wrong") == ("unauthenticated", 4401)
    for told in (secret, api_key("acme"), "a-secret-that-is-wrong", SECRET):
        assert told not in keyed.log


@pytest.fixture(scope="module")
def keyless(module_bridge: StartBridge) -> BridgeProcess:
    """Tokens are checked by keys at an address where nobody is."""
    jwt_table = '[jwt]\nalgorithms = ["RS256"]\njwks_url = "http://127.0.0.1:1/jwks"\n'
    return module_bridge(config=QUIET + "socketio = true\n" + key("acme", "acme") + jwt_table)


@pytest.fixture(scope="module")
def signed(private_key: rsa.RSAPrivateKey) -> str:
    claims = {"exp": time.time() + 3_600, "account_id": "acme"}
    return with_token(jwt.encode(claims, private_key, "RS256", {"kid": "first"}))


async def test_while_keys_cannot_be_fetched_nobody_is_told_to_stay_away(keyless: BridgeProcess, signed: str) -> None:
    error, close_code = await refused(keyless, v3_path("team", "ann", signed))
    assert (error["payload"]["code"], error["payload"]["retry"], close_code) == ("keys_unavailable", True, 4503)
    frame, close_code = await refused(keyless, f"/ws/42?{signed}")
    assert (frame["bridge"]["error"], close_code) == ("keys_unavailable", 4503)
    async with httpx.AsyncClient(base_url=keyless.url) as http:
        query, headers = signed.partition("&")[2], {"X-Api-Key": api_key("acme")}
        said = {"msg_type": "msg", "target": "group", "msg": "hi"}
        answer = await http.post(f"/v3/messages?{query}", json=said, headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.json()["retry"]) == (503, "keys_unavailable", True)
        assert int(answer.headers["retry-after"]) > 0
        assert (await http.get(f"/v3/presence/group/team?{query}", headers=headers)).status_code == 503


async def test_while_keys_cannot_be_fetched_socketio_is_told_the_same(keyless: BridgeProcess, signed: str) -> None:
    credentials = dict(part.split("=", 1) for part in signed.split("&"))
    async with poller(keyless) as one:
        said = await one.enter("/v3", {"group_id": "team", "client_id": "ann", **credentials})
        assert said.startswith("44/v3,")
        assert '"keys_unavailable"' in said


async def test_while_keys_cannot_be_fetched_who_needs_no_token_is_served_and_readiness_says_it(
    keyless: BridgeProcess, signed: str
) -> None:
    async with client(keyless, v3_path("team", "ann", with_key("acme"))) as admitted:
        assert await admitted.is_served()
    await refused(keyless, v3_path("team", "ann", signed))
    async with httpx.AsyncClient(base_url=keyless.url) as http:
        answer = await http.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (200, True)
    assert "keys of jwks_url cannot be fetched" in answer.json()["trouble"][0]
    assert "keys_unreachable" in keyless.log
    assert '"event": "token_refused"' in keyless.log


async def test_numbers_in_claims_are_ids(personal: BridgeProcess) -> None:
    for sub in (42, 42.0, "42"):
        async with client(personal, f"/ws/42?{with_token(token(account_id='acme', sub=sub))}") as admitted:
            assert await admitted.ask({"msg": "hi"}) == {"msg": "hi"}
    assert (await refused(personal, f"/ws/1?{with_token(token(account_id='acme', sub=True))}"))[1] == 4403
