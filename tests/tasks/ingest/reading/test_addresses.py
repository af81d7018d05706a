"""Addresses of databases: what they say of the table, and secrets, which are never in them."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from recmodels.errors import ConfigError
from tasks.ingest.reading import addresses
from tasks.ingest.reading.inputs import TableInput


def test_an_address_may_say_which_table() -> None:
    table = TableInput(path="postgresql://reader@host:5432/shop?sslmode=require&table=shop.events")
    assert (table.path, table.table) == ("postgresql://reader@host:5432/shop?sslmode=require", "shop.events")
    assert table == TableInput(path="postgresql://reader@host:5432/shop?sslmode=require", table="shop.events")
    query = "SELECT * FROM a WHERE b = 'c&d'"
    assert TableInput(path="sqlite:///shop.db?query=SELECT * FROM a WHERE b = 'c%26d'").query == query
    assert TableInput.model_validate(table.model_dump()) == table


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://u:geheim@host/shop",
        "postgresql://u:ge/heim@host/shop",
        "postgresql://host/shop?password=geheim",
        "postgresql://u:${A}geheim@host/shop",
        "postgresql://host/shop?sslpassword=geheim",
    ],
)
def test_a_secret_in_an_address_is_refused_and_not_repeated(address: str) -> None:
    with pytest.raises(ValidationError, match="set the environment variable PGPASSWORD, and leave it out") as refused:
        TableInput(path=address, table="events")
    assert "heim" not in refused.value.errors()[0]["msg"]


def test_variables_are_looked_up_when_the_table_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    table = TableInput(path="postgresql://u:${SECRET}@host/shop?sslpassword=${SECRET}", table="events")
    assert table.path == "postgresql://u:${SECRET}@host/shop?sslpassword=${SECRET}"
    with pytest.raises(ConfigError, match=r"postgresql://host/shop: .* variable SECRET is not set"):
        addresses.filled(table.path)
    monkeypatch.setenv("SECRET", "a/b @c")
    assert addresses.filled(table.path) == "postgresql://u:a%2Fb%20%40c@host/shop?sslpassword=a%2Fb%20%40c"


@pytest.mark.parametrize(
    ("given", "why"),
    [
        ({"path": "postgresql://host/shop"}, "needs a table or a query"),
        ({"path": "postgresql://host/shop?table=a", "query": "SELECT 1"}, "needs a table or a query"),
        ({"path": "postgresql://host/shop?table=a", "table": "b"}, "'table' is in the address and beside it"),
        ({"path": "postgresql://host/shop?table=a&table=b"}, "says table or query or watermark twice"),
        ({"path": "log.csv", "table": "b"}, "'table' is for databases"),
    ],
)
def test_what_does_not_go_together_is_refused(given: dict[str, Any], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        TableInput(**given)


def test_files_of_databases_count_from_the_folder_of_the_settings() -> None:
    folder = Path("/etc/nightrec")
    assert addresses.beside("sqlite:///shop.db", folder) == "sqlite:////etc/nightrec/shop.db"
    assert addresses.beside("sqlite:////data/shop.db", folder) == "sqlite:////data/shop.db"
    assert addresses.beside("postgresql://host/shop", folder) == "postgresql://host/shop"
