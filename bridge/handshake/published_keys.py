"""Parser of a JSON Web Key Set (RFC 7517): public keys by their key id. It verifies nothing and stores nothing.

The server of the set may be hostile. So the form of the JSON is checked before it is parsed, and of each key only the
short members of a public key are read: loading a private key, which is never needed here, can take seconds. A key that
is invalid, or that would make verification expensive, is left out; the other keys are used.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from jwt.algorithms import Algorithm, AllowedPublicKeys, get_default_algorithms

from bridge.config.public_key import can_verify
from v3.form import form_of, from_json

MOST_KEYS: Final = 64
MOST_CHARACTERS: Final = 1_400
"""Length of each member of a key. The modulus of the largest RSA key that is accepted has 1,366 characters."""
PUBLIC_MEMBERS: Final[Mapping[str, tuple[str, ...]]] = {
    "RSA": ("kty", "n", "e"),
    "EC": ("kty", "crv", "x", "y"),
    "OKP": ("kty", "crv", "x"),
}


def published_keys(body: bytes, algorithms: Iterable[str]) -> dict[str, AllowedPublicKeys]:
    """Key id -> key, for the keys that verify by one of `algorithms`.

    Raises `ValueError` when no key can be used, and any exception of the parsers when `body` is no key set.
    """
    known = get_default_algorithms()
    verifiers = {name: known[name] for name in algorithms}
    keys = {one["kid"]: _key(one, verifiers) for one in _named(body)}
    good = {name: key for name, key in keys.items() if key is not None}
    if not good:
        raise ValueError("no key that has a name and can be used")
    return good


def _named(body: bytes) -> Iterator[Mapping[str, Any]]:
    """The JSON object of each key that has a key id."""
    text = body.decode("utf-8-sig")
    form_of(text)
    said = from_json(text)["keys"]
    if len(said) > MOST_KEYS:
        raise ValueError(f"more than {MOST_KEYS} keys")
    return (one for one in said if isinstance(one, dict) and one.get("kid") and _is_short(one["kid"]))


def _is_short(said: object) -> bool:
    return isinstance(said, str) and len(said) <= MOST_CHARACTERS


def _key(said: Mapping[str, Any], verifiers: Mapping[str, Algorithm]) -> AllowedPublicKeys | None:
    """The key, when it is for signatures by one of these algorithms; else `None`."""
    for name, verifier in verifiers.items():
        if said.get("use") in ("sig", None) and said.get("alg") in (name, None):
            key = _read(said, verifier)
            if key is not None and can_verify(key, verifier):
                return key
    return None


def _read(said: Mapping[str, Any], verifier: Algorithm) -> AllowedPublicKeys | None:
    try:
        public = {member: said[member] for member in PUBLIC_MEMBERS[said["kty"]]}
        return verifier.from_jwk(public) if all(map(_is_short, public.values())) else None
    except Exception:  # noqa: BLE001 - one malformed key must not make the other keys unusable
        return None
