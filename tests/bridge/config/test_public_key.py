"""Which files hold a public key, and for which algorithms."""

import errno
import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from bridge.config.public_key import check_public_key

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
PublicKey = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | ed25519.Ed25519PublicKey

RSA_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2048)
SHORT_KEY = rsa.generate_private_key(public_exponent=65_537, key_size=1024)  # noqa: S505 - it must be refused
EC_KEY = ec.generate_private_key(ec.SECP256R1())
ED_KEY = ed25519.Ed25519PrivateKey.generate()


def rsa_key(*, bits: int = 2048, exponent: int = 65_537) -> rsa.RSAPublicKey:
    """One of which nobody has the private half, so that it is made at once."""
    return rsa.RSAPublicNumbers(exponent, (1 << bits) - 1).public_key()


def public_pem(key: PrivateKey | PublicKey) -> bytes:
    public = key if isinstance(key, PublicKey) else key.public_key()
    return public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)


def private_pem(key: PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "key.pem"


@pytest.mark.parametrize(
    ("algorithms", "key"),
    [
        (["RS256"], RSA_KEY),
        (["PS512"], RSA_KEY),
        (["ES256"], EC_KEY),
        (["EdDSA"], ED_KEY),
        (["RS256", "ES256"], EC_KEY),
        (["RS256"], rsa_key(bits=8192)),
        (["RS256"], rsa_key(exponent=3)),
        (["RS256"], rsa_key(exponent=2**32 - 1)),
    ],
)
def test_a_public_key_is_for_one_of_the_algorithms_at_least(
    file: Path, algorithms: list[str], key: PrivateKey | PublicKey
) -> None:
    file.write_bytes(public_pem(key))
    check_public_key(file, algorithms)


@pytest.mark.parametrize(
    ("algorithm", "text"),
    [
        pytest.param("RS256", b"", id="nothing"),
        pytest.param("EdDSA", b"\xff", id="no text"),
        pytest.param("ES256", b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", id="no key"),
        pytest.param("RS256", private_pem(RSA_KEY), id="a private key"),
        pytest.param("EdDSA", private_pem(ED_KEY), id="another private key"),
        pytest.param("RS256", public_pem(EC_KEY), id="EC for RS256"),
        pytest.param("ES256", public_pem(RSA_KEY), id="RSA for ES256"),
        pytest.param("EdDSA", public_pem(RSA_KEY), id="RSA for EdDSA"),
        pytest.param("ES384", public_pem(EC_KEY), id="another curve"),
        pytest.param("RS256", public_pem(SHORT_KEY), id="a short key"),
        pytest.param("RS256", public_pem(rsa_key(bits=8193)), id="a long key"),
        pytest.param("PS256", public_pem(rsa_key(exponent=2**32 + 1)), id="a large exponent"),
    ],
)
def test_a_file_with_which_no_token_could_be_verified_is_refused(file: Path, algorithm: str, text: bytes) -> None:
    file.write_bytes(text)
    with pytest.raises(ValueError, match=rf"key\.pem holds no PEM public key for {algorithm}$"):
        check_public_key(file, [algorithm])


def test_a_directory_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"is no file$"):
        check_public_key(tmp_path, ["RS256"])


def test_a_file_that_cannot_be_read_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(_file: Path) -> bytes:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    file.touch()
    monkeypatch.setattr(Path, "read_bytes", refuse)
    with pytest.raises(ValueError, match=r"key\.pem: Permission denied$"):
        check_public_key(file, ["RS256"])
