"""A transaction that a server does not begin is refused as such."""

from contextlib import nullcontext
from typing import Any

import pytest

from tasks.ingest.landing.databases.cursors import begin
from tasks.ingest.landing.databases.database import Refused, Trouble, in_words


class Server:
    """A connection, and its own cursor, that says no to a statement."""

    def __init__(self, trouble: Trouble) -> None:
        self.trouble = trouble

    def cursor(self) -> Any:
        return self

    def execute(self, statement: str) -> None:
        if "READ ONLY" in statement:
            raise Refused(self.trouble, "error 1064")

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("trouble", "said"), [("syntax", "reading"), ("other", "reading"), ("lost", "lost")])
def test_a_server_without_transactions_that_read_is_told_from_one_that_is_gone(trouble: Trouble, said: str) -> None:
    with pytest.raises(Refused, match=said) as refused:
        begin(Server(trouble), ["SET x = 1", "START TRANSACTION READ ONLY"], nullcontext)
    if said == "reading":
        sentence = str(in_words(refused.value, "items", "mysql://host/shop", "items"))
        assert sentence.startswith("items: mysql://host/shop begins no transaction that only reads")
