"""What a table says of pairs: by ids, groups, and several columns at once."""

import pyarrow as pa
import pytest

from recmodels.data.site_tables import SiteTables
from recmodels.ensemble.columns import MISSING
from recmodels.ensemble.lookups import lookup_of
from recmodels.errors import ConfigError

SIZES = pa.array(["s", "s", "m"]).dictionary_encode()  # as a categorical column of pandas is
TABLES = SiteTables(
    pa.table({"item_id": [1, 2, 3], "brand": ["a", "b", "a"], "size": SIZES, "tags": [["x"], [], []]}),
    pa.table({"user_id": ["x", "y", "z"], "city": ["p", None, "q"], "brand": ["a", "a", "a"]}),
)


def found(table: dict[str, list[object]]) -> list[list[float]]:
    """The first number for all pairs, a row a user; -1 where there is none."""
    lookup, _ = lookup_of(pa.table(table), TABLES, 0, "sql")
    users, items = pa.array([0] * 3 + [1] * 3 + [2] * 3).to_numpy(), pa.array([0, 1, 2] * 3).to_numpy()
    values = lookup.of(users, items)[:, 0]
    return [[-1 if value == MISSING else float(value) for value in row] for row in values.reshape(3, 3)]


def test_a_row_is_about_whom_its_columns_name() -> None:
    assert found({"user_id": ["z", "x"], "item_id": [1, 3], "n": [5, 6]}) == [[-1, -1, 6], [-1, -1, -1], [5, -1, -1]]
    assert found({"user_id": ["y", None], "n": [5, 9]}) == [[-1] * 3, [5] * 3, [-1] * 3]
    assert found({"size": ["s"], "n": [4]}) == [[4, 4, -1]] * 3
    assert found({"city": ["q", "p", "r"], "item_id": [2, 2, 2], "n": [1, 2, 3]}) == [
        [-1, 2, -1],
        [-1] * 3,
        [-1, 1, -1],
    ]
    both = {"size": ["m", "s"], "item_id": [3, 3], "n": [1, 2]}  # item 3 has no size s
    assert found(both) == [[-1, -1, 1]] * 3
    assert found({"user_id": [], "n": []} | {"n": pa.array([], pa.int64())}) == [[-1] * 3] * 3  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"n": [1]}, "it takes user_id, item_id or other columns"),
        ({"user_id": ["x"]}, "it takes user_id, item_id or other columns"),
        ({"brand": ["a"], "n": [1]}, "both have a column brand"),
        ({"item_id": [1, 1], "n": [1, 2]}, "several rows for the same item_id; group them"),
        ({"item_id": ["x"], "n": [1]}, "item_id is string, in the site's table int64"),
        ({"user_id": [["x"]], "n": [1]}, "user_id is list<.*>, in the site's table string"),
        ({"tags": [["x"]], "n": [1]}, "tags has lists"),
        ({"item_id": [1], "n": [["x"]]}, "sql: n is list"),
    ],
)
def test_tables_that_say_nothing_or_too_much_are_refused(table: dict[str, list[object]], says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        lookup_of(pa.table(table), TABLES, 0, "sql")
