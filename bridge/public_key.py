"""Whether a file holds a public key with which tokens can be verified. It reads the file, and keeps nothing of it."""

from collections.abc import Iterable
from pathlib import Path
from typing import get_args

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from jwt.algorithms import get_default_algorithms
from jwt.exceptions import PyJWTError


def check_public_key(file: Path, algorithms: Iterable[str]) -> None:
    """Raises `ValueError` where none of these algorithms could verify a token with the key in the file."""
    if not file.is_file():
        raise ValueError(f"public_key_file: {file} is no file")
    try:
        key = file.read_bytes()
    except OSError as error:
        raise ValueError(f"public_key_file: {file}: {error.strerror}") from None
    if not any(_can_verify(key, algorithm) for algorithm in algorithms):
        raise ValueError(f"public_key_file: {file} holds no PEM public key for {', '.join(algorithms)}")


def _can_verify(key: bytes, algorithm: str) -> bool:
    verifier = get_default_algorithms()[algorithm]
    try:
        prepared = verifier.prepare_key(key)
    except (PyJWTError, UnsupportedAlgorithm, TypeError, ValueError):
        return False
    return isinstance(prepared, get_args(PublicKeyTypes)) and verifier.check_key_length(prepared) is None
