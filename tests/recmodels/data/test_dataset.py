from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recmodels.data import layout
from recmodels.data.dataset import Dataset
from recmodels.errors import DataRefused, NightrecError


def write(path: Path, metadata: dict[bytes, bytes] | None = None, **columns: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(metadata), path)


def int32(*values: int) -> pa.Array:
    return pa.array(values, pa.int32())


@pytest.fixture
def features(tmp_path: Path) -> Path:
    """Two users, three items, one split."""
    write(tmp_path / layout.PREPARED / layout.USERS, user_index=int32(0, 1), user_id=["a", "b"])
    write(
        tmp_path / layout.PREPARED / layout.ITEMS,
        item_index=int32(0, 1, 2),
        item_id=[7, 8, 9],
        available=[True, False, True],
    )
    write(
        tmp_path / layout.PREPARED / layout.interactions_file("train"),
        {layout.SPLIT_END: b"5000000"},
        user_index=int32(0, 0, 1),
        item_index=int32(2, 0, 1),
        timestamp=pa.array([1_000_001, 2_000_000, 3_000_000], pa.timestamp("us", tz="UTC")),
        weight=pa.array([1, 2, 3], pa.float32()),
        rating=pa.array([4.5, None, 1], pa.float32()),
    )
    write(
        tmp_path / "train" / layout.TERMS,
        item_index=int32(0, 2),
        term_index=int32(1, 0),
        weight=pa.array([1, 1], pa.float32()),
    )
    write(
        tmp_path / "train" / layout.USER_TERMS,
        user_index=int32(1),
        term_index=int32(0),
        weight=pa.array([1], pa.float32()),
    )
    write(tmp_path / layout.PREPARED / layout.HOLDOUT, user_index=int32(1, 1), item_index=int32(0, 2))
    return tmp_path


def test_a_split_is_read_as_it_was_written(features: Path) -> None:
    data = Dataset.load(features, "train")
    assert (data.n_users, data.n_items, data.end, len(data)) == (2, 3, 5_000_000, 3)
    assert data.timestamp.tolist() == [1_000_001, 2_000_000, 3_000_000]
    assert data.indptr.tolist() == [0, 2, 3]
    assert data.matrix.toarray().tolist() == [[2, 0, 1], [0, 3, 0]]
    assert data.terms.toarray().tolist() == [[0, 1], [0, 0], [1, 0]]
    assert data.user_terms.toarray().tolist() == [[0], [1]]
    assert data.rating is not None
    np.testing.assert_array_equal(data.rating, np.array([4.5, np.nan, 1], np.float32))
    types = [column.dtype.name for column in (data.user_index, data.item_index, data.weight, data.matrix, data.terms)]
    assert types == ["int32", "int32", "float32", "float32", "float32"]


@pytest.mark.parametrize("users", [[], [0], [1], [0, 1]])
def test_of_some_users_a_split_is_as_without_the_others(features: Path, users: list[int]) -> None:
    whole = Dataset.load(features, "train")
    some = Dataset.load(features, "train", users=np.array(users, np.int32), terms=(whole.terms, whole.user_terms))
    expected = whole.without(np.setdiff1d(np.arange(2), users).astype(np.int32))
    for name in ("n_users", "n_items", "end", "terms", "user_terms"):
        assert getattr(some, name) is getattr(whole, name) or getattr(some, name) == getattr(whole, name)
    for name in ("user_index", "item_index", "timestamp", "weight", "indptr"):
        np.testing.assert_array_equal(getattr(some, name), getattr(expected, name))
    np.testing.assert_array_equal(some.seen.toarray(), expected.seen.toarray())
    rated = (some.ratings, expected.ratings)
    assert [[] if one is None else one.data.tolist() for one in rated] == [
        [4.5] * (0 in users) + [1] * (1 in users)
    ] * 2


def test_a_site_without_terms_has_none(features: Path) -> None:
    (features / "train" / layout.TERMS).unlink()
    assert Dataset.load(features, "train").terms.shape == (3, 0)


def test_a_missing_split_is_named(features: Path) -> None:
    with pytest.raises(NightrecError, match=r"full/interactions\.parquet does not exist"):
        Dataset.load(features, "full")


