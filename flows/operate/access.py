"""Where the server of `serve` and `server` listens, by which names it is reached, and who knows its password."""

import ipaddress
import os
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from recmodels.errors import ConfigError

AUTH = "PREFECT_SERVER_API_AUTH_STRING"
SHORTEST = 16  # characters of a password that other machines may try to guess
PORTS = {"http": ":80", "https": ":443"}  # which browsers leave out


@dataclass(frozen=True)
class Access:
    """How a server is reached.

    Attributes:
        host, port: where it listens.
        url: its address for people.
        auth: its secret, as `user:password`; None for a fresh one.
        certificate, key: files of its own TLS, if it has that.
        names: further addresses, by which clients of a private network call it.
    """

    host: str
    port: int
    url: str
    auth: str | None = None
    certificate: Path | None = None
    key: Path | None = None
    names: tuple[str, ...] = ()

    @classmethod
    def checked(
        cls,
        host: str,
        port: int,
        url: str | None = None,
        auth_file: Path | None = None,
        certificate: Path | None = None,
        key: Path | None = None,
        names: Sequence[str] = (),
    ) -> "Access":
        """Access as it was asked for.

        Raises:
            ConfigError: it would let anybody in, or passwords travel where others read them.
        """
        if (certificate is None) != (key is None):
            raise ConfigError("--certificate and --key belong together: the server's certificate, and its private key.")
        for name, file in (("--certificate", certificate), ("--key", key)):
            if file is not None and not file.is_file():
                raise ConfigError(f"{name} {file}: there is no such file.")
        if url is not None and not (is_address(url, "https") or is_tunnel(url)):
            raise ConfigError(
                f"--url {url[:60]}: it must begin with https:// and a name, such as https://recs.example."
            )
        for name in names:
            if not is_address(name, "http", "https"):
                raise ConfigError(f"--name {name[:60]}: it must be an address, such as http://server:4200.")
        if certificate is not None and url is None:
            raise ConfigError("--certificate needs --url: the address that the certificate is for, https://NAME:PORT.")
        auth = auth_of(auth_file)
        if not is_loopback(host):
            refuse_open(host, auth, url, names)
        local = f"http://{'localhost' if host == 'localhost' else in_url(reached(host))}:{port}"
        called = tuple(origin(name) for name in names)
        return cls(host, port, origin(url) if url else local, auth, certificate, key, called)

    @property
    def own(self) -> str:
        """The server's address for the programs of this machine."""
        return self.url if self.certificate else f"http://{in_url(reached(self.host))}:{self.port}"

    @property
    def addresses(self) -> list[str]:
        """All by which it may be named."""
        scheme = "https" if self.certificate else "http"
        names = ["localhost", in_url(reached(self.host))] if is_loopback(reached(self.host)) else [in_url(self.host)]
        return sorted({self.url, *self.names, *(f"{scheme}://{name}:{self.port}" for name in names)})


def refuse_open(host: str, auth: str | None, url: str | None, names: Sequence[str]) -> None:
    """A server that other machines reach has a password that somebody has chosen, and TLS or a network of its own."""
    if auth is None:
        raise ConfigError(
            f"--host {host} opens the server to other machines: give it a password first, user:password in {AUTH} or "
            f"in a file with --auth-file."
        )
    if len(auth.partition(":")[2]) < SHORTEST:
        raise ConfigError(
            f"--host {host} opens the server to other machines: its password must have {SHORTEST} characters or more."
        )
    if (url is None or is_tunnel(url)) and not names:
        raise ConfigError(
            f"--host {host} would send passwords unencrypted: give --certificate and --key, or put a proxy with TLS in "
            f"front, and name the address with --url https://NAME; in a private network, as that of a set of "
            f"containers, give the name there with --name http://NAME:PORT."
        )


def auth_of(file: Path | None) -> str | None:
    """The secret that was chosen, from a file or the environment; never from an argument, which others can see."""
    if file is None:
        auth, where = os.environ.get(AUTH) or None, AUTH
    else:
        where = f"--auth-file {file}"
        try:
            if file.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
                raise ConfigError(f"{where} can be read by others: take that right away with `chmod 600 {file}`.")
            auth = file.read_text(encoding="utf-8").strip()
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigError(f"{where} cannot be read: {getattr(error, 'strerror', 'it is no text')}.") from None
    if auth is not None:
        user, colon, password = auth.partition(":")
        if not (user and colon and password) or not auth.isprintable():
            raise ConfigError(f"{where} must be user:password, in one line.")
    return auth


def origin(url: str) -> str:
    """Scheme, name and port of an address, as browsers say where a page is from."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.lower().removesuffix(PORTS[parts.scheme])}"


def is_address(url: str, *schemes: str) -> bool:
    """Whether this is the address of a server: a scheme, a name, perhaps a port, and no password."""
    try:
        parts = urlsplit(url)
        return parts.scheme in schemes and bool(parts.hostname) and "@" not in parts.netloc and parts.port != 0
    except ValueError:
        return False


def is_tunnel(url: str) -> bool:
    """Whether an address is of the very machine of whoever opens it, where nothing need be encrypted."""
    return is_address(url, "http") and is_loopback(urlsplit(url).hostname or "")


def reached(host: str) -> str:
    """The address by which this machine reaches a server that listens there."""
    return {"0.0.0.0": "127.0.0.1", "::": "::1", "localhost": "127.0.0.1"}.get(host, host)


def in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
