"""Who is identified by which keys, and which of its tenants a token or an account picks."""

import time
from typing import Any

import pytest

from bridge.handshake.authentication import Identity
from tests.bridge.handshake.credentials import (
    A_DAY,
    KEYS,
    SECRET,
    admission,
    claims,
    query,
    refused,
    strict,
    token,
    without,
)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param([], id="no key"),
        pytest.param([("api_key", "")], id="an empty key"),
        pytest.param([("api_key", "unknown")], id="an unknown key"),
        pytest.param([("api_key", "One")], id="another case"),
        pytest.param([("api_key", KEYS[0].sha256)], id="the hash of a key"),
        pytest.param([("api_key", "é\x00\ufffd")], id="odd characters"),
        pytest.param([("api_key", "one"), ("api_key", "one")], id="twice"),
        pytest.param([("api_key", "one"), ("api_key", "")], id="twice, once empty"),
        pytest.param([("x_account_id", "acme")], id="an account alone"),
        pytest.param([("api_key", "one"), ("jwt", ""), ("jwt", "")], id="a token twice"),
        pytest.param([("api_key", "one"), ("x_account_id", "acme"), ("x_account_id", "acme")], id="an account twice"),
        pytest.param([("api_key", "one"), ("jwt", "a.b.c")], id="a token where none is configured"),
    ],
)
async def test_who_shows_no_key_is_unauthenticated(sent: list[tuple[str, str]]) -> None:
    """Bad inputs, Handshake 1 and 2."""
    assert await refused(admission(), *sent) == "unauthenticated"


async def test_a_key_with_one_tenant_names_it() -> None:
    identity = await admission().identify(query(api_key="one", color="red"))
    assert identity == Identity("acme", "tenant", key_name="the key one", key_digest=KEYS[0].sha256)


async def test_an_account_picks_one_of_the_keys_tenants() -> None:
    for account in ("acme", "beta"):
        identity = await admission().identify(query(api_key="two", x_account_id=account))
        assert (identity.tenant, identity.grant) == (account, "none")


async def test_a_key_for_every_tenant_opens_those_that_are_known() -> None:
    identity = await admission().identify(query(api_key="all", x_account_id="hidden"))
    assert (identity.tenant, identity.grant, identity.admin) == ("hidden", "platform", True)


async def test_an_empty_token_or_account_counts_as_not_given() -> None:
    identity = await strict().identify(query(api_key="one", jwt="", x_account_id=""))
    assert (identity.tenant, identity.expires_at) == ("acme", None)


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(query(api_key="one", x_account_id="beta"), id="another tenant"),
        pytest.param(query(api_key="one", x_account_id="nowhere"), id="an unknown tenant"),
        pytest.param(query(api_key="one", x_account_id="*"), id="a star"),
        pytest.param(query(api_key="all", x_account_id="*"), id="a star for a key for every tenant"),
        pytest.param(query(api_key="all", x_account_id="nowhere"), id="an unknown tenant for a key for every tenant"),
        pytest.param(query(api_key="two"), id="a choice that was not made"),
        pytest.param(query(api_key="all"), id="a choice of every tenant that was not made"),
        pytest.param(query(api_key="lost"), id="a tenant that the bridge does not know"),
    ],
)
async def test_a_tenant_that_is_not_the_keys_is_forbidden(sent: list[tuple[str, str]]) -> None:
    """Bad inputs, Handshake 4."""
    assert await refused(admission(), *sent) == "forbidden"


async def test_a_good_token_picks_the_tenant_and_sets_the_end() -> None:
    good = claims(account_id="beta")
    identity = await strict().identify(query(api_key="two", jwt=token(good)))
    assert identity == Identity(
        "beta", "none", key_name="the key two", key_digest=KEYS[1].sha256, expires_at=float(good["exp"])
    )


@pytest.mark.parametrize("account", ["acme", ""])
async def test_an_account_may_agree_with_the_token(account: str) -> None:
    identity = await strict().identify(query(api_key="two", jwt=token(claims()), x_account_id=account))
    assert identity.tenant == "acme"


