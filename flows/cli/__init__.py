"""The command line, `nightrec`."""

from flows.cli.app import main

__all__ = ["main"]
