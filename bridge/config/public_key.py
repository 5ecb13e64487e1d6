"""Whether tokens can be verified with a public key, and whether a file holds one. It keeps nothing of what it reads.

Each token is verified on the event loop, with the key that it names. So no key is believed that would make that dear:
the largest RSA key allowed takes some 0.6 ms, and no elliptic curve takes more.
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
    """Raises `ValueError` where none of these algorithms could verify a token with the key in the file."""
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
    """Whether this is a public key for the algorithm, as PEM or read: not too short for it, and not too dear."""
    try:
        prepared = verifier.prepare_key(key)
    except (PyJWTError, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    is_public = isinstance(prepared, get_args(PublicKeyTypes))
    return is_public and verifier.check_key_length(prepared) is None and not _is_dear(prepared)


def _is_dear(key: object) -> bool:
    """A curve is of one size; what RSA takes is for whoever made the key to say."""
    if not isinstance(key, RSAPublicKey):
        return False
    return key.key_size > MOST_MODULUS_BITS or key.public_numbers().e.bit_length() > MOST_EXPONENT_BITS
