"""One training in parts."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from recmodels.data.stored import PIECE
from recmodels.engine.current import using
from recmodels.engine.local import LocalEngine
from recmodels.engine.work import Bucket, Work
from recmodels.errors import NightrecError
from recmodels.parted.arrays import mapped, write_arrays
from recmodels.parted.training import PartedTraining, held_rows, parted_training, ranges
from recmodels.testing import small_site

CALLS: list[str] = []


def ones(work: Work) -> None:
    CALLS.append(str(work.arguments["number"]))
    rows = np.array(work.arguments["rows"])
    write_arrays(work.out, {"rows": rows, "sums": np.ones((len(rows), 2), np.float32) * work.arguments["number"]})


def refusing(work: Work) -> None:
    if work.arguments["number"] == 2:
        raise NightrecError("no")
    ones(work)


BUCKETS = [Bucket(f"{n}", arguments={"rows": [0, n], "number": n}) for n in (1, 2)]


def test_a_step_that_is_done_is_not_done_again_when_its_parts_are_gone(work: PartedTraining) -> None:
    CALLS.clear()
    first = work.map(ones, BUCKETS, "step")
    work.drop("step")
    assert work.map(ones, BUCKETS, "step") == first
    assert sorted(CALLS) == ["1", "2"]
    assert [path.name for path in work.folder.iterdir()] == ["step.done"]


def test_what_a_killed_training_has_made_is_not_made_again(tmp_path: Path) -> None:
    CALLS.clear()
    data, made = small_site(), []

    def make() -> Mapping[str, NDArray[np.float64]]:
        made.append(1)
        return {"one": np.ones(2)}

    def train(function: object) -> NDArray[np.float64]:
        with parted_training(tmp_path, "model", data, {"seed": 0}) as training:
            assert training is not None
            one = mapped(training.keep("one", make), "one")
            training.map(function, BUCKETS, "step")  # type: ignore[arg-type]
            return np.array(one)

    with pytest.raises(NightrecError):
        train(refusing)
    (left,) = tmp_path.iterdir()
    assert {path.name for path in left.iterdir()} == {"one", "step"}
    train(refusing_no_more := ones)
    assert (len(made), refusing_no_more) == (1, ones)
    assert list(tmp_path.iterdir()) == []  # it has ended as it should


def test_other_data_or_parameters_are_another_training(tmp_path: Path) -> None:
    keys = []
    for data, seed in [(small_site(), 0), (small_site(), 1), (small_site(1), 0)]:
        with parted_training(tmp_path, "model", data, {"seed": seed}) as training:
            assert training is not None
            keys.append((training.key, training.folder))
    assert len({key for key, _ in keys}) == len({folder for _, folder in keys}) == 3


def test_without_a_folder_no_training_is_in_parts(tmp_path: Path) -> None:
    with parted_training(None, "model", small_site(), {}) as training:
        assert training is None


def test_the_number_of_buckets_follows_from_the_rows(work: PartedTraining) -> None:
    starts = np.arange(101)
    assert len(ranges(starts, 200)) == 3  # of 80 rows each
    assert len(ranges(starts, 80)) == 1
    assert len(ranges(starts, 200, at_most=2)) == 2


def test_a_process_holds_all_rows_where_no_engine_is_asked_for() -> None:
    assert held_rows(10**9) == 10**9
    with using(LocalEngine()):
        assert (held_rows(10**9), held_rows(5)) == (PIECE, 5)
