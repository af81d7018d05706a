"""Addresses of tables that are no files of this machine: their parts, and the secrets that do not belong in them.

What a table is read by is in its address or beside it: `postgresql://host/shop?table=events` and `table = "events"` are
the same. `${NAME}` in an address stands for an environment variable, which is looked up when the table is read.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

from recmodels.errors import ConfigError
from recmodels.published.addresses import SECRET_KEY, WITH_PASSWORD, checked

DATABASES = {
    "postgresql": "PGPASSWORD",
    "postgres": "PGPASSWORD",
    "mysql": "MYSQL_PWD",
    "mariadb": "MYSQL_PWD",
    "snowflake": "SNOWFLAKE_PASSWORD",
    "bigquery": "",
    "sqlite": "",
    "duckdb": "",
}
"""Databases by the schemes of their addresses, and the variable of their password; none have those that are files."""
OBJECTS = ("s3", "s3a", "gs", "gcs", "abfs", "abfss")
"""Object stores."""
FILES = ("sqlite", "duckdb")
"""Databases that are files."""
SERVERS = ("postgresql", "postgres", "mysql", "mariadb")
"""Databases that listen on a port."""
OWN = ("table", "query", "watermark")
"""What an address may say of a table besides where it is: settings of `TableInput`."""
_ODD_PORT = re.compile(r":(?!\d*$)[^@:\]]*$")
_VARIABLE = re.compile(r"\$\{(\w+)\}")


def scheme(address: str) -> str:
    """What an address begins with, in lower case: `postgresql`; nothing for a path."""
    return address.partition("://")[0].lower() if "://" in address else ""


def is_database(address: str) -> bool:
    """Whether an address is that of a database."""
    return scheme(address) in DATABASES


def is_remote(address: str) -> bool:
    """Whether what is at an address has to be read into files of this machine first."""
    return scheme(address) in (*DATABASES, *OBJECTS, "iceberg")


def split(address: str) -> tuple[str, dict[str, Any]]:
    """An address without what it says of the table, and that.

    Raises:
        ValueError: it says something twice.
    """
    place, mark, query = address.partition("?")
    if scheme(address) in SERVERS and _ODD_PORT.search(place.partition("://")[2].partition("/")[0]):
        raise ValueError("the port in the address is no number")
    pairs = parse_qsl(query, keep_blank_values=True)
    own = {key: value for key, value in pairs if key in OWN}
    if len(own) < sum(key in OWN for key, _ in pairs):
        raise ValueError(f"the address says {' or '.join(OWN)} twice")
    rest = [(key, value) for key, value in pairs if key not in OWN]
    # What is left is as the driver wants it, and ${NAME} stays readable.
    return place + (mark + urlencode(rest, safe="${}/:,", quote_via=quote) if rest else ""), own


def refuse_secret(address: str) -> None:
    """Raise ValueError where an address holds a password or a key, other than as the name of a variable."""
    kind = scheme(address)
    if kind not in DATABASES:
        checked(address)
        return
    place, _, query = address.partition("://")[2].partition("?")
    written = (key for key, value in parse_qsl(query) if not _VARIABLE.fullmatch(value))
    named = next((key for key in written if SECRET_KEY.search(re.sub(r"[^a-z]+", "_", key.lower()))), None)
    if WITH_PASSWORD.match(re.sub(r":\$\{\w+\}@", "@", place)) or named:
        variable = DATABASES.get(kind) or "DATABASE_PASSWORD"
        where = f"?{named[:20]}=${{{variable}}}" if named else f"user:${{{variable}}}@"
        raise ValueError(
            f"the address holds a secret, which everybody reads here; set the environment variable {variable}, and "
            f"leave it out or write {where}"
        )


def filled(address: str) -> str:
    """An address with the values of the environment variables that it names.

    Raises:
        ConfigError: one is not set.
    """

    def value(found: re.Match[str]) -> str:
        if (text := os.environ.get(found[1])) is None:
            raise ConfigError(f"{without_user(address)}: the environment variable {found[1]} is not set here; set it.")
        return quote(text, safe="")

    return _VARIABLE.sub(value, address)


def without_user(address: str) -> str:
    """An address as it may be shown: the place alone."""
    kind, separator, rest = address.partition("://")
    return f"{kind}{separator}{rest.partition('?')[0].rpartition('@')[2]}" if separator else address


def beside(address: str, folder: Path) -> str:
    """The address of a database that is a file, with a relative path counted from a folder."""
    kind, _, rest = address.partition(":///")
    relative = kind.lower() in FILES and rest and not rest.startswith(("/", "~"))
    return f"{kind}:///{folder / rest}" if relative else address
