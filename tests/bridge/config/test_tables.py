"""One tenant, one key, and which tokens are believed, as the file has them."""

from datetime import date
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from bridge.config.settings import SettingsError
from bridge.tenants.guard_rules import GuardRules
from tests.bridge.config.conftest import EXAMPLE, Configure


def test_a_tenant_has_the_guards_that_its_table_names(configure: Configure) -> None:
    settings = configure(
        "[tenants.acme]\nguard.stashed_percent = 5\nguard.quiet_days = 0.5\n"
        "[tenants.other.guard]\nlost_percent = 30\ngrace_seconds = 60\n[tenants.free]\n"
    )
    tenants = settings.known_tenants()
    assert tenants["acme"].guard == GuardRules(stashed_percent=5, quiet_days=0.5)
    assert tenants["other"].guard == GuardRules(lost_percent=30, grace_seconds=60)
    assert not tenants["free"].guard.any


def test_a_tenant_starts_as_it_is_configured(configure: Configure) -> None:
    acme = configure(EXAMPLE).known_tenants()["acme"]
    assert (acme.name, acme.stage, acme.share, acme.v2_routing) == ("acme", "drain", 40, "group")
    assert (acme.hosts, acme.deprecated, acme.sunset) == (("acme.example.com",), date(2026, 12, 1), date(2027, 6, 30))
    assert acme.dialect.commands == {"reload": "RELOAD_UI"}
    assert acme.dialect.said_as["msg"] == "caption"


def test_a_share_may_have_two_decimals(configure: Configure) -> None:
    settings = configure(
        '[tenants.acme]\nstage = "drain"\nshare = 12.25\n[tenants.other]\nstage = "drain"\nshare = 25.0\n'
    )
    assert [repr(one.share) for one in settings.known_tenants().values() if one.stage == "drain"] == ["12.25", "25"]


@pytest.mark.parametrize(
    ("table", "sentence"),
    [
        ("share = 25", 'tenants.acme: a share exists in stage = "drain" alone, and this is "bridge": leave it out'),
        ('stage = "v3"\nshare = 0', 'a share exists in stage = "drain" alone, and this is "v3": leave it out'),
        ('stage = "drain"', 'tenants.acme: stage = "drain" needs a share: how many in a hundred V2 clients'),
        ('stage = "drain"\nshare = 12.255', "tenants.acme.share: a share is a number from 0 to 100 with at most two"),
        ('stage = "drain"\nshare = nan', "tenants.acme.share: a share is a number from 0 to 100 with at most two"),
        ('stage = "drain"\nshare = true', "tenants.acme.share: a share is a number from 0 to 100 with at most two"),
        ("guard.refusals_per_minute = 20", "tenants.acme.guard: refusals_per_minute is no guard any more"),
        ("guard.lost_percent = 5\nguard.grace_seconds = 600", "tenants.acme.guard: grace_seconds must be less than"),
    ],
)
def test_a_share_or_a_guard_that_makes_no_sense_is_refused_with_a_sentence(
    configure: Configure, table: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as refused:
        configure(f"[tenants.acme]\n{table}\n")
    assert sentence in str(refused.value)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        pytest.param("", "exactly one of secret", id="no key"),
        pytest.param(f'secret = "{"s" * 32}"\njwks_url = "http://x"', "exactly one of secret", id="two keys"),
        pytest.param('secret = "short"', "at least 32 bytes", id="a short secret"),
        pytest.param(f'algorithms = ["HS512"]\nsecret = "{"s" * 63}"', "at least 64 bytes", id="short for HS512"),
        pytest.param(
            f'algorithms = ["HS256", "HS384"]\nsecret = "{"s" * 32}"', "at least 48 bytes", id="short for one of two"
        ),
        pytest.param(f'algorithms = ["RS256"]\nsecret = "{"s" * 32}"', "HS algorithms need a secret", id="RS, secret"),
        pytest.param('algorithms = ["HS256"]\njwks_url = "http://x"', "HS algorithms need a secret", id="HS, public"),
        pytest.param('algorithms = ["HS256", "RS256"]\njwks_url = "http://x"', "one kind only", id="both kinds"),
        pytest.param('algorithms = []\njwks_url = "http://x"', "HS algorithms need a secret", id="no algorithm"),
        pytest.param('algorithms = ["none"]\njwks_url = "http://x"', "jwt.algorithms.0: ", id="alg none"),
        pytest.param('algorithms = ["RS256", "none"]\njwks_url = "http://x"', "jwt.algorithms.1: ", id="alg none too"),
        pytest.param('algorithms = ["hs256"]\njwks_url = "http://x"', "jwt.algorithms.0: ", id="no algorithm's name"),
        pytest.param(
            f'algorithm = "HS256"\nsecret = "{"s" * 32}"',
            "jwt.algorithm: there is no such setting here",
            id="an unknown field",
        ),
    ],
)
def test_tokens_are_believed_by_one_kind_of_key_that_is_long_enough(
    configure: Configure, text: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as caught:
        configure(f"[jwt]\n{text}")
    assert sentence in str(caught.value)


@pytest.mark.parametrize(
    "address",
    ["", "jwks", "ftp://a.example/jwks", "https://", "https:///jwks", "//a.example", "http://a:hush@b:c/jwks"],
)
def test_an_address_at_which_no_key_can_ever_be_had_is_refused(configure: Configure, address: str) -> None:
    with pytest.raises(SettingsError, match=r"jwt.jwks_url: no web address: write all of it, as in https://") as caught:
        configure(f'[jwt]\nalgorithms = ["ES256"]\njwks_url = "{address}"')
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize("name", ["issuer", "audience", "account_claim", "client_claim"])
def test_an_empty_word_that_would_refuse_every_token_is_refused_itself(configure: Configure, name: str) -> None:
    with pytest.raises(SettingsError, match=rf"jwt.{name}: it is empty, and no token could ever have it: leave it out"):
        configure(f'[jwt]\nsecret = "{"s" * 32}"\n{name} = " "')


@pytest.mark.parametrize("algorithm", ["RS256", "PS512", "ES256", "EdDSA"])
def test_public_keys_may_come_from_an_address(configure: Configure, algorithm: str) -> None:
    settings = configure(f'[jwt]\nalgorithms = ["{algorithm}"]\njwks_url = "https://accounts.example.com/jwks"')
    assert settings.jwt is not None
    assert settings.jwt.algorithms == (algorithm,)


def test_a_public_key_may_come_from_a_file_that_holds_one(configure: Configure, tmp_path: Path) -> None:
    file, table = tmp_path / "key.pem", f'[jwt]\nalgorithms = ["RS256"]\npublic_key_file = "{tmp_path / "key.pem"}"'
    key = rsa.generate_private_key(public_exponent=65_537, key_size=2048).public_key()
    file.write_bytes(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    assert configure(table).jwt is not None
    file.write_text("no key")
    with pytest.raises(SettingsError, match=r"^jwt: .*key\.pem holds no PEM public key for RS256$"):
        configure(table)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('redis_url = "nonsense://nowhere"', "redis_url: Redis URL must specify"),
        ('jwt_secret = "a secret without a table"', "there is no [jwt]"),
        (
            '[jwt]\nalgorithms = ["RS256"]\npublic_key_file = "nowhere.pem"',
            "jwt: public_key_file: nowhere.pem is no file",
        ),
    ],
)
def test_what_could_never_work_is_refused_at_the_start(configure: Configure, text: str, sentence: str) -> None:
    with pytest.raises(SettingsError) as refused:
        configure(text)
    assert sentence in str(refused.value)
