"""Certificates for TLS tests, made anew in each run: one that is right and several that are not."""

import datetime as dt
import ipaddress
import ssl
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

KINDS = ("good", "expired", "wrong name", "self-signed", "unknown CA")
_DAY = dt.timedelta(days=1)


@dataclass(frozen=True, slots=True)
class _Issuer:
    name: x509.Name
    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


class Certificates:
    """Writes what it makes into `directory`; clients trust `ca_file`."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._ca = _authority("anysky tests")
        self.ca_file = directory / "ca.pem"
        self.ca_file.write_bytes(_pem(self._ca.certificate))

    def server_context(self, kind: str = "good") -> ssl.SSLContext:
        """A server's context whose certificate is of one of `KINDS`."""
        path = self._directory / f"{kind.replace(' ', '-')}.pem"
        if not path.exists():
            path.write_bytes(self._server_pem(kind))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def client_context(self) -> ssl.SSLContext:
        """A client's context that trusts our authority and no other."""
        return ssl.create_default_context(cafile=self.ca_file)

    def _server_pem(self, kind: str) -> bytes:
        if kind not in KINDS:
            raise ValueError(f"{kind!r} is none of {KINDS}")
        key = ec.generate_private_key(ec.SECP256R1())
        issuer = _authority("a stranger") if kind == "unknown CA" else self._ca
        name = _name("127.0.0.1")
        if kind == "self-signed":
            issuer = _Issuer(name, key, issuer.certificate)
        names: list[x509.GeneralName] = [x509.DNSName("other.example")]
        if kind != "wrong name":
            address = ipaddress.ip_address("127.0.0.1")
            names = [x509.IPAddress(address), x509.DNSName("localhost")]
        last = _now() + (-_DAY if kind == "expired" else _DAY)
        certificate = _builder(name, issuer, key, last)
        certificate = certificate.add_extension(x509.SubjectAlternativeName(names), critical=False)
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
        certificate = certificate.add_extension(usage, critical=False)
        return _pem(certificate.sign(issuer.key, hashes.SHA256())) + _key_pem(key)


def _authority(title: str) -> _Issuer:
    key = ec.generate_private_key(ec.SECP256R1())
    issuer = _name(title)
    builder = _builder(issuer, None, key, _now() + _DAY)
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    usage = x509.KeyUsage(
        digital_signature=True,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=True,
        crl_sign=True,
        encipher_only=False,
        decipher_only=False,
    )
    builder = builder.add_extension(usage, critical=True)
    return _Issuer(issuer, key, builder.sign(key, hashes.SHA256()))


def _builder(
    subject: x509.Name,
    issuer: _Issuer | None,
    key: ec.EllipticCurvePrivateKey,
    last: dt.datetime,
) -> x509.CertificateBuilder:
    signer = issuer.key if issuer else key
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer.name if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(_now() - 2 * _DAY)
        .not_valid_after(last)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False
        )
    )


def _name(title: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, title)])


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(serialization.Encoding.PEM)


def _key_pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
