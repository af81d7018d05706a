"""Where `nightrec serve` listens, and what it wants to see before it listens to other machines."""

from pathlib import Path
from typing import Any

import pytest

from flows.operate.access import AUTH, Access
from recmodels.errors import ConfigError

PASSWORD = "nightrec:0123456789abcdef"


@pytest.fixture(autouse=True)
def nobody_chose(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(AUTH, raising=False)


@pytest.fixture
def pem(tmp_path: Path) -> dict[str, Path]:
    for name in ("certificate", "key"):
        (tmp_path / name).touch()
    return {name: tmp_path / name for name in ("certificate", "key")}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.0.0.5", "localhost", "::1"])
def test_on_this_machine_alone_nothing_is_asked(host: str) -> None:
    access = Access.checked(host, 4200)
    assert access.auth is None  # a fresh one
    assert access.url in access.addresses and access.own in access.addresses
    assert "http://localhost:4200" in access.addresses


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7", "recs.example"])
def test_other_machines_are_let_in_with_a_password_and_tls_alone(
    host: str, monkeypatch: pytest.MonkeyPatch, pem: dict[str, Path]
) -> None:
    with pytest.raises(ConfigError, match="give it a password first"):
        Access.checked(host, 4200, "https://recs.example")
    monkeypatch.setenv(AUTH, "nightrec:short")
    with pytest.raises(ConfigError, match="16 characters or more"):
        Access.checked(host, 4200, "https://recs.example")
    monkeypatch.setenv(AUTH, PASSWORD)
    with pytest.raises(ConfigError, match="unencrypted"):
        Access.checked(host, 4200)
    assert Access.checked(host, 4200, "https://recs.example").auth == PASSWORD
    own = Access.checked(host, 4200, "https://recs.example:4200", **pem)
    assert own.own == own.url == "https://recs.example:4200"
    assert not any(address.startswith("http://") for address in own.addresses)


def test_behind_a_proxy_both_names_are_good() -> None:
    access = Access.checked("127.0.0.1", 4200, "https://Recs.example/prefect/")
    assert access.url == "https://recs.example"
    assert access.own == "http://127.0.0.1:4200"
    assert access.addresses == ["http://127.0.0.1:4200", "http://localhost:4200", "https://recs.example"]


def test_a_server_for_all_is_reached_from_here_by_the_loopback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH, PASSWORD)
    assert Access.checked("0.0.0.0", 4200, "https://recs.example").own == "http://127.0.0.1:4200"
    assert Access.checked("::", 4200, "https://recs.example").own == "http://[::1]:4200"


def test_in_a_private_network_the_server_is_named_as_its_clients_call_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(AUTH, PASSWORD)
    tunnel = "http://127.0.0.1:4300"
    access = Access.checked("0.0.0.0", 4200, tunnel, names=["http://Server:4200/api", "http://recs.example:80"])
    assert access.url == tunnel and access.own == "http://127.0.0.1:4200"
    assert set(access.addresses) == {
        tunnel,
        "http://server:4200",
        "http://recs.example",
        "http://127.0.0.1:4200",
        "http://localhost:4200",
    }
    with pytest.raises(ConfigError, match="unencrypted"):
        Access.checked("0.0.0.0", 4200, tunnel)
    monkeypatch.delenv(AUTH)
    with pytest.raises(ConfigError, match="give it a password first"):
        Access.checked("0.0.0.0", 4200, tunnel, names=["http://server:4200"])


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"url": "http://recs.example"}, "--url http://recs.example: it must begin with https://"),
        ({"url": "https://"}, "it must begin with https:// and a name"),
        ({"names": ["server:4200"]}, "--name server:4200: it must be an address, such as http://server:4200"),
        ({"names": ["http://a:b@server"]}, "it must be an address"),
        ({"certificate": Path("here.pem")}, "--certificate and --key belong together"),
        ({"certificate": Path("a.pem"), "key": Path("b.pem")}, "--certificate a.pem: there is no such file"),
        ({"auth_file": Path("nowhere")}, "--auth-file nowhere cannot be read: No such file"),
    ],
)
def test_what_is_wrong_is_said_in_a_sentence(given: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ConfigError) as refused:
        Access.checked("127.0.0.1", 4200, **given)
    assert sentence in str(refused.value) and "\n" not in str(refused.value)


def test_a_password_comes_from_a_file_that_others_cannot_read(tmp_path: Path) -> None:
    file = tmp_path / "auth"
    file.write_text(f"{PASSWORD}\n")
    file.chmod(0o640)
    with pytest.raises(ConfigError, match="chmod 600"):
        Access.checked("127.0.0.1", 4200, auth_file=file)
    file.chmod(0o600)
    assert Access.checked("127.0.0.1", 4200, auth_file=file).auth == PASSWORD
    for wrong in ("hidden", ":hidden", "hidden:", "a:hidden\nc:d"):
        file.write_text(wrong)
        with pytest.raises(ConfigError, match="must be user:password") as refused:
            Access.checked("127.0.0.1", 4200, auth_file=file)
        assert "hidden" not in str(refused.value)