@pytest.mark.parametrize(
    ("sent", "payload"),
    [
        pytest.param(query(api_key="one"), claims(account_id="beta"), id="another tenant"),
        pytest.param(query(api_key="all"), claims(account_id="nowhere"), id="an unknown tenant"),
        pytest.param(query(api_key="all"), claims(account_id="*"), id="a star"),
        pytest.param(query(api_key="two", x_account_id="beta"), claims(), id="disagreement"),
        pytest.param(query(api_key="one"), without("account_id"), id="no account"),
        pytest.param(query(api_key="one", x_account_id="acme"), without("account_id"), id="the account beside it"),
        pytest.param(query(api_key="one"), claims(account_id=7), id="a number"),
        pytest.param(query(api_key="one"), claims(account_id=["acme"]), id="a list"),
        pytest.param(query(api_key="one"), claims(account_id=None), id="null"),
        pytest.param(query(api_key="one"), claims(account_id=""), id="nothing"),
    ],
)
async def test_a_token_for_a_tenant_that_is_not_the_keys_is_forbidden(
    sent: list[tuple[str, str]], payload: dict[str, Any]
) -> None:
    """Bad inputs, Handshake 4."""
    assert await refused(strict(), *sent, ("jwt", token(payload))) == "forbidden"


async def test_a_good_token_is_no_key() -> None:
    assert await refused(strict(), ("jwt", token(claims()))) == "unauthenticated"


async def test_the_claim_that_names_the_account_is_configured() -> None:
    identity = await strict(account_claim="org").identify(
        query(api_key="one", jwt=token(claims(account_id=1, org="acme")))
    )
    assert identity.tenant == "acme"


@pytest.mark.parametrize(("subject", "expected"), [("bob", "bob"), (None, None)])
async def test_the_claim_that_names_the_client_is_told(subject: str | None, expected: str | None) -> None:
    payload = claims() if subject is None else claims(sub=subject)
    identity = await strict(client_claim="sub").identify(query(api_key="one", jwt=token(payload)))
    assert (identity.subject, identity.must_be_subject) == (expected, True)


async def test_a_client_claim_that_is_neither_text_nor_number_names_nobody() -> None:
    identity = await strict(client_claim="who").identify(query(api_key="one", jwt=token(claims(who=["7"]))))
    assert (identity.subject, identity.must_be_subject) == (None, True)


async def test_a_key_without_a_token_names_nobody_where_a_claim_must() -> None:
    identity = await strict(client_claim="sub").identify(query(api_key="one"))
    assert (identity.subject, identity.must_be_subject) == (None, True)


@pytest.mark.parametrize(
    ("sent", "tenant"),
    [
        pytest.param([], "default", id="nothing"),
        pytest.param(query(api_key="whatever", jwt="whatever"), "default", id="credentials that nobody asked for"),
        pytest.param(query(x_account_id="acme"), "acme", id="a tenant"),
        pytest.param(query(x_account_id="nowhere"), "default", id="an unknown tenant"),
        pytest.param(query(x_account_id=""), "default", id="an empty tenant"),
    ],
)
async def test_an_open_bridge_lets_everyone_in(sent: list[tuple[str, str]], tenant: str) -> None:
    assert await admission(keys=()).identify(sent) == Identity(tenant, "tenant")


async def test_an_open_bridge_that_knows_tokens_believes_good_ones_alone() -> None:
    door = admission({"secret": SECRET}, keys=())
    good = token({"exp": time.time() + A_DAY, "account_id": "acme"})
    assert (await door.identify(query(jwt=good, x_account_id="beta"))).tenant == "acme"
    assert (await door.identify([])).tenant == "default"
    assert await refused(door, ("jwt", good[:-3])) == "unauthenticated"


@pytest.mark.parametrize(
    ("sent", "is_anonymous"),
    [
        ([], True),
        (query(color="red", jwt="", x_account_id=""), True),
        (query(api_key=""), False),
        (query(api_key="one"), False),
        (query(jwt="a"), False),
        (query(x_account_id="acme"), False),
    ],
    ids=repr,
)
def test_who_sends_no_credentials_at_all_is_anonymous(sent: list[tuple[str, str]], is_anonymous: bool) -> None:  # noqa: FBT001
    assert admission().is_anonymous(sent) is is_anonymous
