"""Encrypted connections: the pinned address is connected to under the host's own name, and its certificate is checked."""

from __future__ import annotations

import datetime
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.curation.fetching.crawls import crawl, records
from tests.curation.fetching.sites import Sites, answer


def certificate(folder: Path, host: str) -> Path:
    """A file with a key and a certificate for a host, signed by itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
    now = datetime.datetime.now(datetime.UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + datetime.timedelta(days=1))
    signed = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False).sign(key, hashes.SHA256())
    encodings = serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    path = folder / f"{host}.pem"
    path.write_bytes(key.private_bytes(*encodings) + signed.public_bytes(serialization.Encoding.PEM))
    return path


def test_the_certificate_must_be_trusted_and_of_the_host(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pem = certificate(tmp_path, "a.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    asked: list[str | None] = []
    context.sni_callback = lambda connection, name, _: asked.append(name)
    with Sites({"a.example/": answer(b"secret")}, tls=context) as sites:
        urls = [sites.url(place).replace("http:", "https:") for place in ("a.example/", "b.example/")]
        monkeypatch.setenv("SSL_CERT_FILE", str(pem))
        found = crawl(tmp_path, urls, retries=0)
        assert [found[url]["reason"] for url in urls] == ["whole", "insecure"]
        assert set(asked) == {"a.example", "b.example"}
        assert {request.host for request in sites.requests} == {"a.example"}
        [(_, uri, _, content)] = [record for record in records(tmp_path / "warc") if record[0] == "response"]
        assert (uri, content) == (urls[0], answer(b"secret"))
        monkeypatch.delenv("SSL_CERT_FILE")
        (tmp_path / "untrusting").mkdir()
        assert crawl(tmp_path / "untrusting", urls[:1], retries=0)[urls[0]]["reason"] == "insecure"
