"""The network's own authorities, made once and kept in the data folder: one for TLS, one for Noise.

The Noise chain is what whatsmeow checks: the intermediate is issued by serial 0 and signed with the root key, the leaf names the
intermediate's serial and carries the server's static key.
"""

from __future__ import annotations

import ssl
import time
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sim.keys import KeyPair
from sim.proto import cert

HOSTS = ("web.whatsapp.com", "*.whatsapp.com", "*.whatsapp.net")
_YEARS_10 = timedelta(days=3650)


@dataclass(frozen=True, slots=True)
class Authority:
    """What the server shows its clients.

    Attributes:
        root: Public key that the launcher writes where whatsmeow keeps WhatsApp's.
        ca_file: PEM file for SSL_CERT_FILE.
    """

    root: bytes
    static: KeyPair
    chain: bytes
    ca_file: Path
    context: ssl.SSLContext


def load(folder: Path) -> Authority:
    """The authority kept in *folder*, made there first when it is new."""
    ca_file, server_file, noise_file = folder / "ca.pem", folder / "server.pem", folder / "noise.key"
    if not (ca_file.exists() and server_file.exists()):
        _make_tls(ca_file, server_file)
    if not noise_file.exists():
        _write_private(noise_file, KeyPair().private + KeyPair().private + KeyPair().private)
    keys = noise_file.read_bytes()
    root, intermediate, static = (KeyPair(keys[i : i + 32]) for i in (0, 32, 64))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(server_file)
    return Authority(root.public, static, _chain(root, intermediate, static), ca_file, context)


def _chain(root: KeyPair, intermediate: KeyPair, static: KeyPair) -> bytes:
    now = int(time.time())

    def certificate(serial: int, issuer: int, key: KeyPair, signer: KeyPair) -> cert.CertChain.NoiseCertificate:
        details = cert.CertChain.NoiseCertificate.Details(
            serial=serial,
            issuerSerial=issuer,
            key=key.public,
            notBefore=now - 86_400,
            notAfter=now + int(_YEARS_10.total_seconds()),
        ).SerializeToString()
        return cert.CertChain.NoiseCertificate(details=details, signature=signer.sign(details))

    chain = cert.CertChain(intermediate=certificate(1, 0, intermediate, root), leaf=certificate(2, 1, static, intermediate))
    return bytes(chain.SerializeToString())


def _make_tls(ca_file: Path, server_file: Path) -> None:
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Loopback network")])
    now = datetime.now(UTC)

    def builder(subject: x509.Name, public: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        plain = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(public)
        return plain.serial_number(x509.random_serial_number()).not_valid_before(now - timedelta(days=1)).not_valid_after(now + _YEARS_10)

    ca = builder(issuer, ca_key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    leaf = builder(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, HOSTS[0])]), key.public_key()).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(host) for host in HOSTS]), critical=False
    )
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    _write_private(server_file, leaf.sign(ca_key, hashes.SHA256()).public_bytes(pem) + private)
    _write_private(ca_file, ca.sign(ca_key, hashes.SHA256()).public_bytes(pem))


def _write_private(path: Path, data: bytes) -> None:
    """Whole or not at all, readable by the owner alone."""
    part = path.with_suffix(".part")
    part.touch(mode=0o600)
    part.write_bytes(data)
    part.replace(path)
