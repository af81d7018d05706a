"""Addresses of stores and servers, and the secrets that do not belong in them.

An address is written into settings, command lines, logs and Prefect's database, where everybody reads it. A password or
a token belongs into the environment of the process that needs it.
"""

import re
from urllib.parse import parse_qsl

from recmodels.errors import ConfigError

SECRET_KEY = re.compile(
    r"token|secret|passw|pwd|credential|api_?key|access_?key|account_?key|^key$|^pass$|^sas$|^sig$|signature|^auth$|^authorization"
)
WITH_PASSWORD = re.compile(r"[^/@]*:(?!\d+/)[^@]*@")  # which may hold a / that nobody has escaped; a port is none
NAMED = ("abfs", "abfss", "wasb", "wasbs")  # container@account: no secret
WHERE = {  # the environment variables that the clients of these places read
    "s3": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "s3a": "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY",
    "gs": "GOOGLE_APPLICATION_CREDENTIALS",
    "gcs": "GOOGLE_APPLICATION_CREDENTIALS",
    **dict.fromkeys(NAMED, "AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET"),
}
OTHERS = "environment variables"


def secret_in(address: str) -> str | None:
    """What part of an address is a secret, in words that do not repeat it; None where there is none."""
    kind, separator, rest = address.partition("://")
    if not separator:
        return None
    place, _, query = re.sub("[?#]", "?", rest).partition("?")
    somebody = "@" in place.partition("/")[0]
    if WITH_PASSWORD.match(place) or (somebody and kind.rpartition("+")[2].lower() not in NAMED):
        return "user:password@"
    found = (name for name, _ in parse_qsl(query.replace("?", "&"), keep_blank_values=True))
    secret = next((name for name in found if SECRET_KEY.search(re.sub(r"[^a-z]+", "_", name.lower()))), None)
    return f"?{secret[:20]}=" if secret is not None else None


def without_secret(address: str, instead: str = "") -> str:
    """An address that may be written where everybody reads it.

    Args:
        address: a URL, or a path.
        instead: where its secret belongs; the variables of its kind of place, if not given.

    Raises:
        ConfigError: it holds a secret.
    """
    if secret := secret_in(address):
        variables = instead or WHERE.get(address.partition("://")[0].lower(), OTHERS)
        raise ConfigError(f"The URL {shown(address)} holds a secret ({secret}): leave it out, and set {variables}.")
    return address


def checked(address: str, instead: str = "") -> str:
    """The same as `without_secret`, for a field of the settings.

    Raises:
        ValueError: it holds a secret.
    """
    try:
        return without_secret(address, instead)
    except ConfigError as error:
        raise ValueError(str(error).rstrip(".")) from None


def shown(store: object) -> str:
    """A store's name without what may be a password, or the address of a server."""
    kind, separator, rest = str(store).partition("://")
    return f"{kind}://{re.split('[?#]', rest)[0].rpartition('@')[2]}" if separator else str(store)
