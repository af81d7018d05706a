"""Rows come back from files as they were put there."""

import errno
from pathlib import Path

import numpy as np
import pytest

from tasks.prepare.interactions import Rows
from tasks.prepare.shelf import Shelf


def rows(user: list[int], *, began: bool = False, rated: bool = False) -> Rows:
    n = len(user)
    at = np.arange(n, dtype=np.int64) + 2**50
    return Rows(
        user=np.array(user, np.int32),
        item=np.arange(n, dtype=np.int32),
        timestamp=at,
        first=at - 1 if began else at,
        weight=np.broadcast_to(np.float32(1), n),
        rating=np.full(n, np.nan, np.float32) if rated else None,
    )


@pytest.mark.parametrize("in_memory", [True, False])
@pytest.mark.parametrize(("began", "rated"), [(False, False), (True, True)])
def test_rows_come_back_as_they_were_put(tmp_path: Path, *, in_memory: bool, began: bool, rated: bool) -> None:
    shelf = Shelf(None if in_memory else tmp_path)
    shelf.put("pairs", 0, rows([1], began=not began))
    shelf.put("pairs", 0, rows([3, 3, 4], began=began, rated=rated))  # in place of the others
    shelf.put("pairs", 1, rows([]))
    back = shelf.rows("pairs", 0)
    assert back.user.tolist() == [3, 3, 4]
    assert (back.first is back.timestamp) is not began
    assert (back.rating is not None) is rated
    assert shelf.has_repeated("pairs") is began
    assert len(shelf.rows("pairs", 1)) == 0
    assert (shelf.n_rows("pairs"), shelf.n_rows("train")) == (3, 0)
    shelf.drop("pairs", 0)
    assert shelf.there("pairs", 0) and not shelf.there("train", 0)  # known, though gone
    assert not list(tmp_path.glob("pairs-0-*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a file on a full disk")
def test_a_full_disk_is_known_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "events-0-user").symlink_to("/dev/full")
    with pytest.raises(OSError, match="No space left") as full:
        Shelf(tmp_path).add("events", 0, rows([1, 2]))
    assert full.value.errno == errno.ENOSPC  # by which a night says what to do


def test_batches_of_a_range_follow_each_other(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path)
    shelf.add("events", 2, rows([5, 6]))
    shelf.add("events", 2, rows([5]))
    assert shelf.rows("events", 2).user.tolist() == [5, 6, 5]
