"""Which errors say that a file is damaged, and which are faults of our own: these must show as what they are."""

from json import JSONDecodeError

READERS = {"pyarrow", "pydantic_core", "safetensors"}
"""Packages that read what a store holds; their errors have no common base."""


def is_damage(error: Exception) -> bool:
    """Whether an error is that of a reader whose file is damaged, is not what its name says, or cannot be reached.

    A record that is not of its type is no error: `tasks.store.records` reads it as None.
    """
    if isinstance(error, OSError | JSONDecodeError | UnicodeDecodeError):
        return True
    return any(kind.__module__.partition(".")[0] in READERS for kind in type(error).__mro__)
