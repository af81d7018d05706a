"""`python -m flows` is `nightrec`."""

from flows.cli import main

main()
