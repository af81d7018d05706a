"""Buckets for which there is too little memory: they are tried once more, with half of it and nobody beside them."""

from recmodels.errors import NightrecError


def is_memory(error: Exception) -> bool:
    """Whether there was too little memory: libraries have errors of their own for that."""
    names = {kind.__name__ for kind in type(error).__mro__}
    return bool(names & {"MemoryError", "OutOfMemoryError", "OutOfMemoryException"})


def out_of_memory(function: str, bucket: str, memory: int) -> NightrecError:
    """The error of a bucket that was tried again in vain.

    Args:
        function, bucket: by name.
        memory: bytes that it was told to plan with at last.
    """
    return NightrecError(
        f"{function} ran out of memory with the bucket {bucket}, also where it had a machine to itself and was told to "
        f"plan with {memory / 2**30:.2f} GiB: use machines with more memory."
    )
