"""`nightrec server`: what it wants to know, and that its TLS and its guard stand between a client and the server."""

import asyncio
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import httpx
import pytest
import uvicorn
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from flows.operate import guarded_app
from flows.operate.access import AUTH, Access
from flows.operate.guard import Guard, Message, Receive, Send
from flows.operate.lasting_server import serve
from recmodels.errors import ConfigError
from tests.waiting import PATIENCE


def test_it_wants_a_password_that_its_workers_know_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(AUTH, raising=False)
    with pytest.raises(ConfigError, match="needs a password that its workers know"):
        serve(Access.checked("127.0.0.1", 4200))


@pytest.fixture
def pem(tmp_path: Path) -> tuple[Path, Path]:
    """A certificate that this machine has signed itself, for a day, and its key."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    names = x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))])
    today = datetime.now(UTC)
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(today).not_valid_after(today + timedelta(days=1))
    certificate = made.add_extension(names, critical=False).sign(key, hashes.SHA256())
    files = tmp_path / "server.pem", tmp_path / "server.key"
    files[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    files[1].write_bytes(key.private_bytes(serialization.Encoding.PEM, *form))
    return files


async def behind(scope: Message, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"prefect"})


@contextmanager
def answering(config: uvicorn.Config, listener: socket.socket) -> Iterator[None]:
    server = uvicorn.Server(config)
    thread = threading.Thread(target=asyncio.run, args=(server.serve([listener]),))
    thread.start()
    try:
        yield
    finally:
        server.should_exit = True
        thread.join(PATIENCE)


def test_with_a_certificate_nothing_is_answered_unencrypted(pem: tuple[Path, Path]) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    access = Access.checked("127.0.0.1", 4200, url, certificate=pem[0], key=pem[1])
    app = Guard(behind, access.addresses, "nightrec:secret")
    config = guarded_app.configured(app, "critical", 5, str(pem[0]), str(pem[1]))
    config.lifespan = "off"
    with answering(config, listener), httpx.Client(verify=ssl.create_default_context(cafile=pem[0])) as client:
        assert client.get(url).text == "prefect"
        assert client.get(url, headers={"Host": "attacker.example"}).status_code == 403
        with pytest.raises(httpx.TransportError):
            client.get(url.replace("https", "http"))
        with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
            httpx.get(url)
