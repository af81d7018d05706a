"""Starting from an earlier model: which rows match, and what is taken over."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from scipy import sparse

from recmodels.data import layout
from recmodels.data.arrays import Ints
from recmodels.data.dataset import Dataset
from recmodels.errors import ConfigError
from recmodels.options import FitOptions, WarmStart
from recmodels.pairwise.hybrid import Hybrid
from recmodels.pairwise.ncf import NCF
from recmodels.pairwise.warm_start import aligned, load_warm_start
from recmodels.persistence import save
from recmodels.testing import N_ITEMS, N_USERS, small_site

torch.set_num_threads(1)

KIND = {"factors": 6, "epochs": 2, "batch": 256, "warm_start": "always"}
MODELS = [Hybrid(**KIND), Hybrid(**KIND, content=False, history=False), NCF(**KIND, hidden=4)]


def same_rows(data: Dataset) -> dict[str, Ints]:
    sizes = {"users": data.n_users, "items": data.n_items, "terms": data.terms.shape[1], "user_terms": 0}
    return {name: np.arange(n, dtype=np.int32) for name, n in sizes.items()}


def shuffled(data: Dataset) -> tuple[Dataset, dict[str, Ints]]:
    """The same site under other numbers, with three users and two items more; and the old row of each."""
    rng = np.random.default_rng(3)
    user, item = rng.permutation(N_USERS + 3), rng.permutation(N_ITEMS + 2)  # the new number of each old one
    terms = np.zeros((N_ITEMS + 2, data.terms.shape[1]), np.float32)
    terms[item[:N_ITEMS]] = data.terms.toarray()
    other = Dataset.from_arrays(
        user[data.user_index], item[data.item_index], timestamp=data.timestamp, terms=sparse.csr_array(terms),
        n_users=N_USERS + 3, n_items=N_ITEMS + 2,
    )  # fmt: skip
    rows = same_rows(data)
    for name, numbers, n in (("users", user, N_USERS), ("items", item, N_ITEMS)):
        rows[name] = np.full(len(numbers), -1, np.int32)
        rows[name][numbers[:n]] = np.arange(n)
    return other, rows


def test_an_id_is_found_where_it_was_and_null_matches_nothing() -> None:
    then, now = pa.array(["b", None, "a"]), pa.array(["a", "c", None, "b"])
    assert aligned(then, now).tolist() == [2, -1, -1, 0]
    assert aligned(pa.array([1, 2]), now).tolist() == [-1, -1, -1, -1]


@pytest.mark.parametrize("model", MODELS)
def test_a_warm_start_without_a_step_scores_as_before_whatever_the_order(model: Hybrid | NCF) -> None:
    data = small_site()
    before = replace(model).fit(data)
    other, rows = shuffled(data)
    after = replace(model, warm_epochs=0)
    after.fit(other, FitOptions(warm_start=WarmStart(before, rows)))
    users, items = np.flatnonzero(rows["users"] >= 0), np.flatnonzero(rows["items"] >= 0)
    expected = before._score(data, rows["users"][users])[:, rows["items"][items]]
    scores = after._score(other, users.astype(np.int32))[:, items]
    known = np.isfinite(expected)
    np.testing.assert_allclose(scores[known], expected[known], atol=1e-5)


def test_a_new_item_is_trained_and_a_new_item_starts_from_its_terms() -> None:
    data = small_site()
    before = Hybrid(**KIND).fit(data)
    rows = same_rows(data)
    rows["items"][7] = -1
    after = Hybrid(**KIND, warm_epochs=0)
    after.fit(data, FitOptions(warm_start=WarmStart(before, rows)))
    of_terms = data.terms[[7]] @ before.tables_["items_terms"]
    assert np.abs(after.item_vectors_[7] - of_terms).max() < 0.2 < np.abs(of_terms).max()


def test_a_warm_start_ends_nearer_to_the_earlier_model_than_another_one_from_nothing() -> None:
    data = small_site()
    before = Hybrid(**KIND).fit(data)
    warm, cold = Hybrid(**KIND, warm_epochs=1, seed=1), Hybrid(**KIND | {"epochs": 1}, seed=1)
    warm.fit(data, FitOptions(warm_start=WarmStart(before, same_rows(data))))
    cold.fit(data)
    near, far = (np.linalg.norm(model.item_vectors_ - before.item_vectors_) for model in (warm, cold))
    assert near < far / 2
    cold_again = warm.fit(data)  # options are for one training
    np.testing.assert_array_equal(cold_again.item_vectors_, Hybrid(**KIND, seed=1).fit(data).item_vectors_)


def test_a_model_of_other_features_or_sizes_is_no_start() -> None:
    data = small_site()
    others = [Hybrid(**KIND | {"factors": 5}), Hybrid(**KIND | {"warm_start": "no"}), NCF(**KIND)]
    cold = Hybrid(**KIND).fit(data)
    for other in others:
        model = Hybrid(**KIND)
        model.fit(data, FitOptions(warm_start=WarmStart(other.fit(data), same_rows(data))))
        np.testing.assert_array_equal(model.item_vectors_, cold.item_vectors_)
    with pytest.raises(ConfigError, match="Hybrid: warm_start is 'maybe'; give one of no, refit, always"):
        Hybrid(warm_start="maybe").fit(data)  # type: ignore[arg-type]


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
    save(Hybrid(**KIND).fit(small_site()), tmp_path / "model")
    earlier = load_warm_start(tmp_path / "model", tmp_path / "then", tmp_path / "now", "train")
    assert {name: rows.tolist() for name, rows in earlier.rows.items()} == {
        "users": [1, -1],
        "items": [-1, 1, 0],
        "terms": [1],
        "user_terms": [],
    }
