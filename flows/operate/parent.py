"""Noticing that the parent has ended, however that came: nothing that it started outlives it."""

import os
from collections.abc import Callable


def until_parent_ends(then: Callable[[], None]) -> None:
    """Wait until standard input is closed, whose other end is the parent's; then do this."""
    while os.read(0, 4096):
        pass
    then()
