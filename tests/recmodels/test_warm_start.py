"""Starting from an earlier model: which rows match, and how much has changed since."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.options import WarmStart
from recmodels.persistence import save
from recmodels.popularity import Popularity
from recmodels.warm_start import Changed, aligned, changed, described_rows, load_warm_start


def test_an_id_is_found_where_it_was_and_null_matches_nothing() -> None:
    then, now = pa.array(["b", None, "a"]), pa.array(["a", "c", None, "b"])
    assert aligned(then, now).tolist() == [2, -1, -1, 0]
    assert aligned(pa.array([1, 2]), now).tolist() == [-1, -1, -1, -1]


def test_rows_are_matched_by_the_ids_of_both_nights(tmp_path: Path) -> None:
    nights = {
        "then": (["u", "v"], [7, 9], [("title", "red"), ("genres", "red")]),
        "now": (["v", "w"], [8, 9, 7], [("genres", "red")]),
    }
    for night, (users, items, terms) in nights.items():
        tables = {
            f"{layout.PREPARED}/{layout.USERS}": pa.table({"user_index": range(len(users)), "user_id": users}),
            f"{layout.PREPARED}/{layout.ITEMS}": pa.table({"item_index": range(len(items)), "item_id": items}),
            f"train/{layout.VOCABULARY}": pa.table(
                {"term": [term for _, term in terms], "column": [column for column, _ in terms]}
            ),
        }
        for name, table in tables.items():
            (tmp_path / night / name).parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(table, tmp_path / night / name)
    save(Popularity().fit(Dataset.from_arrays([0], [0])), tmp_path / "model")
    (tmp_path / "shared").mkdir()
    for shared in (None, tmp_path / "none", tmp_path / "shared", tmp_path / "shared"):
        earlier = load_warm_start(tmp_path / "model", tmp_path / "then", tmp_path / "now", "train", shared)
        assert {name: rows.tolist() for name, rows in earlier.rows.items()} == {
            "users": [1, -1],
            "items": [-1, 1, 0],
            "terms": [1],
            "user_terms": [],
        }
    assert not (tmp_path / "none").exists()
    one = np.array([[1, 0], [0, 1]], np.float32)
    np.save(tmp_path / "then" / "train" / layout.ITEM_VECTORS, one)
    for now, same in ((one[[0, 1, 0]], [0, 1]), (-one[[0, 1, 0]], [-1, -1]), (np.eye(3, dtype=np.float32), [-1] * 3)):
        np.save(tmp_path / "now" / "train" / layout.ITEM_VECTORS, now)
        earlier = load_warm_start(tmp_path / "model", tmp_path / "then", tmp_path / "now", "train")
        assert earlier.rows["vectors"].tolist() == same
    assert described_rows(earlier.rows["terms"], np.array([0, 1], np.int32), 4).tolist() == [1, 2, 3]


@pytest.mark.parametrize(
    ("today", "expected"),
    [
        ([[0.6, 0.8], [1, 0]], [-1, 0, 1]),
        ([[-0.6, -0.8], [1, 0]], [-1, -1, -1]),  # of another encoder
        ([[0.6, 0.8, 0], [1, 0, 0]], [-1, -1, -1, -1]),
        ([[0, 0], [1, 0]], [-1, -1, -1]),  # nobody has one of both nights
    ],
)
@pytest.mark.slow
def test_numbers_of_the_vectors_of_users_are_those_of_then_where_these_have_stayed(
    tmp_path: Path, today: list[list[float]], expected: list[int]
) -> None:
    """The user v has one on both nights; today each has half of a city beside it."""
    nights = {"then": (["u", "v"], [[0, 1], [0.6, 0.8]], []), "now": (["v", "w"], today, [("city", "Rome")])}
    for night, (users, given, others) in nights.items():
        for folder in (layout.PREPARED, "train"):
            (tmp_path / night / folder).mkdir(parents=True)
        pq.write_table(pa.table({"user_id": users}), tmp_path / night / layout.PREPARED / layout.USERS)
        pq.write_table(pa.table({"item_id": ["i"]}), tmp_path / night / layout.PREPARED / layout.ITEMS)
        numbers = [(layout.OF_VECTORS, str(place)) for place in range(len(given[0]))]
        column, term = zip(*others, *numbers, strict=True)
        names = pa.table({"column": column, "term": term})
        pq.write_table(names, tmp_path / night / "train" / layout.USER_VOCABULARY)
        terms = np.hstack([np.full((2, len(others)), 0.5), np.array(given)])
        user, index = np.nonzero(terms)
        weights = pa.table({"user_index": user, "term_index": index, "weight": terms[user, index]})
        pq.write_table(weights, tmp_path / night / "train" / layout.USER_TERMS)
    save(Popularity().fit(Dataset.from_arrays([0], [0])), tmp_path / "model")
    earlier = load_warm_start(tmp_path / "model", tmp_path / "then", tmp_path / "now", "train")
    assert earlier.rows["user_terms"].tolist() == expected


def test_values_are_taken_to_where_their_rows_are_now() -> None:
    start = WarmStart(None, {"items": np.array([2, -1, 0], np.int32)})
    assert start.known_rows("items", np.array([[1, 2], [3, 4], [5, 6]], np.float32)).tolist() == [
        [5, 6],
        [0, 0],
        [1, 2],
    ]


@pytest.mark.parametrize(
    ("rows_before", "expected"),
    [
        (6, Changed(rows=2 / 8, users=1 / 4, items=1 / 3)),  # six pairs are as they were, two are new
        (9, Changed(rows=2 / 8 + 3 / 8, users=1 / 4, items=1 / 3)),  # three are gone
    ],
)
def test_shares_of_what_is_new_or_gone(tmp_path: Path, rows_before: int, expected: Changed) -> None:
    """Users and items without interactions do not count: the user 4 and the items 3 and 4, all new."""
    times = [1, 2, 3, 4, 5, 6, 10, 11]
    data = Dataset.from_arrays(
        [0, 0, 1, 1, 2, 2, 3, 3], [0, 1, 0, 1, 0, 1, 0, 2], timestamp=times, n_users=5, n_items=5
    )
    for night, n in (("then", rows_before), ("now", len(times))):
        path = tmp_path / night / layout.PREPARED / layout.interactions_file("train")
        path.parent.mkdir(parents=True)
        table = pa.table({"user_index": np.zeros(n, np.int32)})
        pq.write_table(table.replace_schema_metadata({layout.SPLIT_END: b"10"}), path)
    rows = {"users": np.array([0, 1, 2, -1, -1], np.int32), "items": np.array([0, 1, -1, -1, -1], np.int32)}
    given = WarmStart(None, rows), data, tmp_path / "then", tmp_path / "now"
    found = changed(*given, "train")
    assert found == pytest.approx(expected)
    assert found.most()[0] == ("items" if rows_before == 6 else "rows")
    (tmp_path / "shared").mkdir()
    for _ in range(2):
        assert changed(*given, "train", tmp_path / "shared") == found
    assert len(list((tmp_path / "shared").iterdir())) == 1
