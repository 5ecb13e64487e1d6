"""Checks whether a public key, or a file that holds one, can verify tokens. It keeps nothing of what it reads.

Tokens are verified on the event loop, with the key that the token names. So a key that makes this slow is not accepted:
the largest allowed RSA key takes about 0.6 ms, and no elliptic curve takes longer.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Final, get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from jwt.algorithms import Algorithm, get_default_algorithms
from jwt.exceptions import PyJWTError

MOST_MODULUS_BITS: Final = 8_192
MOST_EXPONENT_BITS: Final = 32


def check_public_key(file: Path, algorithms: Iterable[str]) -> None:
    """Raise `ValueError` unless at least one of these algorithms can verify a token with the key in this file."""
    if not file.is_file():
        raise ValueError(f"public_key_file: {file} is no file")
    try:
        key = file.read_bytes()
    except OSError as error:
        raise ValueError(f"public_key_file: {file}: {error.strerror}") from None
    known = get_default_algorithms()
    if not any(can_verify(key, known[algorithm]) for algorithm in algorithms):
        raise ValueError(f"public_key_file: {file} holds no PEM public key for {', '.join(algorithms)}")


def can_verify(key: object, verifier: Algorithm) -> bool:
    """Whether `key` (PEM, or an object) is a public key for this algorithm, and neither too short nor too slow."""
    try:
        prepared = verifier.prepare_key(key)
    except (PyJWTError, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    is_public = isinstance(prepared, get_args(PublicKeyTypes))
    return is_public and verifier.check_key_length(prepared) is None and not _is_dear(prepared)


def _is_dear(key: object) -> bool:
    """Whether verifying with this key is too slow. Only RSA keys can be: the size of a curve is fixed."""
    if not isinstance(key, RSAPublicKey):
        return False
    return key.key_size > MOST_MODULUS_BITS or key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS
