"""Arrays as files that processes map into memory."""

from pathlib import Path

import numpy as np
import pytest
from scipy import sparse

from recmodels.parted.arrays import csr_arrays, mapped, mapped_csr, write_arrays


def test_arrays_come_back_as_they_were(tmp_path: Path) -> None:
    one = np.arange(6, dtype=np.float32).reshape(2, 3)
    arrays = {"one": one, "by_columns": np.asfortranarray(one), "none": np.empty((0, 4), np.int32)}
    write_arrays(tmp_path, arrays)
    for name, array in arrays.items():
        found = mapped(tmp_path, name)
        assert (found.dtype, found.shape) == (array.dtype, array.shape)
        np.testing.assert_array_equal(found, array)


def test_what_a_process_writes_to_a_mapped_array_stays_its_own(tmp_path: Path) -> None:
    write_arrays(tmp_path, {"one": np.zeros(3)})
    found = mapped(tmp_path, "one")
    found[:] = 1
    np.testing.assert_array_equal(mapped(tmp_path, "one"), np.zeros(3))
    assert type(found) is np.ndarray  # which the kernels are compiled for


def test_a_file_that_is_cut_short_is_refused(tmp_path: Path) -> None:
    write_arrays(tmp_path, {"one": np.zeros(3)})
    path = tmp_path / "one.npy"
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(ValueError, match="greater than file size"):
        mapped(tmp_path, "one")


def test_a_sparse_matrix_comes_back_with_its_shape_and_what_is_stored(tmp_path: Path) -> None:
    matrix = sparse.csr_array(([1.0, 0.0, 2.0], ([0, 0, 3], [1, 2, 0])), shape=(5, 7))
    write_arrays(tmp_path, csr_arrays(matrix, "a_") | csr_arrays(sparse.csr_array((2, 3)), "b_"))
    found = mapped_csr(tmp_path, "a_")
    assert (found.shape, found.nnz) == ((5, 7), 3)
    np.testing.assert_array_equal(found.toarray(), matrix.toarray())
    assert mapped_csr(tmp_path, "b_").shape == (2, 3)


def test_objects_are_neither_written_nor_read(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="allow_pickle"):
        write_arrays(tmp_path, {"objects": np.array([{}])})
    np.save(tmp_path / "objects.npy", np.array([{}]), allow_pickle=True)
    with pytest.raises(ValueError, match="objects in dtype"):
        mapped(tmp_path, "objects")