def test_an_index_beyond_the_catalogue_is_refused(features: Path) -> None:
    write(features / layout.PREPARED / layout.ITEMS, item_index=int32(0, 1), item_id=[7, 8], available=[True, True])
    (features / "train" / layout.TERMS).unlink()
    with pytest.raises(DataRefused, match=r"item_index 2 is outside 0\.\.1"):
        Dataset.load(features, "train")


def test_arrays_are_sorted_by_user_and_time_and_ties_keep_their_order() -> None:
    data = Dataset.from_arrays([1, 0, 0, 0], [3, 2, 1, 0], timestamp=[5, 9, 7, 9], weight=[1, 2, 3, 4])
    assert data.item_index.tolist() == [1, 2, 0, 3]
    assert data.weight.tolist() == [3, 2, 4, 1]
    assert (data.n_users, data.n_items, data.end) == (2, 4, 10)


def test_a_pair_that_occurs_twice_is_refused() -> None:
    with pytest.raises(DataRefused, match="occurs twice"):
        Dataset.from_arrays([0, 0], [1, 1])


def test_pairs_of_weight_0_are_seen_but_excluded_from_training() -> None:
    data = Dataset.from_arrays([0, 0, 1], [0, 1, 1], weight=[2, 0, 1], rating=[5, 1, 4])
    assert (len(data), data.item_index.tolist(), data.weight.tolist()) == (2, [0, 1], [2, 1])
    assert data.rating is not None and data.rating.tolist() == [5, 4]
    assert data.matrix.toarray().tolist() == [[2, 0], [0, 1]]
    assert data.matrix.nnz == 2
    assert np.diff(data.seen.indptr).tolist() == [2, 1]


def test_a_weight_that_is_not_a_number_is_refused() -> None:
    with pytest.raises(DataRefused, match="weight"):
        Dataset.from_arrays([0, 1], [1, 1], weight=[1, np.nan])


def test_all_ratings_are_kept_also_of_pairs_excluded_from_training(features: Path) -> None:
    data = Dataset.load(features, "train")
    assert data.ratings is not None
    assert data.ratings.toarray().tolist() == [[0, 0, 4.5], [0, 1, 0]]  # None is no rating
    disliked = Dataset.from_arrays([0, 0, 1], [0, 1, 1], weight=[2, 0, 1], rating=[5, 1, 4])
    assert disliked.ratings is not None
    assert disliked.ratings.toarray().tolist() == [[5, 1], [0, 4]]
    assert Dataset.from_arrays([0], [0]).ratings is None


def test_without_some_users_everything_of_theirs_is_gone_and_the_rest_is_as_it_was() -> None:
    times, weights, ratings = [5, 1, 2, 3, 4], [1, 1, 0, 1, 2], [4.0, np.nan, 1.0, 2.0, 5.0]
    data = Dataset.from_arrays(
        [0, 1, 1, 2, 2], [1, 2, 0, 1, 3], timestamp=times, weight=weights, rating=ratings, n_users=4, end=9
    )
    left = data.without(np.array([1], np.int32))
    alone = Dataset.from_arrays(
        [0, 2, 2], [1, 1, 3], timestamp=[5, 3, 4], weight=[1, 1, 2], rating=[4.0, 2.0, 5.0], n_users=4, end=9
    )
    for name in ("user_index", "item_index", "timestamp", "weight", "rating"):
        assert np.array_equal(getattr(left, name), getattr(alone, name)), name
    assert left.seen.toarray().tolist() == alone.seen.toarray().tolist() and left.seen.nnz == 3
    assert left.ratings is not None and alone.ratings is not None
    assert left.ratings.toarray().tolist() == alone.ratings.toarray().tolist()
    assert (left.n_users, left.n_items, left.end) == (4, 4, 9)
    assert len(data) == 4 and data.seen.nnz == 5


def test_columns_are_read_only_wherever_they_come_from_and_the_callers_stay_as_they_were() -> None:
    users, ratings = np.array([0, 0, 1], np.int32), np.array([1, 2, 3], np.float32)
    data = Dataset.from_arrays(users, [0, 1, 1], rating=ratings)
    assert data.rated is not None
    for part in (data, data.without(np.array([0], np.int32))):
        columns = (part.user_index, part.item_index, part.timestamp, part.weight, part.rating, *(part.rated or ()))
        assert all(column is not None and not column.flags.writeable for column in columns)
    assert users.flags.writeable and ratings.flags.writeable
