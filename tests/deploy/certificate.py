"""A certificate that nobody signed, for servers of tests on loopback. It must never be used for anything else."""

from __future__ import annotations

import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

NAMES = ("localhost", "api.example.com", "unlisted.example.com")


class Certificate:
    """`fullchain.pem` and `privkey.pem` in a directory, and how a client comes to trust them."""

    def __init__(self, directory: Path) -> None:
        key = ec.generate_private_key(ec.SECP256R1())
        name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "a test")])
        now = datetime.now(UTC)
        loopback = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(x509.SubjectAlternativeName([loopback, *map(x509.DNSName, NAMES)]), critical=False)
            .sign(key, SHA256())
        )
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        directory.mkdir(parents=True, exist_ok=True)
        (directory / "fullchain.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
        (directory / "privkey.pem").write_bytes(secret)
        self.directory = directory
        self.tls = ssl.create_default_context(cafile=str(directory / "fullchain.pem"))
