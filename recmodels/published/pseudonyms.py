"""User ids that are published as keyed hashes: who has the key can tell whose list it is, nobody else."""

import hmac
import os

import pyarrow as pa

from recmodels.errors import ConfigError

SHORTEST = 16  # bytes of a key


def key_in(variable: str) -> bytes:
    """The key in an environment variable. Raises ConfigError where it is not set, or too short to keep a secret."""
    key = os.environ.get(variable, "").encode()
    if not key:
        raise ConfigError(f"{variable} is not set: it holds the key by which the user ids of exports are hashed.")
    if len(key) < SHORTEST:
        raise ConfigError(
            f"The key in {variable} has {len(key)} bytes and needs {SHORTEST} or more: draw it at random."
        )
    return key


def hashed(user_id: int | str, key: bytes) -> str:
    """HMAC-SHA256 of the id as text (UTF-8), as 64 hexadecimal digits."""
    return hmac.digest(key, str(user_id).encode(), "sha256").hex()


def check_of(key: bytes) -> str:
    """By what a manifest shows which key its ids are hashed by: the beginning of the hash of no id."""
    return hashed("", key)[:8]


def hashed_ids(user_ids: pa.Array, key: bytes) -> pa.Array:
    """The hash of each id, null for null."""
    return pa.array([None if user is None else hashed(user, key) for user in user_ids.to_pylist()], pa.string())
