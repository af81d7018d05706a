"""Vectors as models take them: which item has which, centered, shortened and of length one."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from sklearn.decomposition import PCA

from recmodels.data import layout
from tasks.features.terms import unit_rows
from tasks.features.vectors import fitted, given_vectors, unit, user_terms, write_item_vectors


def given(folder: Path, name: str, ids: list[int], vectors: np.ndarray) -> None:
    key = name.split("_", maxsplit=1)[0] + "_id"
    values = pa.array(vectors.astype(np.float32).ravel())
    table = pa.table({key: ids, "vector": pa.FixedSizeListArray.from_arrays(values, vectors.shape[1])})
    pq.write_table(table, folder / f"{name}.parquet", row_group_size=2)


def written(folder: Path, ids: list[int], known: list[bool], longest: int) -> tuple[int, np.ndarray]:
    found = given_vectors(folder, "item_vectors", pa.chunked_array([ids]))
    assert found is not None
    n = write_item_vectors(folder, len(ids), *found, np.array(known), longest)
    vectors = layout.read_vectors(folder / layout.ITEM_VECTORS, len(ids))
    assert vectors is not None and vectors.dtype == np.float32
    return n, np.asarray(vectors)


def test_vectors_are_those_of_the_items_less_the_mean_of_the_known_ones(tmp_path: Path) -> None:
    given(tmp_path, "item_vectors", [30, 99, 10, 20], np.array([[0.0, 5.0], [7.0, 7.0], [2.0, 0.0], [-1.0, 0.0]]))
    n, vectors = written(tmp_path, [10, 20, 30, 40], [True, False, True, True], longest=8)
    mean = np.array([0.5, 0.5])  # of (1, 0) and (0, 1), the directions of the known items that have a vector
    directions = np.array([[1.0, 0.0], [-1.0, 0.0], [0.0, 1.0]]) - mean
    assert n == 3
    np.testing.assert_allclose(vectors[:3], directions / np.linalg.norm(directions, axis=1, keepdims=True), rtol=1e-6)
    assert not vectors[3].any()
    assert not list(tmp_path.glob(".tmp-*"))


def test_long_vectors_become_principal_components(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(30, 12)) * np.arange(1, 13)
    given(tmp_path, "item_vectors", list(range(30)), vectors)
    _, found = written(tmp_path, list(range(30)), [True] * 30, longest=4)
    peer = PCA(4).fit_transform(vectors / np.linalg.norm(vectors, axis=1, keepdims=True))
    peer /= np.linalg.norm(peer, axis=1, keepdims=True)
    np.testing.assert_allclose(found @ found.T, peer @ peer.T, atol=1e-5)


def test_the_signs_of_components_do_not_depend_on_the_night() -> None:
    vectors = np.random.default_rng(1).normal(size=(50, 6)).astype(np.float32)
    components = fitted(vectors, np.arange(50), 3)[1]
    assert components is not None
    assert (components[np.abs(components).argmax(axis=0), range(3)] > 0).all()


def test_vectors_of_users_are_features_beside_those_of_their_table(tmp_path: Path) -> None:
    given(tmp_path, "user_vectors", [3, 1], np.array([[0.0, 2.0], [2.0, 0.0]]))
    terms = user_terms(tmp_path, pa.chunked_array([[1, 2, 3]]), np.ones(3, bool), longest=8)
    assert terms is not None and terms.names == ["0", "1"]
    half = np.sqrt(0.5)
    np.testing.assert_allclose(terms.weights.toarray(), [[half, -half], [0, 0], [-half, half]], rtol=1e-6)
    assert user_terms(tmp_path / "none", pa.chunked_array([[1]]), np.ones(1, bool), longest=8) is None


def test_a_user_whose_vector_is_the_mean_of_all_has_none(tmp_path: Path) -> None:
    given(tmp_path, "user_vectors", [1, 2], np.array([[3.0, 4.0], [1.0, 0.0]]))
    terms = user_terms(tmp_path, pa.chunked_array([[1, 2]]), np.array([True, False]), longest=8)
    assert terms is not None and np.diff(terms.weights.indptr).tolist() == [0, 2]
    assert np.isfinite(unit_rows([terms], 2).toarray()).all()
    assert user_terms(tmp_path, pa.chunked_array([[1]]), np.ones(1, bool), longest=8) is None


@pytest.mark.parametrize("longest", [8, 2])
def test_only_directions_count_however_short_vectors_are(tmp_path: Path, longest: int) -> None:
    vectors = np.random.default_rng(0).normal(size=(9, 3))
    given(tmp_path, "user_vectors", list(range(9)), vectors)
    given(tmp_path, "item_vectors", list(range(9)), vectors)
    ids, known = pa.chunked_array([list(range(9))]), np.arange(9) < 6
    people, (_, items) = user_terms(tmp_path, ids, known, longest), written(tmp_path, list(range(9)), [*known], longest)
    lengths = 10.0 ** np.arange(-15, 12, 3)[:, None]
    given(tmp_path, "user_vectors", list(range(9)), vectors * lengths)
    given(tmp_path, "item_vectors", list(range(9)), vectors * lengths)
    same = user_terms(tmp_path, ids, known, longest)
    assert people is not None and same is not None
    np.testing.assert_allclose(same.weights.toarray(), people.weights.toarray(), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(people.weights.toarray(), items, rtol=1e-4, atol=1e-5)
    n, again = written(tmp_path, list(range(9)), [*known], longest)
    assert n == 9
    np.testing.assert_allclose(again, items, rtol=1e-4, atol=1e-5)


def test_an_item_of_which_an_encoder_makes_nothing_has_no_vector(tmp_path: Path) -> None:
    made = np.array([[0, 0], [1, 0], [0, 1], [np.nan, 1]], np.float32)
    assert write_item_vectors(tmp_path, 4, 2, [(np.arange(4), made)], np.ones(4, bool), longest=8) == 2
    vectors = layout.read_vectors(tmp_path / layout.ITEM_VECTORS, 4)
    assert vectors is not None and vectors.any(axis=1).tolist() == [False, True, True, False]


def test_a_file_of_other_ids_alone_is_noted(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    given(tmp_path, "item_vectors", [1, 2], np.eye(2))
    assert written(tmp_path, [2, 3], [True, True], longest=8)[0] == 1
    assert "none of" not in caplog.text
    assert written(tmp_path, [3, 4], [True, True], longest=8)[0] == 0
    assert "item_vectors: none of 2 ids is one that the other tables have" in caplog.text


def test_vectors_of_nothing_stay_nothing() -> None:
    assert unit(np.array([[3.0, 4.0], [0.0, 1e-9]], np.float32)).tolist() == [
        [np.float32(0.6), np.float32(0.8)],
        [0, 0],
    ]
