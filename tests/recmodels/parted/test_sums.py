"""Sums that are added up by ranges of rows."""

import numpy as np
import pytest

from recmodels.engine.work import Bucket, Work
from recmodels.parted import sums
from recmodels.parted.training import PartedTraining

N_ROWS = 11
ROWS = ([0, 3, 4, 10], [3, 5], [])


def some(work: Work) -> None:
    """1, 2 and so on of the bucket's rows."""
    rows = np.array(work.arguments["rows"], np.int32)
    values = np.arange(1, 2 * len(rows) + 1, dtype=np.float32).reshape(-1, 2)
    sums.write_sums(work.out, rows, values, work.arguments["edges"])


@pytest.mark.parametrize("piece", [8, 30, 10**6])  # bytes: a range for each row, four ranges, one
def test_a_sum_is_of_the_rows_that_each_part_has(
    work: PartedTraining, piece: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sums, "PIECE", piece)
    buckets = [Bucket(f"{number}", arguments={"rows": rows}) for number, rows in enumerate(ROWS)]
    expected = np.zeros((N_ROWS, 2))
    expected[[0, 3, 4, 10]] = [[1, 2], [3, 4], [5, 6], [7, 8]]
    expected[[3, 5]] += [[1, 2], [3, 4]]
    for _ in range(2):  # the second time it is there
        np.testing.assert_array_equal(sums.summed(work, some, buckets, "step", N_ROWS, 8), expected)
    assert {path.name for path in work.folder.iterdir() if path.is_dir()} == {"step"}


def test_it_is_added_up_in_the_order_of_the_parts(work: PartedTraining, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sums, "PIECE", 8)
    values = [1e8, 1.0, -1e8, 1.0]  # in float32 another order gives another sum
    buckets = [Bucket(f"{number}", arguments={"value": value}) for number, value in enumerate(values)]
    assert sums.summed(work, one, buckets, "step", 2, 8).tolist() == [[1.0], [1.0]]


def one(work: Work) -> None:
    """The same of two rows."""
    values = np.full((2, 1), work.arguments["value"], np.float32)
    sums.write_sums(work.out, np.arange(2, dtype=np.int32), values, work.arguments["edges"])


def test_groups_are_all_parts_in_order() -> None:
    for n in (1, 64, 65, 1000):
        found = sums.groups(n)
        assert [part for group in found for part in group] == list(range(n))
        assert len(found) == min(n, 64)


def test_ranges_follow_from_the_size_alone_and_are_all_rows() -> None:
    for n_rows, row_bytes, count in ((1, 512, 1), (5_000_000, 512, 64), (63_771, 512, 2), (0, 512, 1)):
        edges = sums.row_edges(n_rows, row_bytes)
        assert (edges[0], edges[-1], len(edges) - 1) == (0, n_rows, count)
        assert edges == sorted(edges)
